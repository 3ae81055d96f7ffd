"""The cards that terminal and issuer both know, made from one seed, and what the issuer says to them.

Both peers make the same list for themselves, so that the terminal can say beforehand what must come
back, and no card has to be written down anywhere.
"""

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    index: int
    pan: str
    expiry: str
    pin: str
    limit: int
    status: str  # active | lost | inactive


CODES = {"lost": "41", "inactive": "57"}
WRONG_PIN = "55"
NO_FUNDS = "51"
NO_CARD = "14"

# The issuer books an amount with this ending as approved and says nothing: an answer lost on its way.
SILENT_ENDING = 991


def luhn(digits):
    """The check digit that completes `digits`."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def cards(seed, prefixes, count=60):
    """`count` cards below the issuer prefixes, the same for everybody who knows the seed."""
    source = random.Random(f"cards {seed}")
    made, seen = [], set()
    while len(made) < count:
        prefix = prefixes[len(made) % len(prefixes)]
        body = prefix + "".join(source.choice("0123456789") for _ in range(15 - len(prefix)))
        pan = body + luhn(body)
        if pan in seen:
            continue
        seen.add(pan)
        index = len(made)
        status = "lost" if index % 20 == 7 else "inactive" if index % 20 == 13 else "active"
        pin = "".join(source.choice("0123456789") for _ in range(source.choice((4, 4, 4, 5, 6))))
        limit = 20_000 if index % 10 == 3 else 1_000_000
        made.append(Card(index, pan, source.choice(("3011", "3106", "2912")), pin, limit, status))
    return made


def decide(card, amount, pin_is_right):
    """DE39. `pin_is_right` is None where no PIN came."""
    if card is None:
        return NO_CARD
    if card.status in CODES:
        return CODES[card.status]
    if pin_is_right is False:
        return WRONG_PIN
    if amount > card.limit:
        return NO_FUNDS
    return "00"
