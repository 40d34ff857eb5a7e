"""Stylesheet and script, each under an address that names its content: whoever has it never asks again."""

import hashlib
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

from service.domain.errors import Unknown
from service.web.sending import PINNED, send_bytes
from service.web.serving import Door

PREFIX = "/admin/static/"
_FOLDER = Path(__file__).with_name("static")
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
router = APIRouter(route_class=Door, include_in_schema=False)


@cache
def _read(name: str) -> tuple[str, bytes]:
    """The name under which a file is served, and its content."""
    path = _FOLDER / name
    content = path.read_bytes()
    return f"{path.stem}.{hashlib.sha256(content).hexdigest()[:12]}{path.suffix}", content


def address_of(name: str) -> str:
    """Where a file is served."""
    return PREFIX + _read(name)[0]


@router.get(PREFIX + "{file}")
async def get_static(request: Request, file: str) -> Response:
    """A file, as the pages name it."""
    for path in _FOLDER.iterdir():
        name, content = _read(path.name)
        if name == file and path.suffix in _TYPES:
            return send_bytes(request, content, _TYPES[path.suffix], headers={"Cache-Control": PINNED})
    raise Unknown("There is no such file; load the page again.")
