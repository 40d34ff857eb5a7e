"""Headings and cells → a first guess of what they mean. It is shown, and whoever goes on has confirmed it.

Guessed is what can be seen: a heading that is called like a field, a way to write dates that reads all cells. What may
mean two things, such as 3/4/2023, is left open and asked.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from difflib import get_close_matches

from service.domain.errors import Fault
from service.domain.statement import Statement
from service.forms.fields import Widget
from service.forms.pasting.called import FIELDS, OPTIONS
from service.forms.pasting.choices import NOT_USED, STYLES, Choices, Use, find_option
from service.forms.pasting.sheets import Sheet
from service.forms.pasting.targets import Reads, Target, targets_of
from service.forms.reading import find_actor, slug_of
from service.reading.amounts import parse_amount
from service.reading.mapping import fold
from service.reading.phrases import parse_phrase

_ALIKE = 0.86  # how much a heading has to be like a name: “Firmnes” is, “Format” is not like “Firmness”
_ENOUGH = 200  # cells that are looked at
_SIGNS = (";", "/", ",")


def propose(kind: type[Statement], coalition: str, sheet: Sheet, delimiter: str | None) -> Choices:
    """What the table may mean."""
    found = dict.fromkeys(sheet.columns, "")
    addresses = {column for column in found if _has_addresses(sheet.distinct(column)[:_ENOUGH])}
    for column in sorted(found, key=addresses.__contains__):
        target = _find(kind, column, set(found.values()))
        if target is not None and (target.path != _TITLE or column not in addresses):
            found[column] = target.path
    unnamed = next((column for column, to in found.items() if column in addresses and not to), None)
    if unnamed is not None and _ADDRESS not in found.values():
        found[unnamed] = _ADDRESS
    uses = (Use(one, to or ("" if sheet.distinct(one) else NOT_USED)) for one, to in found.items())
    return Choices(kind, coalition, tuple(guessed(kind, use, sheet) for use in uses), {}, delimiter)


_TITLE, _ADDRESS = "sources.0.title", "sources.0.url"


def _has_addresses(cells: Sequence[str]) -> bool:
    """Whether all cells are addresses: whatever their column is called, that is no title."""
    return bool(cells) and all(re.fullmatch(r"https?://\S+", cell) for cell in cells)


def _find(kind: type[Statement], heading: str, taken: set[str]) -> Target | None:
    """The field that is called like a heading: by its path, its name on the page, another name; or nearly so."""
    targets = targets_of(kind)
    named: dict[str, str] = {}
    for path, target in targets.items():
        own = () if target.within else (path.rpartition(".")[2],)
        for name in (path, target.label, *own, *target.fills):
            named.setdefault(_bare(name), path)
    plain = _bare(heading)
    for path, names in FIELDS.items():  # what people call it counts for more than the end of a path
        if path in targets:
            named |= dict.fromkeys(names, path)
    near = [plain] if plain in named else get_close_matches(plain, named, n=1, cutoff=_ALIKE)
    found = named[near[0]] if near else None
    return targets[found] if found is not None and found not in taken else None


def _bare(name: str) -> str:
    return fold(name.replace("_", " "))


def guessed(kind: type[Statement], use: Use, sheet: Sheet) -> Use:
    """A column with first answers to the questions that its field raises; one that has been asked gets new words."""
    target = targets_of(kind).get(use.to)
    if target is None:
        return replace(use, asked="")
    cells = sheet.distinct(use.column)[:_ENOUGH]
    if use.asked != use.to:
        use = replace(Use(use.column, use.to, group=use.group, rows=use.rows), asked=use.to)
        use = replace(use, split=_split(target, cells))
        if target.reads is Reads.DATE:
            use = _dates(use, cells)
        elif target.reads is Reads.NUMBER:
            use = _numbers(use, target, cells)
    if target.reads is Reads.CURRENCY and use.currency:
        return use
    here = words_of(use, sheet)
    spelled = {fold(word): word for word in here}  # as the table has them, whose capitals do not matter to a mapping
    words = {spelled.get(fold(word), word): means for word, means in use.words.items()}
    new = {word: means for word in here if word not in words and (means := _means(target, word)) is not None}
    return replace(use, words=words | new)


def words_of(use: Use, sheet: Sheet) -> list[str]:
    """The words of a column, each once: parts of its cells where those hold several."""
    cells = sheet.distinct(use.column)
    if not use.split:
        return _once(cells)
    return _once(part for cell in cells for one in cell.split(use.split) if (part := one.strip()))


def _once(words: Sequence[str] | Iterator[str]) -> list[str]:
    return list({fold(word): word for word in reversed(list(words))}.values())[::-1]


def _means(target: Target, word: str) -> str | None:
    """What a word may stand for; "" where that is to be told, None where it need not."""
    match target.reads:
        case Reads.WORDS:
            option = find_option(target, word) or OPTIONS.get(target.field.name, {}).get(fold(word), "")
            return option if option in target.options else ""
        case Reads.NAMES:
            return None if find_actor(word) else ""
        case Reads.SLUG:
            slug = slug_of(word)
            return None if slug == word else slug
        case Reads.CURRENCY:
            plain = word.strip()
            known = _CURRENCY_WORDS.get(fold(plain), "")
            return None if len(plain) == len("EUR") and plain.isascii() and plain.isalpha() else known
    return None


_CURRENCY_WORDS = {
    "euro": "EUR", "euros": "EUR", "€": "EUR", "us dollar": "USD", "us dollars": "USD", "us$": "USD", "£": "GBP",
    "pound sterling": "GBP", "pounds sterling": "GBP",
}  # fmt: skip


def _split(target: Target, cells: Sequence[str]) -> str:
    """The sign that parts several values in one cell, where some cell has one."""
    if target.field.widget is Widget.LINES or not target.takes_several:
        return ""
    whole = [cell for cell in cells if target.reads is not Reads.NAMES or find_actor(cell) is None]
    return next((sign for sign in _SIGNS if any(sign in cell for cell in whole)), "")


def _dates(use: Use, cells: Sequence[str]) -> Use:
    """The way to read dates by which most cells are read; where two orders read as many, neither is taken."""
    use = replace(use, basis="stated")
    counts = {
        (order, phrases): _read_by(replace(use, order=order, phrases=phrases), cells)
        for phrases in (False, True)
        for order in ("", "day_first", "month_first")
    }
    phrases = max(counts[order, True] for order in ("", "day_first", "month_first")) > max(
        counts[order, False] for order in ("", "day_first", "month_first")
    )
    day, month, none = (counts[order, phrases] for order in ("day_first", "month_first", ""))
    order = "" if none == max(day, month) or day == month else "day_first" if day > month else "month_first"
    return replace(use, order=order, phrases=phrases)


def _read_by(use: Use, cells: Sequence[str]) -> int:
    dates, read = use.dates, 0
    for cell in cells:
        with suppress(ValueError):
            parse_phrase(cell, dates)
            read += 1
    return read


def _numbers(use: Use, target: Target, cells: Sequence[str]) -> Use:
    """The way to read numbers by which most cells are read: the plainest of those.

    Where another way reads as many, and reads them otherwise, how they are written is left open: 1.000 is one, or a
    thousand.
    """
    best, most, values = use, -1, set[tuple[Decimal | None, ...]]()
    for currency in (False, True) if target.around.endswith("money") else (False,):
        for scale in (False, True):
            before = most
            for style in STYLES:
                tried = replace(use, style=style, scale=scale, currency=currency)
                amounts = _amounts(tried, cells)
                if len(amounts) > most:
                    best, most, values = tried, len(amounts), set()
                if len(amounts) == most > before:
                    values.add(tuple(amounts))
    return best if len(values) == 1 else replace(best, style="")


def _amounts(use: Use, cells: Sequence[str]) -> list[Decimal | None]:
    """The numbers of those cells that can be read."""
    numbers, found = use.numbers, []
    for cell in cells:
        with suppress(ValueError):
            found.append(parse_amount(cell, numbers))
    return found


def unordered(choices: Choices, sheet: Sheet) -> Iterator[Fault]:
    """Columns whose dates do not say which number is the day, and of which nobody has said it."""
    targets = targets_of(choices.kind)
    for number, use in enumerate(choices.uses):
        if use.to not in targets or targets[use.to].reads is not Reads.DATE or use.order:
            continue
        cells = sheet.distinct(use.column)
        if _read_by(replace(use, order="day_first"), cells) > _read_by(use, cells):
            detail = "The dates do not say which number is the day: say it here."
            yield Fault(f"/use.{number}.order", "undecided", detail)


def asked_on(choices: Choices, sheet: Sheet) -> Choices:
    """The same, with first answers to the questions that newly chosen fields raise; columns that are new are added."""
    uses = [guessed(choices.kind, use, sheet) for use in choices.uses if use.column in sheet.columns]
    named = {use.column for use in uses}
    uses += [use for use in propose(choices.kind, "", sheet, None).uses if use.column not in named]
    return replace(choices, uses=tuple(uses))
