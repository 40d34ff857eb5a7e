"""The few options of curl that the pages use, for machines without it; redirections are always followed."""

import argparse
import secrets
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen


def main() -> None:
    """Asks for the address and prints what it answers, also when that is a refusal."""
    parser = argparse.ArgumentParser(prog="curl")
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-L", action="store_true")
    parser.add_argument("-H", action="append", default=[], dest="headers")
    parser.add_argument("-X", dest="method")
    parser.add_argument("-d", dest="body")
    parser.add_argument("--data-binary", dest="whole")
    parser.add_argument("--no-buffer", action="store_true")
    parser.add_argument("-F", action="append", default=[], dest="parts")
    parser.add_argument("-D", dest="head")
    parser.add_argument("-o", dest="out")
    parser.add_argument("address")
    given = parser.parse_args()
    headers = dict(header.split(": ", 1) for header in given.headers)
    body = _read(given.body) if given.body else None
    if given.whole:
        body = Path(given.whole.removeprefix("@")).read_bytes()
    if given.parts:
        boundary = secrets.token_hex(16)
        headers["Content-Type"] = f"multipart/form-data; boundary={boundary}"
        body = b"".join(_part(boundary, *one.split("=@", 1)) for one in given.parts) + f"--{boundary}--\r\n".encode()
    try:
        answer = urlopen(Request(given.address, data=body, headers=headers, method=given.method), timeout=60)
    except HTTPError as refusal:
        answer = refusal
    with answer:
        if given.head:
            told = [f"{name}: {value}" for name, value in answer.headers.items()]
            Path(given.head).write_text("\r\n".join([f"HTTP/1.1 {answer.status}", *told, "", ""]), newline="")
        if given.out:
            Path(given.out).write_bytes(answer.read())
        while piece := answer.read1():
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()


def _read(body: str) -> bytes:
    return Path(body[1:]).read_bytes().replace(b"\n", b"") if body.startswith("@") else body.encode()


def _part(boundary: str, name: str, file: str) -> bytes:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{file}"\r\n\r\n'
    return head.encode() + Path(file).read_bytes() + b"\r\n"


if __name__ == "__main__":
    main()
