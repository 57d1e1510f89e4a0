"""The border of the trust domain: what of the caller's identity a trunk may see, and is believed to say.

Enters: header lines that would cross, the Privacy header of their message. Leaves: the lines without what must not.
Must not: touch Identity, which no privacy service may remove (RFC 8224 §11), or anything of an emergency call.

By default every trunk is inside: P-Asserted-Identity crosses between networks that trust each other, with
`Privacy: id` beside it (RFC 3325 §5, §7), which is what carriers expect. `send_pai` puts a trunk outside for what it
gets, `accept_pai` for what it says. Header privacy (RFC 3323 §5.1) is what a B2BUA does anyway: Via, Contact,
Record-Route and Call-ID are ours. The Privacy header itself crosses: others may have more to hide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipguard.sip.message import COMPACT, Message

if TYPE_CHECKING:
    from sipguard.b2bua.leg import Leg
    from sipguard.b2bua.peers import Hop
    from sipguard.screening.trunk import Trunk

ALWAYS: Final = "always"
UNLESS_PRIVATE: Final = "unless_private"
NEVER: Final = "never"

ASSERTED: Final = frozenset({"p-asserted-identity", "p-preferred-identity", "remote-party-id"})
INFORMAL: Final = frozenset(  # what a user agent adds at will (RFC 3323 §5.3)
    {"subject", "call-info", "organization", "user-agent", "reply-to", "in-reply-to"}
)
ANONYMOUS: Final = '"Anonymous" <sip:anonymous@anonymous.invalid>'  # RFC 3323 §4.1.1.3
PROVIDED: Final = frozenset({"header", "user", "id", "critical"})
FAILURE: Final = (500, "Privacy Failure")  # what was lacking follows
NOTHING: Final[frozenset[str]] = frozenset()


def stand(leg: Leg, trunk: Trunk, emergency: str) -> None:
    """Notes on which side of the border a leg stands; emergency calls keep their identity everywhere."""
    if trunk.accept_marks:
        leg.accept_marks()
    leg.untold = not trunk.reason_stir or bool(emergency)  # some take any Reason for a failure
    if (trunk.send_pai != ALWAYS or not trunk.accept_pai) and not emergency:
        leg.border = True
        leg.shown = trunk.send_pai
        leg.believed = trunk.accept_pai


def stand_beside(leg: Leg, first: Leg) -> None:
    """The same for the leg of another early dialog."""
    leg.border, leg.shown, leg.believed = first.border, first.shown, first.believed
    leg.staying, leg.untold = first.staying, first.untold


def hidden(message: Message, believed: bool, shown: str) -> frozenset[str]:
    """Names of the headers that do not cross: of what its sender is `believed`, of what the receiver is `shown`."""
    dropped = NOTHING if believed else ASSERTED
    if shown != ALWAYS:
        asked = privacy_of(message)
        if shown == NEVER or "id" in asked:
            dropped = ASSERTED
        if "user" in asked:
            dropped = dropped | INFORMAL
    return dropped


def privacy_of(message: Message) -> frozenset[str]:
    """The priv-values of a message (RFC 3323 §4.2); `none` stands alone and forbids the others."""
    if "privacy" not in message.at:
        return NOTHING
    text = ";".join(message.values("privacy")).replace(",", ";").lower()
    asked = frozenset(each.strip() for each in text.split(";"))
    return NOTHING if "none" in asked else asked


def reachable(message: Message, hops: list[Hop]) -> tuple[list[Hop], str]:
    """The hops that a call may go to whose privacy is `critical` (RFC 3323 §5), and what those outside would lack.

    Who is inside the trust domain may provide it; at the border we do, or the call must fail.
    """
    asked = privacy_of(message)
    lacking = ", ".join(sorted(asked - PROVIDED - {""})) if "critical" in asked else ""
    return ([hop for hop in hops if hop[0].send_pai == ALWAYS], lacking) if lacking else (hops, "")


def without(lines: str, names: frozenset[str]) -> str:
    """Header lines, joined, less those of these names; folded lines go with what they continue."""
    kept: list[str] = []
    dropping = False
    for line in lines.split("\r\n"):
        if line[:1] not in (" ", "\t"):
            dropping = name_in(line) in names
        if not dropping:
            kept.append(line)
    return "\r\n".join(kept)


def name_in(line: str) -> str:
    """The name of a header line: long, in lower case."""
    name = line.partition(":")[0].strip().lower()
    return COMPACT.get(name, name)


def dropped_between(response: Message, source: Leg, to: Leg) -> frozenset[str]:
    """What of a response from `source` does not cross to `to`; NOTHING where neither stands at a border."""
    return hidden(response, source.believed, to.shown) if source.border or to.border else NOTHING
