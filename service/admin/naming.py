"""Names in forms: of countries and organisations in any language, and of whomever statements have named."""

import asyncio
from collections.abc import Sequence

from service.domain.actors import COUNTRIES, ORGANISATIONS, name_of
from service.domain.named import Names
from service.forms.fields import Field
from service.forms.reading import Data, Filled, read_form
from service.web.serving import Services

_MOST_OFFERED = 60


async def known_names(served: Services, *, whole: bool = True) -> Names:
    """The names that are known now, of statements that stand."""
    async with served.pool.connection() as connection:
        return await served.naming.follow(connection, whole=whole)


async def read_named(served: Services, fields: Sequence[Field], data: Data) -> Filled:
    """What was filled in; where a name says nothing by itself, it is looked at who is known by it."""
    # The names of actors are loaded when first they are needed, which takes a while.
    filled = await asyncio.to_thread(read_form, fields, data)
    if not filled.unclear:
        return filled
    return await asyncio.to_thread(read_form, fields, data, await known_names(served))


async def actor_names(served: Services) -> list[str]:
    """What is offered where an actor is asked for: any other name in any language is taken too."""
    names = await known_names(served, whole=False)
    return sorted({*map(name_of, (*COUNTRIES, *ORGANISATIONS)), *names.most_named(_MOST_OFFERED)})
