"""How long an answered call may last: the interval its ends agreed on, the bound of its trunk, signs of life.

Enters: the 2xx of INVITEs and UPDATEs, expired timers, answers to OPTIONS of ours. Leaves: OPTIONS in both dialogs,
the end of the call. Must not: refresh a session. The ends do that; we stay out of it and only watch (RFC 4028).

One timer for each call, on whole seconds, so that the wheel holds few ticks for many calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipguard.b2bua.counts import INDEX
from sipguard.b2bua.crossing import in_dialog
from sipguard.b2bua.frames import DEAD, EXPIRED, OVERTIME
from sipguard.b2bua.leg import Leg
from sipguard.b2bua.refresh import seconds_of
from sipguard.sip.message import Message, Response
from sipguard.sip.timers import GIVE_UP_S
from sipguard.sip.transaction import ClientTransaction

if TYPE_CHECKING:
    from sipguard.b2bua.call import Call

SHORTEST_S: Final = 90  # RFC 4028 §4: no interval is shorter
BUSY_S: Final = 5.0  # a request is under way: its answer tells as much, and CSeq numbers arrive in their order
GONE: Final = frozenset({408, 481})  # a dialog that is so answered has ended (RFC 3261 §12.2.1.2)
MISSES: Final = 2  # failures of the network in a row that count as no answer; one may be ours

NOT_REFRESHED: Final = 'SIP;cause=408;text="Session Not Refreshed"'
TOO_LONG: Final = 'Q.850;cause=102;text="Longest Duration Reached"'
OTHER_GONE: Final = 'SIP;cause=481;text="Other Side Is Gone"'
_CHECKS: Final = INDEX["dead_call_checks"]
_CHECK_LINES: Final = "Accept: application/sdp\r\nContent-Length: 0"


def interval_of(message: Message) -> int:
    """Seconds of Session-Expires, 0 where there is none that can be read (RFC 4028 §4)."""
    seconds = seconds_of(message, "session-expires")
    return max(seconds, SHORTEST_S) if seconds else 0


class Lifetime:
    """What ends an answered call when nobody hangs up. Instants `_at` are monotonic seconds, 0.0 for never."""

    __slots__ = (
        "_asks_a",
        "_asks_b",
        "_misses",
        "call",  # Call | None: until it has ended
        "check_at",
        "check_s",
        "due",
        "ends_at",
        "expires_at",
        "interval_s",  # that the ends agreed on, 0 for none
    )

    def __init__(self, call: Call, max_s: float, check_a_s: float, check_b_s: float) -> None:
        """`max_s` from now on, 0.0 for no bound; how often each side is asked, 0.0 for never."""
        self.call: Call | None = call
        self.due = 0
        self.interval_s = 0
        self.expires_at = self.check_at = 0.0
        self.check_s = min(check_a_s or check_b_s, check_b_s or check_a_s)
        self._asks_a, self._asks_b = check_a_s > 0.0, check_b_s > 0.0
        self._misses = 0
        self.ends_at = call.engine.clock.now + max_s if max_s > 0.0 else 0.0

    def agree(self, interval_s: int, first_check_s: float = 0.0) -> None:
        """The ends have just agreed on this interval, 0 for none: then they are asked, first in `first_check_s`."""
        call = self.call
        if call is None:
            return
        now = call.engine.clock.now
        self.interval_s = interval_s
        self.expires_at = now + interval_s if interval_s else 0.0
        self.check_at = 0.0
        if first_check_s and self.check_s:
            self.check_at = now + first_check_s
        elif not interval_s and self.check_s:
            self.check_at = now + self.check_s
        self._arm(call)

    def refreshed(self, leg: Leg, interval_s: int) -> None:
        """A 2xx of a re-INVITE or UPDATE came from `leg` and crosses: only that prolongs the session (§10)."""
        call = self.call
        if call is not None and interval_s != self.interval_s:
            self.agree(interval_s)
            call.record_change(leg)
        elif interval_s:
            self.agree(interval_s)

    def expired(self, now: float) -> None:
        """The first of the instants has come."""
        call = self.call
        if call is None:
            return
        if 0.0 < self.ends_at <= now:
            call.hang_up(OVERTIME, now, TOO_LONG)
        elif 0.0 < self.expires_at <= now:  # who does not refresh has had until shortly before (§10)
            call.hang_up(EXPIRED, now, NOT_REFRESHED)
        else:
            if 0.0 < self.check_at <= now:
                self._check(call, now)
            self._arm(call)

    def _arm(self, call: Call) -> None:
        """Waits for the first of the instants."""
        first, at = self.check_at, self.expires_at
        if at and (not first or at < first):
            first = at
        at = self.ends_at
        if at and (not first or at < first):
            first = at
        wheel = call.engine.layer.wheel
        if first:
            wheel.set(self, float(-int(-first // 1.0)))
        else:
            wheel.cancel(self)

    # ------------------------------------------------------------------ signs of life

    def _check(self, call: Call, now: float) -> None:
        """Asks both sides whether they know the call."""
        b = call.b
        if call.exchanges or call.a.answer is not None or (b is not None and b.answer is not None):
            self.check_at = now + BUSY_S
            return
        self.check_at = now + self.check_s if not self.interval_s else 0.0
        if self._asks_a:
            self._ask(call, call.a, now)
        if self._asks_b and b is not None:
            self._ask(call, b, now)

    def _ask(self, call: Call, leg: Leg, now: float) -> None:
        """OPTIONS within the dialog of `leg` (RFC 3261 §11.2); its answer ends here."""
        engine = call.engine
        engine.counts[_CHECKS] += 1
        leg.cseq += 1
        branch = engine.ids.branch()
        octets = in_dialog(leg, "OPTIONS", leg.cseq, branch, 70, _CHECK_LINES, b"")
        ClientTransaction(engine.layer, "OPTIONS", branch, leg.flow, octets, self, now, GIVE_UP_S, leg.anew)

    def responded(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """An answer: any but 408 and 481 comes from someone who knows the call, or refuses OPTIONS."""
        call = self.call
        if call is None or response.status < 200:
            return
        if response.status in GONE:
            call.hang_up(DEAD, now, OTHER_GONE)
        else:
            self._misses = 0

    def unanswered(self, transaction: ClientTransaction, why: str, now: float) -> None:
        """No answer ends the call; but not an emergency call, whose peer may just not like OPTIONS."""
        call = self.call
        if call is None or call.emergency:
            return
        self._misses += 1
        if why == "timeout" or self._misses >= MISSES:
            call.hang_up(DEAD, now, OTHER_GONE)
        elif not self.check_at or self.check_at > now + GIVE_UP_S:
            self.check_at = now + GIVE_UP_S
            self._arm(call)

    def close(self) -> None:
        """The call has ended."""
        if self.call is not None:
            self.call.engine.layer.wheel.cancel(self)
            self.call = None


def begin(call: Call, check_b_s: float, interval_s: int) -> None:
    """Watches a call from its answer on; `check_b_s` is what the trunk of its B leg says."""
    trunk = call.trunk
    max_s = 0.0 if call.emergency else trunk.max_duration_s
    call.lifetime = lifetime = Lifetime(call, max_s, trunk.dead_call_check_s, check_b_s)
    lifetime.agree(interval_s)
