"""The service keeps to its OpenAPI document, whatever it is asked. The run is short; `./run fuzz` makes a long one."""

import pytest

from tests.fuzzing import fuzz

EXAMPLES = 3  # of each operation, beside those of the document and the edges of its schemas


def test_whatever_is_asked_the_answer_is_one_that_the_document_has(capfd: pytest.CaptureFixture[str]) -> None:
    status = fuzz(examples=EXAMPLES, edgeless=["recordStatement"])
    said = capfd.readouterr().out
    assert status == 0, said
    assert "Stateful" in said
    assert "Traceback" not in said
