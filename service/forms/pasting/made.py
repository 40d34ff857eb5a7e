"""Choices → a mapping file, and back where the file says no more than can be chosen."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from enum import Enum
from typing import Any

import yaml
from pydantic import BaseModel

from service.domain.answers import Json
from service.domain.errors import Invalid
from service.domain.statement import Statement
from service.forms.fields import kind_of
from service.forms.pasting.choices import (
    FACTORS,
    NOT_SAID,
    NOT_USED,
    OTHERWISE,
    SPLITS,
    STYLES,
    Choices,
    Use,
    find_kind,
)
from service.forms.pasting.targets import BASIS, EDTF, OCCURRED, Reads, Target, targets_of
from service.reading.mapping import Impossible, Otherwise, Rule, Together, columns_in, parse_mapping
from service.reading.mapping import Mapping as MappingFile
from service.reading.table import DELIMITERS

DELIMITER_NAMES = dict(zip(DELIMITERS, ("comma", "semicolon", "tab"), strict=True))
_OTHERWISE = {Reads.WORDS: Otherwise.REFUSE}  # what is no option is told at its row; names and slugs may be known


def write_mapping(choices: Choices) -> str:
    """The mapping file that says what was chosen."""
    made = _Maker(choices).make()
    text: str = yaml.safe_dump(made, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None)
    return text


class _Maker:
    def __init__(self, choices: Choices) -> None:
        self._choices = choices
        self._targets = targets_of(choices.kind)
        self._made: Json = {"version": 1} | ({"title": choices.title} if choices.title else {})
        self._lists: dict[str, Json] = {"words": {}, "dates": {}, "numbers": {}}

    def make(self) -> Json:
        """The content of the file."""
        choices, made = self._choices, self._made
        if choices.delimiter:
            made["table"] = {"delimiter": DELIMITER_NAMES[choices.delimiter]}
        made["constants"] = {"kind": kind_of(choices.kind), "coalition": choices.coalition}
        fields: dict[str, Json] = {}
        for use in choices.uses:
            if use.to in self._targets:
                fields |= dict(self._rules(use, self._targets[use.to]))
        for path, text in choices.constants.items():
            self._same_in_all(self._targets[path], text, fields)
        for path, target in self._targets.items():
            self._only_with(path, target, fields)
        made["fields"] = fields
        made |= {name: found for name, found in self._lists.items() if found}
        grouped = list(dict.fromkeys(use.column for use in choices.uses if use.group))
        read = {one for rule in fields.values() for one in _columns_of(rule)} | set(grouped)
        unused = [use.column for use in choices.uses if use.to == NOT_USED and use.column not in read]
        made |= {"group_by": grouped} if grouped else {}
        made |= {"unused": list(dict.fromkeys(unused))} if unused else {}
        return made

    def _rules(self, use: Use, target: Target) -> Iterator[tuple[str, Json]]:
        rule: Json = {"column": use.column}
        if target.takes_several and use.split:
            rule["split"] = use.split
        if target.reads is Reads.DATE:
            rule["date"] = target.path
            self._lists["dates"][target.path] = _plain(use.dates)
        elif target.reads is Reads.NUMBER:
            rule["number"] = target.path
            self._lists["numbers"][target.path] = _plain(use.numbers)
        elif known := _known(use):
            rule["words"] = target.path
            self._lists["words"][target.path] = {
                "known": known, "otherwise": use.otherwise or str(_OTHERWISE.get(target.reads, Otherwise.KEEP))
            }  # fmt: skip
        if self._choices.is_grouped and use.rows != Together.SAME:
            rule["rows"] = use.rows
        for name in self._names(target):
            yield name, dict(rule)
        if use.currency and target.reads is Reads.NUMBER:
            yield f"{target.around}.currency", {"column": use.column, "currency": target.path}

    def _names(self, target: Target) -> tuple[str, ...]:
        """The fields of a mapping that a field fills: of a date alone, where something else says how it is known."""
        said = self._choices.filled | set(self._choices.constants)
        return (EDTF,) if target.path == OCCURRED and BASIS in said else target.fills

    def _same_in_all(self, target: Target, text: str, fields: dict[str, Json]) -> None:
        for name in self._names(target):
            if columns_in(text):
                joined = {"rows": str(Together.JOIN)} if self._choices.is_grouped else {}
                fields[name] = {"text": text, **joined}
            else:
                fields[name] = {"constant": text}

    def _only_with(self, path: str, target: Target, fields: dict[str, Json]) -> None:
        """What is a part of something that a row may lack is left out with it: no unit without a number."""
        main = self._main_of(target.within, fields)
        for name in self._names(target):
            rule = fields.get(name, {})
            goes_along = "constant" in rule or path.endswith((".unit", ".currency"))
            if rule and main is not None and name != main and goes_along:
                rule["only_with"] = main
            elif set(rule) == {"constant"}:
                self._made["constants"][name] = fields.pop(name)["constant"]

    def _main_of(self, within: str, fields: Mapping[str, Json]) -> str | None:
        """Of something that may be left out, the part by which it is known to be there: a number, else any column."""
        if not within:
            return None
        inside = [one for one in self._targets.values() if one.within == within]
        inside.sort(key=lambda one: one.reads is not Reads.NUMBER)
        names = (name for one in inside for name in one.fills)
        return next((name for name in names if "column" in fields.get(name, {})), None)


def _known(use: Use) -> dict[str, str]:
    """The words that have to be told; none where each is spelled as its field has it, and no file had them."""
    known = {word: "" if means == NOT_SAID else means for word, means in use.words.items() if means}
    return {} if not use.otherwise and all(word == means for word, means in known.items()) else known


def _columns_of(rule: Json) -> list[str]:
    return [rule["column"]] if "column" in rule else columns_in(rule.get("text", ""))


def _plain(value: BaseModel) -> Json:
    """What a part of a mapping says, as YAML has it."""
    always = {name: getattr(value, name) for name in ("basis", "decimal") if hasattr(value, name)}
    said = value.model_dump(exclude_defaults=True) | always
    plain: Json = _yaml(said)
    return plain


def _yaml(value: Any) -> Any:  # noqa: ANN401 - any value of a mapping
    if isinstance(value, dict):
        return {name: _yaml(one) for name, one in value.items()}
    if isinstance(value, tuple | list):
        return [_yaml(one) for one in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else str(value)
    return value.value if isinstance(value, Enum) else value


# --- a mapping file → choices -----------------------------------------------------------------------------------------


def read_back(mapping: MappingFile, columns: tuple[str, ...]) -> Choices | None:
    """The choices that make a mapping; None where it says what cannot be chosen on a page."""
    kind = find_kind(mapping.constants.get("kind", ""))
    if kind is None or "coalition" not in mapping.constants:
        return None
    choices = _Back(kind, mapping).choices(columns)
    if not _can_be_typed(choices):
        return None
    try:
        again = parse_mapping(write_mapping(choices).encode())
    except (Invalid, KeyError):  # of fields that no page has, such as a second source
        return None
    return choices if _said(again) == _said(mapping) else None


def _can_be_typed(choices: Choices) -> bool:
    """Whether all of it has room in the fields of a page, which are lines, and lists of what may be chosen."""
    lines = (*choices.constants.values(), *(means for use in choices.uses for means in use.words.values()))
    chosen = ((use.otherwise in OTHERWISE, use.split in SPLITS, use.factor in FACTORS) for use in choices.uses)
    known = all(map(all, chosen)) and all(not use.style or use.style in STYLES for use in choices.uses)
    return known and not any("\n" in line for line in lines)


class _Back:
    """Takes a mapping apart, as far as it goes; whether that was all of it is for others to see."""

    def __init__(self, kind: type[Statement], mapping: MappingFile) -> None:
        self._kind, self._mapping = kind, mapping
        self._rules = dict(mapping.fields)
        self._constants = {name: text for name, text in mapping.constants.items() if name not in ("kind", "coalition")}
        self._uses: list[Use] = []
        self._beside: str | None = None  # the column in which a currency stands beside a number

    def choices(self, columns: tuple[str, ...]) -> Choices:
        """What was chosen, in the order of the table's columns; one that nothing reads is not used."""
        for path, target in targets_of(self._kind).items():
            names = (EDTF,) if path == OCCURRED and OCCURRED not in self._rules else target.fills
            rules = [self._rules.get(name) for name in names]
            if rules[0] is not None and all(rule == rules[0] for rule in rules):
                self._take(path, rules[0])
                self._rules = {name: rule for name, rule in self._rules.items() if name not in names}
            elif (text := self._constants.get(names[0])) and all(self._constants.get(name) == text for name in names):
                self._constants = {name: said for name, said in self._constants.items() if name not in names}
                self._constants[path] = text
        uses = tuple(self._in_order(columns))
        mapping = self._mapping
        return Choices(
            self._kind, mapping.constants["coalition"], uses, self._constants, mapping.table.delimiter,
            mapping.title or "",
        )  # fmt: skip

    def _take(self, path: str, rule: Rule) -> None:
        if rule.currency is not None:
            self._beside = rule.column
        elif rule.column is not None:
            self._uses.append(_use(self._mapping, rule, path))
        else:
            self._constants[path] = rule.constant or " ".join(rule.text)

    def _in_order(self, columns: tuple[str, ...]) -> Iterator[Use]:
        for column in columns:
            own = [use for use in self._uses if use.column == column] or [Use(column, NOT_USED)]
            own[0] = replace(own[0], group=column in self._mapping.group_by)
            for use in own:
                is_money = "money" in use.to.split(".")
                yield replace(use, currency=True) if is_money and column == self._beside else use


def _use(mapping: MappingFile, rule: Rule, path: str) -> Use:
    assert rule.column is not None
    given: Json = {"split": rule.split or "", "rows": str(rule.rows)}
    if rule.words is not None:
        words = mapping.words[rule.words]
        given["words"] = {word: means or NOT_SAID for word, means in words.known.items()}
        given["otherwise"] = str(words.otherwise)
    if rule.date is not None:
        dates = mapping.dates[rule.date]
        given |= {
            "order": str(dates.order or ""), "basis": str(dates.basis), "phrases": bool(dates.patterns),
            "month_end": dates.impossible_days is Impossible.MONTH_END,
        }  # fmt: skip
    if rule.number is not None:
        numbers = mapping.numbers[rule.number]
        given |= {
            "style": f"{numbers.decimal}{numbers.thousands}", "factor": f"{numbers.factor.normalize():f}",
            "scale": bool(numbers.words), "nothing": "; ".join(numbers.nothing),
        }  # fmt: skip
    return Use(rule.column, path, path, **given)


def _said(mapping: MappingFile) -> Any:  # noqa: ANN401 - to be compared
    """What a mapping says, whatever its lists are called and in whatever order it says it."""
    lists = {"words": mapping.words, "date": mapping.dates, "number": mapping.numbers, "currency": mapping.numbers}

    def said(rule: Rule) -> Any:  # noqa: ANN401 - to be compared
        named = {way: known[name] for way, known in lists.items() if (name := getattr(rule, way)) is not None}  # type: ignore[index]
        return rule.model_copy(update=dict.fromkeys(named)), named

    fields = {name: said(rule) for name, rule in mapping.fields.items()}
    return (
        mapping.constants,
        fields,
        sorted(mapping.group_by),
        mapping.leave_out,
        sorted(mapping.unused),
        mapping.table,
    )
