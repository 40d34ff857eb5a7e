"""What a write sends: JSON, bounded, and named by the version that it changes."""

import asyncio
import re
from collections.abc import AsyncGenerator
from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from service.domain.errors import Fault, Invalid, RegistryError
from service.domain.kinds import invalid
from service.web.sending import JSON
from service.web.serving import RECEIVING, Stalled, services

_KEY = re.compile("[ -~]{1,255}")
Model = TypeVar("Model", bound=BaseModel)


class TooLarge(RegistryError):
    """The body is larger than the service takes."""


class NotJson(RegistryError):
    """The body is of another type than the service reads here."""


class PreconditionRequired(RegistryError):
    """A change must say which version it changes."""


def content_type(request: Request) -> str:
    """The media type of the body, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_body(request: Request) -> bytes:
    """The body of a write, bounded; it has to be JSON. None is an empty object: what it lacks is then said."""
    if is_without_body(request):
        return b"{}"
    if content_type(request) != JSON:
        raise NotJson("Send the body as JSON, with Content-Type: application/json.")
    body = bytearray()
    async for chunk in bounded(request, services(request).settings.largest_body):
        body += chunk
    return bytes(body)


def is_without_body(request: Request) -> bool:
    """Whether no body is sent (RFC 9112 §6.3)."""
    return request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers


async def read_no_body(request: Request) -> bytes:
    """What is sent where nothing is read is refused, never ignored."""
    async for chunk in _arriving(request):
        if chunk:
            detail = "This address takes no body; what it can be told stands in its parameters."
            raise Invalid(detail, Fault("", "unexpected_body", detail))
    return b""


async def bounded(request: Request, most: int) -> AsyncGenerator[bytes]:
    """The body as it arrives; raises `TooLarge` as soon as it is known to be."""
    too_large = TooLarge(f"The body is larger than {most} bytes; send fewer statements at a time.")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise too_large
    size = 0
    async for chunk in _arriving(request):
        size += len(chunk)
        if size > most:
            raise too_large
        yield chunk


async def _arriving(request: Request) -> AsyncGenerator[bytes]:
    """The body, piece by piece; raises `Stalled` where none comes for too long, however long it all takes."""
    seconds = services(request).settings.stall_seconds
    stream = request.stream()
    request.scope[RECEIVING] = True
    while True:
        try:
            async with asyncio.timeout(seconds):
                piece = await anext(stream, None)
        except TimeoutError:
            raise Stalled(f"Nothing of the body arrived for {seconds} seconds; send it again.") from None
        if piece is None:
            request.scope[RECEIVING] = False
            return
        yield piece


def find_key(request: Request) -> str | None:
    """The client's key of a request, quoted or bare; None where it sent none."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    bare = key.strip().strip('"')
    if _KEY.fullmatch(bare) is None:
        detail = "Send an Idempotency-Key of 1 to 255 printable ASCII characters."
        raise Invalid(detail, Fault("/header/idempotency-key", "length", detail))
    return bare


def find_versions(request: Request) -> str | None:
    """Which versions of an event the client would change (`If-Match`), all lines of it; None where it says none."""
    return ", ".join(request.headers.getlist("if-match")) if "if-match" in request.headers else None


def parse_body(model: type[Model], body: bytes) -> Model:
    """A body as what it says; raises `Invalid` with a pointer for each fault."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise invalid(error) from None
