"""Every page, in both colour schemes, wide and narrow: nobody is kept out, nothing is cut off, none is large."""

from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page

from service.admin.guarding import PageRoute
from service.main import create_app
from tests.browser.full import Full, call, filled
from tests.browser.test_pasting import look, paste
from tests.browser.windows import NARROW, WIDE, Window, window
from tests.conftest import fresh_database
from tests.registry import settings_for, statement
from tests.test_pasting import rows

_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_COLOURS = ["color-contrast", "link-in-text-block"]  # what may differ between the schemes at another width
_FOUND = """what => axe.run({runOnly: what, resultTypes: ["violations"]}).then(found => found.violations.map(
    one => `${one.id}: ${one.nodes.map(node => node.html + " " + node.failureSummary).slice(0, 3).join("\\n")}`))"""
_WIDER = """() => [...document.querySelectorAll("body *")].filter(
    one => one.getBoundingClientRect().right > innerWidth + 1 && getComputedStyle(one).position !== "absolute"
).map(one => one.outerHTML.slice(0, 200)).slice(0, 5)"""


@pytest.fixture(scope="module")
def registry(server_url: str, template: str) -> Iterator[Full]:
    """One that is full enough to look at."""
    with fresh_database(server_url, template) as url, filled(url) as made:
        sent = {"path": "/v1/statements/batch", "body": [statement(), statement(actors=["FR"])]}
        draft_id = call(made.base, "ann", "/v1/drafts", sent)["draft"]["id"]
        call(made.base, "eve", f"/v1/drafts/{draft_id}/return", {"reason": "Which day?"})
        made.pages["table"] = f"/admin/paste/again?draft={draft_id}"
        yield made


def _addresses(pages: dict[str, str]) -> list[str]:
    """Every page that has an address of its own, and some more than once, for what they may show."""
    notes = ("corrections", "retraction", "disputes", "duplicates", "sources")
    return [
        *("/admin", "/admin/account", "/admin/nothing"),
        *("/admin/statements", "/admin/statements?q=planes", "/admin/statements/new", "/admin/articles/new"),
        *(f"/admin/statements/new?coalition=willing&kind={kind}" for kind in ("pledge.stated", "meeting.held")),
        *(pages[name] for name in ("pledge", "again", "disputed", "retracted", "wrong", "long")),
        *(f"{pages['pledge']}/{name}" for name in notes),
        *(f"{pages['disputed']}/settlement", f"{pages['wrong']}/reinstatement"),
        *("/admin/review", "/admin/review?state=returned", pages["draft"], pages["returned"]),
        *("/admin/paste", "/admin/paste/columns", "/admin/paste/rows", "/admin/paste/recorded?first=2&count=50"),
        pages["table"],
        *("/admin/coalitions", "/admin/coalitions/new", "/admin/actors", "/admin/actors?q=ger"),
        *("/admin/audit", "/admin/audit?by=nobody", "/admin/webhooks", pages["webhook"]),
        *("/admin/people", "/admin/people/con", "/admin/tokens"),
    ]


def _press(path: str, button: str, **fields: str) -> Callable[[Window], None]:
    """Pressing a button of a page, once fields are filled in by their labels."""

    def do(on: Window) -> None:
        page = on.open(path)
        for label, text in fields.items():
            page.get_by_label(label.replace("_", " "), exact=True).fill(text)
        on.click(page.get_by_role("button", name=button, exact=True).last)
        page.wait_for_load_state()

    return do


def _answers(pages: dict[str, str]) -> list[Callable[[Window], None]]:
    """What pages answer to forms: what has to be mended, what would change, what is shown once."""
    form = "/admin/statements/new?coalition=willing&kind="
    return [
        *(_press(f"{form}{kind}", "Preview") for kind in ("pledge.stated", "meeting.held", "coalition.stated")),
        _press(f"{form}position.stated", "Add another source"),
        _press("/admin/paste", "Go on to the columns"),
        lambda on: paste(on, rows()),
        lambda on: look(on, [*rows(5), ["Atlantis", *rows()[5][1:]]]),
        _press(pages["table"], "Change row 2"),
        _press("/admin/articles/new", "Go on to its first statement"),
        _press("/admin/coalitions/new", "Preview"),
        _press(f"{pages['pledge']}/corrections", "Preview", Place="Marseille"),
        _press(f"{pages['long']}/sources", "Preview"),
        _press("/admin/account", "Change the password", Present_password="x", New_password="y", New_password_again="z"),
        _press("/admin/tokens", "Make the token", Owner="importer"),
        _press("/admin/webhooks", "Make the webhook", Address="https://nowhere.example"),
        _press(pages["webhook"], "New secret"),
        _press(pages["webhook"], "Send a ping"),
        _press("/admin/people", "Invite"),
        _press("/admin/people/con", "Make a link to set a password"),
    ]


def list_faults(page: Page) -> Iterator[str]:
    """Where a page falls short of what every page keeps to, in both colour schemes, wide and narrow."""
    page.evaluate(AXE_SCRIPT)
    for scheme, width in (("light", WIDE), ("dark", NARROW), ("light", NARROW), ("dark", WIDE)):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.set_viewport_size({"width": width, "height": 900})
        what = (
            {"type": "tag", "values": _TAGS}
            if (scheme == "light") == (width == WIDE)
            else {"type": "rule", "values": _COLOURS}
        )
        yield from (f"{page.url} ({scheme}, {width}): {fault}" for fault in page.evaluate(_FOUND, what))
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            yield f"{page.url} ({width}): wider than the window: {page.evaluate(_WIDER)}"


def test_every_page_keeps_nobody_out_is_cut_off_nowhere_and_is_small(chromium: Browser, registry: Full) -> None:
    with window(chromium, registry.base, registry.url, "ann") as on:
        visited: set[str] = set()
        faults: list[str] = []
        on.context.on("request", lambda request: visited.add(request.url.removeprefix(registry.base).partition("?")[0]))
        for address in _addresses(registry.pages):
            faults += list_faults(on.open(address))
        on.open(f"{registry.pages['long']}/corrections")  # of sixty rows: the window looks at how large it is
        for press in _answers(registry.pages):
            press(on)
            faults += list_faults(on.page)
        on.context.clear_cookies()
        for address in ("/admin/sign-in", "/admin/sign-in?done=out", "/admin/welcome/none", "/admin/sign-in/provider",
                        "/admin/sign-in/provider/back"):  # fmt: skip
            faults += list_faults(on.open(address))
    assert not faults, "\n".join(faults)
    routes = [route for route in create_app(settings_for("")).router.routes if isinstance(route, PageRoute)]
    unseen = [
        route.path
        for route in routes
        if "GET" in (route.methods or ()) and not any(route.path_regex.fullmatch(path) for path in visited)
    ]
    assert unseen == [], "every page is looked at"
