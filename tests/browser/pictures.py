"""Takes the pictures of the pages that stand in docs: `./run pictures`.

The pages are those of a registry with the seeds, and a little of everything that editors do in it; times and ids are
those of the moment at which the pictures are taken.
"""

import base64
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, Page

from service.migrate import migrate
from service.postgres import private_postgres
from tests.browser.full import Full, filled
from tests.browser.test_pasting import look, paste
from tests.browser.windows import NARROW, WIDE, Window, driven, window
from tests.processes import ROOT, open_folder
from tests.test_pasting import rows

FOLDER = ROOT / "docs" / "pictures"
_FORM = "/admin/statements/new?coalition=willing&kind=pledge.stated&body.category=air"
_PALETTE = """async picture => {
    const bytes = Uint8Array.from(atob(picture), one => one.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes]));
    const area = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
    area.drawImage(bitmap, 0, 0);
    const pixels = new Uint32Array(area.getImageData(0, 0, bitmap.width, bitmap.height).data.buffer);
    const often = new Map();
    for (const one of pixels) often.set(one, (often.get(one) ?? 0) + 1);
    const palette = [...often.keys()].sort((one, other) => often.get(other) - often.get(one)).slice(0, 32);
    const parts = one => [one & 255, one >> 8 & 255, one >> 16 & 255];
    const far = (one, other) => parts(one).reduce((sum, part, at) => sum + (part - parts(other)[at]) ** 2, 0);
    const places = new Map([...often.keys()].map(one => [
        one, palette.reduce((best, other, at) => far(one, other) < far(one, palette[best]) ? at : best, 0),
    ]));
    const text = [];
    for (let at = 0; at < pixels.length; at += 8192) {
        text.push(String.fromCharCode(...Array.from(pixels.subarray(at, at + 8192), one => places.get(one))));
    }
    return [bitmap.width, bitmap.height, palette.map(parts).flat(), btoa(text.join(""))];
}"""


class Picture(NamedTuple):
    """A picture of a page: what somebody does to see it."""

    name: str
    login: str
    do: Callable[[Window, Full], None]
    dark: bool = False


def at(path: str) -> Callable[[Window, Full], None]:
    """A page by its address, or by what it is called among those of the full registry."""

    def do(on: Window, full: Full) -> None:
        first, _, rest = path.partition("/")
        on.open(path if path.startswith("/") else full.pages[first] + (f"/{rest}" if rest else ""))

    return do


def _form(on: Window, *, subject: str, summary: str) -> None:
    page = on.open(_FORM)
    page.get_by_label("Who", exact=True).fill("Франція; Poland")
    page.get_by_label("Another subject, in a few words").fill(subject)
    page.get_by_label("Date required", exact=True).fill("by 17 March 2025")
    page.get_by_label("What was said, in your own words required").fill(summary)


def _mend(on: Window, full: Full) -> None:
    _form(on, subject="jets on patrol", summary="Two capitals would patrol the sky together.")
    on.page.get_by_label("Exactly", exact=True).first.fill("a dozen")
    on.click(on.page.get_by_role("button", name="Preview", exact=True).last)
    on.page.get_by_role("alert").wait_for()


def _preview(on: Window, full: Full) -> None:
    page = on.open(_FORM)
    page.get_by_label("Who", exact=True).fill("France")
    page.get_by_label("air-policing", exact=False).first.check()
    page.get_by_label("Date required", exact=True).fill("4 September 2025")
    page.get_by_label("stated: the source says it").check()
    page.get_by_label("What was said, in your own words required").fill("Paris signs for twelve jets over the force.")
    page.get_by_label("Firmness required").select_option("declared_intent")
    page.get_by_label("Exactly", exact=True).first.fill("12")
    page.get_by_label("Unit", exact=True).fill("jets")
    page.get_by_label("Title required").fill("What the leaders signed in Paris")
    on.click(page.get_by_role("button", name="Preview", exact=True).last)
    page.get_by_role("region", name="What it would change").wait_for()


def _correct(on: Window, full: Full) -> None:
    page = on.open(f"{full.pages['pledge']}/corrections")
    page.get_by_label("Place", exact=True).fill("Hyères")
    page.get_by_label("Date required", exact=True).fill("27 August 2025")
    page.get_by_label("Reason required").select_option("better_source")
    on.click(page.get_by_role("button", name="Preview", exact=True).last)
    page.get_by_role("heading", name="What you change").wait_for()


def _article(on: Window, full: Full) -> None:
    page = on.open("/admin/articles/new")
    page.get_by_label("Title required").fill("What the leaders signed in Paris")
    page.get_by_label("Publisher").fill("A paper")
    page.get_by_label("Published on").fill("5 September 2025")


def _paste(on: Window, full: Full) -> None:
    paste(on, rows(12))


def _look(on: Window, full: Full) -> None:
    cells = rows(12)
    cells[3][1], cells[5][0] = "31.4.2025", "Atlantis"
    look(on, cells)


def _ping(on: Window, full: Full) -> None:
    page = on.open(full.pages["webhook"])
    on.click(page.get_by_role("button", name="Send a ping"))
    page.get_by_role("status").wait_for()


PICTURES = (
    Picture("sign-in", "", at("/admin/sign-in")),
    Picture("start", "eve", at("/admin")),
    Picture("kinds", "ed", at("/admin/statements/new?coalition=willing")),
    Picture("form", "ed", at(_FORM), dark=True),
    Picture("form-with-faults", "ed", _mend),
    Picture("preview", "ed", _preview),
    Picture("article", "ed", _article),
    Picture("statement", "ed", at("pledge"), dark=True),
    Picture("correction", "ed", _correct),
    Picture("search", "ed", at("/admin/statements?q=jets")),
    Picture("review", "eve", at("/admin/review")),
    Picture("review-of-one", "eve", at("draft"), dark=True),
    Picture("paste-columns", "ed", _paste),
    Picture("paste-rows", "ed", _look),
    Picture("coalitions", "ed", at("/admin/coalitions")),
    Picture("audit", "ed", at("/admin/audit?by=ed")),
    Picture("people", "ann", at("/admin/people")),
    Picture("tokens", "ann", at("/admin/tokens")),
    Picture("webhook", "ann", _ping),
    Picture("account", "con", at("/admin/account")),
)


def packed(artist: Page, picture: bytes) -> bytes:
    """A picture with the 32 colours of which it has most: pages have few, and it is a quarter as large."""
    width, height, palette, places = artist.evaluate(_PALETTE, base64.b64encode(picture).decode())
    pixels = base64.b64decode(places)
    lines = b"".join(b"\0" + pixels[at : at + width] for at in range(0, len(pixels), width))
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", bytes(palette)),
        (b"IDAT", squeezed(lines)),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(said)) + name + said + struct.pack(">I", zlib.crc32(name + said)) for name, said in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def squeezed(lines: bytes) -> bytes:
    """As small as it gets; which way is the best one depends on the picture."""
    ways = (
        zlib.compressobj(9, memLevel=level, strategy=strategy)
        for level in range(4, 9)
        for strategy in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED)
    )
    return min((way.compress(lines) + way.flush() for way in ways), key=len)


def take(browser: Browser, full: Full, folder: Path, names: list[str]) -> None:
    """Takes those that are named, or all."""
    artist = browser.new_page()
    for picture in PICTURES:
        if names and picture.name not in names:
            continue
        for width in (WIDE, NARROW):
            with window(browser, full.base, full.url, picture.login, width=width) as on:
                picture.do(on, full)
                page = on.page
                page.evaluate("document.activeElement.blur(), scrollTo(0, 0)")
                tall = page.evaluate("document.documentElement.scrollHeight")
                page.set_viewport_size({"width": width, "height": tall})
                name = picture.name + ("-narrow" if width == NARROW else "")
                (folder / f"{name}.png").write_bytes(packed(artist, page.screenshot()))
                if picture.dark and width == WIDE:
                    page.emulate_media(color_scheme="dark")
                    (folder / f"{name}-dark.png").write_bytes(packed(artist, page.screenshot()))


def main() -> None:
    """Takes the pictures that are named on the command line, or all."""
    FOLDER.mkdir(exist_ok=True)
    with open_folder() as state, private_postgres(state, durable=False) as url:
        migrate(url)
        with driven() as browser, filled(url) as full:
            take(browser, full, FOLDER, sys.argv[1:])


if __name__ == "__main__":
    main()
