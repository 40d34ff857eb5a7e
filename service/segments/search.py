"""Text in what was stated: which words are sought, and the condition that a statement holds all of them.

A word is found in any part of a word, whatever its case and accents; or it begins a word of a name, in any language,
of an actor that the statement is of. Nothing is stored for it: what a statement is taken to say is looked at as it was
known at the position asked about, so that a correction is found by its words from its position on, and by no earlier
ones. The condition comes last: the index on (coalition, latest) and the other filters bound what it looks at.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import orjson

from service.database import Connection, fetch
from service.domain.actors import codes_named

_LETTERS = {
    "ł": "l", "ø": "o", "đ": "d", "ð": "d", "\u0131": "i", "ħ": "h", "ß": "ss", "æ": "ae", "œ": "oe", "þ": "th",
    "\u03c2": "\u03c3",  # sigma at the end of a word
}  # fmt: skip
"""Letters that Unicode does not take apart into a plain letter and its mark."""
_LINES = (
    "title", "text", "description", "reason", "trigger", "consequence", "place", "follow_up", "document", "command",
    "mandate", "readiness",
)  # fmt: skip
_LISTS = ("places", "conditions", "participants", "outcomes", "terms", "headquarters", "figures")
_OF_EACH = ("name", "post", "text", "place")
"""What of a body is words of people: these, those of its lists, and these members of what the lists hold."""


@dataclass(frozen=True, slots=True)
class Sought:
    """The words of a question, folded, and for each the actors that it may name."""

    words: tuple[str, ...]
    codes: tuple[str, ...]

    @property
    def values(self) -> dict[str, Any]:
        """As the condition takes them."""
        written = [orjson.dumps(word).decode()[1:-1] for word in self.words]  # as JSON has them: quotes are escaped
        return {"words": list(self.words), "codes": list(self.codes), "written": written}


def parse_sought(text: str | None) -> Sought:
    """The words of a text; a text without any, or none, seeks nothing and is held by every statement."""
    words = dict.fromkeys(fold(text or "").split())
    return Sought(tuple(words), tuple(",".join(sorted(codes_named(word))) for word in words))


def fold(text: str) -> str:
    """Without case and accents: the same as the condition makes of what was stated."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not "\u0300" <= c <= "\u036f").lower()
    return reduce(lambda told, letter: told.replace(*letter), _LETTERS.items(), plain)


def _folded(sql: str) -> str:
    plain = f"lower(regexp_replace(normalize({sql}, NFKD), '[\\u0300-\\u036f]', '', 'g'))"
    for letter, instead in _LETTERS.items():  # `translate` would take ten times as long
        plain = f"replace({plain}, '{letter}', '{instead}')"
    return f"CASE WHEN octet_length({sql}) = length({sql}) THEN lower({sql}) ELSE {plain} END"


def _each(names: Sequence[str], form: str) -> str:
    return ", ".join(form.format(name) for name in names)


_IS_TEXT = " || ".join(f'@.key == "{name}"' for name in _OF_EACH)
_UNFOLDED = "^[ -~\\u2010\\u2012-\\u2015\\u2018-\\u201f]*$"  # with typographers' dashes and quotation marks
# In plain JSON of letters that need no folding every word has to stand somewhere: most statements are left out by that
# alone, without being taken apart. `OFFSET 0` keeps each of the texts from being made once for each of its uses.
HOLDS = f"""(cardinality(%(words)s::text[]) = 0 OR (
    SELECT CASE WHEN EXISTS (
        SELECT FROM unnest(%(written)s::text[], %(codes)s::text[]) AS sought(word, codes)
        WHERE strpos(stated.plain, sought.word) = 0 AND NOT s.actors && string_to_array(sought.codes, ',')
    ) THEN false ELSE EXISTS (
        SELECT FROM json_to_record(coalesce(s.content, e.body))
            AS said(subject text, summary text, quote text, place text, said_by json, body json)
        CROSS JOIN LATERAL json_to_record(said.body) AS body({_each(_LINES, "{} text")}, {_each(_LISTS, "{} jsonb")})
        CROSS JOIN LATERAL (
            SELECT concat_ws(' ', said.subject, said.summary, said.quote, said.place, said.said_by->>'name',
                             said.said_by->>'post', array_to_string(s.actors, ' '), {_each(_LINES, "body.{}")},
                             CASE WHEN num_nonnulls({_each(_LISTS, "body.{}")}) > 0 THEN (
                SELECT string_agg(found.one #>> '{{}}', ' ')
                FROM (SELECT jsonb_build_array({_each(_LISTS, "body.{}")})) listed(them)
                CROSS JOIN LATERAL (
                    SELECT jsonb_path_query(them, '$[*][*] ? (@.type() == "string")') UNION ALL
                    SELECT jsonb_path_query(
                        them, '$[*][*] ? (@.type() == "object").keyvalue() ? ({_IS_TEXT}).value')
                ) found(one)
            ) END) AS plain OFFSET 0
        ) whole
        CROSS JOIN LATERAL (SELECT {_folded("whole.plain")} AS text OFFSET 0) told
        WHERE NOT EXISTS (
            SELECT FROM unnest(%(words)s::text[], %(codes)s::text[]) AS sought(word, codes)
            WHERE strpos(told.text, sought.word) = 0 AND NOT s.actors && string_to_array(sought.codes, ',')
        )
    ) END
    FROM (SELECT coalesce(s.content, e.body)::text AS json OFFSET 0) written
    CROSS JOIN LATERAL (
        SELECT CASE WHEN octet_length(json) = length(json) OR json ~ '{_UNFOLDED}' THEN lower(json) END AS plain
        OFFSET 0
    ) stated
))"""
"""That the statement `s`, recorded as the event `e`, holds all that is sought."""

_FIND = f"""
SELECT s.position FROM statement s JOIN event e USING (position)
WHERE s.coalition = %(coalition)s AND s.known_from <= %(known)s AND s.known_to > %(known)s AND NOT s.retracted
  AND s.earliest <= %(as_of)s AND split_part(s.kind, '.', 1) = %(family)s
  AND {HOLDS}
"""


async def find_positions(connection: Connection, sought: Sought, values: Mapping[str, Any]) -> frozenset[int]:
    """The statements of a family, by then and as known at a position, that hold all that is sought."""
    return frozenset(row[0] for row in await fetch(connection, _FIND, {**values, **sought.values}))
