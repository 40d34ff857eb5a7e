"""What a form says: its fields as they were typed, and what is wrong with them, at their names."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar
from urllib.parse import parse_qsl

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import ImmutableMultiDict

from service.domain.errors import Fault, Invalid, RegistryError, for_people
from service.domain.kinds import invalid
from service.forms.words import for_writing
from service.web.bodies import NotJson, bounded, content_type
from service.web.serving import services

MOST_FIELDS, MOST_ROWS = 5_000, 500
_ROW = re.compile(r".+?\.[0-9]+(?=\.|$)")
Form = ImmutableMultiDict[str, str]
Model = TypeVar("Model", bound=BaseModel)


async def read_form(request: Request) -> Form:
    """What a form sent, bounded; raises `Invalid` where it cannot be read."""
    if content_type(request) != "application/x-www-form-urlencoded":
        raise NotJson("Send this as the form on the page does.")
    body = bytearray()
    async for chunk in bounded(request, services(request).settings.largest_body):
        body += chunk
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        raise Invalid("This form cannot be read; load the page again, and send it from there.") from None
    if len({row[0] for name, _ in pairs if (row := _ROW.match(name))}) > MOST_ROWS:
        raise Invalid(f"This form has more than {MOST_ROWS} rows; leave some of them for another entry.")
    return ImmutableMultiDict(pairs)


def parse_typed(model: type[Model], form: Mapping[str, str], *, besides: tuple[str, ...] = ("key",)) -> Model:
    """What was typed as what it says; raises `Invalid` with a pointer to each field that is wrong.

    ``besides`` are fields of the form that are for others; fields unknown to both are refused.
    """
    given = {name: value for name, value in form.items() if name not in besides}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise invalid(error) from None


def without_open(form: Mapping[str, str], choice: str) -> dict[str, str]:
    """What a form says, without a choice that was not made: it is missing, and no wrong word."""
    return {name: value for name, value in form.items() if value or name != choice}


def faults_at(error: RegistryError) -> tuple[Fault, ...]:
    """What is wrong, each at a field, for whoever fills it in: for the page that shows the form again."""
    faults = error.faults or (Fault("", "invalid", for_people(error.detail)),)
    return tuple(replace(one, detail=for_writing(one.detail)) for one in faults)
