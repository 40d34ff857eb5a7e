"""What people call fields and options in tables of their own: by it columns and words are proposed.

Here stands what means one thing. A word that two trackers use for two rungs, such as “commitment”, is left to be told.
"""

from typing import Final

FIELDS: Final = {
    "actors": ("actor", "country", "countries", "donor", "state", "party", "member", "who"),
    "subject": ("subject", "pledge", "topic"),
    "occurred": ("date", "announced", "announcement date", "when", "day", "occurred", "date of announcement"),
    "occurred.basis": ("basis", "date known"),
    "summary": ("summary", "description", "text", "statement", "measure"),
    "quote": ("quote", "quotation"),
    "body.category": ("category", "type of aid", "kind of aid"),
    "body.firmness": ("firmness", "status", "commitment", "strength"),
    "body.quantity.exactly": ("quantity", "number", "pieces", "count", "items", "troops", "persons"),
    "body.quantity.unit": ("unit", "units"),
    "body.money.exactly": ("amount", "value", "sum", "money"),
    "body.money.currency": ("currency",),
    "body.description": ("remarks", "details", "item"),
    "said_by.name": ("speaker", "said by"),
    "said_by.post": ("post", "office"),
    "sources.0.title": ("source", "title", "article", "headline"),
    "sources.0.publisher": ("publisher", "newspaper", "outlet"),
    "sources.0.url": ("url", "link", "source url", "address"),
    "sources.0.archive_url": ("archive", "archived", "archived copy", "archive link"),
    "sources.0.published_on": ("published", "published on", "publication date"),
    "sources.0.reliability": ("reliability",),
    "sources.0.credibility": ("credibility",),
}
"""Headings, by the path of the field that they mean."""

_OPTIONS: Final = {
    "firmness": {
        "ruled_out": ("refused", "excluded", "will not"),
        "considering": ("considered", "being considered", "under consideration", "under discussion"),
        "announced": ("announcement", "pledge", "pledged", "promise", "promised"),
        "declared_intent": ("declaration of intent", "letter of intent", "statement of intent", "intent"),
        "committed": ("binding", "legally binding", "contracted", "under contract"),
        "allocated": ("allocation", "earmarked"),
        "ready": ("on standby", "deployable"),
        "delivered": ("delivery", "paid", "disbursed", "deployed"),
    },
    "category": {
        "ground_troops": ("troops", "soldiers", "ground forces", "boots on the ground"),
        "military_aid": ("military", "military assistance"),
        "air": ("air policing", "air forces"),
        "maritime": ("naval", "navy", "naval forces"),
        "training": ("trainers", "training of soldiers"),
        "weapons_ammunition": ("weapons", "ammunition", "weapons and ammunition", "arms"),
        "financial": ("finance", "financial aid", "budget support"),
        "humanitarian": ("humanitarian aid",),
        "sanctions_legal": ("sanctions",),
    },
    "stance": {
        "supportive": ("support", "supports", "in favour", "in favor", "for"),
        "opposed": ("oppose", "opposes", "against"),
    },
    "type": {"wire": ("news agency", "wire service"), "press": ("newspaper",), "official": ("government",)},
}  # fmt: skip
OPTIONS: Final = {
    name: {word: value for value, words in meant.items() for word in words} for name, meant in _OPTIONS.items()
}
"""Words and the option that they stand for, by the name of the field."""
