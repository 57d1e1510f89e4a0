"""Subscriptions within a call's dialogs: what REFER and SUBSCRIBE begin, NOTIFY reports and ends.

Enters: REFER, SUBSCRIBE and NOTIFY on their way, their answers, the end of the call. Leaves: Event values with the ids
of the other leg; legs that outlive their call. Must not: read a body, send.

A BYE ends the INVITE's part of a dialog only (RFC 5057 §5.3, RFC 3265's usages beside it): whoever referred the other
side and hung up still gets the NOTIFYs. So the legs stay until the last subscription has ended, LINGER_S at most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipguard.sip.message import Request, Response

if TYPE_CHECKING:
    from sipguard.b2bua.engine import Engine
    from sipguard.b2bua.leg import Leg

OUTLIVING: Final = frozenset({"REFER", "SUBSCRIBE", "NOTIFY"})  # these do not end with the call
LINGER_S: Final = 180.0  # a transferred call rings no longer (Timer C)
MOST: Final = 16  # of one leg; more are carried, but do not outlive the call


def key_of(event: str) -> str:
    """An Event value as it is compared: package and id (RFC 6665 §8.2.1)."""
    package, *pieces = event.split(";")
    for piece in pieces:
        name, equal, value = piece.partition("=")
        if equal and name.strip().lower() == "id":
            return f"{package.strip().lower()};id={value.strip()}"
    return package.strip().lower()


def renamed_event(method: str, event: str, other: Leg) -> str:
    """Event for `other`: the id of `refer` is the CSeq number of the REFER on that leg (RFC 3515 §2.4.6)."""
    key = key_of(event)
    source = other.other
    renamed = key
    if method == "NOTIFY" and source is not None and source.subscriptions:
        renamed = source.subscriptions.get(key, key)
    elif method == "SUBSCRIBE" and other.subscriptions:
        renamed = next((ours for ours, theirs in other.subscriptions.items() if theirs == key), key)
    return event if renamed == key else renamed


def begun(request: Request, source: Leg, other: Leg) -> str:
    """Notes what a request begins or may end, as a key of the notifying leg's `subscriptions`; "" for nothing.

    A REFER or SUBSCRIBE is noted before it is answered: a NOTIFY may overtake the answer.
    """
    method = request.method
    if method == "REFER":
        if "nosub" in request.value("require").lower():  # RFC 7614
            return ""
        key, theirs = f"refer;id={other.cseq}", f"refer;id={request.cseq}"
    elif method == "SUBSCRIBE":
        theirs = key_of(request.value("event"))
        key = key_of(renamed_event(method, theirs, other))
    else:
        ended = request.value("subscription-state").lower().startswith("terminated")
        return key_of(request.value("event")) if ended else ""
    if other.subscriptions is None:
        other.subscriptions = {}
    elif key in other.subscriptions or len(other.subscriptions) >= MOST:
        return ""
    other.subscriptions[key] = theirs
    return key


def renumbered(key: str, other: Leg) -> str:
    """The key of a REFER that goes out once more, with another CSeq number."""
    fresh = f"refer;id={other.cseq}"
    if other.subscriptions and key in other.subscriptions:
        other.subscriptions[fresh] = other.subscriptions.pop(key)
    return fresh


def settled(method: str, key: str, source: Leg, other: Leg, status: int, response: Response | None) -> None:
    """The answer to what `begun` noted has come; `status` is 0 for none."""
    notifier = source if method == "NOTIFY" else other
    known = notifier.subscriptions
    if known:
        refused = response is not None and response.value("refer-sub").lower() == "false"  # RFC 4488 §4
        if method == "NOTIFY" or status >= 300 or not status or refused:
            if key == "refer":  # without an id: of the first REFER (RFC 3515 §2.4.6)
                key = next((each for each in known if each.startswith("refer;")), key)
            known.pop(key, None)
    for leg in (source, other):
        if leg.lingering is not None and not (source.subscriptions or other.subscriptions):
            leg.lingering.close()


class Lingering:
    """Two legs whose call has ended, until their subscriptions have."""

    __slots__ = ("a", "b", "due", "engine")

    def __init__(self, engine: Engine, a: Leg, b: Leg, now: float) -> None:
        self.engine = engine
        self.a, self.b = a, b
        self.due = 0
        for leg in (a, b):
            leg.call = None
            leg.inviting = leg.updating = None
            leg.lingering = self
            engine.legs[leg.local_tag] = leg
        engine.layer.wheel.set(self, now + LINGER_S)

    def expired(self, now: float) -> None:
        """Nobody has ended them."""
        self.close()

    def close(self) -> None:
        """Lets go of both legs."""
        engine = self.engine
        engine.layer.wheel.cancel(self)
        for leg in (self.a, self.b):
            leg.lingering = None
            engine.legs.pop(leg.local_tag, None)
        self.a.part()
        self.b.part()
