"""Asks a registry everything that its OpenAPI document allows, and much that it does not, and holds it to its word.

    python -m tests.fuzzing [--minutes 10 | --examples 20] [--seed 7]

A server is started as a user does it, with the seeds. Schemathesis reads its document and makes requests of it: its
examples, the edges of each schema, many at random, and walks from an answer along its links to the next request. It
sends a token that allows everything, and looks for failures of the server, answers that the document does not have,
what is taken although the document forbids it, and what is refused although the document allows it.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple, NoReturn

from tests.processes import PATIENCE, ROOT, Server, exchange, open_folder, serving

NEAR = {"WEBHOOK_NETWORKS": "127.0.0.0/8", "READS_PER_MINUTE": "0", "WRITES_PER_MINUTE": "0", "LOG_LEVEL": "warning"}
"""Settings: webhooks go no further than this machine, and however much is asked is answered."""

_SETTINGS = """
hooks = "tests.fuzzing_hooks"

[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "412", "429", "5xx"]

[checks.missing_required_header]
expected-statuses = ["400", "401", "403", "404", "406", "409", "415", "422", "428"]

[phases.examples]
extra-data-sources.responses = false

[phases.stateful]
max-steps = 20
inference.algorithms = []
generation.max-examples = 20

[[operations]]
include-operation-id = "streamEvents"
request-timeout = 2.0
max-stream-events = 1

[[operations]]
include-operation-id = {edgeless}
phases.coverage.enabled = false
"""


class Walked(NamedTuple):
    """Where the walks led: each link of the document, how often it was taken, and how often to what was there."""

    links: Sequence[str]
    taken: Mapping[str, int]
    arrived: Mapping[str, int]

    @property
    def untaken(self) -> list[str]:
        """The links that no walk took."""
        return [link for link in self.links if link not in self.taken]

    def __str__(self) -> str:
        """In a few lines."""
        told = f"Walks took {len(self.taken)} of the {len(self.links)} links of the document in "
        told += f"{sum(self.taken.values())} steps; {len(self.arrived)} led to what was there."
        return "\n".join([told, *(f"  not taken: {link}" for link in self.untaken)])


class Outcome(NamedTuple):
    """How a run ended."""

    status: int
    walked: Walked
    said: str


def fuzz(
    *, examples: int | None = None, seconds: int | None = None, seed: int = 0, steps: int = 1000,
    edgeless: Sequence[str] = (),
) -> Outcome:  # fmt: skip
    """Runs against a registry of its own: along the links of the document, and along its schemas.

    Of each operation it makes ``examples`` requests, and walks ``steps``; or as many as ``seconds`` allow, of which a
    third is for walks. ``edgeless`` are operations of whose schemas the edges are not tried.
    """
    with open_folder(large=seconds is not None) as folder, serving(folder, **NEAR) as server:
        settings, told = folder / "schemathesis.toml", folder / "walked.json"
        settings.write_text(_SETTINGS.format(edgeless=json.dumps([*edgeless, "none"])), encoding="utf-8")
        address = f"http://{server.host}:{server.port}"
        along_schemas: list[str | Path] = [
            Path(sys.executable).with_name("schemathesis"), "--config-file", settings,
            "run", f"{address}/openapi.json", "--seed", str(seed),
            "--request-timeout", str(PATIENCE), "--warnings", "off", "--no-color",
        ]  # fmt: skip
        along_links: list[str | Path] = [sys.executable, "-m", "tests.fuzzing_walk", address, told, "--seed", str(seed)]
        along_schemas += [] if examples is None else ["--max-examples", str(examples)]
        along_schemas += [] if seconds is None else ["--max-time", str(seconds * 2 // 3)]
        along_links += ["--steps", str(steps)] if seconds is None else ["--seconds", str(seconds // 3)]
        tokens = {"FUZZ_TOKEN": server.token, "FUZZ_CONTRIBUTOR": _contributor(server)}
        environment = os.environ | {"PYTHONPATH": str(ROOT)} | tokens
        statuses = [
            subprocess.run(command, cwd=folder, check=False, env=environment).returncode
            for command in (along_links, along_schemas)
        ]
        walked = Walked(**json.loads(told.read_bytes())) if told.exists() else Walked([], {}, {})
        return Outcome(max(statuses, key=abs), walked, server.said())


def _contributor(server: Server) -> str:
    """The token of somebody whose writes wait for an approver."""
    headers = {"Authorization": f"Bearer {server.token}", "Content-Type": "application/json"}
    body = json.dumps({"role": "contributor", "owner": "contributor"}).encode()
    secret: str = exchange(server.port, "POST", "/v1/tokens", body, headers).content["secret"]
    return secret


@contextmanager
def ending_all() -> Iterator[None]:
    """Where this process is asked to end, all that it has started ends first."""
    asked = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        del frame
        for one in asked:
            signal.signal(one, signal.SIG_IGN)  # once is enough: what ends is not to be left half done
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in asked}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzzes for as long as it is told to."""
    parser = argparse.ArgumentParser(prog="./run fuzz", description="hold the registry to its OpenAPI document")
    parser.add_argument("--minutes", type=int, default=10, help="how long; default 10")
    parser.add_argument("--examples", type=int, help="how many requests for each operation, whatever time that takes")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    given = parser.parse_args(arguments)
    print(f"seed {given.seed}", flush=True)
    seconds = given.minutes * 60 if given.examples is None else None
    with ending_all():
        outcome = fuzz(examples=given.examples, seconds=seconds, seed=given.seed)
    print(outcome.said, end="")
    print(outcome.walked)
    return outcome.status


if __name__ == "__main__":
    sys.exit(main())
