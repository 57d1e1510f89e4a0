"""What a trunk carries now, and whether one more call fits.

Enters: limits, the time. Leaves: which limit is reached. Must not: know calls.
"""

from __future__ import annotations

from sipguard.screening.trunk import Limits


class TrunkLoad:
    """What a trunk carries now: calls, and calls of this second. Emergency calls are not in it."""

    __slots__ = ("_budget", "_filled_at", "calls")

    def __init__(self) -> None:
        self.calls = 0
        self._budget = 0.0
        self._filled_at = -1.0

    def admit(self, limits: Limits, now: float) -> str:
        """Which limit is reached, "" where one more call fits; it is then counted against the rate."""
        if limits.calls and self.calls >= limits.calls:
            return "calls"
        if limits.cps:
            if self._filled_at < 0:
                self._budget = max(limits.cps, 1.0)
            else:
                grown = self._budget + (now - self._filled_at) * limits.cps
                self._budget = min(max(limits.cps, 1.0), grown)
            self._filled_at = now
            if self._budget < 1.0:
                return "cps"
            self._budget -= 1.0
        return ""
