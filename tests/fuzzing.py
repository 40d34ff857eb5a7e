"""Asks a registry everything that its OpenAPI document allows, and much that it does not, and holds it to its word.

    python -m tests.fuzzing [--minutes 10 | --examples 20] [--seed 7]

A server is started as a user does it, with the seeds. Schemathesis reads its document and makes requests of it: its
examples, the edges of each schema, many at random, and walks from an answer along its links to the next request. It
sends a token that allows everything, and looks for failures of the server, answers that the document does not have, and
what is taken although the document forbids it.
"""

import argparse
import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.processes import PATIENCE, ROOT, open_folder, serving

LEFT_OUT = {
    "streamEvents": "its answer has no end, and its first event may be long in coming: tests/test_feed.py has it",
    "revokeToken": "it revokes the token that all other requests are sent with: tests/test_tokens.py has it",
}
"""Operations that are not asked for, and why."""

NEAR = {"WEBHOOK_NETWORKS": "127.0.0.0/8", "READS_PER_MINUTE": "0", "WRITES_PER_MINUTE": "0"}
"""Settings: webhooks go no further than this machine, and however much is asked is answered."""

NOT_TOLD = ("positive_data_acceptance",)
"""Checks that are left out: that whatever fits a schema is taken. Many rules are beyond a schema, and have tests of
their own: a date exists, an actor is known, a position is not beyond the head, a key is used for one request, an event
is changed by its ETag.
"""


_SETTINGS = """
hooks = "tests.fuzzing_hooks"

[phases.examples]
extra-data-sources.responses = false

[phases.stateful.generation]
max-examples = 40

[[operations]]
include-operation-id = {edgeless}
phases.coverage.enabled = false
"""
_EDGELESS = ["recordBatch", "importStatements"]
"""Whose edges are not tried: lists of a thousand statements about one subject on one day take minutes, and so do tens
of thousands of rows. What a statement may be is tried with `recordStatement`; tests have how many there may be.
"""


def fuzz(
    *, examples: int | None = None, seconds: int | None = None, seed: int | None = None, edgeless: Sequence[str] = ()
) -> int:  # fmt: skip
    """Runs against a registry of its own; gives the exit status. Without a seed it does the same each time.

    ``edgeless`` are further operations of whose schemas the edges are not tried.
    """
    with open_folder() as folder, serving(folder, **NEAR) as server:
        settings = folder / "schemathesis.toml"
        settings.write_text(_SETTINGS.format(edgeless=json.dumps([*_EDGELESS, *edgeless])), encoding="utf-8")
        command: list[str | Path] = [
            Path(sys.executable).with_name("schemathesis"), "--config-file", settings,
            "run", f"http://{server.host}:{server.port}/openapi.json",
            "--header", f"Authorization: Bearer {server.token}", "--request-timeout", str(PATIENCE),
            "--exclude-checks", ",".join(NOT_TOLD), "--warnings", "off", "--no-color",
        ]  # fmt: skip
        for operation in LEFT_OUT:
            command += ["--exclude-operation-id", operation]
        command += ["--generation-deterministic"] if seed is None else ["--seed", str(seed)]
        command += [] if examples is None else ["--max-examples", str(examples)]
        command += [] if seconds is None else ["--max-time", str(seconds)]
        done = subprocess.run(command, cwd=folder, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)})
        print(server.said(), end="")
        return done.returncode


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzzes for as long as it is told to."""
    parser = argparse.ArgumentParser(prog="./run fuzz", description="hold the registry to its OpenAPI document")
    parser.add_argument("--minutes", type=int, default=10, help="how long; default 10")
    parser.add_argument("--examples", type=int, help="how many requests for each operation, whatever time that takes")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    given = parser.parse_args(arguments)
    print(f"seed {given.seed}", flush=True)
    seconds = given.minutes * 60 if given.examples is None else None
    return fuzz(examples=given.examples, seconds=seconds, seed=given.seed)


if __name__ == "__main__":
    sys.exit(main())
