"""Seeds for the fuzz targets from the cases that the repository carries: `python3 fuzz/seeds.py FOLDER`.

Writes FOLDER/TARGET/… for each target. `fuzz/README.md` tells how the corpus was made from them.
"""

import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
VECTORS = ROOT / "tests/vectors/iso8583"

# The prefixes and encodings of a moov spec, by the words of the neutral tables.
PREFIXES = {"ascii": "ASCII", "ebcdic": "EBCDIC", "bcd": "BCD", "binary": "Binary"}
ENCODINGS = {"ascii": "ASCII", "ebcdic": "EBCDIC", "bcd": "BCD", "binary": "Binary", "hex_ascii": "HexToASCII"}


def spec(table, numbers, case):
    """A spec with the rows of these fields, as TOML."""
    form = lambda text: text.replace("_", "-")
    lines = [
        f'name = "{table["name"]}"', f"version = {table['iso_version']}",
        f'mti = "{form(table["mti"]["data"])}"', f'bitmap = "{form(table["bitmap"]["data"])}"', "[fields]",
    ]
    for number in numbers:
        row = table["fields"][number]
        keys = [f'name = "{number}"', f'content = "{row["content"]}"', f'charset = "{form(row["data"])}"']
        if row["len"] == "fixed":
            keys.append(f"length = {row['max']}")
        else:
            keys.append(f'max = {row["max"]}, prefix = {row["len_digits"]}, prefix-form = "{form(row["len_enc"])}"')
        if row.get("tlv"):
            keys.append('shape = "ber-tlv"')
        lines.append(f"{number} = {{ {', '.join(keys)} }}")
    for number, parts in case.get("subfields", {}).items():
        lines.append(f'[fields.{number}.fields]')
        lines += [f'{at} = {{ name = "{name}", content = "ans", length = {length} }}' for at, (name, length) in enumerate(parts["layout"], 1)]
    return "\n".join(lines) + "\n"


def moov(table, numbers):
    """The same as the JSON of a moov spec."""
    fields = {
        "0": {"type": "String", "length": 4, "enc": ENCODINGS.get(table["mti"]["data"], "ASCII"), "prefix": "ASCII.Fixed"},
        "1": {"type": "Bitmap", "length": 8, "enc": ENCODINGS.get(table["bitmap"]["data"], "Binary"), "prefix": "Hex.Fixed"},
    }
    for number in numbers:
        row = table["fields"][number]
        letters = "Fixed" if row["len"] == "fixed" else "L" * row["len_digits"]
        fields[number] = {
            "type": "Binary" if row["content"] == "b" else "String", "length": row["max"],
            "enc": ENCODINGS.get(row["data"], "Own"), "prefix": f"{PREFIXES.get(row.get('len_enc'), 'ASCII')}.{letters}",
        }
    return json.dumps({"name": table["name"], "fields": fields}, separators=(",", ":"))


def isofields(rows, above=""):
    """Rows of a packager as the XML of jPOS, subfields within."""
    for row in rows:
        pad = f' pad="{row["jpos_pad"]}"' if "jpos_pad" in row else ""
        head = f'id="{row["field"]}" length="{row["max_len"]}" name="{above}{row["field"]}" class="{row["class"]}"{pad}'
        if row.get("subfields"):
            yield f'<isofieldpackager {head} packager="{row.get("jpos_packager", "")}">'
            yield from isofields(row["subfields"], f"{above}{row['field']}.")
            yield "</isofieldpackager>"
        else:
            yield f"<isofield {head}/>"


def seeds():
    """Target, name and content of every seed."""
    cases = json.loads((VECTORS / "cases.json").read_text())
    for case in cases["cases"]:
        name, wire = case["name"], bytes.fromhex(case["hex"])
        if "frame" in case:
            yield "frame", name, wire
            continue
        yield "decode", name, wire
        for value in case.get("tlv", {}):
            yield "tlv", name, bytes.fromhex(case["fields"][value])
        table, fields = cases["specs"].get(case["spec"]), case.get("fields")
        if fields:
            yield "json", name, json.dumps({"mti": case["mti"], "fields": fields}).encode()
        if table and fields:
            numbers = [number for number in table["fields"] if number in fields]
            yield "spec", name, spec(table, numbers, case).encode() + b"\0" + wire
            yield "import", f"moov_{name}", moov(table, numbers).encode()
    yield "tlv", "dol", bytes.fromhex("9F02069F03069F1A0295055F2A029A039C019F3704")
    yield "tlv", "filled", bytes.fromhex("00009F0206000000012345FFFF5F2A02085800")
    known = set()
    for path in sorted((VECTORS / "specs").iterdir()):
        rows = json.loads(path.read_text())["fields"]
        # A whole table is too much to change at random: only rows of a form that no seed has yet.
        for start in range(2, len(rows), 32):
            part = [row for row in rows[start : start + 32] if row.get("subfields") or (row["class"], row.get("jpos_pad")) not in known]
            known.update((row["class"], row.get("jpos_pad")) for row in part)
            text = "\n".join(["<isopackager>", *isofields(rows[:2] + part), "</isopackager>"])
            yield "import", f"jpos_{path.stem}_{start}", text.encode()
    for path in sorted((ROOT / "codecs/iso8583/specs").glob("*.toml")):
        if path.stat().st_size < 4096:
            yield "spec", path.stem, path.read_bytes() + b"\0"


def main():
    folder = pathlib.Path(sys.argv[1])
    for target, name, content in seeds():
        (folder / target).mkdir(parents=True, exist_ok=True)
        (folder / target / name).write_bytes(content)


if __name__ == "__main__":
    main()
