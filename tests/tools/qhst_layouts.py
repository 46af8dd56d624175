"""The history log messages make_qhst.py knows: their message data, field by field, and their texts.

Layouts are those of qhst_messages.md, which says how sure each field is; test_encoders.py compares the two. Correct both together.
The English texts follow IBM's as far as they were found; the German and French ones are not IBM's wording, but have the same values in them.
A field is (name, length, kind): char, bin (big-endian, signed), dts (as the record's own time), hex (bytes nobody knows the meaning of).
"""
JOB = [("job_name", 10, "char"), ("job_user", 10, "char"), ("job_number", 6, "char")]
SUBSYSTEM = [("subsystem", 10, "char"), ("subsystem_library", 10, "char")]
USER = [("user", 10, "char")]

LAYOUTS = {
    "CPF1124": JOB + [("start_time", 8, "char"), ("start_date", 8, "char"), ("entry_time", 8, "char"), ("entry_date", 8, "char")] + SUBSYSTEM,
    "CPF1164": JOB + [("end_time", 8, "char"), ("end_date", 8, "char"), ("cpu_time", 4, "bin"), ("routing_steps", 2, "bin"), ("end_code", 2, "bin"), ("secondary_end_code", 2, "bin"),
                      ("unknown", 18, "hex"), ("performance_length", 2, "bin"), ("entry_time", 8, "char"), ("entry_date", 8, "char"), ("start_time", 8, "char"), ("start_date", 8, "char"),
                      ("response_time", 4, "bin"), ("transactions", 4, "bin"), ("auxiliary_io", 4, "bin"), ("job_type", 1, "char")],
    "CPIAD09": USER + [("connect_time", 8, "dts")] + JOB + SUBSYSTEM + [("client_address", 45, "char")],
    "CPIAD0B": JOB + USER + [("connect_time", 8, "dts")],
    "CPI3E34": USER + [("client_address", 45, "char")] + JOB + SUBSYSTEM + [("connect_date", 8, "char"), ("connect_time", 8, "char")],
    "CPF2234": [("device", 10, "char"), ("user", 10, "char")],
    "CPF1393": [("subsystem", 10, "char"), ("user", 10, "char"), ("device", 10, "char"), ("client_address", 45, "char")],
    "CPF1120": USER,
    **dict.fromkeys(["CPF1121", "CPF1122", "CPF1123", "CPF1125", "CPF1126", "CPF1127"], JOB),
    **dict.fromkeys(["CPF2203", "CPF2204", "CPF2213", "CPF22E2", "CPF22E3", "CPF22E4", "CPF22E5", "CPF22E9"], USER),
    "CPF2225": [],
    "CPC1126": JOB + USER,
    "CPF0927": [("subsystem", 10, "char")],
    "TCP2617": [("local_address", 45, "char"), ("client_address", 45, "char"), ("local_port", 4, "bin"), ("remote_port", 4, "bin"), ("reason_code", 4, "bin"), ("further_closed", 4, "bin")],
    "CPF0907": [("percent_used", 4, "bin")],
}
FIXED_PLACE = ("CPF1124", "CPF1164")  # IBM: their data always begins in position 11 of the third record
COMPLETION, INFORMATIONAL, ESCAPE = "01", "04", "15"
TYPE = {"CPF1164": COMPLETION, "CPC1126": COMPLETION, "CPF0927": COMPLETION} | {i: ESCAPE for i in LAYOUTS if i.startswith("CPF22") and i != "CPF2234"}
SEVERITY = {"CPF2234": 40, "CPF1393": 70, "CPF0907": 80} | {i: 40 for i in LAYOUTS if i.startswith("CPF22")}
PROGRAM = {"CPF1124": "QWTPIIPP", "CPF1164": "QWTMCEOJ", "CPIAD09": "QZBSSECR", "CPIAD0B": "QZBSSECR", "CPI3E34": "QRWTSRVR", "CPF2234": "QSYPSWRD", "CPF1393": "QWTSCSBJ", "CPF0907": "QWCATARE",
           "TCP2617": "QTOCTCPIP"}
# how often each comes; a host full of server jobs writes little else than the first ones
WEIGHT = {"CPF1124": 30, "CPF1164": 30, "CPIAD09": 20, "CPI3E34": 8, "CPIAD0B": 5, "TCP2617": 3, "CPF2234": 2}

JOBREF = "{job_number}/{job_user}/{job_name}"
TEXTS = {
    "en": {
        "CPF1124": f"Job {JOBREF} started on {{start_date}} at {{start_time}} in subsystem {{subsystem}} in {{subsystem_library}}. Job entered system on {{entry_date}} at {{entry_time}}.",
        "CPF1164": f"Job {JOBREF} ended on {{end_date}} at {{end_time}}; {{seconds}} seconds used; end code {{end_code}} .",
        "CPIAD09": f"User {{user}} from client {{client_address}} connected to job {JOBREF} in subsystem {{subsystem}} in {{subsystem_library}} on {{connect_time}}.",
        "CPIAD0B": f"*SIGNON server job {JOBREF} processing request for user {{user}} on {{connect_time}}.",
        "CPI3E34": f"User {{user}}, client {{client_address}}, was connected to the job {JOBREF} in the subsystem {{subsystem}}, {{subsystem_library}}, {{connect_date}}, {{connect_time}}.",
        "CPF2234": "Password not correct from device {device} for user {user}.", "CPF1393": "Subsystem {subsystem} disabled user profile {user} on device {device}.",
        "CPF1120": "User {user} does not exist or password not correct for user profile.", "CPF112x": f"Job {JOBREF} changed.",
        "CPF2203": "User profile {user} not correct.", "CPF2204": "User profile {user} not found.", "CPF2213": "Not able to allocate user profile {user}.",
        "CPF2225": "Not able to allocate internal system object.", "CPF22E2": "Password not correct for user profile {user}.", "CPF22E3": "User profile {user} is disabled.",
        "CPF22E4": "Password for user profile {user} has expired.", "CPF22E5": "No password associated with user profile {user}.", "CPF22E9": "*USE authority to user profile {user} required.",
        "CPC1126": f"The user {{user}} has stopped the job {JOBREF}.", "CPF0927": "Subsystem {subsystem} ended.",
        "TCP2617": "TCP/IP connection to remote system {client_address} closed, reason code {reason_code}.", "CPF0907": "Serious storage condition may exist. Press HELP.",
    },
    "de": {
        "CPF1124": f"Job {JOBREF} am {{start_date}} um {{start_time}} in Subsystem {{subsystem}} in {{subsystem_library}} gestartet. Am {{entry_date}} um {{entry_time}} übergeben.",
        "CPF1164": f"Job {JOBREF} am {{end_date}} um {{end_time}} beendet; {{seconds}} Sekunden benötigt; Endecode {{end_code}} .",
        "CPIAD09": f"Benutzer {{user}} von Client {{client_address}} ist mit Job {JOBREF} in Subsystem {{subsystem}} in {{subsystem_library}} am {{connect_time}} verbunden.",
        "CPIAD0B": f"*SIGNON-Server-Job {JOBREF} verarbeitet Anforderung für Benutzer {{user}} am {{connect_time}}.",
        "CPI3E34": f"Benutzer {{user}}, Client {{client_address}}, mit Job {JOBREF} im Subsystem {{subsystem}}, {{subsystem_library}}, verbunden, {{connect_date}}, {{connect_time}}.",
        "CPF2234": "Kennwort von Einheit {device} für Benutzer {user} ungültig.", "CPF1393": "Subsystem {subsystem} hat Benutzerprofil {user} an Einheit {device} inaktiviert.",
        "CPF1120": "Benutzer {user} nicht vorhanden oder Kennwort für Benutzerprofil ungültig.", "CPF112x": f"Job {JOBREF} geändert.",
        "CPF2203": "Benutzerprofil {user} nicht korrekt.", "CPF2204": "Benutzerprofil {user} nicht gefunden.", "CPF2213": "Benutzerprofil {user} kann nicht zugeordnet werden.",
        "CPF2225": "Internes Systemobjekt kann nicht zugeordnet werden.", "CPF22E2": "Kennwort für Benutzerprofil {user} nicht korrekt.", "CPF22E3": "Benutzerprofil {user} ist inaktiviert.",
        "CPF22E4": "Kennwort für Benutzerprofil {user} ist abgelaufen.", "CPF22E5": "Benutzerprofil {user} ist kein Kennwort zugeordnet.", "CPF22E9": "Berechtigung *USE für Benutzerprofil {user} erforderlich.",
        "CPC1126": f"Benutzer {{user}} hat Job {JOBREF} gestoppt.", "CPF0927": "Subsystem {subsystem} beendet.",
        "TCP2617": "TCP/IP-Verbindung zum fernen System {client_address} geschlossen, Ursachencode {reason_code}.", "CPF0907": "Schwerwiegender Speicherzustand möglich. Taste HILFE drücken.",
    },
    "fr": {
        "CPF1124": f"Travail {JOBREF} démarré le {{start_date}} à {{start_time}} dans le sous-système {{subsystem}} de {{subsystem_library}} ; soumis le {{entry_date}} à {{entry_time}}.",
        "CPF1164": f"Travail {JOBREF} arrêté le {{end_date}} à {{end_time}}; temps UC {{seconds}}; code fin {{end_code}} .",
        "CPIAD09": f"L'utilisateur {{user}} du client {{client_address}} est connecté au travail {JOBREF} du sous-système {{subsystem}} dans {{subsystem_library}} le {{connect_time}}.",
        "CPIAD0B": f"Le travail serveur *SIGNON {JOBREF} traite la demande de l'utilisateur {{user}} le {{connect_time}}.",
        "CPI3E34": f"L'utilisateur {{user}}, client {{client_address}}, est connecté au travail {JOBREF} dans le sous-système {{subsystem}}, {{subsystem_library}}, {{connect_date}}, {{connect_time}}.",
        "CPF2234": "Mot de passe incorrect depuis l'unité {device} pour l'utilisateur {user}.", "CPF1393": "Le sous-système {subsystem} a désactivé le profil utilisateur {user} sur l'unité {device}.",
        "CPF1120": "L'utilisateur {user} n'existe pas ou mot de passe incorrect pour le profil utilisateur.", "CPF112x": f"Travail {JOBREF} modifié.",
        "CPF2203": "Profil utilisateur {user} incorrect.", "CPF2204": "Profil utilisateur {user} introuvable.", "CPF2213": "Impossible d'allouer le profil utilisateur {user}.",
        "CPF2225": "Impossible d'allouer un objet système interne.", "CPF22E2": "Mot de passe incorrect pour le profil utilisateur {user}.", "CPF22E3": "Le profil utilisateur {user} est désactivé.",
        "CPF22E4": "Le mot de passe du profil utilisateur {user} a expiré.", "CPF22E5": "Aucun mot de passe associé au profil utilisateur {user}.", "CPF22E9": "Droit *USE requis sur le profil utilisateur {user}.",
        "CPC1126": f"L'utilisateur {{user}} a arrêté le travail {JOBREF}.", "CPF0927": "Sous-système {subsystem} arrêté.",
        "TCP2617": "Connexion TCP/IP au système éloigné {client_address} fermée, code raison {reason_code}.", "CPF0907": "Problème de mémoire grave possible. Appuyez sur AIDE.",
    },
}


def text_of(msgid, language):
    return TEXTS[language].get(msgid) or TEXTS[language]["CPF112x"]
