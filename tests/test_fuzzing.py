"""The service keeps to its OpenAPI document, whatever it is asked. The run is short; `./run fuzz` makes a long one."""

import pytest

from tests.fuzzing import fuzz

EXAMPLES = 3  # of each operation, beside those of the document and the edges of its schemas
EDGELESS = ["recordStatement", "recordBatch", "importStatements"]  # of a statement there are thousands, many at a time
STEPS = 900  # of walks along the links


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
