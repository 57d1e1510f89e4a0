"""An INVITE that a silent peer was sent and that was given up, in case the peer was only slow.

Enters: the peer's late responses. Leaves: a CANCEL when it rings after all, ACK and BYE when it answers.
Must not: know the call, which is elsewhere or over by then.

Without it a phone behind a slow peer rings on although nobody waits for it. The INVITE is repeated until Timer B, since
a single 180 may have been lost (RFC 3261 §9.1, §13.2.2.4, §17.1.1.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipguard.b2bua.answer import Repeats
from sipguard.sip.compose import cancel_of
from sipguard.sip.message import Response
from sipguard.sip.timers import GIVE_UP_S
from sipguard.sip.transaction import ClientTransaction

if TYPE_CHECKING:
    from sipguard.b2bua.engine import Engine


class Abandoned:
    """The user of the transaction from then on."""

    __slots__ = ("answers", "cancelled", "engine")

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.cancelled = False
        self.answers = Repeats(engine, "")

    def responded(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """A late response. That of a failure needs nothing but the ACK that the transaction sends."""
        if response.status >= 300:
            return
        if response.status >= 200:
            self.answers.responded(transaction, response, now)
        elif not self.cancelled:
            self.cancelled = True
            self.engine.send_cancel(transaction, cancel_of(transaction.octets), now)
            transaction.end_by(now + GIVE_UP_S)

    def unanswered(self, transaction: ClientTransaction, why: str, now: float) -> None:
        """It stayed silent."""
