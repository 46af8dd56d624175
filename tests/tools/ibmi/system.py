"""The simulated IBM i: the journal QSYS/QAUDJRN with its chain of receivers, the history log, system values, profiles, a clock.

It holds state and changes it; what is asked of it in SQL is in statements.py. No sockets and no JSON here, except the texts
made in entries.py. Times are microseconds since 1970-01-01 00:00 of the system's LOCAL clock, for a journal knows no other:
when the UTC offset changes they jump.
"""
import datetime as dt
import time
from array import array
from bisect import bisect_left, bisect_right

from entries import receiver_change
from security import Security

SECOND = 1_000_000
EPOCH = dt.datetime(1970, 1, 1)
LIBRARY = "QGPL"


def stamp(us, style="ibm"):
    """A local time as CAST(... AS VARCHAR(32)) writes it: 2026-11-20-08.00.00.046813; `iso`, as JDBC writes a timestamp column."""
    moment = EPOCH + dt.timedelta(microseconds=us)
    return moment.strftime("%Y-%m-%d-%H.%M.%S.%f" if style == "ibm" else "%Y-%m-%d %H:%M:%S.%f")


def parse_stamp(text):
    """Microseconds of a timestamp in either style, with or without a fraction; ValueError where it is none."""
    date, rest = text[:10], text[11:]
    if rest[2:3] == ".":
        rest = rest.replace(".", ":", 2)
    moment = dt.datetime.fromisoformat(f"{date}T{rest or '00:00:00'}")
    return (moment - EPOCH) // dt.timedelta(microseconds=1)


class Receiver:
    """A journal receiver. Its entries are parallel arrays: a million of them are 20 MB."""

    def __init__(self, name, library, first, attached, before=None):
        self.name, self.library, self.first, self.attached = name, library, first, attached
        self.status = "ATTACHED"
        self.last = first - 1      # of all entries, hidden ones too: may lie beyond the last one that can be read
        self.before = before       # its predecessor where the sequence goes on, None at the start of a sequence
        self.previous = before     # the receiver that was attached before, wherever its sequence began
        self.sequences, self.times, self.templates = array("Q"), array("q"), array("I")

    def between(self, start, end):
        """Indexes from the first entry at or after `start` up to, not with, the first after `end`."""
        return bisect_left(self.sequences, start), bisect_right(self.sequences, end)


class Journal:
    """A journal and its chain, oldest receiver first. The last one is attached."""

    def __init__(self, system, library="QSYS", name="QAUDJRN", holes=0):
        self.system, self.library, self.name = system, library, name
        self.holes = holes         # after this many entries one number is left out, as hidden entries do; 0: never
        self.there, self.detached = True, False  # for the doctor: no journal at all; a journal without a receiver
        self.deletes_receivers = False           # DLTRCV(*YES): shown, not done
        self.next_name = 1
        self.receivers, self.deleted = [], []
        self.stale_queries, self.stale_rows = 0, []
        self.latest = 0            # UTC of the newest entry: they are written in order, whatever the local clock does
        self.attach(1, None)

    @property
    def attached(self):
        return self.receivers[-1]

    def attach(self, first, before):
        receiver = Receiver(f"AUDRCV{self.next_name:04d}", LIBRARY, first, self.system.now(), before)
        self.next_name += 1
        self.receivers.append(receiver)
        self.add(receiver_change("PR", before and before.name, before and before.library))

    def add(self, template, at=None):
        """One entry, now or at a local time. Gives its sequence number."""
        self.append([self.system.register(template)], [self.system.now() if at is None else at])
        return self.attached.last

    def append(self, numbers, times):
        """Entries of these template numbers at these local times."""
        receiver, sequence = self.attached, self.attached.last
        if self.holes:
            held = len(receiver.sequences)
            skipped = max(held - 1, 0) // self.holes
            receiver.sequences.extend(sequence + 1 + i + (held + i) // self.holes - skipped for i in range(len(numbers)))
            receiver.last = receiver.sequences[-1] if numbers else sequence
        else:
            receiver.sequences.extend(range(sequence + 1, sequence + 1 + len(numbers)))
            receiver.last = sequence + len(numbers)
        receiver.templates.extend(numbers)
        receiver.times.extend(times)
        if numbers:
            self.latest = receiver.times[-1] - self.system.offset * SECOND

    def roll(self, reset=False, stale=0, kind="missing", hidden=0):
        """Attach a new receiver. `stale` chain queries to come see the chain of before: without the newest receiver (kind
        missing), or with the old last number of each (kind last). `hidden` entries end the old receiver unread."""
        old, rows = self.attached, self.chain_rows()
        self.add(receiver_change("NR", f"AUDRCV{self.next_name:04d}", LIBRARY))
        old.last += hidden
        old.status = "ONLINE"
        self.attach(1 if reset else old.last + 1, old)
        if reset:
            self.attached.before = None
        if stale:
            fresh = [] if kind == "missing" else [row[:3] + [row[2] - 1] + row[4:] for row in self.chain_rows()[-1:]]
            self.stale_queries, self.stale_rows = stale, rows + fresh
        return self.attached.name

    def delete(self, name=None):
        """Delete a receiver, the oldest where none is named. The attached one cannot be deleted."""
        receiver = self.find(None, name) if name else self.receivers[0]
        if receiver is None or receiver is self.attached:
            raise ValueError(f"no detached receiver {name or ''}")
        self.receivers.remove(receiver)
        self.deleted.append(receiver)
        return receiver.name

    def find(self, library, name):
        return next((r for r in self.receivers if r.name == name and library in (None, r.library)), None)

    def chain_rows(self):
        return [[r.library, r.name, r.first, r.last, r.attached, r.status] for r in self.receivers]

    def chain_seen(self):
        """The chain as a query sees it: stale for as many queries as said."""
        if self.stale_queries:
            self.stale_queries -= 1
            return self.stale_rows
        return self.chain_rows()

    def grow(self, count, step_us=1000, start=None, first_template=0):
        """`count` entries that repeat the templates in turn, `step_us` apart. Where no local start is given they end now, and
        are closer together if they would begin before the newest entry there is."""
        pool = self.system.pool
        if start is None:
            now = self.system.now()
            room = now - (self.latest + self.system.offset * SECOND)
            step_us = max(0, min(step_us, room // max(count, 1)))
            start = now - (count - 1) * step_us
        times = range(start, start + step_us * count, step_us) if step_us else [start] * count
        self.append([pool[(first_template + i) % len(pool)] for i in range(count)], times)


class Profile:
    def __init__(self, password):
        self.password, self.disabled, self.failures = password, False, 0


class System:
    """Everything a job on the system can ask about."""

    def __init__(self, name="PROD01", offset=7200, catalog="new", max_sign=3, holes=0, behind=0):
        self.name, self.offset, self.catalog, self.max_sign = name, offset, catalog, max_sign
        self.behind = behind       # microseconds this clock runs late: while the past is made up
        self.offset_changes = []   # (moment in UTC microseconds, new offset in seconds), to come
        self.stamp_style = "ibm"
        self.end_beyond = "ok"     # or CPF7053: what DISPLAY_JOURNAL says to an ending sequence number beyond the receiver
        self.templates, self.pool = [], []
        self.audit = None  # the table functions over audit entries (audit_tables.py), set by the scenario
        self.profiles = {}
        self.refuse_logins, self.refusal = 0, "Password is expired."
        self.not_authorized = set()  # names of the statements that are answered as if authority was missing
        self.values = {"QAUDCTL": (None, "*AUDLVL *OBJAUD"), "QAUDLVL": (None, "*SECURITY *AUTFAIL *CREATE *DELETE"), "QAUDLVL2": (None, "*NONE"),
                       "QAUDENDACN": (None, "*NOTIFY"), "QCRTOBJAUD": (None, "*NONE"), "QCCSID": (37, None), "QTIMZON": (None, "QP0100CET2"),
                       "QUTCOFFSET": (None, "+0200")}
        self.history = []          # of HistoryMessage columns, in order
        self.journal = Journal(self, holes=holes)
        self.security = Security(self)

    def now(self):
        utc = time.time_ns() // 1000
        while self.offset_changes and self.offset_changes[0][0] <= utc:
            self.set_offset(self.offset_changes.pop(0)[1])
        return utc + self.offset * SECOND - self.behind

    def set_offset(self, seconds):
        self.offset = seconds
        minutes = abs(seconds) // 60
        self.values["QUTCOFFSET"] = (None, f"{'-' if seconds < 0 else '+'}{minutes // 60:02d}{minutes % 60:02d}")

    def register(self, template):
        if template.number is None:
            template.number = len(self.templates)
            self.templates.append(template)
        return template.number

    def set_pool(self, templates):
        """The templates that grow() repeats."""
        self.pool = [self.register(template) for template in templates]

    def sign_on(self, user, password):
        """None, or why the sign-on failed, in the words of jt400. Too many failures disable the profile, as QMAXSIGN says."""
        if self.refuse_logins:
            self.refuse_logins -= 1
            return self.refusal
        profile = self.profiles.get(user.upper())
        if profile is None:
            return "User ID is not known."
        if profile.disabled:
            return "User ID is disabled."
        if profile.password != password:
            profile.failures += 1
            profile.disabled = profile.failures >= self.max_sign
            return "Password is incorrect."
        profile.failures = 0
        return None

    def add_message(self, message_id="CPF1124", type="INFORMATIONAL", severity=0, user="QSYS", job="123456/QSYS/QSYSARB", program="QWTPIIPP",
                    library="QSYS", file="QCPFMSG", tokens=b"", text="", at=None):
        self.history.append((self.now() if at is None else at, message_id, type, severity, user, job, program, library, file, tokens, text))
