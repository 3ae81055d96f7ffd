"""An issuer (or network) written by strangers: verifies MAC and PIN, decides, and keeps its own book.

    issuer.py --seed 7 --prefix 476173 --network dual [--system dual] [--form binary]

The first line of standard input is JSON with the keys, {"networks": {"dual": {"zpk": "...", "zak": "..."}}}.
It listens on a port of its own choice and prints {"listening": PORT}. Every further line of standard
input is a command: `book` prints the book as one line of JSON, `manage FUNCTION` sends an 0800 of its own and
prints the code of its answer, `report PATH` writes the report of docs/clearing.md, `settle SECONDS` waits until every payment that was answered with silence has been reversed,
end of input prints the book and ends.

It is a host in its own right: it answers repeats from its book, refuses a changed amount, remembers a
reversal that came before its original. Behind the switch none of that should ever be needed; what was
needed stands in `faults`.
"""

import argparse
import json
import queue
import socket
import sys
import threading
import time
from collections import Counter

import population
import wire

CARRIES_CARD_DATA = {"35", "43", "45", "48"}
TLV_CARD_DATA = {"57", "5A", "5F20"}
ALPHABETIC = {"978": "EUR", "840": "USD", "392": "JPY", "826": "GBP", "756": "CHF"}


class Book:
    """Everything that this issuer knows, one lock around it."""

    def __init__(self, network, system, form, cards, zpk, zak):
        self.network = network
        self.form = form
        self.system = system
        self.cards = {card.pan: card for card in cards}
        self.zpk = zpk
        self.zak = zak
        self.lock = threading.Condition()
        self.items = []
        self.declines = []
        self.by_key = {}
        self.answers = {}
        self.tombstones = set()
        self.counts = Counter()
        self.faults = []
        self.totals = {}
        self.approvals = 0
        self.links = []
        self.managed = queue.SimpleQueue()

    # ------------------------------------------------------------------ messages

    def answer(self, raw):
        """The answer to one frame, or None for silence."""
        try:
            message = wire.decode(raw, self.form)
        except wire.Damaged as damaged:
            self.counts["damaged"] += 1
            self.fault(f"damaged message: {damaged}")
            if damaged.mti is None or "11" not in damaged.fields:
                raise
            return self.plain(damaged.mti, damaged.fields, {"39": "30"}, None)
        with self.lock:
            self.counts[message.mti] += 1
            if message.mti == "0810":
                self.managed.put((message["11"], message["70"], message["39"]))
                return None
            if message.mti[1] == "8":
                self.counts[f"management_{message['70']}"] += 1
                return self.plain(message.mti, message.fields, {"39": "00", "70": message["70"]}, None)
            if not wire.mac_is_right(message, self.zak):
                self.counts["wrong_macs"] += 1
                self.fault(f"wrong MAC on {message}")
                return self.plain(message.mti, message.fields, {"39": "63"}, self.zak)
            self.counts["right_macs"] += 1
            self.look_for_card_data(message)
            if message.mti[1] == "4":
                return self.reversal(message)
            return self.request(message)

    def manage(self, function):
        """An 0800 of its own, and the code of its answer."""
        fields = {"7": time.strftime("%m%d%H%M%S", time.gmtime()), "11": "900001", "70": function}
        self.links[-1].send(wire.encode("0800", fields, None, self.form))
        stan, about, code = self.managed.get(timeout=10)
        if (stan, about) != (fields["11"], function):
            self.fault(f"an 0810 for {stan} {about} instead of {fields['11']} {function}")
        return code

    def plain(self, mti, request, more, key):
        echoed = ("3", "4", "7", "11", "12", "13", "32", "37", "41", "42", "49")
        fields = {element: request[element] for element in echoed if element in request}
        fields.update(more)
        return wire.encode(wire.answer_mti(mti), fields, key, self.form)

    def request(self, message):
        # A switch makes DE37 where the terminal sends none; without a switch the host does.
        if "37" not in message.fields:
            if self.stable_de7:
                self.fault(f"no DE37 on a network link: {message}")
            message.fields["37"] = f"{self.counts['numbered']:012d}"
            self.counts["numbered"] += 1
        balance = message["3"].startswith("31")
        key = self.claim(message.mti, message["11"], message["7"], message)
        stored = self.answers.get(key)
        if stored is not None:
            amount, more = stored
            if amount != message["4"]:
                self.fault(f"conflict: {message} with another amount")
                return self.plain(message.mti, message.fields, {"39": "94"}, self.zak)
            if not message.mti.endswith("1"):
                self.fault(f"duplicate that is not marked as a repeat: {message}")
            return self.plain(message.mti, message.fields, more, self.zak)
        if key in self.tombstones:
            self.fault(f"original after its reversal: {message}")
            return self.plain(message.mti, message.fields, {"39": "12"}, self.zak)
        more = self.advice(message) if message.mti[1:3] == "22" else self.decide(message, balance)
        more["37"] = message["37"]
        if not balance:
            self.answers[key] = (message["4"], more)
        # A balance enquiry has amount zero, so it is never taken for this.
        if int(message["4"]) % 1000 == population.SILENT_ENDING:
            self.counts["silent"] += 1
            return None
        return self.plain(message.mti, message.fields, more, self.zak)

    def decide(self, message, balance):
        card = self.cards.get(message.get("2"))
        pin_is_right = self.verify_pin(card, message)
        code = population.decide(card, int(message["4"]), pin_is_right)
        more = {"39": code, "15": time.strftime("%m%d", time.gmtime())}
        if code != "00":
            self.declines.append({"rrn": message.get("37"), "code": code, "amount": int(message["4"]), "card": card and card.index})
            return more
        self.approvals += 1
        more["38"] = f"{self.approvals % 1_000_000:06d}"
        if balance:
            more["54"] = f"0002{message['49']}C{card.limit:012d}"
            return more
        more["63"] = f"P{self.network[:4].upper()}{self.approvals:012d}"
        refund = message["3"].startswith("20")
        single = self.system == "single"
        kind = "refund" if refund else "purchase" if message.mti[1] == "2" else "authorization"
        item = {
            "rrn": message.get("37"), "network_id": more["63"], "stan": message["11"], "kind": kind,
            "mti": message.mti, "card": card.index, "approved": int(message["4"]), "amount": int(message["4"]),
            "currency": message["49"], "state": "open", "captured": single and message.mti[1] == "2",
            "settlement_date": more["15"], "reversal_date": None, "approval": more["38"],
            "pin": pin_is_right, "effects_reversed": 0, "reversals_seen": 0,
        }
        self.items.append(item)
        self.by_key[self.claim(message.mti, message["11"], message["7"], message)] = item
        if item["captured"]:
            self.total(item["settlement_date"], kind, item["currency"], count=1, amount=item["approved"])
        return more

    def verify_pin(self, card, message):
        block = message.get("52")
        if block is None:
            return None
        try:
            clear = wire.decrypt_pin(self.zpk, block, message["2"])
        except ValueError:
            self.fault(f"PIN block that is none: {message}")
            return False
        right = card is not None and clear == card.pin
        self.counts["pins_right" if right else "pins_wrong"] += 1
        return right

    def advice(self, message):
        """0220: a completion. An advice is never refused on business grounds."""
        item = next((item for item in self.items if item["rrn"] == message.get("37") and item["kind"] == "authorization"), None)
        if item is None:
            self.fault(f"completion without its authorization: {message}")
            return {"39": "00"}
        date = time.strftime("%m%d", time.gmtime())
        item.update(kind="completion", approved=int(message["4"]), amount=int(message["4"]), settlement_date=date)
        if self.system == "single":
            item["captured"] = True
            self.total(date, "completion", item["currency"], count=1, amount=item["approved"])
        return {"39": "00", "15": date}

    def reversal(self, message):
        original = message["90"]
        key = self.claim(original[:4], original[4:10], original[10:20], message)
        item = self.by_key.get(key)
        if item is None and key in self.answers:
            self.counts["reversals_of_declines"] += 1
            return self.plain(message.mti, message.fields, {"39": "00"}, self.zak)
        if item is None:
            self.counts["reversals_without_original"] += 1
            self.tombstones.add(key)
            return self.plain(message.mti, message.fields, {"39": "25"}, self.zak)
        item["reversals_seen"] += 1
        stands = int(message["95"][:12]) if "95" in message.fields else 0
        if stands < item["amount"]:
            date = time.strftime("%m%d", time.gmtime())
            if item["captured"]:
                self.total(date, item["kind"], item["currency"], reversed_count=1, reversed_amount=item["amount"] - stands)
            item.update(amount=stands, reversal_date=date, effects_reversed=item["effects_reversed"] + 1)
            if stands == 0:
                item["state"] = "reversed"
            self.lock.notify_all()
        return self.plain(message.mti, message.fields, {"39": "00"}, self.zak)

    # ------------------------------------------------------------------ the book

    def claim(self, mti, stan, transmission, message):
        """What names a request. DE7 is part of it on a network link, where repeats keep it; a terminal
        may renew it, so the direct test says so."""
        stable = transmission if self.stable_de7 else ""
        return (mti[1:3], stan, stable, message.get("41"))

    stable_de7 = True

    def total(self, date, kind, currency, **more):
        row = self.totals.setdefault((date, kind, currency), Counter())
        row.update(more)

    def look_for_card_data(self, message):
        for element in sorted(CARRIES_CARD_DATA & set(message.fields)):
            self.counts["card_data_forwarded"] += 1
            self.counts[f"card_data_forwarded_de{element}"] += 1
        if "55" in message.fields and TLV_CARD_DATA & set(wire.tlv_tags(message["55"])):
            self.counts["card_data_forwarded"] += 1
            self.counts["card_data_forwarded_tlv"] += 1

    def settle(self, seconds):
        """Waits for the reversals of what was never answered; how many are still owed."""
        def owed():
            return sum(1 for item in self.items if item["state"] == "open" and item["amount"] % 1000 == population.SILENT_ENDING)

        with self.lock:
            self.lock.wait_for(lambda: owed() == 0, seconds)
            return owed()

    def fault(self, text):
        self.faults.append(text)

    def as_json(self):
        with self.lock:
            return json.dumps({
                "network": self.network, "dual": self.system == "dual", "items": self.items, "declines": self.declines,
                "counts": dict(sorted(self.counts.items())), "faults": self.faults,
            })

    def report(self, path):
        """Writes the report of docs/clearing.md."""
        with self.lock, open(path, "w", encoding="utf-8") as out:
            def line(value):
                out.write(json.dumps(value, separators=(",", ":")) + "\n")

            line({"report": "switchyard.issuer-items.1", "network": self.network})
            wanted = ("rrn", "network_id", "stan", "kind", "approved", "amount", "currency", "state", "captured", "settlement_date")
            for item in self.items:
                row = {name: item[name] for name in wanted}
                row["currency"] = ALPHABETIC[item["currency"]]
                if item["amount"] < item["approved"]:
                    row["reversal_date"] = item["reversal_date"]
                line(row)
            names = ("count", "amount", "reversed_count", "reversed_amount")
            totals = [
                {"settlement_date": date, "kind": kind, "currency": ALPHABETIC[currency], **{name: row[name] for name in names}}
                for (date, kind, currency), row in sorted(self.totals.items())
            ]
            line({"end": True, "items": len(self.items), "totals": totals})


def serve(book, connection):
    link = wire.Link(connection, timeout=None)
    with book.lock:
        book.links.append(link)
    try:
        while (raw := link.receive()) is not None:
            answer = book.answer(raw)
            if answer is not None:
                link.send(answer)
    except (wire.Damaged, OSError):
        pass
    finally:
        with book.lock:
            book.links.remove(link)
        link.close()


def accept(book, listener):
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=serve, args=(book, connection), daemon=True).start()


def main():
    options = argparse.ArgumentParser(description="an issuer on pyiso8583 and psec")
    options.add_argument("--seed", required=True, help="of the card population")
    options.add_argument("--prefix", action="append", required=True, help="issuer prefix of the cards, repeatable")
    options.add_argument("--network", required=True, help="whose keys, and the name in the report")
    options.add_argument("--system", choices=("dual", "single"), default="dual")
    options.add_argument("--form", choices=sorted(wire.FORMS), default="ascii", help="of the messages on its link")
    options.add_argument("--listen", default="127.0.0.1:0")
    options.add_argument("--terminals", action="store_true", help="terminals connect directly: DE7 may change in a repeat")
    chosen = options.parse_args()

    keys = json.loads(sys.stdin.readline())["networks"][chosen.network]
    book = Book(
        chosen.network, chosen.system, wire.FORMS[chosen.form], population.cards(chosen.seed, chosen.prefix),
        bytes.fromhex(keys["zpk"]), bytes.fromhex(keys["zak"]),
    )
    book.stable_de7 = not chosen.terminals
    host, port = chosen.listen.rsplit(":", 1)
    listener = socket.create_server((host, int(port)))
    print(json.dumps({"listening": listener.getsockname()[1]}), flush=True)
    threading.Thread(target=accept, args=(book, listener), daemon=True).start()
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if command == "book":
            print(book.as_json(), flush=True)
        elif command == "manage":
            print(json.dumps({"function": argument, "code": book.manage(argument)}), flush=True)
        elif command == "report":
            book.report(argument)
            print(json.dumps({"written": argument}), flush=True)
        elif command == "settle":
            print(json.dumps({"owed": book.settle(float(argument))}), flush=True)
        elif command:
            print(json.dumps({"error": f"no command {command}"}), flush=True)
    listener.close()
    print(book.as_json(), flush=True)


if __name__ == "__main__":
    main()
