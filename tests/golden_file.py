"""Writes the golden file of a new kind, or of a new version of one, from the formats alone.

    python -m tests.golden_file < statement.json    # with `--version 2` for a second version

Nothing of the service is used: what a log holds is held to RFC 8785, RFC 9162 and SHA-256, not to our code.
"""

import argparse
import hashlib
import json
import secrets
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "golden"


def _canonical(content: dict[str, Any]) -> str:
    """RFC 8785, for documents whose keys are ASCII and whose numbers are whole."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def golden(content: dict[str, Any], *, version: int, position: int, salt: str) -> dict[str, Any]:
    """An event at a position of a log, with all that is stored and hashed of it."""
    body = _canonical(content)
    commitment = hashlib.sha256(b"pledge-registry/body/v1\x00" + bytes.fromhex(salt) + body.encode()).hexdigest()
    envelope = {
        "kind": content["kind"],
        "version": version,
        "position": position,
        "event_id": f"0198a000-0000-7000-8000-{position:012x}",
        "recorded_at": f"2025-11-22T10:{position // 60:02}:{position % 60:02}.{position:03}{position:03}Z",
        "recorded_by": "an editor",
    }
    leaf = _canonical({**envelope, "coalition": content["coalition"], "body": commitment})
    leaf_hash = hashlib.sha256(b"\x00" + leaf.encode()).hexdigest()
    return {
        **envelope,
        "salt": salt,
        "content": content,
        "body": body,
        "commitment": commitment,
        "leaf_hash": leaf_hash,
    }


def main() -> None:
    """Puts what standard input says beside the others."""
    parser = argparse.ArgumentParser(prog="python -m tests.golden_file", description="The golden file of a statement.")
    parser.add_argument("--version", type=int, default=1)
    version: int = parser.parse_args().version
    content = json.load(sys.stdin)
    position = len(list(FOLDER.glob("*.json"))) + 1
    made = golden(content, version=version, position=position, salt=secrets.token_hex(32))
    with (FOLDER / f"{content['kind']}.v{version}.json").open("x", encoding="utf-8") as file:  # never written again
        file.write(json.dumps(made, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
