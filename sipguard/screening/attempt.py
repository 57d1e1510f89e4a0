"""An INVITE as screening sees it.

Enters: header values that b2bua took from the message. Leaves: a CallAttempt with its numbers read.
Must not: know of transactions, legs or sockets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from sipguard.numbers.canonical import ANONYMOUS, NONE, URN, Number, read
from sipguard.numbers.rules import NumberRules
from sipguard.screening.trunk import Trunk
from sipguard.sip.errors import MalformedMessage
from sipguard.sip.uri import host_of, name_addr, split_outside, user_of

if TYPE_CHECKING:
    from sipguard.screening.shape import Tally
    from sipguard.screening.verification.result import Result

ASSERTED_MOST: Final = 10  # values of P-Asserted-Identity that are looked at; the standard has two (RFC 3325 §9.1)

NUMBERS: Final = {  # the numbers of a call -> where each stands
    "shown": "From",
    "asserted": "P-Asserted-Identity",
    "caller": "the number that counts as caller",
    "diverting": "the top Diversion value",
    "callee": "the Request-URI",
}


class CallAttempt:
    """One INVITE before its verdict. Numbers are canonical; raw header values stand beside them."""

    __slots__ = (
        "asserted",  # Number | None: P-Asserted-Identity, first value with a number
        "asserted_also",  # tuple[Number, ...]: the other numbers in P-Asserted-Identity, each once
        "asserted_beyond",  # bool: it has more than ASSERTED_MOST values, and not all were looked at
        "call_id",  # Call-ID of the A leg
        "callee",  # Number: Request-URI
        "caller",  # Number: the one that counts (asserted where the trunk trusts PAI, else shown)
        "caller_source",  # "pai" | "from"
        "date",  # raw Date value or ""; the first of several
        "dates_differ",  # whether there are several that say different times
        "diverting",  # Number | None: top Diversion value (RFC 5806)
        "edits",  # int: number of the change up to which lists were edited when they were asked, 0 for none
        "evaluated",  # list[Result] | None: what its Identity values came to, for whoever asks next in the same turn
        "from_value",  # raw
        "identity",  # tuple[str, ...]: raw Identity values, in order
        "noted",  # tuple[bytes, ...]: keys of its tokens that were noted as seen (verification/replays.py)
        "pai_values",  # raw P-Asserted-Identity, in order; each may hold several
        "priority",  # raw Priority value, lower case, or ""
        "received_at",  # Unix seconds
        "request_uri",  # raw
        "resource_priority",  # raw Resource-Priority values (RFC 4412)
        "shown",  # Number: From
        "source",  # IP address that it came from; "" where nothing asks for it
        "tally",  # Tally | None: what it is counted for
        "to",  # Number: To
        "to_value",  # raw
        "trunk",
        "user_agent",  # raw User-Agent; "" where nothing asks for it
    )

    def __init__(
        self,
        trunk: Trunk,
        received_at: float,
        request_uri: str,
        callee: Number,
        to: Number,
        shown: Number,
        asserted: Number | None,
        diverting: Number | None,
        identity: tuple[str, ...],
        priority: str,
        date: str,
        call_id: str,
        from_value: str = "",
        to_value: str = "",
        pai_values: Sequence[str] = (),
    ) -> None:
        self.trunk = trunk
        self.received_at = received_at
        self.request_uri = request_uri
        self.callee = callee
        self.to = to
        self.shown = shown
        self.asserted = asserted
        self.diverting = diverting
        self.identity = identity
        self.priority = priority
        self.date = date
        self.call_id = call_id
        self.from_value = from_value
        self.to_value = to_value
        self.pai_values = pai_values
        self.asserted_also: tuple[Number, ...] = ()
        self.asserted_beyond = False
        self.dates_differ = False
        self.edits = 0
        self.evaluated: list[Result] | None = None
        self.resource_priority: Sequence[str] = ()
        self.noted: tuple[bytes, ...] = ()
        self.tally: Tally | None = None
        self.source = self.user_agent = ""
        if trunk.trust_pai and asserted is not None:
            self.caller, self.caller_source = asserted, "pai"
        else:
            self.caller, self.caller_source = shown, "from"


def read_attempt(
    trunk: Trunk,
    received_at: float,
    request_uri: str,
    from_value: str,
    to_value: str,
    pai_values: Sequence[str],
    diversion_values: Sequence[str],
    identity_values: Sequence[str],
    priority: str,
    date: str,
    call_id: str,
) -> CallAttempt:
    """The attempt that an INVITE is, from raw header values. Never raises: garbage is a number of form none.

    Each of `pai_values` (RFC 3325 §9.1) and `diversion_values` (RFC 5806 §5) may hold several, separated
    by commas. Numbers are read by the rules of `trunk`, its prefixes taken off the dialled ones only.
    """
    rules = trunk.read
    bare = rules.bare
    callee_user = user_of(request_uri)
    is_urn = not callee_user and request_uri[:4].lower() == "urn:"  # RFC 5031
    callee = Number("", URN, request_uri) if is_urn else read(callee_user, rules)
    to_user = user_of(uri_in(to_value))
    asserted = _asserted_in(pai_values, bare) if pai_values else None
    attempt = CallAttempt(
        trunk,
        received_at,
        request_uri,
        callee,
        callee if to_user and to_user == callee_user else read(to_user, rules),
        _caller_in(from_value, bare),
        asserted,
        _diverting_in(diversion_values, bare) if diversion_values else None,
        tuple(identity_values),
        priority.strip().lower() if priority else "",
        date,
        call_id,
        from_value,
        to_value,
        pai_values,
    )
    if asserted is not None and (len(pai_values) > 1 or "," in pai_values[0]):
        others = _others_asserted(pai_values, asserted.tn, bare)
        attempt.asserted_also, attempt.asserted_beyond = others or (), others is None
    return attempt


def bare_attempt(trunk: Trunk, received_at: float, request_uri: str, call_id: str) -> CallAttempt:
    """An attempt of which nothing but the Request-URI was read: that of an emergency call that cannot be read."""
    nobody = Number("", NONE, "")
    return CallAttempt(
        trunk, received_at, request_uri, Number("", NONE, request_uri), nobody, nobody, None, None, (), "", "", call_id
    )


def uris_asserted(attempt: CallAttempt) -> list[str]:
    """The URIs in P-Asserted-Identity, in order."""
    return [uri_in(value) for value in _split(attempt.pai_values)]


def uri_in(value: str) -> str:
    """The URI in a name-addr or addr-spec, "" where there is none."""
    try:
        return name_addr(value)[1]
    except MalformedMessage:
        return ""


def _caller_in(value: str, rules: NumberRules) -> Number:
    """The number in From; without one, a host of anonymous.invalid says that it is withheld (RFC 3323 §4.1.1.3)."""
    uri = uri_in(value)
    number = read(user_of(uri), rules)
    if not number.tn and host_of(uri).lower().endswith("anonymous.invalid"):
        return Number("", ANONYMOUS, number.raw)
    return number


def _split(values: Sequence[str]) -> Iterator[str]:
    """The single values in header values that may hold several."""
    for value in values:
        if "," not in value:
            yield value
            continue
        try:
            yield from split_outside(value, ",")
        except MalformedMessage:
            continue


def _asserted_in(values: Sequence[str], rules: NumberRules) -> Number | None:
    """The first number in P-Asserted-Identity (at most a sip: and a tel: URI, RFC 3325 §9.1)."""
    for value in _split(values):
        number = read(user_of(uri_in(value)), rules)
        if number.tn:
            return number
    return None


def _others_asserted(values: Sequence[str], first: str, rules: NumberRules) -> tuple[Number, ...] | None:
    """The numbers in P-Asserted-Identity that are others than `first`, each once; None where there are too many."""
    found: dict[str, Number] = {}
    for n, value in enumerate(_split(values)):
        if n >= ASSERTED_MOST:
            return None
        number = read(user_of(uri_in(value)), rules)
        if number.tn and number.tn != first:
            found.setdefault(number.tn, number)
    return tuple(found.values())


def _diverting_in(values: Sequence[str], rules: NumberRules) -> Number | None:
    """The number in the top Diversion value: who diverted last (RFC 5806 §5.1)."""
    for value in _split(values):
        return read(user_of(uri_in(value)), rules)
    return None
