"""What the simulated system knows of profiles, objects, paths and authorities, and the statements that ask for it.

Who may see what follows IBM's pages of these services: auditing values need *ALLOBJ or *AUDIT, profiles *READ to them (here: who has
*ALLOBJ sees all, others those that are marked `public` and their own), authorities of others *OBJMGT, ownership or *ALLOBJ.
"""
VALUES_TO_HIDE = ("QAUDCTL", "QAUDENDACN", "QAUDLVL", "QAUDLVL2", "QCRTOBJAUD")
SINGLE = ("OBJOPR", "OBJMGT", "OBJEXIST", "OBJALTER", "OBJREF", "READ", "ADD", "UPD", "DLT", "EXECUTE")
MEANS = {"*ALL": SINGLE, "*CHANGE": ("OBJOPR", "READ", "ADD", "UPD", "DLT", "EXECUTE"), "*USE": ("OBJOPR", "READ", "EXECUTE"), "*EXCLUDE": ()}

PROFILES = ('SELECT AUTHORIZATION_NAME AS "NAME", STATUS AS "STATUS", USER_CLASS_NAME AS "CLASS", SPECIAL_AUTHORITIES AS "SPECIAL", '
            'GROUP_PROFILE_NAME AS "GROUP", SUPPLEMENTAL_GROUP_LIST AS "GROUPS", USER_ACTION_AUDIT_LEVEL AS "ACTIONS" '
            "FROM QSYS2.USER_INFO ORDER BY AUTHORIZATION_NAME")
OBJECT = ('SELECT OBJNAME AS "NAME", OBJOWNER AS "OWNER", OBJECT_AUDIT AS "AUDIT" FROM TABLE(QSYS2.OBJECT_STATISTICS('
          "OBJECT_SCHEMA => CAST(? AS VARCHAR(10)), OBJTYPELIST => CAST(? AS VARCHAR(10)), OBJECT_NAME => CAST(? AS VARCHAR(10)))) AS O")
CONTENTS = ('SELECT O.OBJECT_AUDIT AS "AUDIT", CAST(COUNT(*) AS VARCHAR(11)) AS "COUNT", MIN(O.OBJNAME) AS "FIRST" FROM TABLE('
            "QSYS2.OBJECT_STATISTICS(OBJECT_SCHEMA => CAST(? AS VARCHAR(10)), OBJTYPELIST => '*ALL')) AS O GROUP BY O.OBJECT_AUDIT")
PATH = ('SELECT CAST(PATH_NAME AS VARCHAR(1024)) AS "PATH", OBJECT_TYPE AS "TYPE", OBJECT_AUDIT AS "AUDIT" FROM TABLE(QSYS2.IFS_OBJECT_STATISTICS('
        "START_PATH_NAME => CAST(? AS VARCHAR(1024)), SUBTREE_DIRECTORIES => 'NO')) AS P FETCH FIRST 1000 ROWS ONLY")
RIGHTS = ('SELECT AUTHORIZATION_USER AS "USER", OBJECT_AUTHORITY AS "AUTHORITY", AUTHORIZATION_LIST AS "LIST", OBJECT_OPERATIONAL AS "OBJOPR", '
          'OBJECT_MANAGEMENT AS "OBJMGT", OBJECT_EXISTENCE AS "OBJEXIST", OBJECT_ALTER AS "OBJALTER", OBJECT_REFERENCE AS "OBJREF", '
          'DATA_READ AS "READ", DATA_ADD AS "ADD", DATA_UPDATE AS "UPD", DATA_DELETE AS "DLT", DATA_EXECUTE AS "EXECUTE" '
          "FROM TABLE(QSYS2.OBJECT_PRIVILEGES(SYSTEM_OBJECT_SCHEMA => CAST(? AS VARCHAR(10)), SYSTEM_OBJECT_NAME => CAST(? AS VARCHAR(10)), "
          "OBJECT_TYPE => CAST(? AS VARCHAR(8)))) AS A")
TEXTS = {PROFILES: "PROFILES", OBJECT: "OBJECT", CONTENTS: "CONTENTS", PATH: "PATH", RIGHTS: "RIGHTS"}
_text = lambda name, size: (name, "VARCHAR", size)
RESULTS = {
    "PROFILES": [_text("NAME", 10), _text("STATUS", 10), _text("CLASS", 10), _text("SPECIAL", 88), _text("GROUP", 10), _text("GROUPS", 150), _text("ACTIONS", 341)],
    "OBJECT": [_text("NAME", 10), _text("OWNER", 10), _text("AUDIT", 10)],
    "CONTENTS": [_text("AUDIT", 10), _text("COUNT", 11), _text("FIRST", 10)],
    "PATH": [_text("PATH", 1024), _text("TYPE", 10), _text("AUDIT", 10)],
    "RIGHTS": [_text("USER", 10), _text("AUTHORITY", 12), _text("LIST", 10), *(_text(name, 3) for name in SINGLE)],
}


class Security:
    def __init__(self, system, agent="AUDITOR"):
        self.system = system
        self.users, self.objects, self.paths, self.rights = {}, {}, {}, {}
        self.user(agent, special="*AUDIT", actions="*CMD *SECURITY")
        self.user("QSECOFR", cls="*SECOFR", special="*ALLOBJ *SECADM *JOBCTL *SPLCTL *SAVSYS *SERVICE *AUDIT *IOSYSCFG", actions="*CMD *SECURITY *SERVICE")
        self.user("BILL")
        self.object("QSYS", "QGPL", "*LIB", audit="*NONE")
        self.right("QSYS", "QAUDJRN", "*JRN", "*PUBLIC", "*EXCLUDE")
        self.right("QSYS", "QAUDJRN", "*JRN", agent, "*USE", add=["OBJEXIST"])
        for library in ("QSYS", "QGPL"):
            self.right("QSYS", library, "*LIB", agent, "*USE")
        self.agent = agent

    def user(self, name, cls="*USER", special="*NONE", group="*NONE", groups=None, actions="*NONE", status="*ENABLED", public=True):
        self.users[name] = {"status": status, "class": cls, "special": special, "group": group, "groups": groups, "actions": actions, "public": public}

    def object(self, library, name, kind, owner="QSYS", audit="*NONE"):
        self.objects[library, name, kind] = (owner, audit)

    def right(self, library, name, kind, user, authority, add=(), autl=None):
        self.rights.setdefault((library, name, kind), {})[user] = (authority, set(add), autl)

    def special(self, user):
        """The special authorities of a profile, those of its groups among them."""
        row = self.users.get(user)
        if row is None:
            return set()
        groups = [row["group"], *(row["groups"] or "").split()]
        return {word for name in (user, *groups) for word in self.users.get(name, {}).get("special", "").split()} - {"*NONE"}

    def sees_auditing(self, user):
        return bool(self.special(user) & {"*ALLOBJ", "*AUDIT"})

    # One function for each statement: its rows, as the user sees them.

    def profiles(self, user):
        all_of_them = "*ALLOBJ" in self.special(user)
        for name, row in sorted(self.users.items()):
            if all_of_them or row["public"] or name == user:
                actions = row["actions"] if self.sees_auditing(user) else "*NOTAVL"
                # The view says null where a list is empty.
                yield [name, row["status"], row["class"], None if row["special"] == "*NONE" else row["special"], row["group"], row["groups"],
                       None if actions == "*NONE" else actions]

    def audit(self, user, value):
        return value if self.sees_auditing(user) else None

    def object_rows(self):
        journal, found = self.system.journal, dict(self.objects)
        if journal.there:
            found.setdefault((journal.library, journal.name, "*JRN"), ("QSYS", "*NONE"))
        return found

    def object_(self, user, library, kind, name):
        row = self.object_rows().get((library, name, kind))
        visible = row and not ((library, name) == ("QSYS", "QAUDJRN") and "JOURNAL" in self.system.not_authorized)
        return [[name, row[0], self.audit(user, row[1])]] if visible else []

    def contents(self, user, library):
        groups = {}
        for (at, name, _), (_, audit) in sorted(self.object_rows().items()):
            if at == library:
                groups.setdefault(self.audit(user, audit), []).append(name)
        return [[audit, str(len(names)), names[0]] for audit, names in groups.items()]

    def path(self, user, start):
        for path, (kind, audit) in sorted(self.paths.items()):
            if path == start or path.rpartition("/")[0] == start:
                yield [path, kind, self.audit(user, audit)]

    def rights_(self, user, library, name, kind):
        rows = dict(self.rights.get((library, name, kind), {}))
        if kind == "*JRNRCV" and self.system.journal.find(library, name) and not rows:
            rows = {"*PUBLIC": ("*EXCLUDE", set(), None), self.agent: ("*USE", set(), None)}
        mine = rows.get(user)
        manages = mine and "OBJMGT" in {*MEANS.get(mine[0], ()), *mine[1]}
        sees_all = manages or "*ALLOBJ" in self.special(user) or self.object_rows().get((library, name, kind), ("",))[0] == user
        for who, (authority, more, autl) in sorted(rows.items()):
            if sees_all or who == user:
                single = {*MEANS.get(authority, ()), *more}
                word = "USER DEFINED" if more - set(MEANS.get(authority, ())) else authority
                yield [who, word, autl, *("YES" if name in single else "NO" for name in SINGLE)]

    def answer(self, statement, user, parameters):
        function = {"OBJECT": self.object_, "RIGHTS": self.rights_}.get(statement) or getattr(self, statement.lower())
        return function(user, *parameters)
