"""The errors Db2 and the system answer with, as a Mapepire server passes them on.

The CPF ids and their meanings are IBM's; that the id stands in brackets before the text, with SQLCODE -443 and SQLSTATE
38501, is inferred from jt400's way of showing what an external function failed with.
"""

CPF = {
    "CPF7025": "Journal receiver {receiver} in {library} is partial or damaged.",
    "CPF7053": "Values for RCVRNG parameter not correct; reason code {reason}.",
    "CPF7054": "FROM and TO values not valid.",
    "CPF7060": "Object in the object selection not journaled in the receiver range.",
    "CPF7062": "No entries converted or received from journal.",
    "CPF7074": "RCVRNG for specified SEARCH not valid.",
    "CPF9801": "Object {receiver} in library {library} not found.",
    "CPF9802": "Not authorized to object {receiver} in {library}.",
    "CPF9810": "Library {library} not found.",
    "CPF9812": "File {receiver} in library {library} not found.",
}


class SqlError(Exception):
    def __init__(self, text, state="38501", code=-443):
        super().__init__(text)
        self.text, self.state, self.code = text, state, code


def cpf(message_id, receiver="QAUDJRN", library="QSYS", reason=1):
    text = CPF.get(message_id, "Function check.")
    return SqlError(f"[{message_id}] {text.format(receiver=receiver, library=library, reason=reason)}")


def not_connected():
    return SqlError("Not connected", None, 0)
