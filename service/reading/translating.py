"""Somebody else's table → content of statements, as a mapping says; what it does not say is a fault, never a guess."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, BinaryIO, NamedTuple

from service.domain.answers import Json
from service.domain.errors import Fault
from service.domain.kinds import KINDS
from service.reading.amounts import parse_amount, parse_currency
from service.reading.columns import Shape, find_column, find_place, plain, put
from service.reading.mapping import Mapping, Otherwise, Rule, Together, Words, escape, fill_in, fold
from service.reading.occurrences import Occurrences, digest_of
from service.reading.phrases import Dated, parse_phrase
from service.reading.row import LONGEST_ROW, Row, Unreadable
from service.reading.table import Record, Table

_MOST_TOGETHER = 1000
_LARGEST_GROUP = LONGEST_ROW
"""Rows of a group, and characters of them: like one row, a group is kept in memory until its end is found."""
Cells = dict[str, str]


class _Line(NamedTuple):
    """A record by the names of its columns; cells without content are not there."""

    number: int
    cells: Cells
    faults: tuple[Fault, ...]
    size: int


class _Group:
    """Lines that follow one another and agree in the columns by which the mapping draws them together."""

    def __init__(self, first: _Line, key: tuple[str, ...]) -> None:
        self.key, self.first, self.last = key, first.number, first.number
        self.lines: list[_Line] | None = [first]  # None: too many, or too long, to be kept
        self.size = first.size

    def takes(self, key: tuple[str, ...]) -> bool:
        """Whether a line with this key belongs to it; one whose cells are empty stays alone."""
        return key == self.key and any(key)

    def add(self, line: _Line) -> None:
        """One more; of a group that is too large only its end is sought."""
        self.last = line.number
        self.size += line.size
        if self.lines is None or len(self.lines) == _MOST_TOGETHER or self.size > _LARGEST_GROUP:
            self.lines, self.size = None, 0
        else:
            self.lines.append(line)


class _Wrong(Exception):
    """One thing that is wrong with a row."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.detail)
        self.fault = fault


class Translated:
    """The rows of a foreign table, in groups where the mapping draws rows together, as content of statements."""

    def __init__(self, file: BinaryIO, mapping: Mapping) -> None:
        self._mapping = mapping
        self._table = Table(file, delimiter=mapping.table.delimiter, header_row=mapping.table.header_row)
        faults = [*self._missing(), *self._forgotten()]
        if faults:
            raise Unreadable("The mapping does not fit the table; no row was read.", *faults)

    def _missing(self) -> Iterator[Fault]:
        """Columns that the mapping names and the table does not have, by where they are named."""
        here = frozenset(self._table.columns)
        named = [(f"fields/{escape(field)}", rule.columns) for field, rule in self._mapping.fields.items()]
        named += [("group_by", self._mapping.group_by), ("unused", self._mapping.unused)]
        named += [(f"leave_out/{nth}/column", (one.column,)) for nth, one in enumerate(self._mapping.leave_out)]
        for place, columns in named:
            for column in columns:
                if column not in here:
                    detail = "The table has no column of this name."
                    yield Fault(f"/mapping/{place}", "missing_column", detail, column=column)

    def _forgotten(self) -> Iterator[Fault]:
        """Columns of the table that the mapping does not name."""
        for column in self._table.columns:
            if column not in self._mapping.columns:
                detail = "The mapping does not read this column; if that is meant, name it in `unused`."
                row = self._mapping.table.header_row
                yield Fault("/mapping/unused", "unknown_column", detail, row=row, column=column)

    def column_of(self, pointer: str) -> str | None:
        """The column, or the first of those, from which a field was read."""
        field = find_column(pointer, list(self._mapping.fields))
        columns = self._mapping.fields[field].columns if field else ()
        return columns[0] if columns else None

    def __iter__(self) -> Iterator[Row]:
        """What each row says, or each group of rows that follow one another."""
        if not self._mapping.group_by:
            for record in self._table:
                line = self._line(record)
                yield self._left_out(line) or self._translate([line])
            return
        with Occurrences() as groups:
            yield from self._grouped(groups)

    def _grouped(self, groups: Occurrences) -> Iterator[Row]:
        group: _Group | None = None
        for record in self._table:
            line = self._line(record)
            if (passed := self._left_out(line)) or line.faults:
                if group is not None:
                    yield self._translate_group(group, groups)
                group = None
                yield passed or Row(line.number, line.number, faults=line.faults)
                continue
            key = tuple(line.cells.get(column, "") for column in self._mapping.group_by)
            if group is not None and group.takes(key):
                group.add(line)
                continue
            if group is not None:
                yield self._translate_group(group, groups)
            group = _Group(line, key)
        if group is not None:
            yield self._translate_group(group, groups)

    def _translate_group(self, group: _Group, groups: Occurrences) -> Row:
        parted = any(group.key) and groups.count(digest_of(group.key)) > 1
        if group.lines is not None and not parted:
            return self._translate(group.lines)
        code, detail = ("parted_group", _PARTED) if parted else ("large_group", _TOO_LARGE)
        detail = detail.format(first=group.first, last=group.last)
        fault = Fault("", code, detail, row=group.first, column=self._mapping.group_by[0])
        return Row(group.first, group.last, faults=(fault,))

    def _line(self, record: Record) -> _Line:
        cells = {
            column: plain
            for column, cell in zip(self._table.columns, record.cells, strict=False)
            if (plain := cell.strip())
        }
        return _Line(record.number, cells, record.faults, record.size)

    def _left_out(self, line: _Line) -> Row | None:
        for one in self._mapping.leave_out:
            if fold(line.cells.get(one.column, "")) in {fold(says) for says in one.says} and not line.faults:
                return Row(line.number, line.number, left_out=one.why)
        return None

    def _translate(self, lines: Sequence[_Line]) -> Row:
        """Lines that belong together, as one."""
        first, last = lines[0].number, lines[-1].number
        faults = [fault for line in lines for fault in line.faults]
        if faults:
            return Row(first, last, faults=tuple(faults))
        values: dict[str, Any] = dict(self._mapping.constants)
        for field, rule in self._mapping.fields.items():
            try:
                values[field] = self._value(field, rule, lines)
            except _Wrong as error:
                faults.append(error.fault)
        for field, rule in self._mapping.fields.items():
            if rule.only_with is not None and values.get(rule.only_with) is None:
                values[field] = None
        content: Json = {}
        faults += self._fill(content, values, first)
        return Row(first, last, content, tuple(faults), size=sum(line.size for line in lines))

    def _fill(self, content: Json, values: dict[str, Any], row: int) -> Iterator[Fault]:
        """Puts each value into its place in a statement of the kind that the values name."""
        kind = KINDS.get(str(values.get("kind")))
        if kind is None:
            content["kind"] = values.get("kind") or ""
            return
        for field, value in values.items():
            if value is None:
                continue
            if isinstance(value, Dated) and field == "occurred":
                content[field] = {"edtf": value.edtf, "basis": value.basis}
                continue
            place = find_place(kind, field)
            pointer = "/" + field.replace(".", "/")
            if place is None:
                detail = (
                    "A statement of this kind has no such field; let the mapping leave it out where it is this one."
                )
                yield Fault(pointer, "extra_forbidden", detail, row, self.column_of(pointer))
                continue
            try:
                put(content, place.path, _shaped(value, place.shape))
            except ValueError as error:
                yield Fault(pointer, "cell", f"This field {error}.", row, self.column_of(pointer))

    # --- one field --------------------------------------------------------------------------------------------------

    def _value(self, field: str, rule: Rule, lines: Sequence[_Line]) -> Any:  # noqa: ANN401 - texts, lists, numbers
        if rule.constant is not None:
            return rule.constant
        read = [(line.number, value) for line in lines if (value := self._read(field, rule, line)) is not None]
        together = _together(field, rule, read, len(lines))
        if together is None and rule.required:
            row, column = lines[0].number, next(iter(rule.columns), None)
            raise _Wrong(Fault(_pointer(field), "missing", "This field may not be empty.", row, column))
        return together

    def _read(self, field: str, rule: Rule, line: _Line) -> Any:  # noqa: ANN401 - texts, lists, numbers
        """What one line says of a field; None where it says nothing."""
        if rule.text:
            filled = (fill_in(text, line.cells) for text in rule.text)
            return next((text for text in filled if text is not None), None)
        assert rule.column is not None
        cell = line.cells.get(rule.column)
        if cell is None:
            return None
        try:
            return self._parse(rule, cell)
        except ValueError as error:
            detail = f"This cell {str(error).rstrip('.')}."
            raise _Wrong(Fault(_pointer(field), "unmapped", detail, line.number, rule.column)) from None

    def _parse(self, rule: Rule, cell: str) -> Any:  # noqa: ANN401 - texts, lists, numbers
        if rule.split is not None:
            parts = [part.strip() for part in cell.split(rule.split)]
            return [value for part in parts if part and (value := self._parse_one(rule, part)) is not None] or None
        return self._parse_one(rule, cell)

    def _parse_one(self, rule: Rule, cell: str) -> Any:  # noqa: ANN401 - texts, numbers, dates
        if rule.words is not None:
            return _word(self._mapping.words[rule.words], cell)
        if rule.date is not None:
            return parse_phrase(cell, self._mapping.dates[rule.date])
        if rule.number is not None:
            return parse_amount(cell, self._mapping.numbers[rule.number])
        if rule.currency is not None:
            return parse_currency(cell, self._mapping.numbers[rule.currency])
        return cell


_PARTED = "Rows of this group stood further up already, apart from these; sort the table by it."
_TOO_LARGE = (
    f"Rows {{first}} to {{last}} belong together, and are more than {_MOST_TOGETHER:,} rows or "
    f"{_LARGEST_GROUP:,} characters. Name more columns in `group_by`."
)


def _together(field: str, rule: Rule, read: list[tuple[int, Any]], count: int) -> Any:  # noqa: ANN401 - as it was read
    """What the lines of a group say together."""
    values = [value for _, value in read]
    if not values:
        return None
    if rule.rows in (Together.SUM, Together.SUM_KNOWN):
        if len(values) < count and rule.rows is Together.SUM:
            detail = "Some rows of the group have no number, so that their sum is not known."
            raise _Wrong(Fault(_pointer(field), "unknown_sum", detail, read[0][0], rule.column))
        return sum(values, Decimal(0))
    if rule.rows is Together.LIST:
        flat = [part for value in values for part in (value if isinstance(value, list) else [value])]
        return list(dict.fromkeys(flat))
    if rule.rows is Together.JOIN:
        return "; ".join(dict.fromkeys(map(str, values)))
    if rule.rows is Together.SAME:
        for number, value in read:
            if value != values[0]:
                detail = "This differs from what the rows of the group before it say; say how they are meant in `rows`."
                raise _Wrong(Fault(_pointer(field), "differs", detail, number, next(iter(rule.columns), None)))
    return values[0]


def _word(words: Words, cell: str) -> str | None:
    found = words.known.get(fold(cell))
    if found is not None:
        return found or None
    if words.otherwise is Otherwise.KEEP:
        return cell
    if words.otherwise is Otherwise.REFUSE:
        raise ValueError("has a word that the mapping does not know")
    return words.use


def _shaped(value: Any, shape: Shape) -> Any:  # noqa: ANN401 - any JSON
    """A value as its field has it."""
    if isinstance(value, Dated):
        return value.edtf
    if isinstance(value, Decimal):
        return plain(f"{value.normalize():f}", shape)
    if shape is Shape.WORDS:
        return value if isinstance(value, list) else [value]
    if isinstance(value, list):
        if len(value) > 1:
            raise ValueError("has room for one thing, and was given several")
        value = value[0]
    return plain(value, shape)


def _pointer(field: str) -> str:
    return "/" + field.replace(".", "/")
