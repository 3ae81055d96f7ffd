"""Two books, item by item: what the terminal saw against what the issuer has.

    compare.py TERMINAL.json ISSUER.json... [--clearing CHECK.json]

The truth table of the semantics: an approval that stands is open at the issuer, once, for the same amount
and with the same approval code; a reversed one had its effect taken back once; a decline is absent; what
the terminal never heard of is absent or was reversed once. And nothing stands at the issuer that no
terminal knows. With what clearing_check.py --items said of
the clearing file: every capture of a dual-message network is presented once, for what stands, and nothing
else is. Prints one JSON object; exit code 1 if there is a break.
"""

import argparse
import json
import sys
from collections import Counter


def compare(terminal, issuers):
    """The populations that were looked at, and the breaks."""
    looked, breaks = Counter(), []
    by_rrn = {}
    items = [{**item, "dual": issuer["dual"]} for issuer in issuers for item in issuer["items"]]
    for item in items:
        if item["rrn"] in by_rrn:
            breaks.append(f"{item['rrn']}: twice in the issuers' books")
        by_rrn[item["rrn"]] = item
    declined = {decline["rrn"] for issuer in issuers for decline in issuer["declines"]}
    known = set()
    for entry in terminal:
        rrn, kind = entry["rrn"], entry["kind"]
        item = by_rrn.get(rrn)
        known.add(rrn)
        case = "silent" if entry["code"] in ("91", "68", "08") else entry["state"]
        looked[case] += 1
        looked[f"{kind} {case}"] += 1
        if case == "open":
            if item is None:
                breaks.append(f"{rrn}: approved at the terminal, unknown to the issuer")
                continue
            for name, wanted, found in (
                ("kind", kind, item["kind"]), ("amount", entry["stands"], item["amount"]), ("state", "open", item["state"]),
                ("approval code", entry["approval"], item["approval"]), ("card", entry["card"], item["card"]),
            ):
                # A dual-message network sees an authorization whatever the terminal calls it.
                if name == "kind" and wanted in ("purchase", "completion") and found == "authorization" and item["dual"]:
                    continue
                # ... and hears of the completion's amount in the presentment, not in a message.
                if name == "amount" and kind == "completion" and item["kind"] == "authorization" and item["dual"]:
                    continue
                if wanted != found:
                    breaks.append(f"{rrn}: {name} {wanted} at the terminal, {found} at the issuer")
        elif case == "reversed":
            if item is None or item["state"] != "reversed" or item["effects_reversed"] != 1:
                breaks.append(f"{rrn}: reversed at the terminal, at the issuer {item and item['state']}")
        elif case == "silent":
            if item is not None and (item["state"] != "reversed" or item["effects_reversed"] != 1):
                breaks.append(f"{rrn}: unanswered at the terminal, at the issuer {item['state']}")
        elif case == "never":
            if item is not None or rrn in declined or any((i["card"], i["approved"]) == (entry["card"], entry["amount"]) for i in items):
                breaks.append(f"{rrn}: refused before anybody was asked, but the issuer has seen it")
        elif item is not None and item["state"] != "reversed":
            breaks.append(f"{rrn}: declined at the terminal, {item['state']} at the issuer")
    for rrn, item in by_rrn.items():
        if rrn not in known and item["state"] != "reversed":
            breaks.append(f"{rrn}: open at the issuer, unknown to every terminal")
    for name in ("open", "declined", "reversed", "never"):
        if not looked[name]:
            breaks.append(f"no entry of the terminal is {name}: the comparison has not been made")
    return {"looked": dict(sorted(looked.items())), "breaks": breaks}


def cleared(terminal, issuers, items):
    """The captures of dual-message networks against the presentments of the clearing file."""
    dual = {item["rrn"] for issuer in issuers if issuer["dual"] for item in issuer["items"]}
    captures = {
        entry["rrn"]: entry for entry in terminal
        if entry["state"] == "open" and entry["kind"] in ("purchase", "completion", "refund") and entry["rrn"] in dual
    }
    breaks, seen = [], Counter(item["rrn"] for item in items)
    for item in items:
        entry = captures.get(item["rrn"])
        if entry is None:
            breaks.append(f"{item['rrn']}: presented, but not a capture of a dual-message network")
        elif (entry["stands"], entry["approval"], entry["kind"] == "refund") != (item["amount"], item["approval"], item["processing"][:2] == "20"):
            breaks.append(f"{item['rrn']}: {entry['kind']} of {entry['stands']} presented as {item['processing']} of {item['amount']}")
    breaks.extend(f"{rrn}: presented {seen[rrn]} times" for rrn in captures if seen[rrn] != 1)
    if not captures:
        breaks.append("no capture: the comparison has not been made")
    return {"captures": len(captures), "presentments": len(items)}, breaks


def read(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def main():
    options = argparse.ArgumentParser(description="two books, item by item")
    options.add_argument("terminal")
    options.add_argument("issuer", nargs="+")
    options.add_argument("--clearing", help="what clearing_check.py --items printed")
    chosen = options.parse_args()
    terminal, issuers = read(chosen.terminal)["book"], [read(path) for path in chosen.issuer]
    found = compare(terminal, issuers)
    if chosen.clearing:
        found["clearing"], breaks = cleared(terminal, issuers, read(chosen.clearing)["items"])
        found["breaks"] += breaks
    print(json.dumps(found))
    return 1 if found["breaks"] else 0


if __name__ == "__main__":
    sys.exit(main())
