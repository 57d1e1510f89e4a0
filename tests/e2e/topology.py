"""What of one leg is seen on the other.

Enters: the messages of both sides of a call. Leaves: what leaked, in words. Must not: be asked about bodies; they are
never touched, and neither are the headers of EXPOSED.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote

from sipguard.b2bua.crossing import CROSSING, EXPOSED, NOT_CROSSING
from sipguard.b2bua.naming import NAMING
from sipguard.b2bua.unvouched import line_without_claims
from sipguard.screening.marks import ATTESTING
from tests.e2e.sipp import Message

_TAGGED = ("From", "f", "To", "t")
_CHANGED = frozenset(key for key in CROSSING if key not in NOT_CROSSING) | NAMING


def private(messages: Iterable[Message], places: Iterable[str]) -> dict[str, str]:
    """What must stay on this leg: {text: what it is}. `places` are the addresses of both its ends."""
    found = dict.fromkeys(places, "address")
    for message in messages:
        found.update(dict.fromkeys(message.values("Call-ID", "i"), "Call-ID"))
        for value in message.values(*_TAGGED):
            tag = value.partition(";tag=")[2].partition(";")[0]
            if tag:
                found[tag] = "tag"
        for value in message.values("Via", "v"):
            found[value.partition("branch=")[2].partition(";")[0]] = "branch"
    found.pop("", None)
    return found


def leaks(seen: Iterable[Message], secrets: dict[str, str]) -> list[str]:
    """Lines that one side received and that show something of the other leg."""
    found = []
    for message in seen:
        if message.sent:
            continue
        for line in (message.start, *message.lines):
            name = line.partition(":")[0].strip().lower()
            if name in ("refer-to", "r"):
                line = unquote(line.partition("?")[2])  # its host may tell; the dialogs in its headers must not
            elif name in EXPOSED:
                continue
            found += [f"{what} {text} in {line!r}" for text, what in secrets.items() if text in line]
    return found


def altered(sent: Message, arrived: Message) -> list[str]:
    """Headers that did not cross in their order and byte for byte, though nobody may change them; and the body."""
    wanted = [line for line in sent.lines if _crosses(line)]
    lines = iter(arrived.lines)
    found = [f"{line!r} did not cross, or not in its order" for line in wanted if line not in lines]
    if sent.body != arrived.body:
        found.append(f"the body: {len(sent.body)} octets became {len(arrived.body)}")
    return found


def _crosses(line: str) -> bool:
    key = line.partition(":")[0].strip().lower()
    if key in ATTESTING or line != line_without_claims(line):
        return False
    return key not in NOT_CROSSING and key not in _CHANGED
