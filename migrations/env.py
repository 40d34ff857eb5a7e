"""Runs the migrations on the connection that the caller hands over (`service.migrate`)."""

from typing import Any

from alembic import context

from service.database import METADATA
from service.drafts import stored as _drafts  # noqa: F401 - declares its table
from service.log import tables as _log  # noqa: F401 - declares its tables
from service.segments import tables as _segments  # noqa: F401 - declares its tables

PARTITIONS = ("segment_current", "segment_superseded")


def include_object(found: Any, name: str | None, kind: str, *_: Any) -> bool:  # noqa: ANN401 - alembic's signature
    """Partitions belong to their table and are not declared apart."""
    table = name if kind == "table" else getattr(getattr(found, "table", None), "name", None)
    return table not in PARTITIONS


if context.is_offline_mode():
    raise SystemExit("Migrations run on a database; see ./run migrate.")

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    include_object=include_object,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
