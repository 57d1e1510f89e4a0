"""Attempts for the tests of screening, written as the header values of an INVITE."""

from __future__ import annotations

from collections.abc import Sequence

from sipguard.screening.attempt import CallAttempt, read_attempt
from sipguard.screening.trunk import Trunk

CARRIER = Trunk("carrier", "interconnect")
TRUSTED = Trunk("trusted", "interconnect", trust_pai=True, emergency_marks_trusted=True)


def attempt(
    uri: str = "sip:+12125550123@gw.example.com",
    shown: str = "<sip:+12025550100@example.com>;tag=1",
    to: str = "",
    pai: Sequence[str] = (),
    diversion: Sequence[str] = (),
    identity: Sequence[str] = (),
    priority: str = "",
    trunk: Trunk = CARRIER,
    received_at: float = 1_760_000_000.0,
) -> CallAttempt:
    """An attempt; To is the Request-URI where nothing else is said."""
    to = to or f"<{uri}>"
    call_id = "call-1@example.com"
    return read_attempt(
        trunk, received_at, uri, shown, to, pai, diversion, identity, priority, date="", call_id=call_id
    )
