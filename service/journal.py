"""The journal: what the service says of its own running, each thing on a line. (The log is the record of events.)

A line is JSON where programs read it, and text on a terminal. The lines of every library come through here, too.

None holds a secret: no header but the request's id, no body, no query. What an exception says of itself may repeat what
was sent, and is left out unless its class is known not to; where it happened is always told.
"""

import contextlib
import logging
import os
import time
import traceback
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from enum import StrEnum
from typing import Any

import orjson
import psycopg
import structlog
from psycopg_pool import PoolTimeout
from structlog.typing import EventDict

REQUEST_ID: ContextVar[str] = ContextVar("request_id")
"""The id of the request that is being answered."""

_OURS = "service"
_HARMLESS = (OSError, PoolTimeout, psycopg.OperationalError)
_NAMES = {logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warning", logging.ERROR: "error"}
_LEVELS = {name: number for number, name in _NAMES.items()}


class Look(StrEnum):
    """How a line looks; `auto` is text on a terminal, and JSON otherwise."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


class Level(StrEnum):
    """From which level on things are told; `auto` is from warnings on where a terminal shows text, else from info."""

    AUTO = "auto"
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Journal:
    """Where lines go, how they look, and which there are."""

    def __init__(self, *, look: Look, level: Level, file: int = 2) -> None:
        """``file`` is the descriptor of an open file; writing to it may block, and never fails."""
        terminal = os.isatty(file)
        self.is_json = look is Look.JSON or (look is Look.AUTO and not terminal)
        chosen = level if level is not Level.AUTO else Level.INFO if self.is_json else Level.WARNING
        self._level = _LEVELS[chosen]
        self._file = file
        self._second, self._until_second = 0, ""
        self._render: Callable[[Any, str, EventDict], str | bytes] = (
            structlog.processors.JSONRenderer(serializer=orjson.dumps)
            if self.is_json
            else structlog.dev.ConsoleRenderer(
                colors=terminal, exception_formatter=structlog.dev.plain_traceback, sort_keys=False
            )
        )

    def tells(self, level: int) -> bool:
        """Whether lines of a level are written."""
        return level >= self._level

    def tell(self, level: int, event: str, **facts: Any) -> None:  # noqa: ANN401 - any facts
        """Writes a line at once: whatever happens next, it has been said."""
        rendered = self._render(None, "", {"timestamp": self._now(), "level": _NAMES[level], "event": event} | facts)
        line = (rendered if isinstance(rendered, bytes) else rendered.encode()) + b"\n"
        try:
            while line := line[os.write(self._file, line) :]:
                pass
        except OSError:  # nobody reads it any more: no reason to stop
            return

    def _now(self) -> str:
        second, rest = divmod(time.time_ns(), 1_000_000_000)
        if second != self._second:
            self._second, self._until_second = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._until_second}.{rest // 1000:06}Z"

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Takes in the lines of every library, as long as the block lasts; of others than ours, warnings and worse."""
        root, ours, taking_in = logging.getLogger(), logging.getLogger(_OURS), _Handler(self)
        before = root.handlers[:], root.level, ours.level
        root.handlers[:] = [taking_in]
        root.setLevel(max(self._level, logging.WARNING))
        ours.setLevel(self._level)
        logging.captureWarnings(capture=True)
        try:
            yield
        finally:
            logging.captureWarnings(capture=False)
            root.handlers[:], root.level, ours.level = before


class _Handler(logging.Handler):
    """Takes in what is logged in the way of Python's libraries."""

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self._journal = journal

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a record's line."""
        facts: dict[str, Any] = {"logger": record.name}
        request_id = REQUEST_ID.get("")
        if request_id:
            facts["request_id"] = request_id
        if record.exc_info and record.exc_info[1]:
            facts["exception"] = render_failure(record.exc_info[1])
        said = record.getMessage().strip()
        if record.name == "asyncio":  # goes on with the exception, as it says itself
            said = said.partition("\n")[0]
        self._journal.tell(min(record.levelno, logging.ERROR), said, **facts)


def render_failure(error: BaseException) -> str:
    """Where something failed and what, with all that led to it; what the exceptions say only where it is harmless."""
    told = "".join(traceback.format_tb(error.__traceback__))
    last = f"{type(error).__module__}.{type(error).__qualname__}{_said_by(error)}"
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    before = f"{render_failure(cause)}\n\nwhich led to\n\n" if cause else ""
    return f"{before}{told}{last}"


def _said_by(error: BaseException) -> str:
    if isinstance(error, _HARMLESS):
        return f": {error}"
    if isinstance(error, psycopg.Error):  # its message may hold values; these are names of ours
        named = (error.sqlstate, error.diag.table_name, error.diag.column_name, error.diag.constraint_name)
        return f": {' '.join(filter(None, named))}"
    return ""
