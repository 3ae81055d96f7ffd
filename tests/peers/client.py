"""A terminal written by strangers: sends what a shop sends, and says what came back wrong.

    client.py --connect ascii=127.0.0.1:4000 --seed 7 --prefix 476173 --payments 40

The first line of standard input is JSON with the keys and the place of each terminal, and the form of its
messages where it is not ascii: {"terminals": {"TERM0001": {"tpk": "...", "tak": "...",
"merchant": "MERCHANT0000001", "form": "binary"}}}. Everything is played by the terminals of each form in
turn. The last line of standard output is one JSON object: the terminals' own book, how often each check was
made in which form, and `failures`, which must be empty. Exit code 1 if it is not.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter

import population
import wire

UNANSWERED = {"91", "68", "08"}
NOT_FOUND = {"00", "21", "25"}
# A refusal of which nothing is kept has no number of its own.
NOT_KEPT = {"12", "21", "30", "63", "91", "94", "96"}
ECHOED = ("4", "11", "37", "41")


class Terminal:
    """One terminal: its identity, keys, form of messages, STAN and connection."""

    def __init__(self, name, keys, chosen):
        self.name = name
        self.tpk = bytes.fromhex(keys["tpk"])
        self.tak = bytes.fromhex(keys["tak"])
        self.merchant = keys.get("merchant", chosen.merchant)
        self.form = wire.FORMS[keys.get("form", "ascii")]
        self.currency = chosen.currency
        self.stan = 0
        self.link = dial(chosen, self.form)

    def next_stan(self):
        self.stan = self.stan % 999_999 + 1
        return f"{self.stan:06d}"

    def base(self, processing_code, amount):
        """The elements of every message about money. Terminals keep local time, which need not be UTC."""
        local = time.localtime()
        return {
            "3": processing_code, "4": f"{amount:012d}", "7": transmission_time(), "11": self.next_stan(),
            "12": time.strftime("%H%M%S", local), "13": time.strftime("%m%d", local),
            "41": self.name.ljust(8), "42": self.merchant.ljust(15), "49": self.currency,
        }

    def encode(self, mti, fields, key="own"):
        return wire.encode(mti, fields, self.tak if key == "own" else key, self.form)

    def send(self, mti, fields, key="own"):
        raw = self.encode(mti, fields, key)
        self.link.send(raw)
        return raw

    def close(self):
        self.link.close()


def dial(chosen, form):
    """A connection to where messages of this form are taken."""
    tpdu = bytes.fromhex(chosen.tpdu) if form is wire.BINARY else b""
    return wire.Link.dial(chosen.connect[form.name], chosen.timeout, tpdu)


_later = 0


def transmission_time():
    """DE7: never the same twice, as of a device that makes a new one for every attempt."""
    global _later
    _later += 1
    return time.strftime("%m%d%H%M%S", time.gmtime(time.time() + _later))


class Run:
    """One run over all scenarios: the random source, the terminal's book and the list of what was wrong."""

    def __init__(self, chosen, keys):
        self.chosen = chosen
        self.random = random.Random(f"client {chosen.seed}")
        self.cards = population.cards(chosen.seed, chosen.prefix)
        self.everybody = [Terminal(name, keys[name], chosen) for name in sorted(keys)]
        self.terminals = self.everybody
        self.form = None
        self.amounts = set()
        self.book = []
        # Completions that belong to nothing.
        self.kept = []
        self.checks = Counter()
        self.failures = []

    # ------------------------------------------------------------------ checks

    def check(self, name, right, what=""):
        self.checks[f"{self.form.name}: {name}"] += 1
        if not right:
            self.failures.append(f"{self.form.name}: {name}: {what}")
        return right

    def receive(self, terminal, raw=None):
        """The next answer on the terminal's connection, decoded, its MAC checked."""
        raw = raw or terminal.link.receive()
        if raw is None:
            raise ConnectionError("the connection was closed")
        answer = wire.decode(raw, terminal.form)
        if answer.mti[1] != "8" and answer.get("39") not in ("30", "63"):
            self.check("MAC of the answer", wire.mac_is_right(answer, terminal.tak), str(answer))
        return answer

    def exchange(self, terminal, mti, fields, key="own"):
        terminal.send(mti, fields, key)
        return self.check_answer(mti, fields, self.receive(terminal))

    def check_answer(self, mti, fields, answer):
        self.check("type of the answer", answer.mti == wire.answer_mti(mti), f"{mti} was answered {answer.mti}")
        for element in ECHOED:
            if element in fields:
                self.check(f"echo of DE{element}", answer.get(element) == fields[element], f"{fields[element]!r} came back as {answer.get(element)!r}")
        code = answer.get("39", "")
        self.check("DE39 is there", len(code) == 2, str(answer))
        if mti[1] in "12" and code not in NOT_KEPT:
            self.check("DE37 is there", len(answer.get("37", "")) == 12, str(answer))
        if code in wire.APPROVED and mti[1] in "12" and mti[2] == "0":
            self.check("DE38 with an approval", len(answer.get("38", "")) == 6, str(answer))
        return answer

    # ------------------------------------------------------------------ messages

    def amount(self, card=None):
        """An amount that no other payment of this run has, so that the books can be searched for it."""
        while True:
            amount = self.random.randint(100, self.chosen.max_amount)
            if amount % 1000 != population.SILENT_ENDING and amount not in self.amounts:
                self.amounts.add(amount)
                return amount

    def silent_amount(self):
        while True:
            amount = self.random.randint(1, self.chosen.max_amount // 1000 - 1) * 1000 + population.SILENT_ENDING
            if amount not in self.amounts:
                self.amounts.add(amount)
                return amount

    def good_card(self, prefix=None):
        """A card that is approved for every amount of this run, of the issuer with that number where it matters."""
        good = [card for card in self.cards if card.status == "active" and card.limit > self.chosen.max_amount]
        if prefix is not None:
            good = [card for card in good if card.index % len(self.chosen.prefix) == prefix % len(self.chosen.prefix)]
        return self.random.choice(good)

    def terminal(self):
        return self.random.choice(self.terminals)

    def card_fields(self, terminal, card, processing_code, amount, pin=None):
        fields = terminal.base(processing_code, amount)
        fields.update({"2": card.pan, "14": card.expiry, "22": "051" if pin else "071", "25": "00", "18": "5411"})
        if pin:
            fields["52"] = wire.encrypt_pin(terminal.tpk, pin, card.pan)
        if self.random.random() < 0.5:
            fields["37"] = f"{int(self.chosen.seed) % 1000:03d}{self.random.randint(0, 999_999):06d}{terminal.stan % 1000:03d}"
        if self.random.random() < 0.5:
            fields.update({"23": "001", "55": self.emv(card, amount)})
        if self.random.random() < 0.3:
            fields["35"] = f"{card.pan}={card.expiry}201000012345"
        return fields

    def emv(self, card, amount):
        """DE55 as a chip reader fills it, with the card number in it: that must not leave the switch."""
        def tag(name, value):
            return f"{name}{len(value) // 2:02X}{value}"

        cryptogram = f"{self.random.getrandbits(64):016X}"
        pan = card.pan if len(card.pan) % 2 == 0 else card.pan + "F"
        return "".join((
            tag("9F26", cryptogram), tag("9F27", "80"), tag("9F10", "06010A03A00000"), tag("9F37", f"{self.random.getrandbits(32):08X}"),
            tag("9F36", f"{self.random.getrandbits(16):04X}"), tag("95", "0000008000"), tag("9A", time.strftime("%y%m%d")),
            tag("9C", "00"), tag("9F02", f"{amount:012d}"), tag("5F2A", "0" + self.chosen.currency), tag("82", "3900"),
            tag("9F1A", "0" + self.chosen.currency), tag("5A", pan),
        ))

    def enter(self, kind, card, amount, answer, expected=None, **more):
        approved = answer.get("39") in wire.APPROVED
        if expected is not None:
            self.check("response code is the issuer's", answer.get("39") == expected, f"{answer.get('39')} instead of {expected} for {kind} of {amount}")
        entry = {
            "kind": kind, "form": self.form.name, "card": card.index, "amount": amount, "rrn": answer.get("37"), "code": answer.get("39"),
            "approval": answer.get("38"), "approved": approved, "state": "open" if approved else "declined", "stands": amount if approved else 0,
            **more,
        }
        self.book.append(entry)
        return entry

    def reversal_fields(self, terminal, mti, original, stands=None):
        """DE90 names the original; DE12 and DE13 are the original's. Some terminals send DE37 too."""
        fields = terminal.base(original["3"], int(original["4"]))
        fields.update({"12": original["12"], "13": original["13"]})
        institution = original.get("32", "").rjust(11, "0")
        fields["90"] = f"{mti}{original['11']}{original['7']}{institution}{'0' * 11}"
        if "37" in original:
            fields["37"] = original["37"]
        if stands is not None:
            fields["95"] = f"{stands:012d}{'0' * 30}"
        return fields

    # ------------------------------------------------------------------ scenarios

    def sign_on(self):
        for terminal in self.terminals:
            for function in ("001", "301"):
                self.manage(terminal, function)

    def manage(self, terminal, function):
        fields = {"7": transmission_time(), "11": terminal.next_stan(), "70": function}
        terminal.send("0800", fields, key=None)
        answer = self.receive(terminal)
        self.check("0800 is answered", answer.mti == "0810" and answer.get("39") == "00" and answer.get("11") == fields["11"], str(answer))

    def random_payment(self):
        """Purchase, authorization with or without completion, refund, balance; right PIN, wrong PIN or none."""
        terminal, card, amount = self.terminal(), self.random.choice(self.cards), self.amount()
        kind = self.random.choices(("purchase", "authorization", "refund", "balance"), (6, 3, 1, 1))[0]
        pin = self.random.choices((card.pin, self.wrong_pin(card), None), (6, 1, 2))[0]
        expected = population.decide(card, 0 if kind == "balance" else amount, None if pin is None else pin == card.pin)
        if kind == "balance":
            answer = self.exchange(terminal, "0100", self.card_fields(terminal, card, "310000", 0, pin))
            self.check("balance code", answer.get("39") == expected, f"{answer.get('39')} instead of {expected}")
            if expected == "00":
                self.check("DE54 with a balance", answer.get("54", "")[-12:] == f"{card.limit:012d}", str(answer.get("54")))
            return
        mti, code = {"purchase": ("0200", "000000"), "authorization": ("0100", "000000"), "refund": ("0200", "200000")}[kind]
        fields = self.card_fields(terminal, card, code, amount, pin)
        entry = self.enter(kind, card, amount, self.exchange(terminal, mti, fields), expected)
        if not entry["approved"]:
            return
        if kind == "authorization" and self.random.random() < 0.7:
            self.complete(terminal, card, fields, entry)
        elif kind == "purchase" and self.random.random() < 0.15:
            self.reverse(terminal, mti, fields, entry)

    def wrong_pin(self, card):
        last = str((int(card.pin[-1]) + 1) % 10)
        return card.pin[:-1] + last

    def complete(self, terminal, card, authorization, entry):
        """0220 for less than was authorized."""
        final = entry["amount"] - self.random.randint(0, entry["amount"] // 2)
        fields = terminal.base(authorization["3"], final)
        fields.update({"2": card.pan, "14": card.expiry, "37": entry["rrn"], "38": entry["approval"]})
        answer = self.exchange(terminal, "0220", fields)
        if self.check("a completion is accepted", answer.get("39") == "00", str(answer)):
            entry.update(kind="completion", stands=final)

    def reverse(self, terminal, mti, fields, entry):
        answer = self.exchange(terminal, "0400", self.reversal_fields(terminal, mti, fields))
        if self.check("a reversal is accepted", answer.get("39") == "00", str(answer)):
            entry.update(state="reversed", stands=0)

    def burst(self):
        """Many in flight on one connection; answers may come in any order."""
        terminal, waiting = self.terminals[0], {}
        for _ in range(self.chosen.burst):
            card, amount = self.good_card(), self.amount()
            fields = self.card_fields(terminal, card, "000000", amount, card.pin)
            terminal.send("0200", fields)
            waiting[fields["11"]] = (card, amount, fields)
        for _ in range(len(waiting)):
            answer = self.receive(terminal)
            known = waiting.pop(answer.get("11"), None)
            if self.check("an answer belongs to a request", known is not None, str(answer)):
                card, amount, fields = known
                self.enter("purchase", card, amount, self.check_answer("0200", fields, answer), "00")

    def repeat_gets_the_stored_answer(self):
        terminal, card, amount = self.terminal(), self.good_card(), self.amount()
        fields = self.card_fields(terminal, card, "000000", amount, card.pin)
        first = self.exchange(terminal, "0200", fields)
        self.enter("purchase", card, amount, first, "00")
        for mti in ("0201", "0200"):
            again = self.exchange(terminal, mti, {**fields, "7": transmission_time()})
            for element in ("37", "38", "39"):
                same = again.get(element) == first.get(element)
                self.check(f"a repeat has the stored DE{element}", same, f"{first.get(element)} became {again.get(element)} in a {mti}")

    def changed_amount_is_a_conflict(self):
        terminal, card, amount = self.terminal(), self.good_card(), self.amount()
        fields = self.card_fields(terminal, card, "000000", amount, card.pin)
        first = self.exchange(terminal, "0200", fields)
        self.enter("purchase", card, amount, first, "00")
        other = self.exchange(terminal, "0201", {**fields, "4": f"{self.amount():012d}"})
        self.check("a changed amount is a conflict", other.get("39") == "94", str(other))
        again = self.exchange(terminal, "0201", fields)
        self.check("a conflict changes nothing", (again.get("39"), again.get("38")) == (first.get("39"), first.get("38")), str(again))

    def reversal_before_its_original(self):
        terminal, card, amount = self.terminal(), self.good_card(), self.amount()
        fields = self.card_fields(terminal, card, "000000", amount, card.pin)
        answer = self.exchange(terminal, "0400", self.reversal_fields(terminal, "0200", fields))
        self.check("a reversal without original is answered", answer.get("39") in NOT_FOUND, str(answer))
        late = self.exchange(terminal, "0200", fields)
        self.check("the late original is refused", late.get("39") not in wire.APPROVED, str(late))
        self.book.append({
            "kind": "purchase", "form": self.form.name, "card": card.index, "amount": amount, "rrn": late.get("37"), "code": late.get("39"), "approval": None,
            "approved": False, "state": "never", "stands": 0,
        })

    def wrong_mac_has_no_effect(self):
        terminal, card, amount = self.terminal(), self.good_card(), self.amount()
        fields = self.card_fields(terminal, card, "000000", amount, card.pin)
        raw = bytearray(terminal.encode("0200", fields))
        raw[-1] = ord("0") if raw[-1] != ord("0") else ord("1")
        terminal.link.send(bytes(raw))
        refused = self.receive(terminal)
        self.check("a wrong MAC is refused", refused.get("39") == "63", str(refused))
        # Had it planted a claim, this would be a repeat with the refusal as its stored answer.
        answer = self.exchange(terminal, "0200", fields)
        self.enter("purchase", card, amount, answer, "00")

    def wrong_mac_on_a_reversal_reverses_nothing(self):
        terminal, card, amount = self.terminal(), self.good_card(), self.amount()
        fields = self.card_fields(terminal, card, "000000", amount, card.pin)
        self.enter("purchase", card, amount, self.exchange(terminal, "0200", fields), "00")
        raw = bytearray(terminal.encode("0400", self.reversal_fields(terminal, "0200", fields)))
        raw[-1] = ord("0") if raw[-1] != ord("0") else ord("1")
        terminal.link.send(bytes(raw))
        refused = self.receive(terminal)
        self.check("a reversal with a wrong MAC is refused", refused.get("39") == "63", str(refused))

    def partial_reversal(self):
        terminal, card, amount = self.terminal(), self.good_card(), self.amount()
        fields = self.card_fields(terminal, card, "000000", amount, card.pin)
        entry = self.enter("purchase", card, amount, self.exchange(terminal, "0200", fields), "00")
        stands = amount // 3
        answer = self.exchange(terminal, "0400", self.reversal_fields(terminal, "0200", fields, stands))
        if self.chosen.no_partial_reversals:
            self.check("a partial reversal is refused", answer.get("39") == "12", str(answer))
        elif self.check("a partial reversal is accepted", answer.get("39") == "00", str(answer)):
            entry.update(stands=stands)

    def format_error(self):
        terminal, card = self.terminal(), self.good_card()
        fields = self.card_fields(terminal, card, "000000", self.amount(), None)
        fields["4"] = "00000000A123"
        terminal.send("0200", fields)
        answer = self.receive(terminal)
        self.check("letters in an amount are a format error", answer.get("39") == "30" and answer.get("11") == fields["11"], str(answer))

    def garbage_closes_only_its_own_connection(self):
        noise = dial(self.chosen, self.form)
        noise.send(bytes(self.random.getrandbits(8) for _ in range(200)))
        answer = noise.receive()
        self.check("garbage closes the connection", answer is None, str(answer))
        noise.close()
        for terminal in self.terminals:
            card, amount = self.good_card(), self.amount()
            fields = self.card_fields(terminal, card, "000000", amount, card.pin)
            self.enter("purchase", card, amount, self.exchange(terminal, "0200", fields), "00")

    def silence_is_declined(self):
        """The issuer books it and says nothing. Whoever waits hears a decline, and the effect is reversed."""
        terminal, waiting = self.terminals[0], {}
        for number in range(self.chosen.silent):
            card, amount = self.good_card(number), self.silent_amount()
            fields = self.card_fields(terminal, card, "000000", amount, card.pin)
            terminal.send("0200", fields)
            waiting[fields["11"]] = (card, amount, fields)
        for _ in range(len(waiting)):
            answer = self.receive(terminal)
            card, amount, fields = waiting.pop(answer.get("11"))
            self.check_answer("0200", fields, answer)
            self.check("silence is declined as such", answer.get("39") in UNANSWERED, str(answer))
            self.enter("purchase", card, amount, answer, None)

    def wrong_check_digit_is_no_card(self):
        """No clearing file takes such a card, so nobody is asked about it."""
        terminal, card, amount = self.terminal(), self.good_card(), self.amount()
        pan = self.chosen.before_switch + card.pan[len(self.chosen.before_switch):-1]
        wrong = pan + str((int(population.luhn(pan)) + 1) % 10)
        fields = {**self.card_fields(terminal, card, "000000", amount, None), "2": wrong}
        # A track of another card would be a contradiction.
        fields.pop("35", None)
        answer = self.exchange(terminal, "0200", fields)
        self.check("a wrong check digit is no card", answer.get("39") == "14", str(answer))

    def signed_off_asks_for_nothing(self):
        terminal, card = self.terminal(), self.good_card()
        self.manage(terminal, "002")
        amount = self.amount()
        fields = self.card_fields(terminal, card, "000000", amount, card.pin)
        refused = self.exchange(terminal, "0200", fields)
        self.check("a terminal that signed off is refused", refused.get("39") == "91", str(refused))
        self.manage(terminal, "001")
        # It left no claim behind.
        self.enter("purchase", card, amount, self.exchange(terminal, "0200", fields), "00")

    def completion_without_authorization(self):
        """Authorized by voice: an advice is never refused."""
        terminal, card = self.terminal(), self.good_card()
        fields = terminal.base("000000", self.amount())
        fields.update({"2": card.pan, "14": card.expiry, "37": f"V{self.random.getrandbits(32):011d}", "38": "VOICE1"})
        first = self.exchange(terminal, "0220", fields)
        self.check("a completion without authorization is taken", first.get("39") == "00" and first.get("37") == fields["37"], str(first))
        again = self.exchange(terminal, "0221", fields)
        self.check("and its repeat is told the same", again.get("39") == "00", str(again))
        self.kept.append({"rrn": fields["37"], "amount": int(fields["4"])})

    def all(self):
        """Every scenario, played by the terminals of one form after those of another."""
        for form in wire.FORMS.values():
            self.form, self.terminals = form, [terminal for terminal in self.everybody if terminal.form is form]
            if self.terminals:
                self.play()
        for terminal in self.everybody:
            terminal.close()

    def play(self):
        self.sign_on()
        for _ in range(self.chosen.payments):
            self.random_payment()
        self.burst()
        for _ in range(self.chosen.rounds):
            self.repeat_gets_the_stored_answer()
            self.changed_amount_is_a_conflict()
            self.reversal_before_its_original()
            self.wrong_mac_has_no_effect()
            self.wrong_mac_on_a_reversal_reverses_nothing()
            self.partial_reversal()
            self.format_error()
            if self.chosen.before_switch:
                self.wrong_check_digit_is_no_card()
                self.signed_off_asks_for_nothing()
                self.completion_without_authorization()
        self.garbage_closes_only_its_own_connection()
        if self.chosen.silent:
            self.silence_is_declined()


def main():
    options = argparse.ArgumentParser(description="terminals on pyiso8583 and psec")
    options.add_argument("--connect", action="append", required=True, help="FORM=HOST:PORT of the switch, form ascii or binary, repeatable")
    options.add_argument("--tpdu", default="", help="before each binary message, 5 bytes in hexadecimal; answers need it turned round")
    options.add_argument("--seed", required=True, help="a number; of cards, amounts and everything random")
    options.add_argument("--prefix", action="append", required=True, help="issuer prefix of the cards, repeatable")
    options.add_argument("--merchant", default="MERCHANT0000001", help="DE42 of terminals that name none")
    options.add_argument("--currency", default="978", help="DE49")
    options.add_argument("--payments", type=int, default=40)
    options.add_argument("--rounds", type=int, default=3, help="of each special scenario")
    options.add_argument("--burst", type=int, default=20, help="in flight at once")
    options.add_argument("--no-partial-reversals", action="store_true", help="the link takes none: DE95 is refused and changes nothing")
    options.add_argument("--before-switch", metavar="PREFIX", help="play what only a switch does; PREFIX: of cards that it presents in a clearing file")
    options.add_argument("--silent", type=int, default=0, help="payments whose answer the issuer keeps to itself")
    options.add_argument("--max-amount", type=int, default=50_000, help="minor units")
    options.add_argument("--timeout", type=float, default=30.0, help="seconds that the terminal waits")
    chosen = options.parse_args()
    chosen.connect = dict(pair.split("=", 1) for pair in chosen.connect)
    run = Run(chosen, json.loads(sys.stdin.readline())["terminals"])
    try:
        run.all()
    except (OSError, wire.Damaged) as error:
        run.failures.append(f"the run ended early: {type(error).__name__}: {error}")
    print(json.dumps({"book": run.book, "kept": run.kept, "checks": dict(sorted(run.checks.items())), "failures": run.failures}), flush=True)
    return 1 if run.failures else 0


if __name__ == "__main__":
    sys.exit(main())
