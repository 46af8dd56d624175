"""DISPLAY_JOURNAL: which entries a query is for, the errors it can end with, and the rows of a page.

Nothing is rendered before a client fetches it, and then by slicing and formatting texts made once (entries.py): a page of a
thousand entries takes a few milliseconds.
"""
import datetime as dt
import re

from entries import gson
from errors import SqlError, cpf
from system import EPOCH, SECOND, parse_stamp

RECEIVER_LIMIT = 2045  # receivers in a range before CPF7053 with reason code 4


def number(text):
    """CAST(? AS DECIMAL(21,0))"""
    if not re.fullmatch(r" *[+-]?\d{1,21} *", str(text), re.ASCII):
        raise SqlError("[SQL0420] Character in CAST argument not valid.", "22018", -420)
    return int(text)


class Selection:
    """The entries of one DISPLAY_JOURNAL call: segments (receiver, first index, end index) and the templates that count."""

    def __init__(self, system, journal_library, journal, library, name, codes, end_library, end_name, start=None, end=None, since=None, type=None):
        self.system, self.journal = system, system.journal
        if (journal_library, journal) != (self.journal.library, self.journal.name) or not self.journal.there:
            raise cpf("CPF9801", journal, journal_library)
        self.codes = {code.strip() for code in codes.replace(",", " ").split()}
        chain = self.range(library, name, end_library, end_name)
        if since is not None:
            self.segments = self.since(chain, since)
        else:
            self.segments = self.numbered(chain, number(start), number(end))
        self.segments = [segment for segment in self.segments if segment[1] < segment[2]]
        wanted = [template.code in self.codes and type in (None, template.type) for template in system.templates]
        self.wanted = None if all(wanted) else wanted
        if self.first() is None:
            raise cpf("CPF7062")

    def range(self, library, name, end_library, end_name):
        """The receivers from the first named to the last; they must be there, in this order, in one run of numbers."""
        receivers, places = self.journal.receivers, []
        for at_library, at_name in ((library, name), (end_library, end_name)):
            receiver = self.journal.find(at_library, at_name)
            if receiver is None:
                raise cpf("CPF9801", at_name, at_library)
            places.append(receivers.index(receiver))
        first, last = places
        if first > last:
            raise cpf("CPF7074")
        chain = receivers[first:last + 1]
        if len(chain) > RECEIVER_LIMIT:
            raise cpf("CPF7053", reason=4)
        if any(later.before is not earlier for earlier, later in zip(chain, chain[1:])):
            raise cpf("CPF7053", reason=2)  # the numbers begin again within the range, or a receiver in between is gone
        return chain

    def numbered(self, chain, start, end):
        if end < start:
            raise cpf("CPF7054")
        if not chain[0].first <= start <= chain[0].last:
            raise cpf("CPF7053", reason=5)
        if self.system.end_beyond != "ok" and end > chain[-1].last:
            raise cpf(self.system.end_beyond, reason=5)
        return [(receiver, *receiver.between(start, end)) for receiver in chain]

    def since(self, chain, text):
        try:
            moment = parse_stamp(text)
        except ValueError:
            raise SqlError("[SQL0180] Syntax for a date, time, or timestamp value not valid.", "22007", -180) from None
        for place, receiver in enumerate(chain):
            # A scan, not a search: local times are out of order where the clock was set back.
            at = next((i for i, us in enumerate(receiver.times) if us >= moment), None)
            if at is not None:
                later = [(other, 0, len(other.sequences)) for other in chain[place + 1:]]
                return [(receiver, at, len(receiver.sequences)), *later]
        return []

    def indexes(self, receiver, first, end):
        if self.wanted is None:
            return range(first, end)
        wanted, templates = self.wanted, receiver.templates
        return (i for i in range(first, end) if wanted[templates[i]])

    def first(self):
        return next(((receiver, i) for receiver, *span in self.segments for i in self.indexes(receiver, *span)), None)

    def places(self):
        """(receiver, an iterator of indexes) of each segment."""
        return [(receiver, iter(self.indexes(receiver, *span))) for receiver, *span in self.segments]


class Page:
    """The open result of the statement PAGE: a cursor."""

    def __init__(self, selection, names, remote):
        self.selection, self.names, self.remote = selection, names, remote
        self.places = selection.places()

    def fetch(self, rows, terse):
        """Up to so many rows as JSON texts, and whether the end was met (not before a row was asked for that is not there)."""
        lines = []
        while self.places and len(lines) < rows:
            receiver, indexes = self.places[0]
            want = rows - len(lines)
            more = self.terse_rows(receiver, indexes, want) if terse else self.named_rows(receiver, indexes, want)
            lines += more
            if len(more) < want:
                self.places.pop(0)
        return lines, len(lines) < rows

    def terse_rows(self, receiver, indexes, want):
        system, lines = self.selection.system, []
        heads = [template.remote if self.remote else template.plain for template in system.templates]
        tails = [template.tail for template in system.templates]
        where = f"{gson(receiver.library)},{gson(receiver.name)}"
        sequences, times, templates = receiver.sequences, receiver.times, receiver.templates
        clock = Clock(system.stamp_style)
        for _, i in zip(range(want), indexes):
            template = templates[i]
            lines.append(f'["{sequences[i]}","{clock.text(times[i])}",{heads[template]},{where},{tails[template]}]')
        return lines

    def named_rows(self, receiver, indexes, want):
        clock, lines = Clock(self.selection.system.stamp_style), []
        for _, i in zip(range(want), indexes):
            template = self.selection.system.templates[receiver.templates[i]]
            cells = [f'"{receiver.sequences[i]}"', f'"{clock.text(receiver.times[i])}"', *template.cells(self.remote),
                     gson(receiver.library), gson(receiver.name), *template.tail_cells()]
            lines.append("{" + ",".join(f'"{name}":{cell}' for name, cell in zip(self.names, cells)) + "}")
        return lines


class Clock:
    """Timestamps as text, with the second's part made once for all entries of the second."""

    def __init__(self, style):
        self.form = "%Y-%m-%d-%H.%M.%S." if style == "ibm" else "%Y-%m-%d %H:%M:%S."
        self.second, self.prefix = None, ""

    def text(self, us):
        second, fraction = divmod(us, SECOND)
        if second != self.second:
            self.second = second
            self.prefix = (EPOCH + dt.timedelta(seconds=second)).strftime(self.form)
        return f"{self.prefix}{fraction:06d}"
