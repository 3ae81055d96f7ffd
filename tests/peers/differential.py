"""pyiso8583 against Switchyard's codec, over one dialect, both ways: `differential.py VECTORS`.

The first line on standard input is a JSON object: `table` (a name, see tables.py), `seed`, `count`, and for
every element what may stand in it, `elements: {number: [content, shape, {part: [content, shape]}]}`. Then a message a line, {mti, fields,
wire}, binary content as hexadecimal text, and an empty line. Each is decoded and compared, and written again
from what was read and from the fields that came with it; an element with `parts`, {number: {part: [value,
content]}}, is made of them. The answer is one line, {judged, insides, faults}; then `count` messages of our own
follow in the same form.
"""

import calendar
import json
import random
import string
import sys

import iso8583

import tables

MOST_FAULTS = 10
ALPHABETS = {
    "n": string.digits,
    "a": string.ascii_letters,
    "an": string.ascii_letters + string.digits,
    "ans": "".join(map(chr, range(0x20, 0x7F))),
    "z": string.digits + "=",
}
PARTS = {
    "CC": lambda source: "20", "YY": lambda source: f"{source.randrange(100):02}", "MM": lambda source: f"{source.randint(1, 12):02}",
    "hh": lambda source: f"{source.randrange(24):02}", "mm": lambda source: f"{source.randrange(60):02}", "ss": lambda source: f"{source.randrange(60):02}",
}


def moment(form, source):
    """A date or time of a form such as MMDDhhmmss."""
    parts, month = [], 1
    for part in (form[at : at + 2] for at in range(0, len(form), 2)):
        # No leap days: whether there is one depends on a year that the form may not have.
        parts.append(f"{source.randint(1, calendar.monthrange(2023, month)[1]):02}" if part == "DD" else PARTS[part](source))
        month = int(parts[-1]) if part == "MM" else month
    return "".join(parts)


def data_objects(most, source):
    """BER-TLV of at most so many bytes, as hexadecimal text."""
    raw = b""
    for _ in range(source.randrange(6)):
        value = source.randbytes(source.choice((0, 1, 6, 8, 130)))
        length = bytes([len(value)]) if len(value) < 128 else b"\x81" + bytes([len(value)])
        item = source.choice((b"\x9f\x26", b"\x95", b"\x9a", b"\x5f\x2a", b"\x84", b"\x9f\x81\x01")) + length + value
        if len(raw) + len(item) <= most:
            raw += item
    return raw.hex().upper()


def length_of(element, source):
    """How long a value is to be: the shortest, the longest, and mostly something short."""
    if element.fixed:
        return element.length
    kind = source.randrange(12)
    if kind == 0:
        return 0
    if kind == 1 and element.length < 1000 or source.randrange(500) == 0:
        return min(element.length, 9999)
    return source.randint(0, min(element.length, 40))


def value_of(element, content, shape, source):
    """Something that may stand in an element, in its plain form."""
    length = length_of(element, source)
    if shape == "ber-tlv":
        return data_objects(element.length, source)
    if content == "b":
        return source.randbytes(length).hex().upper()
    if content == "x+n":
        return source.choice("CD") + "".join(source.choices(string.digits, k=max(length, 1) - 1))
    if content not in ALPHABETS:
        return moment(content, source)
    if element.fixed and content in ("a", "an", "ans") and source.randrange(4) == 0:
        length = source.randint(0, length)
    text = "".join(source.choices(ALPHABETS[content], k=length))
    return text.rstrip(" ") if element.fixed else text


class Dialect:
    """A table together with what may stand in its elements."""

    def __init__(self, table, elements):
        self.table = table
        self.known = elements
        self.faults = []
        self.insides = 0

    def fault(self, text):
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(text)

    def encode(self, mti, fields):
        document = {"t": mti}
        for number, value in fields.items():
            document[number] = self.table.elements[number].into(value, self.known[number][0])
        return bytes(iso8583.encode(document, self.table.spec)[0])

    def judge(self, message):
        """A message of theirs: read it, compare it, write it twice."""
        wire = bytes.fromhex(message["wire"])
        try:
            document, _ = iso8583.decode(wire, self.table.spec)
            fields = {
                number: self.table.elements[number].out(value, self.known[number][0])
                for number, value in document.items() if number.isdigit() and number != "1"
            }
            if document["t"] != message["mti"]:
                self.fault(f"MTI {document['t']}, they say {message['mti']}")
            for number in sorted(fields.keys() | message["fields"].keys(), key=int):
                ours, theirs = fields.get(number), message["fields"].get(number)
                if ours != theirs:
                    self.fault(f"element {number} is {ours!r}, they say {theirs!r}")
            again = bytes(iso8583.encode({key: value for key, value in document.items() if key not in "hp1"}, self.table.spec)[0])
            if again != wire:
                self.fault(f"written again from what was read: {again.hex()}, they have {wire.hex()}")
            for number, parts in message.get("parts", {}).items():
                self.judge_parts(number, parts, fields[number])
            anew = self.encode(message["mti"], message["fields"])
            if anew != wire:
                self.fault(f"written from their fields: {anew.hex()}, they have {wire.hex()}")
        except (KeyError, ValueError) as error:
            self.fault(f"{error!r} in {wire.hex()}")

    def judge_parts(self, number, parts, content):
        """The parts of an element, where the table has them, make up its content."""
        inside = self.table.insides.get(number)
        if inside is None:
            return
        self.insides += 1
        made = inside.encode(parts).hex().upper()
        if made != content:
            self.fault(f"element {number} of {parts} is {content}, made of its parts {made}")

    def make(self, source):
        """A message of our own. Of structure other than BER-TLV there is what the table has."""
        numbers = [number for number, (_, shape, _) in self.known.items() if shape in ("plain", "ber-tlv") or number in self.table.insides]
        count = len(numbers) if source.randrange(200) == 0 else source.randint(0, min(len(numbers), 24))
        fields, parts = {}, {}
        for number in sorted(source.sample(numbers, count), key=int):
            content, shape, _ = self.known[number]
            if number in self.table.insides:
                parts[number] = self.make_parts(number, source)
                fields[number] = self.table.insides[number].encode(parts[number]).hex().upper()
            else:
                fields[number] = value_of(self.table.elements[number], content, shape, source)
        mti = "".join(source.choices(string.digits, k=4))
        return {"mti": mti, "fields": fields, "parts": parts, "wire": self.encode(mti, fields).hex()}

    def make_parts(self, number, source):
        """Values for parts of an element: all of them, or a few behind a bitmap; short ones, so that they find room."""
        inside, known = self.table.insides[number], self.known[number][2]
        chosen = sorted(inside.parts)
        if inside.bitmap is not None:
            chosen = source.sample(chosen, source.randint(1, 4))
        values = {}
        for part in chosen:
            element, (content, shape) = inside.parts[part], known[str(part)]
            value = value_of(element, content, shape, source)
            values[str(part)] = [value if element.fixed else value[:8], content]
        return values


def main():
    order = json.loads(sys.stdin.readline())
    table = tables.load(sys.argv[1], order["table"])
    dialect = Dialect(table, order["elements"])
    other = table.elements.keys() ^ order["elements"].keys()
    if other:
        dialect.fault(f"elements that only one of us has: {sorted(other, key=int)}")
    judged = 0
    for line in iter(sys.stdin.readline, "\n"):
        dialect.judge(json.loads(line))
        judged += 1
    print(json.dumps({"judged": judged, "insides": dialect.insides, "faults": dialect.faults}), flush=True)
    source = random.Random(order["seed"])
    for _ in range(0 if dialect.faults else order["count"]):
        print(json.dumps(dialect.make(source)))


if __name__ == "__main__":
    main()
