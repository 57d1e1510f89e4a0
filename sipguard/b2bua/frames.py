"""What the journal keeps of a call: one frame at the verdict, at the answer, at a target refresh, at the end.

Enters: values that the engine has at hand. Leaves: frames, and their octets (msgpack arrays).
Must not: know of files or databases, or compute anything; the call path builds and encodes these.

Frames are arrays on disk: a field is never moved or removed; a new one goes to the end of the array (of
a verdict: of VerdictFrame) and has a default. So old journals are read by new code and new ones by old code.
Instants (`_at`, `at`) are Unix seconds, 0.0 where the thing did not happen; TNs are canonical without `+`,
"" for none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from sipguard.screening.finding import FactValue

ANSWERED: Final = "answered"
REJECTED: Final = "rejected"
REDIRECTED: Final = "redirected"
BUSY: Final = "busy"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"
NO_ANSWER: Final = "no_answer"
UNREACHABLE: Final = "unreachable"
ACK_LOST: Final = "ack_lost"
LIMITED: Final = "limited"
DRAINED: Final = "drained"
ADMIN: Final = "admin"
LOST: Final = "lost"
OVERTIME: Final = "overtime"
EXPIRED: Final = "expired"
DEAD: Final = "dead"
BROKEN: Final = "broken"

DISPOSITIONS: Final[dict[str, str]] = {
    ANSWERED: "it was answered and ended by a BYE",
    REJECTED: "the verdict rejected it",
    REDIRECTED: "it was sent elsewhere by a 3xx, or given back by a redirect listener",
    BUSY: "the callee was busy or declined (486, 600, 603)",
    FAILED: "the next hop refused it",
    CANCELLED: "the caller gave up before an answer",
    NO_ANSWER: "it rang until a timer ended it (408, 480, 487 from the next hop included)",
    UNREACHABLE: "no peer of the route could be reached",
    ACK_LOST: "it was answered, but no ACK came within 64*T1 (RFC 3261 §13.3.1.4)",
    LIMITED: "a limit of its trunk turned it away",
    DRAINED: "it was still up when the drain deadline passed",
    ADMIN: "an operator hung it up",
    LOST: "the process ended before its answer, or could not take it up again",
    OVERTIME: "it lasted longer than `max_duration` of its trunk",
    EXPIRED: "its session timer ran out: nobody refreshed it (RFC 4028)",
    DEAD: "one side did not know it any more, or gave no sign of life when asked by OPTIONS",
    BROKEN: "something in sipguard itself broke while the call was served; the log says where",
}


WHY_UNSIGNED: Final[dict[str, str]] = {
    "kept": "it carries an Identity of another signer, which is kept",
    "no_rule": "no rule of its trunk attests it",
    "no_number": "it shows no caller number that could be signed",
    "hidden": "the caller's number is withheld from the trunk that it leaves by",
    "stale_date": "its Date is not of now (RFC 8224 §4.1)",
    "no_signer": "its signer has no key that can be used",
    "expired": "the certificate of its signer is not valid now",
    "out_of_scope": "the certificate of its signer does not cover the number",
    "unfit": "its numbers cannot be written into a token",
    "broken": "something in sipguard itself broke while it was signed; the log says where",
}
WHY_LOWERED: Final[dict[str, str]] = {
    "shown_differs": "From shows another number than the one signed",
    "caller_withheld": "the number signed is not the one that the rules were asked about",
}


class VerdictRow(msgspec.Struct, array_like=True, tag="verdict", gc=False):
    """The leading fields of a verdict frame: all that a database row and a log line need of it."""

    decision_id: str
    at: float  # receipt of the INVITE
    site: str = ""
    node: str = ""
    worker: int = 0
    trunk: str = ""  # name of the trunk it came from
    route: str = ""  # name of the trunk it leaves by, "" where it was not forwarded
    shown: str = ""  # TN of From
    asserted: str = ""  # TN of P-Asserted-Identity
    caller: str = ""  # TN that counts
    callee: str = ""  # TN of the Request-URI
    action: str = ""  # allow | label | reject | redirect
    rule: str = ""  # name of the rule that decided, "" for the default
    basis: str = ""  # of a rejection
    status: int = 0  # SIP answer of a reject or redirect, 0 otherwise
    mode: str = "enforce"  # enforce | report | bypass
    emergency: str = ""  # why the guard admitted it, "" for no emergency
    revision: str = ""  # of the Ruleset
    attest: str = ""  # fact identity.attest
    identity: str = ""  # fact identity.result
    screen_us: int = 0  # microseconds from receipt to verdict
    call_id_a: str = ""


class Signed(msgspec.Struct, array_like=True, gc=False):
    """What was signed of a call, or why nothing was."""

    signer: str = ""  # name of the signer, "" where nothing was signed
    attest: str = ""
    origid: str = ""
    orig: str = ""  # TN
    dest: str = ""  # TN, or a URI
    source: str = ""  # from | pai | both: where the INVITE that left has the TN signed
    iat: int = 0
    certificate_sha256: str = ""
    diverted: Sequence[tuple[str, str]] = ()  # (number diverted from, number diverted to) of each div token
    why: str = ""  # of WHY_UNSIGNED; or, where something was signed, of WHY_LOWERED


class Written(msgspec.Struct, array_like=True, gc=False):
    """What of ours the INVITE carried that left by a further trunk, after peers of the ones before had failed."""

    trunk: str
    tries: int = 0  # how many peers had been tried before
    verstat: str = ""
    wrote: Sequence[str] = ()  # as in the verdict
    removed: Sequence[str] = ()  # the same


class VerdictFrame(VerdictRow, array_like=True, tag="verdict", gc=False):
    """One decision with everything that it was made of."""

    from_tag_a: str = ""
    source: str = ""  # "ip:port" the INVITE came from
    transport: str = "udp"
    listener: str = ""
    verstat: str = ""  # written towards the callee
    facts: dict[str, FactValue] = {}  # msgspec copies an empty default
    findings: Sequence[tuple[str, str, str]] = ()  # (check, clear|hit|failed, reason)
    not_asked: Sequence[str] = ()  # checks that the verdict did not need
    unscreened: Sequence[str] = ()  # checks that failed or were late
    tags: Sequence[str] = ()
    matched: Sequence[str] = ()  # rules that matched and count, in order
    reported: Sequence[str] = ()  # rules that matched in report mode
    head: bytes = b""  # start line and headers as received
    signed: Signed | None = None  # None where the trunk it came by, or that it left by, wants none
    edits: int = 0  # number of the last change to lists that was in force when they were asked, 0 for none
    received_mono: float = 0.0  # the stopwatch at receipt, seconds
    runs: Sequence[tuple[str, float, float]] = ()  # (check, begin, end) by the stopwatch; one that waited ran again
    phrase: str = ""  # of the final response that the verdict asks for, "" where the call goes on
    wrote: Sequence[str] = ()  # header lines of ours: in the final response, or added to the INVITE, or with a prefix
    removed: Sequence[str] = ()  # names of headers that Privacy, or the trunk it leaves by, kept from crossing
    told: str = ""  # Reason lines of ours in the first response to the caller, joined (RFC 9410)


class LegState(msgspec.Struct, array_like=True, gc=False):
    """One dialog (RFC 3261 §12) as far as it must be known to go on with it after a restart."""

    call_id: str
    local_tag: str
    remote_tag: str
    local_cseq: int
    remote_cseq: int
    route_set: Sequence[str]
    remote_target: str
    local_uri: str
    remote_uri: str
    address: str  # "ip:port" where requests of this leg go; over a connection, where a new one leads
    listener: str
    transport: str = "udp"
    tls_names: Sequence[str] = ()  # that the far end's certificate must hold one of
    contact: str = ""  # our Contact line with its end: that of the listener which the dialog began by


class AnswerRow(msgspec.Struct, array_like=True, tag="answer", gc=False):
    """The leading fields of an answer frame, without the dialogs."""

    decision_id: str
    at: float
    peer: str  # "ip:port" of the peer that answered


class AnswerFrame(AnswerRow, array_like=True, tag="answer", gc=False):
    """The 2xx of the callee: both dialogs stand. It says all that the call needs to go on after a crash.

    One that was taken up again has another such frame, with the instant of its answer as before.
    """

    legs: tuple[LegState, LegState]  # A, B
    received_at: float = 0.0  # of the INVITE
    trunk: str = ""  # name of the trunk it came from
    egress: str = ""  # name of the trunk it left by
    emergency: str = ""  # why the guard admitted it
    final_status: int = 200
    final_phrase: str = ""
    ring_at: float = 0.0
    tries: Sequence[tuple[str, int]] = ()
    forward_us: int = 0
    ends_at: float = 0.0  # the longest that it may last, 0.0 for no bound
    interval_s: int = 0  # that the ends agreed on (RFC 4028), 0 for none


class TargetFrame(msgspec.Struct, array_like=True, tag="target", gc=False):
    """A request within the dialogs changed them: the far end of a leg has moved (RFC 3261 §12.2), or the interval of
    the session is another one (RFC 4028)."""

    decision_id: str
    at: float
    leg: str  # a | b
    remote_target: str
    interval_s: int = -1  # -1 in journals that do not say it
    local_cseq: int = 0
    remote_cseq: int = -1


class EndFrame(msgspec.Struct, array_like=True, tag="end", gc=False):
    """How the call ended."""

    decision_id: str
    at: float
    disposition: str  # a key of DISPOSITIONS
    final_status: int = 0  # sent to the caller, 0 for none
    final_phrase: str = ""
    reason: str = ""  # value of the Reason header sent or received (RFC 3326)
    call_id_b: str = ""
    peer: str = ""  # "ip:port" of the peer that gave the final answer
    ring_at: float = 0.0
    answer_at: float = 0.0
    bye_by: str = ""  # a | b | ""
    tries: Sequence[tuple[str, int]] = ()  # (peer, its final status; 0 for silence)
    forward_us: int = 0  # microseconds from receipt of the INVITE to its forwarding
    route: str = ""  # name of the trunk that it left by at last, "" where that is not known
    marked: Sequence[tuple[str, str]] = ()  # (peer, why): those that had a mark when the call began
    signed: Signed | None = None  # what was signed after the verdict: for another trunk, or a redirection
    further: Sequence[Written] = ()  # trunks that it was tried by after that of the verdict, in order


class NoteFrame(msgspec.Struct, array_like=True, tag="note", gc=False):
    """What concerns all calls of the process: kind mode_change, reload, rollback, overload_begin ..."""

    at: float
    kind: str
    text: str = ""
    revision: str = ""


class ListedFacts(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={
        which: f"lists.{which}"
        for which in ("shown", "asserted", "caller", "diverting", "callee", "pair", "upstream", "signer")
    },
):
    """Those facts of a verdict that name lists."""

    shown: tuple[str, ...] = ()
    asserted: tuple[str, ...] = ()
    caller: tuple[str, ...] = ()
    diverting: tuple[str, ...] = ()
    callee: tuple[str, ...] = ()
    pair: tuple[str, ...] = ()
    upstream: tuple[str, ...] = ()
    signer: tuple[str, ...] = ()


_NOTHING: Final = msgspec.Raw(b"\x90")


class VerdictLists(VerdictRow, array_like=True, tag="verdict", gc=False):
    """A verdict frame as far as it tells which lists a call was on and what became of it; the rest is not decoded."""

    from_tag_a: str = ""
    source: str = ""
    transport: str = "udp"
    listener: str = ""
    verstat: str = ""
    facts: ListedFacts = ListedFacts()
    findings: msgspec.Raw = _NOTHING
    not_asked: msgspec.Raw = _NOTHING
    unscreened: msgspec.Raw = _NOTHING
    tags: msgspec.Raw = _NOTHING
    matched: msgspec.Raw = _NOTHING
    reported: tuple[str, ...] = ()


Frame = VerdictFrame | AnswerFrame | TargetFrame | EndFrame | NoteFrame
SlimFrame = VerdictRow | AnswerRow | TargetFrame | EndFrame | NoteFrame

encode: Final[Callable[[Frame], bytes]] = msgspec.msgpack.Encoder().encode
_full: Final[msgspec.msgpack.Decoder[Frame]] = msgspec.msgpack.Decoder(Frame)
_slim: Final[msgspec.msgpack.Decoder[SlimFrame]] = msgspec.msgpack.Decoder(SlimFrame)
_listed: Final[msgspec.msgpack.Decoder[VerdictLists | AnswerRow | TargetFrame | EndFrame | NoteFrame]] = (
    msgspec.msgpack.Decoder(VerdictLists | AnswerRow | TargetFrame | EndFrame | NoteFrame)
)


def decode(octets: bytes) -> Frame:
    """The frame in `octets`. Raises msgspec.MsgspecError where they are none."""
    return _full.decode(octets)


def decode_slim(octets: bytes) -> SlimFrame:
    """The frame in `octets`, of verdict and answer only the leading fields: a third of the time."""
    return _slim.decode(octets)


def decode_lists(octets: bytes) -> VerdictLists | None:
    """The verdict in `octets` as far as it tells of lists, None for another frame. Raises msgspec.MsgspecError."""
    found = _listed.decode(octets)
    return found if isinstance(found, VerdictLists) else None
