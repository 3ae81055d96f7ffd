"""The shared field tables (tests/vectors/iso8583) as pyiso8583 specs, read without any of Switchyard's code.

A table is either one of the neutral ones of cases.json or the facts of a real packager (specs/*.json). What
pyiso8583 has no word for, a sign before packed digits and the separator of a packed track, is put in and taken
out here.
"""

import json
import pathlib

import iso8583

CODECS = {"ascii": "ascii", "ebcdic": "cp037"}
LENGTH_ENCODINGS = {"ascii": "ascii", "ebcdic": "cp037", "bcd": "bcd", "binary": "b"}

# Where docs/wire.md, or the standard, differs from the packager: see tests/conformance, dialects.rs.
TEXT = {"kind": "var", "len_digits": 3, "data": "ascii"}
OVERRIDES = {
    "iso87ascii": {
        "55": {"kind": "var", "max_len": 255, "len_digits": 3, "len_enc": "ascii", "data": "binary"},
        "60": {**TEXT, "max_len": 60, "len_enc": "ascii"},
        "61": {**TEXT, "max_len": 26, "len_enc": "ascii"},
        "63": {**TEXT, "max_len": 32, "len_enc": "ascii"},
        "93": {"kind": "fixed", "max_len": 5, "data": "ascii"},
        "96": {"kind": "fixed", "max_len": 8, "data": "hex-text-ascii"},
    },
    "iso87binary": {
        "60": {**TEXT, "max_len": 60, "len_enc": "bcd"},
        "61": {**TEXT, "max_len": 26, "len_enc": "bcd"},
        "63": {**TEXT, "max_len": 32, "len_enc": "bcd"},
        "93": {"kind": "fixed", "max_len": 5, "data": "ascii"},
        "96": {"kind": "fixed", "max_len": 8, "data": "binary"},
    },
    "postilion_postpack": {"128": {"kind": "fixed", "max_len": 8, "data": "hex-text-ascii"}},
}


class Element:
    """One element: its row in a pyiso8583 spec, and its values between their plain form and that of pyiso8583."""

    def __init__(self, data, length, prefix=None, pad="left"):
        self.data = data
        self.length = length
        self.fixed = prefix is None
        row = {"data_enc": "b", "len_enc": "ascii", "len_type": 0, "max_len": length, "desc": ""}
        if prefix is not None:
            digits, encoding = prefix
            row["len_enc"] = LENGTH_ENCODINGS[encoding]
            # Two digits of BCD, or of what a binary length may reach, stand in a byte.
            row["len_type"] = (digits + 1) // 2 if encoding in ("bcd", "binary") else digits
        if data in CODECS:
            row["data_enc"] = CODECS[data]
        elif data == "bcd":
            row.update({"len_count": "nibbles", f"{pad}_pad": "0"})
        elif data == "sign+bcd":
            row["max_len"] = 1 + length // 2
        elif data in ("hex_ascii", "hex_ebcdic"):
            row["data_enc"] = CODECS[data[4:]]
            row["max_len"] = length * 2
        elif data != "binary":
            raise ValueError(f"data {data!r}")
        self.row = row

    def into(self, value, content):
        """A plain value (binary as hexadecimal text) as pyiso8583 wants it; a fixed length is filled."""
        if self.fixed and self.data in CODECS:
            value = value.rjust(self.length, "0") if content == "n" else value.ljust(self.length)
        if self.data == "sign+bcd":
            return value[:1].encode().hex() + value[1:]
        return value.replace("=", "D") if self.data == "bcd" and content == "z" else value

    def out(self, value, content):
        """The reverse. Blanks that fill a fixed length are not significant."""
        if self.data == "sign+bcd":
            return bytes.fromhex(value[:2]).decode("ascii") + value[2:]
        if self.data == "bcd" and content == "z":
            return value.replace("D", "=")
        return value.rstrip(" ") if self.fixed and self.data in CODECS else value


class Table:
    """A dialect: its elements by number, and the whole as a pyiso8583 spec."""

    def __init__(self, mti, bitmap, elements):
        self.elements = elements
        self.insides = {}
        self.spec = {number: element.row for number, element in elements.items()}
        self.spec["h"] = {"data_enc": "ascii", "len_enc": "ascii", "len_type": 0, "max_len": 0, "desc": ""}
        self.spec["t"] = Element(mti, 4 if mti in CODECS else 2).row
        if mti == "bcd":
            self.spec["t"].pop("len_count")
        for which in ("p", "1"):
            self.spec[which] = Element(bitmap, 8).row


def neutral(row):
    """An element of a neutral table."""
    prefix = None if row["len"] == "fixed" else (row["len_digits"], row["len_enc"])
    length = row["max"]
    if row["len_counts"].startswith("characters of hex text"):
        length //= 2
    return Element(row["data"], length, prefix, (row.get("bcd_odd_pad") or "left-0").split("-")[0])


def packed(row):
    """An element of a packager. Its class tells more than the encoding that was derived from the name."""
    data = row["data"].replace("hex-text-", "hex_").replace("sign-char+bcd", "sign+bcd")
    if row.get("class") == "IFB_AMOUNT2003":
        data = "bcd"
    prefix = None if row["kind"] == "fixed" else (row["len_digits"], row["len_enc"])
    # jPOS fills an odd number of digits on the left where its `pad` is true.
    return Element(data, row["max_len"], prefix, "left" if row.get("jpos_pad") == "true" else "right")


class Inside:
    """The structure of an element: its parts, behind a bitmap of their own or one after the other."""

    FRAME = {
        "h": {"data_enc": "ascii", "len_enc": "ascii", "len_type": 0, "max_len": 0, "desc": ""},
        "t": {"data_enc": "ascii", "len_enc": "ascii", "len_type": 0, "max_len": 4, "desc": ""},
        "p": {"data_enc": "b", "len_enc": "ascii", "len_type": 0, "max_len": 8, "desc": ""},
    }

    def __init__(self, rows):
        is_bitmap = lambda row: "BITMAP" in row["class"]
        self.bitmap = next(filter(is_bitmap, rows), None)
        self.parts = {row["field"]: packed(row) for row in rows if not is_bitmap(row) and row["max_len"]}

    def encode(self, values):
        """The bytes of these parts, {number: [value, content]}. pyiso8583 writes a part as a message of one element."""
        numbers = sorted(map(int, values))
        raw = b""
        if self.bitmap is not None:
            # One of 16 bytes has 8 where no part above 64 is there.
            width = min(self.bitmap["max_len"], 8)
            bits = sum(1 << (width * 8 - number) for number in numbers).to_bytes(width, "big")
            raw = bits.hex().upper().encode("cp037") if self.bitmap.get("data") == "hex-text-ebcdic" else bits
        for number in numbers:
            part = self.parts[number]
            message, _ = iso8583.encode({"t": "0000", "2": part.into(*values[str(number)])}, {**self.FRAME, "2": part.row})
            raw += message[12:]
        return raw


def load(vectors, name):
    """The table of a name: of cases.json, or of a file in specs/."""
    folder = pathlib.Path(vectors)
    path = folder / "specs" / f"{name}.json"
    if not path.exists():
        table = json.loads((folder / "cases.json").read_text(encoding="utf-8"))["specs"][name]
        return Table(table["mti"]["data"], table["bitmap"]["data"], {number: neutral(row) for number, row in table["fields"].items()})
    rows = {str(row["field"]): row for row in json.loads(path.read_text(encoding="utf-8"))["fields"]}
    rows.update(OVERRIDES.get(name, {}))
    # 65 would announce a third bitmap.
    mti, bitmap, _ = rows.pop("0"), rows.pop("1"), rows.pop("65", None)
    form = bitmap["data"].replace("hex-text-", "hex_")
    table = Table(mti["data"], form, {number: packed(row) for number, row in rows.items()})
    table.insides = {number: Inside(row["subfields"]) for number, row in rows.items() if row.get("subfields")}
    return table
