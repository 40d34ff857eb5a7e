"""The few options of curl that the README uses, for machines without it: `-s`, `-H`, `-d`, and one address."""

import argparse
import sys
from urllib.error import HTTPError
from urllib.request import Request, urlopen


def main() -> None:
    """Asks for the address and prints what it answers, also when that is a refusal."""
    parser = argparse.ArgumentParser(prog="curl")
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-H", action="append", default=[], dest="headers")
    parser.add_argument("-d", dest="body")
    parser.add_argument("address")
    given = parser.parse_args()
    headers = dict(header.split(": ", 1) for header in given.headers)
    request = Request(given.address, data=given.body.encode() if given.body else None, headers=headers)
    try:
        with urlopen(request, timeout=60) as answer:
            sys.stdout.buffer.write(answer.read())
    except HTTPError as refusal:
        sys.stdout.buffer.write(refusal.read())


if __name__ == "__main__":
    main()
