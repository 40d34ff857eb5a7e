"""What an import came to, or would, in lines that a person reads."""

from collections.abc import Iterator

from service.domain.answers import Json
from service.domain.errors import Fault
from service.load.imports import Import

_MOST = 10  # lines of one kind
_SAYING = ("firmness", "status", "state", "stance", "phase", "role")


def told_fault(fault: Fault) -> str:
    """A fault, with where it is."""
    place = [f"row {fault.row}"] if fault.row is not None else []
    place += [f"column {fault.column}"] if fault.column is not None else []
    return f"  {', '.join([*place, fault.pointer] if fault.pointer else place)}: {fault.detail}"


def told_refused(done: Import) -> Iterator[str]:
    """The rows that were not recorded, or are not news: the first faults, and how many there are."""
    spool = done.spool
    yield from map(told_fault, spool.first_faults)
    if spool.fault_count > len(spool.first_faults):
        yield f"  and {_counted(spool.fault_count - len(spool.first_faults), 'further fault')}"
    if spool.fault_count:
        yield f"refused: {spool.bad:,} of {_counted(spool.rows, 'row')}, for {_counted(spool.fault_count, 'fault')}"
    if done.repeated:
        yield f"recorded before: {_counted(done.repeated, 'row')}"
    if spool.left_out:
        yield f"left out, as the mapping says: {_counted(spool.left_out, 'row')}"


def told_outlook(done: Import) -> Iterator[str]:
    """What a dry run found that recording would come to."""
    found = done.outlook
    assert found is not None
    yield f"would record: {found.kinds.total():,} of {_counted(done.spool.rows, 'row')}"
    yield from (f"  {count:,} {kind}" for kind, count in sorted(found.kinds.items()))
    if found.similar_rows:
        yield f"may be recorded already, in other words: {_counted(found.similar_rows, 'row')}"
        yield from _first(map(_like, found.examples), found.similar_rows)
    subjects = len(found.states) + found.further_subjects
    if subjects:
        yield f"would change: {_counted(subjects, 'subject')}"
        yield from _first(map(_state, found.states), subjects)


def _first(lines: Iterator[str], count: int) -> Iterator[str]:
    shown = [line for _, line in zip(range(_MOST), lines, strict=False)]
    yield from shown
    if count > len(shown):
        yield f"  and {count - len(shown):,} more"


def _like(row: Json) -> str:
    best = row["similar"][0]
    return f"  row {row['row']} is like {best['event_id']} of {best['occurred']['edtf']} ({best['similarity']:.0%})"


def _state(state: Json) -> str:
    words = [str(state[name]).replace("_", " ") for name in _SAYING if state.get(name)]
    label = (state.get("change") or {}).get("label")
    return f"  {state['id']}" + (f": {', '.join(words)}" if words else "") + (f" ({label})" if label else "")


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
