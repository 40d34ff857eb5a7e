"""A file that is sent: received to disk, bounded, as a body of its own or as the part `file` of a form."""

import asyncio
import contextlib
import hashlib
import tempfile
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import IO, BinaryIO, Self

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from service.domain.errors import Fault, Invalid
from service.reading import opening
from service.reading.mapping import LARGEST_MAPPING, Mapping, parse_mapping
from service.reading.opening import BY_TYPE, form_of
from service.web.bodies import NotJson, bounded, content_type
from service.web.serving import services

MULTIPART = "multipart/form-data"
_PIECE = 2**18


class Form(BaseModel):
    """A file, and where it is somebody else's table, the mapping that makes statements of its rows."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": False})

    file: str = Field(json_schema_extra={"contentMediaType": "application/octet-stream"})
    mapping: str = Field("", json_schema_extra={"contentMediaType": "application/yaml"})


@dataclass(slots=True)
class Upload:
    """A file on disk, from its beginning, with how it is to be read; gone when it is closed."""

    file: BinaryIO
    form: opening.Form
    mapping: Mapping | None = None
    mapping_digest: str | None = None
    _parts: list[UploadFile] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        _close(self.file, *(part.file for part in self._parts))


def _close(*files: IO[bytes]) -> None:
    for file in files:
        with contextlib.suppress(OSError):  # what there was no room for is not wanted any more
            file.close()


async def receive(request: Request) -> Upload:
    """The file that a request sends; raises what refuses it."""
    kind = content_type(request)
    most = services(request).settings.largest_import
    try:
        if kind == MULTIPART:
            return await _receive_form(request, most)
        if kind not in BY_TYPE:
            named = ", ".join(BY_TYPE)
            raise NotJson(f"Send the file with its Content-Type, one of {named}; or as a form, as {MULTIPART}.")
        return Upload(await _to_disk(bounded(request, most)), BY_TYPE[kind])
    except ClientDisconnect:
        detail = "The body broke off; send it again."
        raise Invalid(detail, Fault("", "broken_off", detail)) from None


async def _to_disk(chunks: AsyncGenerator[bytes]) -> BinaryIO:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the upload
    try:
        piece = bytearray()
        async for chunk in chunks:
            piece += chunk
            if len(piece) >= _PIECE:
                await asyncio.to_thread(file.write, piece)
                piece = bytearray()
        file.write(piece)
        file.seek(0)
    except BaseException:
        _close(file)
        raise
    return file


class _Parser(MultiPartParser):
    """Refuses a form that was cut off: without its last part it looks whole."""

    _ended = False

    def on_end(self) -> None:
        self._ended = True

    async def parse(self) -> FormData:
        form = await super().parse()
        if not self._ended:
            _close(*self._files_to_close_on_error)
            raise MultiPartException("It broke off before its end.")
        return form


async def read_parts(request: Request, most: int, *, files: int, fields: int, largest: int) -> FormData:
    """A form of several parts, of so many files and fields at most; ``largest`` is in bytes, of a field."""
    parser = _Parser(request.headers, bounded(request, most), max_files=files, max_fields=fields, max_part_size=largest)
    try:
        return await parser.parse()
    except MultiPartException:
        detail = "The form broke off, cannot be read, has further parts, or one that is too large."
        raise _bad_form(detail) from None


async def _receive_form(request: Request, most: int) -> Upload:
    form = await read_parts(request, most, files=2, fields=2, largest=LARGEST_MAPPING)
    files = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
    try:
        return await _read_form(form, files)
    except BaseException:
        _close(*(part.file for part in files))
        raise


async def _read_form(form: FormData, files: list[UploadFile]) -> Upload:
    names = [name for name, _ in form.multi_items()]
    faults = [
        Fault(f"/{name}", "extra_forbidden", "A form has the parts `file` and `mapping`, each once.")
        for name in dict.fromkeys(names)
        if name not in ("file", "mapping") or names.count(name) > 1
    ]
    if faults:
        raise Invalid("The form is not valid; see `errors`.", *faults)
    file, given = form.get("file"), form.get("mapping")
    if not isinstance(file, UploadFile):
        raise _bad_form("Send the file as the part `file`: with curl, -F file=@NAME.", "/file")
    kind = (file.content_type or "").partition(";")[0].strip().lower()
    read_as = BY_TYPE.get(kind) or form_of(file.filename or "")
    if read_as is None:
        detail = "Name the form of the file: with curl, -F 'file=@NAME;type=text/csv', or a name that ends in .csv."
        raise _bad_form(detail, "/file")
    if given is None:
        return Upload(file.file, read_as, _parts=files)
    text = (await given.read(LARGEST_MAPPING + 1)) if isinstance(given, UploadFile) else given.encode()
    return Upload(
        file.file, read_as, await asyncio.to_thread(parse_mapping, text), hashlib.sha256(text).hexdigest(), files
    )


def _bad_form(detail: str, pointer: str = "") -> Invalid:
    return Invalid(detail, Fault(pointer, "form", detail))
