"""How many and how much, as stated: ranges with open ends, words that are never turned into numbers."""

import re
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Self

import pycountry
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from service.domain.errors import Misplaced
from service.domain.statement import Flag, Line, Value

AMOUNT = r"^[0-9]{1,15}(\.[0-9]{1,6})?$"
AMOUNTS = "Use a decimal number in quotation marks, such as “1000000.00”, with at most six places."
UNIT = r"^[a-z0-9]+([_-][a-z0-9]+)*$"
LARGEST = 2**53 - 1  # the largest integer that canonical JSON (RFC 8785) may hold


def _parse_number(given: Any) -> Any:  # noqa: ANN401 - what a client sent
    """An integer stays one; a fraction becomes a decimal string, so that no float enters the log."""
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        raise ValueError("is not a number")  # noqa: TRY004 - pydantic reports ValueError
    try:
        number = Decimal(str(given))
    except ArithmeticError:
        raise ValueError("is not a number; words belong in `text`") from None
    if not number.is_finite() or not 0 <= number <= LARGEST:
        raise ValueError(f"lies outside 0 to {LARGEST}")
    if number == number.to_integral_value():
        return int(number)
    return f"{number.normalize():f}"


def _written(description: str, fraction: str) -> WithJsonSchema:
    """How a number is written: an integer as one, and what is none, or too large for one, as a decimal string."""
    integer: JsonValue = {"type": "integer", "minimum": 0, "maximum": LARGEST}
    text: JsonValue = {"type": "string", "pattern": fraction}
    return WithJsonSchema({"description": description, "examples": [30000, "0.25"], "anyOf": [integer, text]})


Number = Annotated[
    int | str,
    BeforeValidator(_parse_number),
    _written("an integer, or a decimal string for a fraction", r"^[0-9]{1,15}(\.[0-9]+)?$"),
]
Sum = Annotated[
    int | str,
    _written(
        "an integer, or a decimal string for a fraction and for what is larger than 2^53 - 1", r"^[0-9]+(\.[0-9]+)?$"
    ),
]
"""What numbers come to, added up: it has no bound."""
Amount = Annotated[
    str,
    StringConstraints(pattern=AMOUNT),
    Field(description="a decimal string", examples=["1000000.00"]),
]


@lru_cache(maxsize=1)
def _currencies() -> frozenset[str]:
    return frozenset(currency.alpha_3 for currency in pycountry.currencies)


def _known_currency(code: str) -> str:
    if code not in _currencies():
        raise ValueError("is not a currency code of ISO 4217, such as EUR")
    return code


Currency = Annotated[
    str,
    StringConstraints(to_upper=True, max_length=3),
    AfterValidator(_known_currency),
    Field(
        description="a currency of ISO 4217",
        examples=["EUR"],
        json_schema_extra={"pattern": "^[A-Za-z]{3}$", "format": "currency"},
    ),
]
Unit = Annotated[
    str,
    StringConstraints(pattern=UNIT, max_length=60),
    Field(
        description="persons, units, days, percent_gdp, or a named item",
        examples=["persons", "patriot-batteries"],
    ),
]


_NUMBER_OR_WORDS: dict[str, JsonValue] = {
    "if": {"properties": {"min": {"type": "null"}, "max": {"type": "null"}}},
    "then": {"required": ["text"], "properties": {"text": {"type": "string"}}},
    "else": {"required": ["unit"], "properties": {"unit": {"type": "string"}}},
}


class Quantity(Value):
    """A count with either end open ("up to 30,000" has only ``max``), or words only."""

    model_config = ConfigDict(json_schema_extra=_NUMBER_OR_WORDS)

    min: Number | None = None
    max: Number | None = None
    unit: Unit | None = None
    approximate: Flag = False
    text: Line | None = Field(None, description="the words, where no number was given, such as “thousands”")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        numbers = [Decimal(number) for number in (self.min, self.max) if number is not None]
        if not numbers and not self.text:
            raise ValueError("needs `min`, `max` or `text`")
        if numbers and not self.unit:
            raise Misplaced("unit", "A number needs its `unit`, such as persons.")
        if len(numbers) == 2 and numbers[0] > numbers[1]:  # noqa: PLR2004 - both ends
            raise Misplaced("min", "`min` is greater than `max`.", code="turned_round")
        return self


def _with_amount(schema: dict[str, Any]) -> None:
    schema["properties"]["amount"] = {**schema["properties"]["min_amount"]["anyOf"][0], "description": "both ends"}
    schema |= {
        "if": {"required": ["amount"]},
        "then": {"properties": {"min_amount": False, "max_amount": False}},
        "else": {"not": {"properties": {"min_amount": {"type": "null"}, "max_amount": {"type": "null"}}}},
    }


class Money(Value):
    """A sum as stated, in its own currency; ``amount`` is short for both ends being the same."""

    model_config = ConfigDict(json_schema_extra=_with_amount)

    min_amount: Amount | None = None
    max_amount: Amount | None = None
    currency: Currency

    @model_validator(mode="before")
    @classmethod
    def _one_amount(cls, given: Any) -> Any:  # noqa: ANN401 - what a client sent
        if isinstance(given, dict) and "amount" in given:
            rest = {key: value for key, value in given.items() if key != "amount"}
            if "min_amount" in rest or "max_amount" in rest:
                raise Misplaced("amount", "Give either `amount`, or `min_amount` and `max_amount`.")
            if not isinstance(given["amount"], str) or re.fullmatch(AMOUNT, given["amount"]) is None:
                raise Misplaced("amount", AMOUNTS)
            return {**rest, "min_amount": given["amount"], "max_amount": given["amount"]}
        return given

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min_amount is None and self.max_amount is None:
            raise ValueError("needs `amount`, `min_amount` or `max_amount`")
        if self.min_amount and self.max_amount and Decimal(self.min_amount) > Decimal(self.max_amount):
            raise Misplaced("min_amount", "`min_amount` is greater than `max_amount`.", code="turned_round")
        return self


class QuantitySum(Quantity):
    """Counts added up."""

    min: Sum | None = None
    max: Sum | None = None


class MoneySum(Money):
    """Sums added up."""

    min_amount: str | None = None
    max_amount: str | None = None


Range = tuple[Decimal | None, Decimal | None]


def range_of(stated: Quantity | Money | None) -> Range:
    """Both ends as decimals; an end that was not stated is None."""
    if stated is None:
        return None, None
    low, high = (stated.min, stated.max) if isinstance(stated, Quantity) else (stated.min_amount, stated.max_amount)
    return (None if low is None else Decimal(low), None if high is None else Decimal(high))


def compare_ranges(before: Range, after: Range) -> int | None:
    """-1, 0 or 1 as the later one is smaller, the same or greater; None where no end can be compared."""
    signs = {
        (new > old) - (new < old) for old, new in zip(before, after, strict=True) if old is not None and new is not None
    }
    signs.discard(0)
    if not signs:
        return 0 if before == after else None
    return signs.pop() if len(signs) == 1 else None


def render_number(number: Decimal) -> int | str:
    """A decimal as `Sum` holds it, and `Number`."""
    if number == number.to_integral_value():
        return int(number) if number <= LARGEST else f"{int(number)}"
    return f"{number.normalize():f}"


def add_quantity(so_far: tuple[QuantitySum, ...], more: Quantity | None) -> tuple[QuantitySum, ...]:
    """Counts with one more, added up apart by unit; words stay words."""
    if more is None:
        return so_far
    same = next((old for old in so_far if old.unit and old.unit == more.unit), None)
    if same is None:
        return (*so_far, QuantitySum(**dict(more)))
    low, high = _sum(range_of(same), range_of(more))
    total = QuantitySum(
        min=None if low is None else render_number(low),
        max=None if high is None else render_number(high),
        unit=same.unit,
        approximate=same.approximate or more.approximate,
    )
    return tuple(total if old is same else old for old in so_far)


def add_money(so_far: tuple[MoneySum, ...], more: Money | None) -> tuple[MoneySum, ...]:
    """Sums with one more, added up apart by currency."""
    if more is None:
        return so_far
    same = next((old for old in so_far if old.currency == more.currency), None)
    if same is None:
        return (*so_far, MoneySum(**dict(more)))
    low, high = _sum(range_of(same), range_of(more))
    total = MoneySum(
        min_amount=None if low is None else str(low),
        max_amount=None if high is None else str(high),
        currency=same.currency,
    )
    return tuple(total if old is same else old for old in so_far)


def _sum(one: Range, other: Range) -> Range:
    """Adds both ends; a lower end that was not stated is zero, an upper end that was not stated stays open."""
    low = (one[0] or Decimal(0)) + (other[0] or Decimal(0))
    high = None if one[1] is None or other[1] is None else one[1] + other[1]
    return (low, high)
