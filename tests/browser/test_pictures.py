"""The pictures in docs: wide and narrow, each shown to whoever reads how the pages are used."""

import re

from tests.browser.pictures import FOLDER, PICTURES
from tests.processes import ROOT

MOST = 2_500_000  # bytes of all of them: they are in every clone


def test_every_picture_is_taken_by_its_command_shown_to_readers_and_small() -> None:
    names = {f"{one.name}{kind}.png" for one in PICTURES for kind in ("", "-narrow", *(["-dark"] if one.dark else []))}
    assert {path.name for path in FOLDER.iterdir()} == names
    shown = re.findall(r"\(pictures/([\w-]+\.png)\)", (ROOT / "docs" / "editors.md").read_text(encoding="utf-8"))
    assert set(shown) == names
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < MOST
