"""The shapes of what is kept beside the log, for the OpenAPI document: drafts, and tokens.

As in `shapes`, nothing is serialised through them, and a test holds every answer to them.
"""

from typing import Annotated, Literal

from pydantic import Field

from service import access
from service.api.recorded import Content, Event, EventTried, Similar
from service.api.shapes import ABSENT, TOTAL, Instant, Known, Next, Shape, State, SubjectId
from service.domain.record import EventId
from service.drafts import stored
from service.web.schemas import Fault

Role = Annotated[str, Known(access.Role)]
TokenId = Annotated[str, Field(pattern="^[0-9a-f]{12}$", examples=["3f0c9a1b7e24"])]


class PageOfKept(Shape):
    """One page of a list."""

    next: Next
    total: int = TOTAL


# --- drafts ---


class DraftShown(Shape):
    """What somebody would have recorded, and what became of it."""

    id: EventId
    state: Annotated[str, Known(stored.DraftState)]
    author: str
    created_at: Instant
    coalitions: list[str]
    records: list[Content] = Field(description="what it would record; in a list of drafts, the first ten")
    record_count: int
    revision: int | None = Field(description="of the event that it is about, as the author saw it")
    known_position: int = Field(ge=0, description="how long the log was when it was put up")
    note: str | None
    decided_by: str | None
    decided_at: Instant | None
    reason: str | None
    returned_by: str | None
    returned_at: Instant | None
    return_reason: str | None = Field(description="what its author was asked to change")
    replaces: EventId | None = Field(description="the returned draft that its author changed into this one")
    replaced_by: EventId | None = Field(description="the draft that its author changed this one into")
    event_ids: list[EventId] = Field(description="what it was recorded as")


class DraftPage(PageOfKept):
    """Drafts, in the order in which they were put up."""

    items: list[DraftShown]


class Outlook(Shape):
    """What approving a draft now would come to: what a dry run says, or what it would be refused for."""

    accepted: bool
    known_position: int = ABSENT
    changed: list[SubjectId] = Field(
        default_factory=list, description="its subjects of which something was recorded since it was put up"
    )
    states: list[State] = ABSENT
    similar: list[Similar] | list[list[Similar]] = Field(default_factory=list, description="as in a dry run")
    status: int = ABSENT
    detail: str = ABSENT
    errors: list[Fault] = ABSENT


class DraftKept(Shape):
    """A draft as it stands."""

    draft: DraftShown


class DraftTried(DraftKept):
    """A draft as it would stand."""

    dry_run: Literal[True]


class DraftAnswer(DraftKept):
    """A draft; while it waits, with what approving it now would come to."""

    trial: Outlook | None


class DraftRecorded(DraftKept):
    """An approved draft, what was recorded of it, and the states that it produced."""

    event: Event = ABSENT
    events: list[Event] = Field(default_factory=list, description="in place of `event`, where a list was sent")
    states: list[State]


class ApprovalTried(DraftTried):
    """A draft as it would stand, and what recording it would come to."""

    event: EventTried = ABSENT
    events: list[EventTried] = Field(default_factory=list, description="in place of `event`, where a list was sent")
    states: list[State]
    similar: list[Similar] | list[list[Similar]] = Field(description="as in a dry run of the write itself")


# --- tokens ---


class TokenShown(Shape):
    """A token, without its secret."""

    id: TokenId
    role: Role
    owner: str
    state: Annotated[str, Known(access.TokenState)]
    created_at: Instant
    created_by: str | None = Field(description="null: on the command line")
    expires_at: Instant | None
    last_used_at: Instant | None = Field(description="to the minute")
    revoked_at: Instant | None
    revoked_by: str | None


class TokenPage(PageOfKept):
    """Tokens, in the order in which they were made."""

    items: list[TokenShown]


class TokenAnswer(Shape):
    """One token."""

    token: TokenShown


class TokenTried(TokenAnswer):
    """A token as it would be; of one that would be made, the name is nobody's."""

    dry_run: Literal[True]


class TokenMade(TokenAnswer):
    """A new token, and its secret, which is answered to whoever asked for it alone."""

    secret: str = Field(examples=["pr_"])


class Me(Shape):
    """In whose name the request was sent, and what that allows."""

    owner: str
    role: Role
    token: TokenShown | None = Field(description="null: somebody is signed in")
