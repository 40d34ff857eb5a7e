"""How a value stands in a cell of our tables, and how it is read back: each of these has its way back."""

import re

import orjson

_BEGINS = "[=+\\-@\t\r\n＝＋－＠]"  # noqa: RUF001 - some spreadsheets take signs of full width for the plain ones
_FORMULA = re.compile(f"'*{_BEGINS}")
_GUARDED = re.compile(f"'+{_BEGINS}")


def guarded(text: str) -> str:
    """A text that a spreadsheet would run as a formula gets an apostrophe before it, which the spreadsheet hides.

    So does one that already has the apostrophe, so that what is read back is what was written.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """The text that was guarded; an apostrophe that no formula follows belongs to it."""
    return text[1:] if _GUARDED.match(text) else text


def joined(words: list[str]) -> str:
    """A list of words in one cell; as JSON where a word holds what would part it."""
    if any(";" in word or word != word.strip() or word[:1] in ("", "[") for word in words):
        return orjson.dumps(words).decode()
    return "; ".join(words)


def parted(cell: str) -> list[str]:
    """The words of a cell; raises ValueError where it begins as JSON and is none."""
    if not cell.startswith("["):
        return [word.strip() for word in cell.split(";")]
    words = orjson.loads(cell)
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError("is no list of texts")
    return words
