"""Words and values of a state as they stand in a sentence."""

from collections.abc import Mapping


def plain(word: str) -> str:
    """A word of a list, such as `ground_troops`."""
    return word.replace("_", " ")


def quantity_in_words(stated: Mapping[str, str | int | None] | None) -> str:
    """A quantity as shown; nothing where none is known."""
    if stated is None:
        return ""
    if stated["min"] is None and stated["max"] is None:
        return str(stated["text"])
    about = "about " if stated["approximate"] else ""
    return f"{about}{_range(stated['min'], stated['max'])} {plain(str(stated['unit']))}"


def money_in_words(stated: Mapping[str, str | int | None] | None) -> str:
    """A sum of money as shown; nothing where none is known."""
    return "" if stated is None else f"{_range(stated['min_amount'], stated['max_amount'])} {stated['currency']}"


def _range(low: str | int | None, high: str | int | None) -> str:
    if low == high:
        return str(low)
    if low is None:
        return f"up to {high}"
    return f"at least {low}" if high is None else f"{low} to {high}"
