"""Session timers asked for on the way, for a trunk that wants them: what RFC 4028 §8 lets a proxy do.

Enters: an INVITE or UPDATE, what the trunk wants. Leaves: the answer 422, the lines with what is asked for, what must
be added to a 2xx. Must not: refresh a session, or say of a caller that it could.

`Supported: timer` is never added: a callee would then leave refreshing to a caller who cannot (§9, table 2).
"""

from __future__ import annotations

from typing import Final

from sipguard.screening.trunk import RefreshTimer
from sipguard.sip.message import Message, Request, Response

METHODS: Final = ("INVITE", "UPDATE")
LEAST_S: Final = 90  # RFC 4028 §5: of Min-SE, and where there is none


def seconds_of(message: Message, key: str) -> int:
    """The number that a Session-Expires or Min-SE begins with, 0 where there is none that can be read."""
    if key not in message.at:
        return 0
    digits = message.value(key).partition(";")[0].strip()
    return int(digits) if digits.isdigit() and digits.isascii() and len(digits) <= 9 else 0


def supports(request: Request) -> bool:
    """Whether the sender can refresh (§7.1)."""
    return any(
        tag.strip().lower() == "timer" for value in request.values("supported") for tag in value.split(",")
    )  # fmt: skip


def too_short(request: Request, timer: RefreshTimer) -> bool:
    """Whether the sender is told by 422 to ask for a longer interval; only one who understands it (§8.1)."""
    interval_s = seconds_of(request, "session-expires")
    return 0 < interval_s < timer.min_s and supports(request)


def least(timer: RefreshTimer) -> str:
    """The header line of a 422."""
    return f"Min-SE: {timer.min_s}"


def asked_for(lines: str, request: Request, timer: RefreshTimer) -> tuple[str, int]:
    """`lines` with the interval that is asked for, and that interval where the sender would refresh, else 0 (§8.1)."""
    able = supports(request)
    least_s = max(LEAST_S, seconds_of(request, "min-se"))
    if not able and least_s < timer.min_s:
        least_s = timer.min_s
        lines = _put(lines, request, "min-se", "Min-SE", least_s)
    interval_s = seconds_of(request, "session-expires")
    if not interval_s:
        interval_s = max(timer.want_s, least_s)
        lines = _put(lines, request, "session-expires", "Session-Expires", interval_s)
    elif interval_s < least_s:
        interval_s = least_s
        lines = _put(lines, request, "session-expires", "Session-Expires", interval_s)
    return lines, interval_s if able else 0


def _put(lines: str, request: Request, key: str, name: str, seconds: int) -> str:
    """`lines` with that header; of one that is there only the number is changed (the refresher is the ends' matter)."""
    if key not in request.at:
        return f"{lines}\r\n{name}: {seconds}"
    old = request.lines[request.at[key]]
    spelled, _, value = old.partition(":")
    _, semicolon, parameters = value.partition(";")
    return lines.replace(old, f"{spelled}: {seconds}{semicolon}{parameters}", 1)


def to_add(response: Response, asks_s: int) -> str:
    """Lines for a 2xx of a callee that does not know session timers, so that the sender refreshes (§8.2)."""
    if "session-expires" in response.at:
        return ""
    return f"Require: timer\r\nSession-Expires: {asks_s};refresher=uac\r\n"
