#!/usr/bin/env python3
"""Fill ibmi.template of qsys2.sql from a capture of make_capture.py: prints a COPY for psql. Standard library only.

    make_capture.py --out day.type5 --entdtalen 32000 --count 500 ...
    entries.py day.type5 32000 | psql ...

The capture is of *TYPE5 records of fixed length, in CCSID 37; the offsets are those of IBM's heading (shared/spec/sources.md,
section 2), not the product's tables. Entry data begins at byte 610; the two bytes before it are its length.
"""
import pathlib
import sys

DATA = 610
COLUMNS = ("number, journal_code, journal_entry_type, job_name, job_user, job_number, program_name, program_library, object, object_type, "
           "user_name, remote_address, remote_port, entry_data")


def row(number, record):
    def text(first, length):
        return record[first - 1:first - 1 + length].decode("cp037").rstrip(" ")

    length = int.from_bytes(record[DATA - 3:DATA - 1], "big")
    data = record[DATA - 1:DATA - 1 + length]
    port = text(306, 5)
    # Audit entries name no object in their heading; every fifth does here, so that the columns are not always null.
    named = number % 5 == 4
    return [str(number), text(26, 1), text(27, 2), text(55, 10), text(65, 10), text(75, 6), text(81, 10), text(91, 10),
            f"{'OBJ' + str(number):10}OBJLIB" if named else None, "*FILE" if named else None, text(187, 10),
            text(311, 46) or None, port if port.isdigit() else None, "\\x" + data.hex()]


def copied(value):
    """A value in the text form of COPY."""
    if value is None:
        return "\\N"
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def main():
    content, length = pathlib.Path(sys.argv[1]).read_bytes(), DATA - 1 + int(sys.argv[2])
    print(f"COPY ibmi.template ({COLUMNS}) FROM stdin;")
    for number, at in enumerate(range(0, len(content), length)):
        print("\t".join(copied(value) for value in row(number, content[at:at + length])))
    print("\\.")


if __name__ == "__main__":
    main()
