"""Passwords: which will do, and what is kept of one (Argon2id).

A hash takes tens of milliseconds and 64 MiB, on purpose; two at a time are made beside the event loop, so that guessing
slows nothing else down.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import TypeVar

from pwdlib import PasswordHash

from service.domain.errors import Fault, Invalid

SHORTEST, LONGEST = 12, 200
_HASHER = PasswordHash.recommended()
_HASHERS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="hasher")
Result = TypeVar("Result")

# What people take who have to think of twelve characters: whole, repeated, or with a tail of digits and marks.
_WORN = frozenset({
    "abcdefghijkl", "administrator", "asdfghjkl", "changeme", "changemenow", "correcthorsebatterystaple", "default",
    "iloveyou", "letmein", "letmeinplease", "mypassword", "passphrase", "password", "passwort", "pledge",
    "pledgeregistry", "qazwsxedc", "qwertyuiop", "qwertzuiop", "registry", "secret", "secretpassword", "sunshine",
    "trustno", "welcome", "welcometothe", "yourpassword",
})  # fmt: skip
_TAIL = "0123456789!?.-_#*$+ "
_SPELT = str.maketrans({"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s"})


def check_password(password: str, login: str) -> None:
    """Raises `Invalid` for a password that would be guessed soon."""
    detail = _fault_of(password, login)
    if detail is not None:
        raise Invalid("This password will not do.", Fault("/password", "weak", detail))


def _fault_of(password: str, login: str) -> str | None:
    if len(password) < SHORTEST:
        return f"A password has at least {SHORTEST} characters; a few words that only you would put together are good."
    if len(password) > LONGEST:
        return f"A password has at most {LONGEST} characters."
    if "\x00" in password:
        return "A password holds no NUL."
    plain = password.lower()
    if len(login) > 2 and _without_tail(plain) == login.lower():  # noqa: PLR2004 - a name that can be told apart
        return "This is the login name; take something that nobody knows."
    if len(set(plain)) < 5 or _is_worn(plain) or _is_sequence(plain):  # noqa: PLR2004 - aaaabbbbaaaa
        return "This is one of the passwords that are tried first; take something that nobody else would think of."
    return None


def _without_tail(text: str) -> str:
    return text.strip(_TAIL)


def _is_worn(text: str) -> bool:
    """Whether it is one that is tried first, once or several times over."""
    for read in (text, text.translate(_SPELT), _without_tail(text), _without_tail(text).translate(_SPELT)):
        bare = read.replace(" ", "").replace("-", "").replace("_", "")
        if any(bare in (word, word * 2, word * 3) for word in _WORN):
            return True
    return False


def _is_sequence(text: str) -> bool:
    """Whether each character follows the one before it, up or down: 123456789012, zyxwvutsrqpo."""
    steps = {ord(after) - ord(before) for before, after in pairwise(text)}
    return steps in ({1}, {-1}) or (text.isdecimal() and {step % 10 for step in steps} in ({1}, {9}))


async def hash_password(password: str) -> str:
    """What is kept of a password."""
    return await asyncio.get_running_loop().run_in_executor(_HASHERS, _HASHER.hash, password)


async def is_password(password: str, kept: str | None) -> bool:
    """Whether it is the one of which this was kept; takes as long where nothing was."""
    return await asyncio.get_running_loop().run_in_executor(_HASHERS, _verify, password, kept)


def _verify(password: str, kept: str | None) -> bool:
    matches = _HASHER.verify(password[:LONGEST], kept or _nobodys())
    return matches and kept is not None and len(password) <= LONGEST


@cache
def _nobodys() -> str:
    return _HASHER.hash("nobody has this one")
