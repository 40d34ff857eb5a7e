"""What a page asks of a pasted table: of each column where it goes and how it is read, and what all rows share."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from service.domain.actors import name_of, suggest_actors
from service.domain.errors import Fault
from service.domain.telling_dates import tell_date, tell_occurred
from service.forms.pasting.choices import CONSTANT, FACTORS, NOT_USED, SPLITS, STYLES, Choices, Use
from service.forms.pasting.faults import for_pasting
from service.forms.pasting.proposing import words_of
from service.forms.pasting.sheets import Sheet
from service.forms.pasting.targets import BASIS, OCCURRED, Reads, Target, targets_of
from service.forms.reading import find_actor
from service.forms.words import GLOSSES, option_of
from service.reading.amounts import parse_amount, parse_currency
from service.reading.phrases import parse_phrase

MOST_WORDS = 60
"""Words on a page that have to be told: of all its columns together."""
_MOST_MORE = 3
_SAMPLES = 3
_LONGEST_SAMPLE = 60

_ORDERS = {
    "": "only as 2023-02-24 or 24 February 2023",
    "day_first": "3/4/2023 is 3 April",
    "month_first": "3/4/2023 is 4 March",
}
_ROWS = {
    "same": "have to say the same", "sum": "are added up", "sum_known": "are added up, some may be empty",
    "list": "make a list", "join": "are joined with semicolons", "first": "count by the first one",
}  # fmt: skip


class Ask(NamedTuple):
    """One question about a column."""

    name: str
    label: str
    widget: str  # "select", "check", "text"
    value: str = ""
    options: tuple[tuple[str, str], ...] = ()
    hint: str = ""
    listed: str = ""  # the list of what is offered
    faults: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """How it is called on the page."""
        return id_of(self.name)


class Word(NamedTuple):
    """A word of a column, and what it stands for."""

    word: str
    means: Ask
    perhaps: str  # whom it may mean


class Sample(NamedTuple):
    """A cell, and how it is understood, or why it is not."""

    cell: str
    words: str
    is_read: bool = True


class Asked(NamedTuple):
    """A column as it is asked about."""

    number: int
    use: Use
    samples: tuple[str, ...]
    more: int  # different cells beside those
    to: Ask
    asks: tuple[Ask, ...]
    words: tuple[Word, ...]
    told: tuple[Sample, ...]  # the first cells


class Same(NamedTuple):
    """A field that no column fills, and what it says in all rows."""

    ask: Ask
    needed: bool


class Page(NamedTuple):
    """What is asked of a table."""

    columns: tuple[Asked, ...]
    needed: tuple[Same, ...]
    others: tuple[Same, ...]
    more: tuple[tuple[Ask, Ask], ...]  # a field that is to be picked, and what it says
    fields: tuple[str, ...]  # what a column can go to, by name
    lists: Mapping[str, Mapping[str, str]]  # what is offered for a field


def id_of(name: str) -> str:
    """How a field is called on the page."""
    return f"f-{name.replace('.', '-')}"


def ask(choices: Choices, sheet: Sheet, faults: Sequence[Fault] = ()) -> Page:
    """The questions, with what is chosen and what is wrong with it."""
    targets = targets_of(choices.kind)
    wrong: dict[str, tuple[str, ...]] = {}
    for fault in faults:
        wrong[fault.pointer[1:]] = (*wrong.get(fault.pointer[1:], ()), fault.detail)
    columns, room = [], MOST_WORDS
    for number, use in enumerate(choices.uses):
        target = targets.get(use.to)
        columns.append(_asked(number, use, target, sheet, wrong, is_grouped=choices.is_grouped, room=room))
        room -= len(columns[-1].words)
    left = [one for path, one in targets.items() if path not in choices.filled or f"{CONSTANT}{path}" in wrong]
    left = [one for one in left if not (one.path == BASIS and OCCURRED in choices.filled)]
    needed = [one for one in left if one.needed or f"{CONSTANT}{one.path}" in wrong]
    others = [one for one in left if one not in needed and (one.path in _USUAL or one.path in choices.constants)]
    used = [targets[use.to] for use in choices.uses if use.to in targets]
    return Page(
        tuple(columns),
        needed=tuple(_same(one, choices, wrong) for one in needed),
        others=tuple(_same(one, choices, wrong) for one in others),
        more=tuple(_more(choices, wrong)),
        fields=(NOT_USED, *(one.label for one in targets.values())),
        lists={_list_of(one.path): one.options for one in (*needed, *others, *used) if one.reads is Reads.WORDS},
    )


def _more(choices: Choices, wrong: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[Ask, Ask]]:
    """Those that were typed and could not be taken, and room for further ones."""
    for number, (to, says) in enumerate([*choices.loose, *[("", "")] * _MOST_MORE]):
        name = f"more.{number}"
        faults = wrong.get(f"{name}.to", ())
        field = Ask(f"{name}.to", f"Further field {number + 1}", "text", to, (), "", "fields", faults)
        yield field, Ask(f"{name}.says", f"What field {number + 1} says", "text", says)


_USUAL = frozenset({
    "actors", "wording", "channel", "sources.0.publisher", "sources.0.url", "sources.0.published_on", "sources.0.type",
    "sources.0.reliability", "sources.0.credibility", "body.money.currency", "body.quantity.unit",
})  # fmt: skip


def _list_of(path: str) -> str:
    return f"list-{path.replace('.', '-')}"


def _same(target: Target, choices: Choices, wrong: Mapping[str, tuple[str, ...]]) -> Same:
    name = f"{CONSTANT}{target.path}"
    hint = target.field.hint
    if target.path == "summary":
        hint = "Headings in braces stand for the cells of their columns: {Country} pledges {Item}."
    elif target.reads is Reads.WORDS:
        hint = ""
    listed = _list_of(target.path) if target.reads is Reads.WORDS else ""
    value = choices.constants.get(target.path, "")
    return Same(Ask(name, target.label, "text", value, (), hint, listed, wrong.get(name, ())), target.needed)


def _asked(
    number: int, use: Use, target: Target | None, sheet: Sheet, wrong: Mapping[str, tuple[str, ...]], *,
    is_grouped: bool, room: int,
) -> Asked:  # fmt: skip
    cells = sheet.distinct(use.column)
    at = f"use.{number}"
    label = target.label if target else use.to
    to = Ask(f"{at}.to", "Goes to", "text", label, (), "", "fields", wrong.get(f"{at}.to", ()))
    asks: tuple[Ask, ...] = ()
    if target is not None:
        put = _questions(at, use, target, is_grouped=is_grouped)
        asks = tuple(one._replace(faults=wrong.get(one.name, ())) for one in put)
    if use.to != NOT_USED or use.group:
        label = "Rows that agree in this are one statement"
        asks = (*asks, Ask(f"{at}.group", label, "check", "yes" if use.group else ""))
    words = tuple(_words(at, use, target, room, wrong)) if target is not None else ()
    told = tuple(_told(use, target, cells[:_SAMPLES], sheet)) if target is not None else ()
    samples = tuple(map(_short, cells[:_SAMPLES]))
    return Asked(number, use, samples, len(cells) - len(samples), to, asks, words, told)


def _short(cell: str) -> str:
    return cell if len(cell) <= _LONGEST_SAMPLE else f"{cell[:_LONGEST_SAMPLE]} …"


def _questions(at: str, use: Use, target: Target, *, is_grouped: bool) -> Iterator[Ask]:
    if target.takes_several:
        yield Ask(f"{at}.split", "A cell holds", "select", use.split, tuple(SPLITS.items()))
    if target.reads is Reads.DATE:
        yield Ask(f"{at}.order", "Dates are written", "select", use.order, tuple(_ORDERS.items()))
        if target.path == OCCURRED:
            bases = tuple((basis, option_of("basis", basis)) for basis in GLOSSES["basis"])
            yield Ask(f"{at}.basis", "How they are known", "select", use.basis or "stated", bases)
        phrases = "Words such as “by”, “until”, “about”, “between … and …” may stand before them"
        yield Ask(f"{at}.phrases", phrases, "check", "yes" if use.phrases else "")
        month_end = "31 April is taken for 30 April, deduced"
        yield Ask(f"{at}.month_end", month_end, "check", "yes" if use.month_end else "")
    if target.reads is Reads.NUMBER:
        yield Ask(f"{at}.style", "Numbers are written", "select", use.style, (("", "Choose …"), *STYLES.items()))
        yield Ask(f"{at}.factor", "They count", "select", use.factor, tuple(FACTORS.items()))
        hint = "With semicolons between: n/a; unknown."
        yield Ask(f"{at}.nothing", "Stands for no number", "text", use.nothing, (), hint)
        scale = "Words such as “million”, “bn” or “Mrd.” may stand behind them"
        yield Ask(f"{at}.scale", scale, "check", "yes" if use.scale else "")
        if target.around.endswith("money"):
            beside = "The currency stands beside the number: €, US$, $ (US dollars), £, or a code such as CHF"
            yield Ask(f"{at}.currency", beside, "check", "yes" if use.currency else "")
    if is_grouped:
        yield Ask(f"{at}.rows", "In one group, the cells", "select", use.rows, tuple(_ROWS.items()))


def _words(at: str, use: Use, target: Target, room: int, wrong: Mapping[str, tuple[str, ...]]) -> Iterator[Word]:
    for nth, (word, means) in enumerate(list(use.words.items())[:room]):
        listed = _list_of(target.path) if target.reads is Reads.WORDS else ""
        name = f"{at}.means.{nth}"
        asked = Ask(name, f"“{_short(word)}” is", "text", means, (), "", listed, wrong.get(name, ()))
        perhaps = ""
        if target.reads is Reads.NAMES and not means:
            perhaps = ", ".join(f"{one.name} ({one.code})" for one in suggest_actors(word))
        yield Word(word, asked, perhaps)


def unseen(choices: Choices, sent: Choices) -> list[int]:
    """The columns about which something is asked that was not on the page which was sent."""
    seen = {(use.column, use.asked) for use in sent.uses}
    targets = targets_of(choices.kind)
    return [
        number
        for number, use in enumerate(choices.uses)
        if use.asked and (use.column, use.asked) not in seen and (use.words or _is_read_in_ways(targets[use.asked]))
    ]


def _is_read_in_ways(target: Target) -> bool:
    return target.takes_several or target.reads in (Reads.DATE, Reads.NUMBER)


def too_many_words(choices: Choices) -> Iterator[Fault]:
    """The first column whose words have no room on the page."""
    count = 0
    for number, use in enumerate(choices.uses):
        count += len(use.words)
        if count > MOST_WORDS:
            detail = f"More than {MOST_WORDS} words would have to be told, up to here: is this the right field?"
            yield Fault(f"/use.{number}.to", "too_many_words", detail)
            return


def _told(use: Use, target: Target, cells: Sequence[str], sheet: Sheet) -> Iterator[Sample]:
    """The first cells, and how they are understood."""
    if target.reads is Reads.NAMES:
        for word in words_of(use, sheet)[:_SAMPLES]:
            code = find_actor(use.words.get(word) or word)
            if code is not None:
                yield Sample(_short(word), f"{name_of(code)} ({code})")
        return
    for cell in cells:
        try:
            told = _tell(use, target, cell)
        except ValueError as error:
            why = f"cannot be read: it {for_pasting(str(error)).rstrip('.')}"
            yield Sample(_short(cell), why, is_read=False)
            continue
        if told is not None:
            yield Sample(_short(cell), told)


def _tell(use: Use, target: Target, cell: str) -> str | None:
    if target.reads is Reads.DATE:
        phrase = parse_phrase(cell, use.dates)
        if phrase is None:
            return "nothing"
        return tell_occurred(phrase.edtf, phrase.basis) if target.path == OCCURRED else tell_date(phrase.edtf)
    if target.reads is Reads.NUMBER and use.style:
        amount = parse_amount(cell, use.numbers)
        if amount is None:
            return "nothing"
        unit = f" {parse_currency(cell, use.numbers)}" if use.currency else ""
        return f"{amount:,f}".rstrip("0").rstrip(".") + unit if "." in f"{amount:f}" else f"{amount:,f}{unit}"
    return None
