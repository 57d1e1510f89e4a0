"""What verification is set to.

Enters: nothing. Leaves: settings. Must not: verify; who only hands settings on needs nothing else of it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """What counts as fresh, how long a call may wait for a certificate, and from where one may come."""

    freshness_s: float = 60.0  # RFC 8224 §6.2 step 4
    future_s: float = 5.0  # how far `iat` may lie ahead of our clock
    budget_s: float = 0.25  # on the call path; the fetch goes on behind it
    max_headers: int = 10  # Identity values looked at
    strict: bool = False  # deviations of the token fail it
    replay_fails: bool = False  # a token that was replayed fails, which is otherwise but a fact
    x5u_ports: tuple[int, ...] = (443, 8443)
