"""What people paste: Identity values, header lines, bare tokens, a whole INVITE, as it came out of a log or a trace.

Enters: text. Leaves: the Identity values in it, and who calls whom, and how urgently, where headers say so.
Must not: judge them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sipguard.stir.decoded import completed, is_bare
from sipguard.stir.identity import split

_NAMES: Final = {
    "identity": "identity", "y": "identity", "from": "from", "f": "from", "to": "to", "t": "to",
    "p-asserted-identity": "pai", "date": "date", "priority": "priority", "resource-priority": "resource_priority",
    "diversion": "diversion",
}  # fmt: skip


@dataclass
class Pasted:
    """Raw values; texts are "" where nothing of that kind was there."""

    identity: list[str] = field(default_factory=list)
    asserted: list[str] = field(default_factory=list)
    resource_priority: list[str] = field(default_factory=list)
    diverting: list[str] = field(default_factory=list)
    caller: str = ""
    called: str = ""
    request_uri: str = ""
    date: str = ""
    priority: str = ""


def read(text: str) -> Pasted:
    """What `text` holds; a body behind the first empty line of a message is not looked at."""
    found = Pasted()
    lines = _unfolded(text)
    if lines and lines[0].upper().startswith("INVITE ") and lines[0].upper().endswith("SIP/2.0"):
        found.request_uri = lines.pop(0).split()[1]
        lines = lines[: lines.index("")] if "" in lines else lines
    for line in filter(None, lines):
        name, colon, value = line.partition(":")
        which = _NAMES.get(name.strip().lower()) if colon else None
        _add(found, which, value.strip() if which else line)
    return found


def _add(found: Pasted, which: str | None, value: str) -> None:
    if which == "identity" or (which is None and "." in value.partition(";")[0] and " " not in value.partition(";")[0]):
        found.identity.append(value)
    elif which == "pai":
        found.asserted.append(value)
    elif which == "from":
        found.caller = found.caller or value
    elif which == "to":
        found.called = found.called or value
    elif which == "date":
        found.date = value
    elif which == "priority":
        found.priority = found.priority or value
    elif which == "diversion":
        found.diverting.append(value)
    elif which == "resource_priority":
        found.resource_priority.append(value)


def with_parameters(value: str) -> str:
    """A value as it came, bare tokens in it with the parameters that they lack; commas stay, they are a deviation."""
    pieces = split((value,))
    return ", ".join(completed(each) for each in pieces) if any(is_bare(each) for each in pieces) else value


def _unfolded(text: str) -> list[str]:
    """Lines without their ends; what begins with a space goes on with the line before (RFC 3261 §7.3.1), unless it is a
    header or a token by itself, as in an indented paste."""
    lines: list[str] = []
    for line in text.replace("\r\n", "\n").replace("\r", "\n").strip("\n").split("\n"):
        stripped = line.strip()
        own = stripped.startswith("ey") or stripped.partition(":")[0].strip().lower() in _NAMES
        if line[:1] in (" ", "\t") and stripped and lines and lines[-1] and not own:
            lines[-1] += stripped if stripped.startswith(";") else f" {stripped}"
        else:
            lines.append(stripped)
    return lines
