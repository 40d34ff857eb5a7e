"""What people write for a number → a decimal, as a mapping says how they are written. Nothing is guessed."""

import re
from decimal import Decimal
from functools import lru_cache

from service.reading.mapping import Numbers, fold

_SPACES = str.maketrans("\u00a0\u202f\u2009", "   ")


def parse_amount(text: str, numbers: Numbers) -> Decimal | None:
    """The number in a cell; None where it says that there is none. Raises ValueError for anything else."""
    amount = _bare(text, numbers)[0]
    if amount in {fold(word) for word in numbers.nothing}:
        return None
    factor = numbers.factor
    for word, times in numbers.words.items():
        plain = fold(word)
        if amount.endswith(plain):
            amount, factor = amount.removesuffix(plain).strip(), factor * times
            break
    if not _form(numbers.decimal, numbers.thousands).fullmatch(amount):
        raise ValueError("is no number as the mapping says they are written")
    digits = amount.replace(numbers.thousands, "") if numbers.thousands else amount
    return Decimal(digits.replace(numbers.decimal, ".")) * factor


def parse_currency(text: str, numbers: Numbers) -> str | None:
    """The currency whose word stands beside the number; None where there is no number."""
    amount, currency = _bare(text, numbers)
    if currency is None and amount not in {fold(word) for word in numbers.nothing}:
        raise ValueError("has no currency that the mapping knows")
    return currency


def _bare(text: str, numbers: Numbers) -> tuple[str, str | None]:
    """The number without the currency beside it, and that."""
    plain = fold(text.translate(_SPACES))
    for word, code in sorted(numbers.currencies.items(), key=lambda one: -len(one[0])):
        beside = fold(word)
        for bare in (plain.removeprefix(beside), plain.removesuffix(beside)):
            if bare != plain:
                return bare.strip(), code
    return plain, None


@lru_cache(maxsize=16)
def _form(decimal: str, thousands: str) -> re.Pattern[str]:
    """Digits in threes where there is a sign between them, so that 1,5 is never taken for 15."""
    grouped = rf"|[0-9]{{1,3}}(?:{re.escape(thousands)}[0-9]{{3}})+" if thousands else ""
    return re.compile(rf"(?:[0-9]+{grouped})(?:{re.escape(decimal)}[0-9]+)?")
