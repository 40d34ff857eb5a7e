"""Plain words for what the models name: labels, hints and options, where the names do not say it themselves."""

from collections.abc import Iterable
from typing import Final

from service.domain.actors import CODES
from service.domain.dates import HELP
from service.domain.wording import WHOLE

LABELS: Final = {
    "actors": "Who",
    "actor": "Actor",
    "said_by": "Who said it",
    "occurred": "When it was said or done",
    "edtf": "Date",
    "basis": "How the date is known",
    "summary": "What was said, in your own words",
    "quote": "The words themselves",
    "subject": "Subject",
    "addressees": "Said to",
    "channel": "Where it was said",
    "wording": "How close to the words",
    "official": "Speaks for the state",
    "post": "Post held on that day",
    "url": "Address (URL)",
    "archive_url": "Archived copy (URL)",
    "derived_from": "Retells",
    "type": "Type of source",
    "min": "At least",
    "max": "At most",
    "min_amount": "At least",
    "max_amount": "At most",
    "exactly": "Exactly",
    "text": "In words",
    "complete": "With this the pledge is fulfilled",
    "cleared": "No longer said",
    "claimed_count": "How many members are claimed",
    "claimed_participants": "How many took part, as claimed",
    "document": "Document",
    "expires": "May be answered until",
    "duration_days": "Duration in days",
    "follow_up": "What follows",
    "what": "Of what",
    "original": "The statement that counts",
    "event_id": "Statement",
    "rank": "Rank",
    "ranks": "Ranks",
    "note": "Note",
    "reason": "Reason",
    "leads": "Led by",
    "force": "The force",
    "figures": "Claimed figures",
}
"""Labels of members whose name alone would not say it."""

HINTS: Final = {
    "occurred": "The day of the speech or the deed, not of the report.",
    "basis": "",
    "actor": "On whose behalf. Leave it out where the report itself speaks and names nobody.",
    "Participant.actor": "For whom they take part.",
    "official": "No: a voice that does not speak for the state, such as a television presenter.",
    "summary": "",
    "firmness": "As firm as this statement makes it, weakest first.",
    "quantity": "Of what can be counted. Leave the numbers out where the source has only words.",
    "money": "As stated, in its own currency.",
    "unit": "Such as persons, units, days, patriot-batteries.",
    "topic": "A few words, such as multinational force.",
    "text": "",
    "category": "",
    "channel": "",
    "type": "",
    "note": "",
    "said_by": "With the post held on that day. Leave out what the source does not say.",
    "post": "That of the day, not today's.",
    "sources": "Where you read it.",
    "wording": "How close the record is to what was said.",
    "quote": "Only where the words themselves are at hand.",
    "reliability": "Of the source: Admiralty code.",
    "credibility": "Of what it says: Admiralty code.",
    "language": "A code such as en, uk or pt-BR.",
    "currency": "A code such as EUR.",
    "approximate": "Said to be about so many.",
    "responsible": "Who has to bring it about.",
    "tags": "A few words each, with commas between.",
    "cleared": "Tick what this statement takes away from what stood before.",
    "slug": "How it is named in addresses, for ever: a few words, such as willing.",
    "aliases": "Other names, in any language; one to a line.",
    "subject": "What it is about: take the subject that is known, or name a new one in a few words.",
}

GLOSSES: Final = {
    "firmness": {
        "ruled_out": "will not",
        "considering": "may; counts in no total",
        "announced": "will, as said in public",
        "declared_intent": "signed a political document",
        "committed": "bound: parliament, law, contract, mandate",
        "allocated": "a named package or unit",
        "ready": "verified, deployable in a stated time",
        "delivered": "arrived",
    },
    "basis": {
        "stated": "the source says it",
        "deduced": "it follows from what the source says",
        "published": "only the date of publication is known",
    },
    "wording": {
        "verbatim": "word for word",
        "translated": "word for word, translated",
        "reworded": "put into reported speech",
        "paraphrase": "the sense of it",
        "summary": "the report's own account",
    },
    "reliability": {
        "A": "completely reliable",
        "B": "usually reliable",
        "C": "fairly reliable",
        "D": "not usually reliable",
        "E": "unreliable",
        "F": "cannot be judged",
    },
    "credibility": {
        "1": "confirmed by others",
        "2": "probably true",
        "3": "possibly true",
        "4": "doubtful",
        "5": "improbable",
        "6": "cannot be judged",
    },
    "reason": {
        "entry_error": "we wrote it down wrong",
        "source_corrected": "the source has corrected itself",
        "better_source": "another source knows better",
        "translation": "it was translated wrong",
        "duplicate_entry": "it was entered twice",
        "legal": "the law asks for it",
    },
    "rank": {
        "preferred": "counts",
        "normal": "yields to a preferred one",
        "deprecated": "counts for nothing",
    },
    "role": {"none": "no longer any"},
}
"""What an option means, by the member's name."""

_SUMS = ("military_aid", "financial", "humanitarian", "reconstruction")
_COUNTS = ("ground_troops", "air", "maritime", "headquarters_staff", "training", "weapons_ammunition")
OPENS: Final = {
    "category": {**dict.fromkeys(_SUMS, ("money",)), **dict.fromkeys(_COUNTS, ("quantity",))},
}
"""Which parts are usual once an option is chosen, by the member's name."""


def spaced(name: str) -> str:
    """A name as words."""
    return name.replace("_", " ").replace(".", " ")


def heading_of(kind: str, subject: str = "") -> str:
    """What something of a kind, or of a family, is called; and what it is about."""
    return f"{spaced(kind).capitalize()}{f': {subject}' if subject else ''}"


def label_of(name: str, title: str | None = None) -> str:
    """What a member is called."""
    words = title or LABELS.get(name) or spaced(name)
    return words[:1].upper() + words[1:]


def labels_in_one(labels: Iterable[str]) -> str:
    """What is within something is called, by the labels from the outermost inwards."""
    return ": ".join(label[:1].lower() + label[1:] if nth else label for nth, label in enumerate(labels))


def option_of(member: str, value: str) -> str:
    """What an option is called, with what it means."""
    words = spaced(value)
    gloss = GLOSSES.get(member, {}).get(value)
    return f"{words}: {gloss}" if gloss else words


def sentence_of(text: str | None) -> str:
    """The first paragraph of a docstring, or a description, as a sentence."""
    words = " ".join((text or "").partition("\n\n")[0].split())
    if not words:
        return ""
    return words[0].upper() + words[1:] + ("" if words.endswith((".", "…", "?")) else ".")


_WRITTEN: Final = {
    HELP: "Write one such as 2025-07-10, 10 July 2025, July 2025 or by 17 March 2025; of 3/4/2025 nobody can tell "
    "which number is the day.",
    WHOLE: "Write a whole number, in digits.",
    CODES: "Write the name or the code of a country, an organisation, a person or a group.",
    "Send ": "Write ",
}


def for_writing(detail: str) -> str:
    """What is wrong, for whoever fills in a form: nothing is sent there, and nobody has to know EDTF or slugs."""
    for sent, written in _WRITTEN.items():
        detail = detail.replace(sent, written)
    return detail
