"""The service keeps to its OpenAPI document, whatever it is asked. The run is short; `./run fuzz` makes a long one."""

import os
import signal
import subprocess
import sys

import pytest

from tests.fuzzing import fuzz
from tests.processes import PATIENCE, ROOT, open_folder, servers_below, wait_until

EXAMPLES = 3  # of each operation, beside those of the document and the edges of its schemas
EDGELESS = [
    *("recordStatement", "recordBatch", "importStatements"),  # of a statement there are thousands, many at a time
    *("listPositions", "listWarnings", "listMeetings", "listCeasefires"),  # are those of `listPledges`
    *("recordReinstatement", "recordDuplicates", "recordSources", "changeWebhook"),  # have hardly any of their own
]
STEPS = 700  # of walks along the links


def test_whatever_is_asked_the_answer_is_one_that_the_document_has(capfd: pytest.CaptureFixture[str]) -> None:
    outcome = fuzz(examples=EXAMPLES, steps=STEPS, edgeless=EDGELESS)

    said = capfd.readouterr().out
    assert outcome.status == 0, said
    assert "Traceback" not in outcome.said
    assert "Stateful" in said
    walked = outcome.walked
    assert len(walked.links) > 140
    assert len(walked.taken) > 0.85 * len(walked.links), str(walked)
    assert len(walked.arrived) > 0.65 * len(walked.links), str(walked)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_asked_to_end_ends_all_that_it_has_started(number: int) -> None:
    with open_folder() as folder:
        run = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzzing", "--minutes", "5"],
            cwd=ROOT, env=os.environ | {"TMPDIR": str(folder)}, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            assert wait_until(lambda: any("fuzzing_walk" in told for told in _processes_of(run.pid)))
            assert servers_below(folder)

            run.send_signal(number)

            assert run.wait(PATIENCE) == 128 + number
            assert not servers_below(folder)
            assert not _processes_of(run.pid)
            assert not list(folder.iterdir()), "its folder was left behind"
        finally:
            run.kill()
            run.wait(PATIENCE)


def _processes_of(session: int) -> list[str]:
    """The command lines of a session's processes."""
    listed = subprocess.run(["ps", "-o", "args=", "-s", str(session)], check=False, capture_output=True, text=True)
    return listed.stdout.splitlines()
