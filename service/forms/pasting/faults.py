"""What is wrong with a cell or a row, in the words of the pages: there nobody has to know of mapping files."""

from typing import Final

from service.forms.words import for_writing, label_of, labels_in_one

_ON_PAGES: Final = {
    "give the mapping's dates an `order`": "say it of its column, at “Dates are written”",
    "look at the `order` of the mapping's dates": "look at “Dates are written” of its column",
    "is no date that the mapping reads": "is no date as they are written in its column",
    "is no number as the mapping says they are written": "is no number as they are written in its column",
    "names a month that the mapping does not know": "names a month that is not known",
    "has no currency that the mapping knows": "has no currency that is known",
    "has a word that the mapping does not know": "has a word of which its column does not say what it stands for",
    "Name more columns in `group_by`.": "Tick more columns by which rows are one statement.",
    "say how they are meant in `rows`": "say of its column what becomes of the cells of one group",
    "let the mapping leave it out where it is this one": "use no column for it",
}
"""What an import says, and what stands on its pages instead."""


def for_pasting(detail: str) -> str:
    """What is wrong, for whoever pastes: by what fields and choices are called on the pages."""
    for said, shown in _ON_PAGES.items():
        detail = detail.replace(said, shown)
    parts = for_writing(detail).split("`")
    return "".join(f"“{label_of(part)}”" if nth % 2 else part for nth, part in enumerate(parts))


def label_at(pointer: str) -> str:
    """What the field is called to which a pointer leads; "" for all of it."""
    names = [label_of(name) for name in pointer.split("/") if name not in ("", "body") and not name.isdecimal()]
    return labels_in_one(names[-2:])
