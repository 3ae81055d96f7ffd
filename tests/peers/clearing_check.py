"""Reads an IPM clearing file twice, with cardutil and with the small reader below, and checks its frame.

    clearing_check.py FILE [--items]

Prints one JSON object: layout and encoding as found, records by message and function code, totals by
currency and processing code, and `breaks`. Exit code 1 if there is a break. With --items also one row per
presentment (DE37, DE31, amount, currency, processing code), to be compared with other books.

Checked: both readers see the same records and elements; header first, trailer last, the same file id
(PDS 0105) in both; the trailer's checksum (PDS 0301: sum of DE4 over all messages) and count (PDS 0306:
messages with header and trailer); DE71 counts 1, 2, 3 ...; the check digits of DE2 and DE31; nothing after
the end.
"""

import argparse
import copy
import io
import json
import sys
from collections import Counter

from cardutil import config, mciipm

import population

FIXED = {
    3: 6, 4: 12, 5: 12, 6: 12, 9: 8, 10: 8, 12: 12, 14: 4, 22: 12, 23: 3, 24: 3, 25: 4, 26: 4, 30: 24, 37: 12, 38: 6, 40: 3, 41: 8,
    42: 15, 49: 3, 50: 3, 51: 3, 71: 8, 73: 6,
}
TWO_DIGITS = {2, 31, 32, 33, 43, 93, 94, 95, 100}
THREE_DIGITS = {48, 54, 55, 62, 63, 72, 105, 111, 123, 124, 125, 127}
PRIVATE = (48, 62, 123, 124, 125)
BLOCK = 1014


class Broken(Exception):
    """The file cannot be read on."""


def unblock(raw):
    """The stream without its blocks, and whether it had any. A file that merely has such a length has
    none: every block must end in its two fill bytes."""
    blocks = [raw[at : at + BLOCK] for at in range(0, len(raw), BLOCK)]
    if raw and len(raw) % BLOCK == 0 and all(block.endswith(b"@@") for block in blocks):
        return b"".join(block[:-2] for block in blocks), True
    return raw, False


def records(stream):
    """Splits the stream at its 4-byte lengths. After the zero length only fill may follow."""
    at, found = 0, []
    while True:
        if at + 4 > len(stream):
            raise Broken(f"no length at offset {at}")
        length = int.from_bytes(stream[at : at + 4], "big")
        at += 4
        if length == 0:
            break
        if at + length > len(stream):
            raise Broken(f"record {len(found) + 1} claims {length} bytes and has {len(stream) - at}")
        found.append(stream[at : at + length])
        at += length
    if stream[at:].strip(b"@"):
        raise Broken(f"data after the end of the file, offset {at}")
    return found


def parse(record, encoding):
    """Elements of one record by number, as text; 0 is the message type, DE55 stays hexadecimal."""
    fields = {0: record[:4].decode(encoding)}
    bitmap = int.from_bytes(record[4:20], "big")
    at = 20
    for element in range(2, 129):
        if not bitmap >> (128 - element) & 1:
            continue
        if element in FIXED:
            length = FIXED[element]
        elif element in TWO_DIGITS or element in THREE_DIGITS:
            digits = 2 if element in TWO_DIGITS else 3
            length = int(record[at : at + digits].decode(encoding))
            at += digits
        else:
            raise Broken(f"DE{element} is not in the table")
        value = record[at : at + length]
        if len(value) != length:
            raise Broken(f"DE{element} is cut off")
        fields[element] = value.hex() if element == 55 else value.decode(encoding)
        if element in (4, 71) and not fields[element].isdigit():
            raise Broken(f"DE{element} is not numeric")
        at += length
    if at != len(record):
        raise Broken(f"{len(record) - at} bytes after the last element")
    return fields


def private_data(fields):
    """Tag, length and value over DE48, 62, 123, 124 and 125 as if they were one."""
    text = "".join(fields.get(element, "") for element in PRIVATE)
    at, found = 0, {}
    while at < len(text):
        tag, length = text[at : at + 4], text[at + 4 : at + 7]
        if not (tag.isdigit() and length.isdigit()) or at + 7 + int(length) > len(text):
            raise Broken(f"private data at offset {at}")
        found[tag] = text[at + 7 : at + 7 + int(length)]
        at += 7 + int(length)
    return found


def with_cardutil(raw, blocked, encoding):
    """What cardutil reads: elements as it splits them, private data as it finds it."""
    plain = copy.deepcopy(config.config["bit_config"])
    for number, element in plain.items():
        if number == "55":
            continue  # the one binary element: without its processor it would be decoded as text
        for made_of_it in ("field_processor", "field_python_type", "field_date_format"):
            element.pop(made_of_it, None)
    split = list(mciipm.IpmReader(io.BytesIO(raw), blocked=blocked, encoding=encoding, iso_config=plain))
    found = list(mciipm.IpmReader(io.BytesIO(raw), blocked=blocked, encoding=encoding))
    return split, found


def check_readers(parsed, raw, blocked, encoding, breaks):
    try:
        split, found = with_cardutil(raw, blocked, encoding)
    except Exception as error:  # whatever cardutil raises, it could not read the file
        breaks.append(f"cardutil cannot read it: {type(error).__name__}")
        return 0
    if len(split) != len(parsed):
        breaks.append(f"cardutil reads {len(split)} records, we read {len(parsed)}")
    for number, (fields, theirs, private) in enumerate(zip(parsed, split, found), start=1):
        mine = {f"DE{element}" if element else "MTI": value for element, value in fields.items()}
        for name, value in mine.items():
            other = theirs.get(name)
            if isinstance(other, bytes):
                other = other.hex()
            if other != value:
                breaks.append(f"record {number}: {name} differs between the readers")
        elements = {name for name in theirs if name == "MTI" or name.startswith("DE")}
        if elements != set(mine):
            breaks.append(f"record {number}: the readers see different elements: {sorted(elements ^ set(mine))}")
        tags = {f"PDS{tag}": value for tag, value in private_data(fields).items()}
        if tags != {name: value for name, value in private.items() if name.startswith("PDS")}:
            breaks.append(f"record {number}: private data differs between the readers")
    return len(split)


def logical_files(parsed, breaks):
    """Splits at header and trailer; a physical file may hold several logical ones."""
    files, current = [], None
    for number, fields in enumerate(parsed, start=1):
        kind = (fields[0], fields.get(24))
        if kind == ("1644", "697"):
            if current is not None:
                breaks.append(f"record {number}: a header inside a file")
            current = []
        if current is None:
            breaks.append(f"record {number}: outside header and trailer")
            current = []
        current.append(fields)
        if kind == ("1644", "695"):
            files.append(current)
            current = None
    if current is not None:
        breaks.append("the last file has no trailer")
        files.append(current)
    return files


def check_file(fields, breaks):
    header, trailer = private_data(fields[0]), private_data(fields[-1])
    file_id = header.get("0105", "")
    if len(file_id) != 25 or header.get("0105") != trailer.get("0105"):
        breaks.append(f"file id {header.get('0105')} in the header, {trailer.get('0105')} in the trailer")
    total = sum(int(record[4]) for record in fields if 4 in record)
    if trailer.get("0301") != f"{total:016d}":
        breaks.append(f"{file_id}: the trailer's checksum is {trailer.get('0301')}, the sum of DE4 {total:016d}")
    if trailer.get("0306") != f"{len(fields):08d}":
        breaks.append(f"{file_id}: the trailer counts {trailer.get('0306')}, there are {len(fields):08d}")
    for number, record in enumerate(fields, start=1):
        if record.get(71) != f"{number:08d}":
            breaks.append(f"{file_id}: DE71 is {record.get(71)} at message {number}")
        if 2 in record and population.luhn(record[2][:-1]) != record[2][-1]:
            breaks.append(f"{file_id}: DE2 of message {number} has a wrong check digit")
        reference = record.get(31)
        if reference is not None and (len(reference) != 23 or population.luhn(reference[:-1]) != reference[-1]):
            breaks.append(f"{file_id}: DE31 of message {number} has a wrong check digit")
    return {"file_id": file_id, "records": len(fields), "checksum": total, "trailer": [trailer.get("0301"), trailer.get("0306")]}


def check(raw, items=False):
    """Everything about one physical file."""
    breaks, parsed = [], []
    stream, blocked = unblock(raw)
    encoding = "cp500" if stream[4:8] == "1644".encode("cp500") else "latin-1"
    found = {"layout": "b1014" if blocked else "vbs", "encoding": encoding, "bytes": len(raw)}
    try:
        for number, record in enumerate(records(stream), start=1):
            try:
                parsed.append(parse(record, encoding))
            except (Broken, ValueError) as error:
                raise Broken(f"record {number}: {error}") from error
        found["cardutil_records"] = check_readers(parsed, raw, blocked, encoding, breaks)
        found["files"] = [check_file(file, breaks) for file in logical_files(parsed, breaks)]
    except (Broken, ValueError) as error:
        breaks.append(str(error))
    counts, totals = Counter(), {}
    presentments = [fields for fields in parsed if fields[0] == "1240"]
    for fields in parsed:
        counts[f"{fields[0]}/{fields.get(24)}"] += 1
    for fields in presentments:
        row = totals.setdefault(fields.get(49), {}).setdefault(fields.get(3, "")[:2], {"count": 0, "amount": 0})
        row["count"] += 1
        row["amount"] += int(fields[4])
    found.update(records=len(parsed), counts=dict(sorted(counts.items())), totals=totals)
    if not presentments:
        breaks.append("no presentment: nothing was checked")
    if items:
        found["items"] = [
            {"rrn": f.get(37), "reference": f.get(31), "amount": int(f[4]), "currency": f.get(49), "processing": f.get(3), "approval": f.get(38),
             "reversal": private_data(f).get("0025", "")[:1] == "R"}
            for f in presentments
        ]
    found["breaks"] = breaks
    return found


def main():
    options = argparse.ArgumentParser(description="an independent check of an IPM clearing file")
    options.add_argument("file")
    options.add_argument("--items", action="store_true", help="list the presentments, too")
    chosen = options.parse_args()
    with open(chosen.file, "rb") as file:
        found = check(file.read(), chosen.items)
    print(json.dumps(found))
    return 1 if found["breaks"] else 0


if __name__ == "__main__":
    sys.exit(main())
