"""Entering statements: which kind, the form, what it would change, and on to the next of the same article.

An address may fill the form in beforehand: its parameters are the form's fields. So an article that is open is the
address of the page, which survives a reload, can be had twice in two windows, and is kept nowhere.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import urlencode

import orjson
from fastapi import Request
from pydantic import ValidationError
from starlette.responses import Response

from service.access import Caller, Role
from service.admin.again import asked_of, find_own
from service.admin.guarding import UNSENT, pages, signed_in
from service.admin.known import MOST_SUBJECTS, list_coalitions, list_entered, list_subjects, only_one
from service.admin.naming import actor_names, read_named
from service.admin.pages import render, see
from service.admin.saving import Outlook, Resembles, Saved, Seen, foresee, key_after, save, told_of
from service.admin.sent import Sent, strangers
from service.admin.typed import read_form as read_sent
from service.domain.errors import Fault, Invalid, RegistryError, Unknown
from service.domain.kinds import STATEMENTS, invalid
from service.domain.record import is_event_id
from service.domain.statement import Source, Statement
from service.drafts.stored import Draft
from service.forms.fields import Field, Form, Section, fields_of, form_of, kind_of
from service.forms.reading import Filled, fill_form, read_form
from service.forms.shown import Page, Problem, show
from service.forms.words import heading_of, sentence_of
from service.web.problems import status_of
from service.web.serving import Services, services
from service.web.writing import parse_statement

router = pages()
NEW = "/admin/statements/new"
ARTICLE = "/admin/articles/new"
_MOST_ENTERED = 50
NO_COALITION = Fault("/coalition", "missing", "Say which coalition it is about.")
_KINDS = {kind_of(kind): kind for kind in STATEMENTS}


class Kind(NamedTuple):
    """A kind as it is chosen: its name, how it is called, and what it says."""

    name: str
    words: str
    says: str


class Family(NamedTuple):
    """The kinds of a family."""

    name: str
    kinds: tuple[Kind, ...]


def families() -> tuple[Family, ...]:
    """Every kind of statement, by family."""
    named: dict[str, list[Kind]] = {}
    for kind in _KINDS.values():
        named.setdefault(kind.family, []).append(_shown(kind))
    return tuple(Family(family, tuple(kinds)) for family, kinds in named.items())


def _shown(kind: type[Statement]) -> Kind:
    return Kind(kind_of(kind), heading_of(kind_of(kind)), sentence_of(kind.__doc__))


class Entry(NamedTuple):
    """What is being entered, and by whom."""

    served: Services
    caller: Caller
    kind: type[Statement]
    sent: Sent
    returned: Draft | None = None  # the draft that it is sent in again for


# --- which kind -------------------------------------------------------------------------------------------------------


@router.get(NEW)
async def show_statement(request: Request) -> Response:
    """The form of a kind, or, where none is chosen yet, the kinds."""
    caller = await signed_in(request, Role.CONTRIBUTOR)
    served, sent = services(request), Sent.of(request.query_params.multi_items())
    returned = await find_own(served, caller, sent.get("draft"), begins=True)
    if returned is not None:
        sent = _begin_again(sent, returned)
    kind = _KINDS.get(sent.get("kind"))
    if kind is None or not sent.get("coalition"):
        return await _choose(request, served, sent)
    entry = Entry(served, caller, kind, sent, returned)
    filled = await _read(entry)
    if filled.unknown:
        detail = "This address fills in a field that the form does not have."
        raise Invalid(detail, *(Fault(f"/query/{name}", "extra_forbidden", detail) for name in filled.unknown))
    is_kept = returned is None and filled.data.get("occurred.edtf")
    return await _form(request, entry, show(_saying_what_is_kept(form_of(kind)) if is_kept else form_of(kind), filled))


def _begin_again(sent: Sent, returned: Draft) -> Sent:
    """The form, filled in with what a returned draft says, unless the address says otherwise: its author may choose
    another kind, to which what it says of its own kind does not belong.
    """
    (event,) = returned.events
    beside = sent.beside
    if not sent.get("coalition"):
        beside = {**beside, "kind": [event.kind], "coalition": [event.coalition]}
    kind = _KINDS.get(beside.get("kind", [""])[-1])
    if kind is None:
        return Sent(sent.data, beside)
    content = asked_of(event)
    if kind is not type(event):
        content.pop("body", None)
    return Sent({**fill_form(form_of(kind).fields, content), **sent.data}, beside)


async def _choose(request: Request, served: Services, sent: Sent) -> Response:
    coalitions = await list_coalitions(served)
    asked = sent.get("coalition")
    faults = [] if not sent.get("kind") or asked else [NO_COALITION]
    return render(
        request,
        "kinds.html",
        faults=faults,
        coalitions=coalitions,
        coalition=asked or only_one(coalitions),
        families=families(),
        kept=[(name, text) for name, texts in {**sent.data, "draft": sent.all("draft")}.items() for text in texts],
        source=sent.data.get("sources.0.title", [""])[-1],
        entered=await list_entered(served, _entered(sent)),
    )


def _entered(sent: Sent) -> list[str]:
    return [event_id for event_id in sent.all("entered") if is_event_id(event_id)][-_MOST_ENTERED:]


# --- the form ---------------------------------------------------------------------------------------------------------


@router.post(NEW)
async def enter_statement(request: Request) -> Response:
    """What the pressed button says: a row more or less, a preview, or saving."""
    caller = await signed_in(request, Role.CONTRIBUTOR)
    served, sent = services(request), Sent.of((await read_sent(request)).multi_items())
    kind = _KINDS.get(sent.get("kind"))
    if kind is None:
        raise Unknown("There is no such kind of statement.")
    entry = Entry(served, caller, kind, sent, await find_own(served, caller, sent.get("draft")))
    filled = await _read(entry)
    if sent.only_grows:
        return await _form(request, entry, show(form_of(kind), filled, add=sent.get("add")))
    body = orjson.dumps(
        {**filled.content, "kind": kind_of(kind), "coalition": sent.get("coalition")}, option=orjson.OPT_SORT_KEYS
    )
    faults = strangers(filled)
    try:
        write = parse_statement(body)
    except Invalid as error:
        faults += error.faults
    if faults or filled.faults:
        return await _form(request, entry, show(form_of(kind), filled, faults), status=UNSENT)
    try:
        if sent.get("do") == "preview":
            outlook = await foresee(served, caller, write)
        else:
            seen = Seen(frozenset(sent.all("warned")), frozenset(sent.all("entered")))
            saved = await save(
                served, caller, write, key=sent.get("key"), path=NEW, body=body, seen=seen, replaces=sent.get("draft"),
                to_reviewer=sent.get("to_reviewer"),
            )  # fmt: skip
            return see(_next(entry, filled, saved))
    except Resembles as found:
        outlook = found.outlook
    except RegistryError as error:
        shown = show(form_of(kind), filled, told_of(error))
        return await _form(request, entry, shown, status=status_of(error), key=key_after(error, entry.served))
    return await _form(request, entry, show(form_of(kind), filled), outlook=outlook)


async def _read(entry: Entry) -> Filled:
    """What the form's fields come to. A subject that is known is picked, a new one is written."""
    data = entry.sent.without_removed()
    known, written = entry.sent.get("known"), data.get("subject", [""])[-1].strip()
    if known and not written:
        data = {**data, "subject": [known]}
    filled = await read_named(entry.served, form_of(entry.kind).fields, data)
    if known and written and filled.content.get("subject") != known:
        detail = "A known subject is picked and a new one is written: leave one out."
        return replace(filled, faults=(*filled.faults, Fault("/subject", "ambiguous", detail)))
    return filled


async def _form(
    request: Request,
    entry: Entry,
    page: Page,
    *,
    key: str | None = None,
    outlook: Outlook | None = None,
    status: int = HTTPStatus.OK,
) -> Response:
    """The page with the form."""
    served, sent, kind = entry.served, entry.sent, entry.kind
    coalitions = {one.slug: one.name for one in await list_coalitions(served)}
    if sent.get("coalition") not in coalitions:
        raise Unknown("No coalition is registered under this slug.")
    return render(
        request,
        "statement.html",
        status=status,
        faults=page.problems,
        page=page,
        kind=_shown(kind),
        families=families(),
        coalition=sent.get("coalition"),
        coalition_name=coalitions[sent.get("coalition")],
        subjects=await list_subjects(served, sent.get("coalition"), kind.family),
        most_subjects=MOST_SUBJECTS,
        key=key or sent.get("key") or served.new_id(),
        outlook=outlook,
        warned=[one.event_id for one in outlook.similar] if outlook else sent.all("warned"),
        added=sent.get("add"),
        focus_first=not (page.problems or outlook or sent.get("add")),
        kept=sent.get("kept") or (bool(sent.data.get("sources.0.title")) and request.method == "GET"),
        waits=entry.returned is not None or not entry.caller.role.allows(Role.EDITOR),
        returned=entry.returned,
        to_reviewer=sent.get("to_reviewer"),
        next_kind=sent.get("next_kind") or kind_of(kind),
        entered=await list_entered(served, _entered(sent)),
        another=_address(entry, entry.sent.data, kind="", draft=sent.get("draft")),
        actors=await actor_names(served),
    )


def _next(entry: Entry, filled: Filled, saved: Saved) -> str:
    """Where to go on: to the next statement of the same article, or to what was saved."""
    if entry.sent.get("do") != "next":
        return saved.page
    kind = entry.sent.get("next_kind")
    new = [saved.event_id] if saved.event_id else []
    done = "recorded" if saved.event_id else "waits"
    return _address(entry, filled.data, kind=kind if kind in _KINDS else kind_of(entry.kind), new=new, done=done)


def _address(
    entry: Entry, data: Mapping[str, Sequence[str]], *, kind: str, new: Sequence[str] = (), done: str = "",
    draft: str = "",
) -> str:  # fmt: skip
    """The form's address, with the first sources and the date kept, and what was entered from them so far."""
    asked = [("coalition", entry.sent.get("coalition")), ("kind", kind), ("done", done), ("draft", draft)]
    asked += [("entered", event_id) for event_id in [*_entered(entry.sent), *new][-_MOST_ENTERED:]]
    asked += [(name, text) for name, texts in data.items() if _KEPT.match(name) for text in texts]
    return f"{NEW}?{urlencode([one for one in asked if one[1]])}"


_KEPT = re.compile(r"sources\.[0-2]\.|occurred\.(edtf|basis)$")
_DATE_KEPT = "Kept from the statement before: change it where this was said or done on another day."


def _saying_what_is_kept(form: Form) -> Form:
    """The form, whose date says that it was not written for this statement."""
    return replace(form, fields=tuple(_with_hint(one) if one.name == "occurred" else one for one in form.fields))


def _with_hint(occurred: Field) -> Field:
    parts = (replace(one, hint=_DATE_KEPT) if one.name == "edtf" else one for one in occurred.parts)
    return replace(occurred, parts=tuple(parts))


# --- an article -------------------------------------------------------------------------------------------------------

_ARTICLE = Form(fields_of(Source), (Section("", "", tuple(field.name for field in fields_of(Source))),))


@router.get(ARTICLE)
async def show_article(request: Request) -> Response:
    """What is asked of a source, once, before statement after statement is entered from it."""
    await signed_in(request, Role.CONTRIBUTOR)
    sent = Sent.of(request.query_params.multi_items())
    return await _article(request, sent, show(_ARTICLE, read_form(_ARTICLE.fields, sent.data)))


@router.post(ARTICLE)
async def open_article(request: Request) -> Response:
    """Opens an article: the way to its first statement."""
    await signed_in(request, Role.CONTRIBUTOR)
    sent = Sent.of((await read_sent(request)).multi_items())
    filled = read_form(_ARTICLE.fields, sent.data)
    faults = strangers(filled)
    try:
        source = Source.model_validate(filled.content)
    except ValidationError as error:
        faults += invalid(error).faults
    if faults or not sent.get("coalition"):
        return await _article(request, sent, show(_ARTICLE, filled, faults), status=UNSENT)
    content = source.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    kept = [
        (f"sources.0.{name}", text) for name, texts in fill_form(_ARTICLE.fields, content).items() for text in texts
    ]
    return see(f"{NEW}?{urlencode([('coalition', sent.get('coalition')), *kept])}")


async def _article(request: Request, sent: Sent, page: Page, *, status: int = HTTPStatus.OK) -> Response:
    coalitions = await list_coalitions(services(request))
    asked = sent.get("coalition") or only_one(coalitions)
    problems = page.problems
    if status == UNSENT and not asked:
        problems = (Problem(NO_COALITION.detail, "Coalition", "coalition"), *problems)
    return render(
        request, "article.html", status=status, faults=problems, page=page, coalitions=coalitions, coalition=asked
    )
