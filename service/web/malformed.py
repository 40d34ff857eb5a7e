"""What is no HTTP never reaches a route: the web server refuses it by itself, and here in the form of all refusals."""

import logging
import secrets
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.journal import REQUEST_ID
from service.web.problems import problem

_LOGGER = logging.getLogger(__name__)
_DETAIL = "This is no valid HTTP request; a client library sends one, whatever the values in it are."


class Protocol(HttpToolsProtocol):
    """HTTP as the web server reads it."""

    def send_400_response(self, msg: str) -> None:
        """Refuses what cannot be read, without repeating any of it, and ends the connection."""
        del msg
        request_id = secrets.token_hex(8)  # the client's own cannot be read either
        before = REQUEST_ID.set(request_id)
        _LOGGER.info("What was sent is no HTTP; refused with 400")
        REQUEST_ID.reset(before)
        told = {"Connection": "close", "X-Request-Id": request_id}
        refusal = problem(HTTPStatus.BAD_REQUEST, _DETAIL, headers=told)
        head = b"".join(b"%b: %b\r\n" % header for header in [*self.server_state.default_headers, *refusal.raw_headers])
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n" + head + b"\r\n" + bytes(refusal.body))
        self.transport.close()
