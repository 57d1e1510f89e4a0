"""What a request within a dialog says of dialogs and transactions: each leg has its own names for them.

Enters: the header lines of a request that crosses. Leaves: the same with the names that the other leg knows.
Must not: change a line that names nothing of ours; it crosses as it is.
"""

from __future__ import annotations

from typing import Final

from sipguard.b2bua.crossing import kept_lines
from sipguard.b2bua.label import without_verstat
from sipguard.b2bua.leg import Leg
from sipguard.sip.errors import MalformedMessage
from sipguard.sip.message import Request, line_value

NAMING: Final = frozenset({"rack"})


def renamed_lines(request: Request, other: Leg) -> str:
    """The header lines of `request` for `other`. Raises MalformedMessage with the status to answer with."""
    kept = kept_lines(request)
    for n, line in enumerate(kept):
        name, _, _ = line.partition(":")
        if name.strip().lower() == "rack":
            kept[n] = f"{name}: {_rack(line_value(line), other)}"
    lines = "\r\n".join(kept)
    return without_verstat(lines) if "verstat" in lines.lower() else lines


def _rack(value: str, other: Leg) -> str:
    """RAck with the CSeq number that the INVITE has on the other leg (RFC 3262 §7.2)."""
    pieces = value.split()
    if len(pieces) != 3 or not (pieces[0].isdigit() and pieces[1].isdigit()):
        raise MalformedMessage("RAck is not two numbers and a method")
    if int(pieces[1]) != other.invited_by:  # §3: no provisional response of this INVITE waits for it
        raise MalformedMessage("RAck names no INVITE", 481, "Call/Transaction Does Not Exist")
    return f"{pieces[0]} {other.invited_as} {pieces[2]}"
