"""The peers against each other, before they judge anybody: `python test_peers.py`."""

import io
import json
import os
import random
import secrets
import socket
import subprocess
import sys
import unittest

from cardutil import mciipm

import clearing_check
import compare
import differential
import population
import tables
import wire

HERE = os.path.dirname(os.path.abspath(__file__))
PREFIXES = ["476173", "541333"]


def start(program, *arguments):
    return subprocess.Popen(
        [sys.executable, os.path.join(HERE, program), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE
    )


class TerminalAgainstIssuer(unittest.TestCase):
    """With the same keys on both sides a terminal can talk to the issuer without a switch between them."""

    FORM = "ascii"

    @classmethod
    def setUpClass(cls):
        pin_key, mac_key = secrets.token_hex(16), secrets.token_hex(16)
        population_of = [part for prefix in PREFIXES for part in ("--prefix", prefix)]
        with start("issuer.py", "--seed", "11", "--network", "direct", "--system", "single", "--form", cls.FORM, "--terminals", *population_of) as issuer:
            issuer.stdin.write(json.dumps({"networks": {"direct": {"zpk": pin_key, "zak": mac_key}}}) + "\n")
            issuer.stdin.flush()
            port = json.loads(issuer.stdout.readline())["listening"]
            keys = {name: {"tpk": pin_key, "tak": mac_key, "form": cls.FORM} for name in ("TERM0001", "TERM0002")}
            client = subprocess.run(
                [sys.executable, os.path.join(HERE, "client.py"), "--connect", f"{cls.FORM}=127.0.0.1:{port}", "--seed", "11", "--payments", "80", *population_of],
                input=json.dumps({"terminals": keys}) + "\n", capture_output=True, text=True, cwd=HERE, timeout=120,
            )
            if not client.stdout:
                raise AssertionError(client.stderr)
            cls.client = json.loads(client.stdout)
            cls.errors = client.stderr
            cls.issuer = json.loads(issuer.communicate("")[0])

    def test_every_check_of_the_terminal_holds(self):
        self.assertEqual(self.client["failures"], [], self.errors)
        for name, count in self.client["checks"].items():
            self.assertGreater(count, 0, name)

    def test_the_books_agree_item_by_item(self):
        found = compare.compare(self.client["book"], [self.issuer])
        self.assertEqual(found["breaks"], [])

    def test_the_issuer_verified_pins_and_macs(self):
        counts = self.issuer["counts"]
        for name in ("pins_right", "pins_wrong", "right_macs", "wrong_macs", "damaged"):
            self.assertGreater(counts[name], 0, name)

    def test_a_terminal_that_reports_a_lie_is_found(self):
        for change in (
            {"stands": 1}, {"state": "reversed"}, {"rrn": "000000000000"}, {"approval": "XXXXXX"}, {"state": "never"}, {"state": "declined"},
        ):
            book = json.loads(json.dumps(self.client["book"]))
            next(entry for entry in book if entry["state"] == "open").update(change)
            self.assertNotEqual(compare.compare(book, [self.issuer])["breaks"], [], change)

    def test_an_issuer_that_keeps_what_it_should_not_is_found(self):
        for change in ({"state": "reversed"}, {"rrn": "000000000000"}, {"amount": 1}):
            issuer = json.loads(json.dumps(self.issuer))
            next(item for item in issuer["items"] if item["state"] == "open").update(change)
            self.assertNotEqual(compare.compare(self.client["book"], [issuer])["breaks"], [], change)
        twice = json.loads(json.dumps(self.issuer))
        twice["items"].append(twice["items"][0])
        self.assertNotEqual(compare.compare(self.client["book"], [twice])["breaks"], [])


class BinaryTerminalAgainstIssuer(TerminalAgainstIssuer):
    """The same with packed digits."""

    FORM = "binary"


class Presentments(unittest.TestCase):
    def test_each_capture_is_presented_once_and_nothing_else(self):
        entry = {"rrn": "1", "kind": "purchase", "state": "open", "stands": 100, "approval": "A"}
        book = [entry, {**entry, "rrn": "2", "kind": "authorization"}, {**entry, "rrn": "3", "state": "reversed"}]
        issuer = {"dual": True, "items": [{"rrn": rrn} for rrn in "123"]}
        item = {"rrn": "1", "amount": 100, "approval": "A", "processing": "000000"}
        self.assertEqual(compare.cleared(book, [issuer], [item])[1], [])
        for wrong in ([], [item, item], [{**item, "amount": 99}], [{**item, "processing": "200000"}], [item, {**item, "rrn": "2"}], [item, {**item, "rrn": "3"}]):
            self.assertNotEqual(compare.cleared(book, [issuer], wrong)[1], [], wrong)


class Wire(unittest.TestCase):
    def test_mac_and_pin_block_agree_with_published_values(self):
        # ISO/IEC 9797-1:2011 annex B: "Now is the time for all ", keys 0123456789ABCDEF and FEDCBA9876543210.
        key = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
        self.assertEqual(wire.retail_mac(key, b"Now is the time for all ").hex().upper(), "A1C72E74EA3FA9B6")
        # ANSI X9.24-1:2009 annex A.4: PIN 1234, PAN 4012345678909, clear format 0 block 041274EDCBA9876F.
        block = wire.encrypt_pin(key, "1234", "4012345678909")
        self.assertEqual(wire.des.decrypt_tdes_ecb(key, bytes.fromhex(block)).hex().upper(), "041274EDCBA9876F")
        self.assertEqual(wire.decrypt_pin(key, block, "4012345678909"), "1234")

    def test_the_mac_covers_everything_before_it(self):
        key = bytes(range(16))
        fields = {"3": "000000", "4": "000000000100", "11": "000001", "90": "0" * 42}
        for form, elements in ((wire.ASCII, 36), (wire.BINARY, 18)):
            raw = wire.encode("0200", fields, key, form)
            self.assertTrue(wire.mac_is_right(wire.decode(raw, form), key))
            self.assertIn("128", wire.decode(raw, form).fields)
            # The type and the numeric elements; another digit in a bitmap would be another message.
            for at in (3 if form is wire.ASCII else 1, *range(elements, len(raw))):
                changed = bytearray(raw)
                changed[at] ^= 1
                try:
                    self.assertFalse(wire.mac_is_right(wire.decode(changed, form), key), at)
                except wire.Damaged:
                    # A filler half byte or a letter of hexadecimal: no message at all.
                    pass

    def test_both_forms_are_byte_for_byte_those_of_the_page(self):
        # docs/wire.md shows this echo, and the lengths and fillers of each kind of element.
        echo = {"7": "1124145100", "11": "000001", "70": "301"}
        self.assertEqual(wire.encode("0800", echo), b"080082200000000000000400000000000000" + b"1124145100000001301")
        self.assertEqual(
            wire.encode("0800", echo, form=wire.BINARY).hex(" ", -2),
            "0800 8220 0000 0000 0000 0400 0000 0000 0000 1124 1451 0000 0001 0301",
        )
        for element, value, packed in (
            ("2", "4761739001010119", "164761739001010119"), ("2", "4761739001010119123", "1947617390010101191230"),
            ("22", "051", "0051"), ("32", "12345", "05123450"), ("35", "4761739001010119=3011", "214761739001010119D30110"),
            ("38", "A1B2C3", "413142324333"), ("49", "978", "393738"), ("52", "0123456789ABCDEF", "0123456789ABCDEF"),
            ("55", "9F26021122", "00059F26021122"), ("60", "05", "00023035"),
            ("90", "020000000111241451000000001234500000000000", "020000000111241451000000001234500000000000"),
        ):
            raw = wire.encode("0200", {element: value}, form=wire.BINARY)
            self.assertEqual(raw[10 if int(element) <= 64 else 18:].hex().upper(), packed, element)
            self.assertEqual(wire.decode(raw, wire.BINARY).fields, {element: value})

    def test_an_answer_for_another_line_is_not_taken(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            link = wire.Link.dial(f"127.0.0.1:{listener.getsockname()[1]}", tpdu=bytes.fromhex("6000010203"))
            host = wire.Link(listener.accept()[0], tpdu=bytes.fromhex("6002030001"))
        link.send(b"asked")
        self.assertEqual(host.receive(), b"asked")
        host.send(b"said")
        self.assertEqual(link.receive(), b"said")
        host.tpdu = link.tpdu
        host.send(b"said")
        self.assertRaises(wire.Damaged, link.receive)
        link.close()
        host.close()

    def test_cards_have_check_digits_and_are_the_same_for_both(self):
        made = population.cards("3", PREFIXES)
        self.assertEqual(made, population.cards("3", PREFIXES))
        for card in made:
            self.assertEqual(population.luhn(card.pan[:-1]), card.pan[-1])

    def test_tags_of_chip_data_are_found(self):
        self.assertEqual(wire.tlv_tags("9F2601AA5A02411195050000000000"), ["9F26", "5A", "95"])


class Differential(unittest.TestCase):
    """What the comparison of codecs makes it agrees with, until one thing about the table or the message is wrong."""

    VECTORS = os.path.join(HERE, "..", "vectors", "iso8583")

    def dialect(self):
        table = tables.load(self.VECTORS, "iso87binary")
        contents = {"2": "n", "11": "n", "28": "x+n", "35": "z", "41": "ans", "52": "b", "102": "ans"}
        return differential.Dialect(table, {number: [content, "plain", {}] for number, content in contents.items()})

    def faults(self, change):
        dialect, source = self.dialect(), random.Random(8583)
        messages = [dialect.make(source) for _ in range(200)]
        change(dialect.table, messages)
        for message in messages:
            dialect.judge(message)
        return dialect.faults

    def test_its_own_messages_agree(self):
        self.assertEqual(self.faults(lambda table, messages: None), [])

    def test_one_wrong_thing_is_found(self):
        def side(table, _):
            table.spec["2"]["left_pad"] = table.spec["2"].pop("right_pad")

        for change in (
            side,
            lambda table, _: table.spec["11"].update(max_len=8),
            lambda table, _: table.spec["41"].update(data_enc="cp037"),
            lambda table, _: table.spec["102"].update(len_enc="b"),
            lambda table, _: table.spec["52"].update(max_len=7),
            lambda _, messages: messages[0].update(mti="0999"),
            lambda _, messages: next(m for m in messages if "28" in m["fields"])["fields"].update({"28": "C00000001"}),
            lambda _, messages: next(m for m in messages if "35" in m["fields"])["fields"].pop("35"),
            lambda _, messages: messages[0].update(wire=messages[0]["wire"] + "00"),
        ):
            self.assertNotEqual(self.faults(change), [])


class ClearingFile(unittest.TestCase):
    """A file that cardutil wrote, then the same with one thing wrong."""

    FILE_ID = "0022611210000001234500001"

    def messages(self):
        reference = "70000016325" + "00000000001"
        reference += population.luhn(reference)
        presentment = {
            "MTI": "1240", "DE2": "4761739001010119", "DE3": "000000", "DE4": 1250, "DE24": "200", "DE31": reference,
            "DE37": "632505000017", "DE49": "978", "DE55": bytes.fromhex("9F2608AABBCCDDEEFF0011"), "PDS0148": "9782", "DE71": 2,
        }
        return [
            {"MTI": "1644", "DE24": "697", "DE71": 1, "PDS0105": self.FILE_ID, "PDS0122": "T"},
            presentment,
            {**presentment, "DE4": 900, "DE3": "200000", "DE37": "632505000018", "DE71": 3},
            {"MTI": "1644", "DE24": "695", "DE71": 4, "PDS0105": self.FILE_ID, "PDS0301": f"{2150:016d}", "PDS0306": f"{4:08d}"},
        ]

    def test_a_good_file_has_no_breaks_in_any_layout(self):
        for blocked in (False, True):
            for encoding in ("latin-1", "cp500"):
                found = clearing_check.check(self.finished(self.messages(), blocked, encoding), items=True)
                self.assertEqual(found["breaks"], [])
                self.assertEqual((found["layout"], found["encoding"]), ("b1014" if blocked else "vbs", encoding))
                self.assertEqual(found["totals"]["978"], {"00": {"count": 1, "amount": 1250}, "20": {"count": 1, "amount": 900}})
                self.assertEqual([item["rrn"] for item in found["items"]], ["632505000017", "632505000018"])

    def test_one_wrong_thing_is_found(self):
        for number, change in (
            (0, {"PDS0105": "0022611210000001234500002"}), (1, {"DE4": 1251}), (1, {"DE71": 7}), (2, {"DE31": "70000016325000000000010"}),
            (2, {"DE2": "4761739001010118"}), (3, {"PDS0301": f"{1:016d}"}), (3, {"PDS0306": f"{3:08d}"}),
        ):
            messages = self.messages()
            messages[number].update(change)
            self.assertNotEqual(clearing_check.check(self.finished(messages))["breaks"], [], change)
        messages = self.messages()
        for gone in range(len(messages)):
            self.assertNotEqual(clearing_check.check(self.finished(messages[:gone] + messages[gone + 1 :]))["breaks"], [], gone)
        self.assertNotEqual(clearing_check.check(self.finished([messages[0], messages[3]]))["breaks"], [])

    def test_a_cut_or_damaged_file_is_found(self):
        good = self.finished(self.messages())
        for cut in range(len(good)):
            self.assertNotEqual(clearing_check.check(good[:cut])["breaks"], [], cut)
        self.assertNotEqual(clearing_check.check(good + b"x")["breaks"], [])

    def finished(self, messages, blocked=False, encoding="latin-1"):
        out = io.BytesIO()
        writer = mciipm.IpmWriter(out, blocked=blocked, encoding=encoding)
        for message in messages:
            writer.write(message)
        writer.close()
        return out.getvalue()


if __name__ == "__main__":
    # psec calls what cryptography discourages; wire.py says why that is all right.
    unittest.main(warnings="ignore")
