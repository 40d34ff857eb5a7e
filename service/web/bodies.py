"""What a write sends: JSON, bounded, and named by the version that it changes."""

from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from service.domain.errors import RegistryError
from service.domain.kinds import invalid
from service.web.serving import services

_JSON = "application/json"
Model = TypeVar("Model", bound=BaseModel)


class TooLarge(RegistryError):
    """The body is larger than the service takes."""


class NotJson(RegistryError):
    """The body is of another type than the service reads here."""


class PreconditionRequired(RegistryError):
    """A change must say which version it changes."""


async def read_body(request: Request) -> bytes:
    """The body of a write, bounded; it has to be JSON."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != _JSON:
        raise NotJson("Send the body as JSON, with Content-Type: application/json.")
    most = services(request).settings.largest_body
    too_large = TooLarge(f"The body is larger than {most} bytes; send fewer statements at a time.")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise too_large
    return bytes(body)


def parse_body(model: type[Model], body: bytes) -> Model:
    """A body as what it says; raises `Invalid` with a pointer for each fault."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise invalid(error) from None
