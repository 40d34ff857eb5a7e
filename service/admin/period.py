"""A period that is looked for on a page: each end is written as dates are in forms, and told in words below it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from service.domain.dates import parse_edtf
from service.domain.errors import Misplaced
from service.domain.telling_dates import tell_date
from service.forms.dates import parse_written


def _parse_end(text: str) -> str:
    edtf = parse_written(text.strip())
    if edtf:
        parse_edtf(edtf)
    return edtf


End = Annotated[str, Field(max_length=100), AfterValidator(_parse_end)]


class AskedPeriod(BaseModel):
    """From when to when; what is left empty is any."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    since: End = ""
    until: End = ""

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> Self:
        begins, ends = self.period
        if begins and ends and begins > ends:
            raise Misplaced("until", "This lies before the beginning of the period.")
        return self

    @property
    def period(self) -> tuple[datetime | None, datetime | None]:
        """The first and the last moment, at the widest."""
        return (
            parse_edtf(self.since).earliest if self.since else None,
            parse_edtf(self.until).latest if self.until else None,
        )


def tell_ends(typed: Mapping[str, str]) -> dict[str, str]:
    """How each end is understood, in words; "" where it is not."""
    return {name: _tell(typed.get(name, "")) for name in ("since", "until")}


def _tell(text: str) -> str:
    try:
        return tell_date(_parse_end(text)) if text.strip() else ""
    except ValueError:
        return ""
