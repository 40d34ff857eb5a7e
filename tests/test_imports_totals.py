"""An import of many rows is checked by totals: what the registry answers is what the file comes to."""

from typing import Any

from tests.registry import registry
from tests.test_imports import lines, report_of, size_of
from tests.totals import rows_of, totals_found, totals_of

ROWS = 6_000


def test_what_is_answered_after_a_large_import_comes_to_what_the_file_does(database: str) -> None:
    count, wanted = totals_of(rows_of(ROWS))
    with registry(database, coalition=None) as client:
        report = report_of(client, lines(list(rows_of(ROWS))))

        def get(path: str) -> Any:
            answer = client.get(path)
            assert answer.status_code == 200, answer.text
            return answer.json()

        found = totals_found(get)

    assert (report["recorded"], report["complete"]) == (count, True)
    assert size_of(database) == count
    assert found == wanted
    assert len(wanted) > 80, "there is something to compare"
