"""What is wrong with something that was sent, in the words of whoever sent it.

The parser speaks of its own types; nobody who sends JSON or a table has those. What a rule of ours finds is said where
the rule stands; what the parser finds, here.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from service.domain.quantities import AMOUNT, AMOUNTS, UNIT
from service.domain.record import EVENT_ID
from service.domain.statement import LANGUAGE, SLUG, URL

Context = Mapping[str, Any]

_FORMS = {
    SLUG: "Use lower-case words joined by hyphens, such as ground-troops.",
    LANGUAGE: "Use the code of a language, such as en or pt-BR.",
    URL: "Use an address that begins with https:// or http://, without spaces.",
    AMOUNT: AMOUNTS,
    UNIT: "Use lower-case words joined by hyphens or underscores, such as persons or patriot-batteries.",
    EVENT_ID: "Use the id of an event, as the registry gave it.",
}
_OBJECT, _LIST = "This is no object: send its fields in braces.", "This is no list: send it in square brackets."
REQUIRED = "This field is required here."
WHOLE = "Send a whole number, without quotation marks."
_TRUTH = "Send true or false, without quotation marks."
_NUMBER = "Send a number, such as 1000000."
_DAY, _INSTANT = "Send a day, such as 2025-07-10.", "Send an instant, such as 2025-07-10T12:00:00Z."
_PLAIN: dict[str, str] = {
    "missing": REQUIRED,
    "extra_forbidden": "This field is unknown here; look at its name and its place, or remove it.",
    "string_type": "Send a text, in quotation marks.",
    "string_unicode": "This text is not valid UTF-8.",
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "dict_type": _OBJECT,
    "tuple_type": _LIST,
    "list_type": _LIST,
    "int_type": WHOLE,
    "int_parsing": WHOLE,
    "int_parsing_size": WHOLE,
    "int_from_float": WHOLE,
    "bool_type": _TRUTH,
    "bool_parsing": _TRUTH,
    "decimal_type": _NUMBER,
    "decimal_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "date_type": _DAY,
    "date_parsing": _DAY,
    "date_from_datetime_parsing": _DAY,
    "date_from_datetime_inexact": _DAY,
    "datetime_type": _INSTANT,
    "datetime_parsing": _INSTANT,
    "datetime_from_date_parsing": _INSTANT,
    "timezone_naive": _INSTANT,
}
_WITH_BOUND: dict[str, Callable[[Context], str]] = {
    "string_too_short": lambda bound: _at_least(bound["min_length"], "character", empty="This text may not be empty."),
    "string_too_long": lambda bound: f"This text has at most {_counted(bound['max_length'], 'character')}.",
    "string_pattern_mismatch": lambda bound: _FORMS.get(bound["pattern"], "This text has another form than its field."),
    "too_short": lambda bound: _at_least(bound["min_length"], "entry", empty="This may not be empty."),
    "too_long": lambda bound: f"This has at most {_counted(bound['max_length'], 'entry')}.",
    "enum": lambda bound: f"Send one of these: {bound['expected']}.",
    "literal_error": lambda bound: f"Send one of these: {bound['expected']}.",
    "greater_than_equal": lambda bound: f"This is at least {bound['ge']:,}.",
    "greater_than": lambda bound: f"This is more than {bound['gt']:,}.",
    "less_than_equal": lambda bound: f"This is at most {bound['le']:,}.",
    "less_than": lambda bound: f"This is less than {bound['lt']:,}.",
    "json_invalid": lambda bound: f"This is not valid JSON: {bound['error']}.",
}
_OTHER = "This is not what its field takes."
_VERB = re.compile("(holds|is|lies|names|needs|has|says|reads|sets) ")


def worded(code: str, message: str, context: Context) -> str:
    """A finding of the parser, by its code, as a sentence that says what to send instead."""
    if code in _PLAIN:
        return _PLAIN[code]
    if code in _WITH_BOUND:
        return _WITH_BOUND[code](context)
    if code == "value_error":  # of a rule of ours
        return sentence(str(context.get("error", message)))
    return _OTHER


def sentence(text: str) -> str:
    """What a rule says of a thing, as a full sentence."""
    whole = f"This {text}" if _VERB.match(text) else text[:1].upper() + text[1:]
    return whole if whole.endswith((".", "?")) else f"{whole}."


def _at_least(number: int, what: str, *, empty: str) -> str:
    return empty if number == 1 else f"This has at least {_counted(number, what)}."


def _counted(number: int, what: str) -> str:
    many = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{number:,} {what if number == 1 else many}"
