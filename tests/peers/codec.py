"""pyiso8583 on the message of the codec's benchmark: a line in, a line out, until the input ends.

The first line is the message: {"mti": "0200", "fields": {"2": "…"}, "lengths": {"ascii": 456, …}} with binary
content as hexadecimal text. The answer is what pyiso8583 makes of it in both layouts, as hexadecimal text.
Every further line is `decode ascii 1000` (or encode, or bcd): so many rounds, answered with the processor
time of one in nanoseconds.
"""

import copy
import json
import sys
from time import process_time_ns

import iso8583
from iso8583.specs import default, default_ascii

PACKED = ("t", "2", "3", "4", "7", "11", "12", "13", "14", "18", "22", "25", "32", "49")


def ascii_spec():
    """All in ASCII; field 55 counts its hexadecimal characters."""
    spec = copy.deepcopy(default_ascii)
    spec["p"].update(data_enc="ascii", max_len=16)
    spec["52"].update(data_enc="ascii", max_len=16)
    spec["55"].update(data_enc="ascii", len_enc="ascii", len_type=3, max_len=510)
    return spec


def packed_spec():
    """Digits packed, an odd number of them behind a zero; bitmap, 52 and 55 in binary, lengths packed."""
    spec = copy.deepcopy(default_ascii)
    for number in PACKED:
        digits = spec[number]["max_len"]
        spec[number].update(data_enc="b", len_enc="bcd", len_count="nibbles", left_pad="0", max_len=digits)
        if spec[number]["len_type"]:
            spec[number].update(len_type=1)
    spec["p"].update(data_enc="b", max_len=8)
    spec["35"].update(len_enc="bcd", len_type=1)
    spec["52"].update(data_enc="b", max_len=8)
    spec["55"].update(data_enc="b", len_enc="bcd", len_type=2, max_len=255)
    return spec


def main():
    specs = {"ascii": ascii_spec(), "bcd": packed_spec()}
    given = json.loads(sys.stdin.readline())
    # What encode is given: it sets the bitmap itself.
    document = {"t": given["mti"], **given["fields"]}
    frames = {}
    for name, spec in specs.items():
        frames[name] = bytes(iso8583.encode(dict(document), spec)[0])
        decoded, _ = iso8583.decode(frames[name], spec)
        for number, content in given["fields"].items():
            assert decoded[number] == content, (name, number)
    print(json.dumps({name: frame.hex().upper() for name, frame in frames.items()}), flush=True)
    for line in sys.stdin:
        what, name, rounds = line.split()
        spec, frame, count = specs[name], frames[name], int(rounds)
        if what == "decode":
            began = process_time_ns()
            for _ in range(count):
                iso8583.decode(frame, spec)
        else:
            began = process_time_ns()
            for _ in range(count):
                iso8583.encode(document, spec)
        print((process_time_ns() - began) / count, flush=True)


if __name__ == "__main__":
    main()
