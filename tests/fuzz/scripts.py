"""Octets read as a script: who sends what to the engine, how it is spoiled, and how time passes.

Enters: any octets, from atheris or from hypothesis. Leaves: a Ground that was played on, with all that left the engine.
Must not: be random itself; the same script gives the same play.

What is sent is made of what the engine said before, so that scripts reach established dialogs, re-INVITEs, CANCEL
against 2xx and the like. With `spoil` messages are cut, doubled, and mixed with what parsers stumble over.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Final, TypeVar

from sipguard.b2bua.commands import (
    Clock,
    Command,
    Drain,
    Fetch,
    Fetched,
    FetchFailed,
    Hangup,
    Mode,
    Record,
    Reload,
    Trouble,
)
from sipguard.b2bua.engine import Engine
from sipguard.b2bua.frames import encode
from sipguard.screening.finding import Need
from sipguard.screening.ruleset import Ruleset
from sipguard.screening.trunk import Peer
from sipguard.sip.flow import Flow, Send
from sipguard.sip.framing import PING, Framer
from sipguard.stir.certificate import CertificateStore
from tests.inprocess import A_AT, B_AT, CALLEE, CALLER, FROM_A, FROM_B, Shipped, by_callee, by_caller, companion, invite
from tests.standin import SDP, header, reply

T = TypeVar("T")
UNIX_AT: Final = 1_800_000_000.0
STRANGER: Final = Flow(0, "udp", "main", ("203.0.113.66", 5060))
RUNG_OUT_S: Final = 250.0  # Timer C, then 64*T1
STEPS: Final = 60  # of one script at the most
CALLERS: Final = (CALLER, "+12025550121", "+12025550171", "+10005550101", "anonymous", "911", "sales")
CALLEES: Final = (CALLEE, "+12025550181", "911", "+12125550150", "9%2011", "7")
LINES: Final = (
    "", "X-Any: thing", "Require: 100rel", "Require: nonsense", "Priority: emergency", "Max-Forwards: 0",
    "P-Asserted-Identity: <tel:+12025550111>", "Diversion: <sip:+12025550141@example.com>;reason=busy",
    "Record-Route: <sip:192.0.2.9;lr>", "Identity: not.a.token;info=<https://x.example/a.pem>", "Supported: timer",
    "Subject: \xfc\xff", "Replaces: x@y;to-tag=1;from-tag=2", "Refer-To: <sip:a@b?Replaces=1%40x%3Bto-tag%3D2>",
    "RAck: 1 1 INVITE", "Event: refer;id=2", "Subscription-State: terminated", "Refer-Sub: false",
    "Target-Dialog: 1;local-tag=2;remote-tag=3", "Join: ;;=",
)  # fmt: skip
NAMES: Final = (  # lines that name a dialog or a transaction, that of the request itself for one
    "RAck: 1 1 INVITE", "RAck: x", "Event: refer", "Event: refer;id=2", "Subscription-State: terminated",
    "Replaces: {call_id};to-tag={To};from-tag={From}", "Target-Dialog: {call_id};local-tag={From};remote-tag={To}",
    "Refer-To: <sip:0@198.51.100.1?Replaces={call_id}%3Bto-tag%3D{To}%3Bfrom-tag%3D{From}&Join=x>", "Refer-Sub: false",
    "Event: dialog\r\nSubscription-State: terminated", "Require: nosub",
)  # fmt: skip
STATUSES: Final = (
    "100 Trying", "180 Ringing", "183 Session Progress", "200 OK", "202 Accepted", "302 Moved", "401 Unauthorized",
    "404 Not Found", "408 Request Timeout", "481 Gone", "486 Busy Here", "491 Request Pending", "503 Unavailable",
    "603 Network Blocked", "199 Early Dialog Terminated",
)  # fmt: skip
METHODS: Final = (
    "BYE",
    "INVITE",
    "INFO",
    "UPDATE",
    "PRACK",
    "REFER",
    "NOTIFY",
    "MESSAGE",
    "OPTIONS",
    "SUBSCRIBE",
    "FOO",
)
OUTSIDE: Final = ("OPTIONS", "MESSAGE", "REGISTER", "SUBSCRIBE", "NOTIFY", "PUBLISH", "BYE", "PRACK", "FOO")
WAITS_S: Final = (0.0, 0.01, 0.3, 0.6, 2.0, 5.1, 33.0, 70.0, 200.0)
MODES: Final = ("enforce", "report", "bypass")
TOKENS: Final = (
    b"\r\n", b"\r\n\r\n", b"\n", b"\0", b":", b";", b",", b"<", b">", b'"', b"\\", b"@", b"%", b"%zz", b"[", b"[::1",
    b"]", b"\xff\xfe", b"\xc0\x80", b" ", b"\t", b"\r\n ", b";tag=", b";tag", b";branch=", b";lr", b";rport=x", b"sip:",
    b"tel:", b"sips:", b"urn:service:sos", b"*", b"-1", b"0", b"4294967296", b"9" * 400, b"A" * 5000,
    b"SIP/2.0 200 OK\r\n",
    b"SIP/2.0", b"INVITE ", b"CSeq: 1 BYE\r\n", b"CSeq: 99999999999 INVITE\r\n", b"Via: SIP/2.0/UDP\r\n", b"v: x\r\n",
    b"Via: SIP/2.0/UDP [::1]:0;branch=z9hG4bK\r\n", b"Content-Length: 99999999\r\n", b"l: -5\r\n", b"Contact: *\r\n",
    b"m: <sip:@>\r\n", b"Record-Route: <>\r\n", b"Route: <sip:a;lr>,<\r\n", b"Max-Forwards: x\r\n", b"Require: \r\n",
    b"Identity: a.b.c;info=<\r\n", b'Identity: ..;ppt="div"\r\n', b"y: eyJhbGciOiJFUzI1NiJ9.e30.AA;info=<https://x>\r\n",
    b"P-Asserted-Identity: ,,<,\r\n", b"Diversion: \r\n", b"To: <sip:a@b>;tag=\r\n", b"From: \r\n", b"RAck: 1 1\r\n",
    b"Replaces: ;to-tag=;;from-tag\r\n", b"Refer-To: <?Replaces=%&=&Join\r\n", b"o: ;id\r\n", b"r: <>\r\n",
)  # fmt: skip


class Script:
    """Octets that are read one after the other; after the last there are zeros."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._octets)

    def below(self, n: int) -> int:
        """A number from 0 to n - 1; 0 where nothing is left."""
        value = self.take(1 if n <= 256 else 2)
        return int.from_bytes(value, "big") % n

    def take(self, n: int) -> bytes:
        """The next octets, fewer at the end."""
        self._at += n
        return self._octets[self._at - n : self._at]


@cache
def ground_work() -> tuple[Shipped, Ruleset]:
    """The shipped configuration, once for all plays."""
    with tempfile.TemporaryDirectory(prefix="sipguard-fuzz-") as directory:  # mapped lists outlive their files
        shipped = Shipped(Path(directory))
        return shipped, Ruleset.open(shipped.plain)


@cache
def identity_line() -> str:
    """An Identity that verifies for CALLER and CALLEE."""
    return ground_work()[0].identity(claims={"iat": int(UNIX_AT), "origid": "6f3a9f2c-0000-4000-8000-000000000001"})


class Ground:
    """An engine, its simulated time, what was sent to it and what it sent."""

    def __init__(self) -> None:
        ruleset = ground_work()[1]
        random = Random(1)
        self.engine = Engine(ruleset, CertificateStore(), random.randbytes, lambda: self.now)
        self.now = 1000.0
        self.count = 0
        self.sent: list[tuple[Flow, bytes]] = []
        self.asked: list[str] = []  # well-formed requests but ACK
        self.at_a: list[str] = []
        self.at_b: list[str] = []
        self.needs: list[Need] = []
        self.invites: list[str] = []  # of the caller
        self.stuck: list[str] = []  # calls that rang and rang
        self.cancelled: dict[str, bool] = {}  # INVITE -> whether its CANCEL is still a repetition if it comes again

    def clock(self) -> Clock:
        """Of the next turn."""
        return Clock(self.now, UNIX_AT + self.now - 1000.0)

    def number(self) -> int:
        """A number that was not used before."""
        self.count += 1
        return self.count

    def put(self, flow: Flow, octets: bytes) -> None:
        """A datagram goes in."""
        self.sent.append((flow, octets))
        self.carry(self.engine.received(flow, octets, self.clock()))

    def carry(self, commands: list[Command]) -> None:
        """Keeps what leaves; frames must be fit for the journal."""
        for command in commands:
            assert not isinstance(command, Trouble), command.what
            if isinstance(command, Send):
                text = command.octets.decode("latin-1")
                if command.flow.remote == A_AT:
                    self.at_a.append(text)
                elif command.flow.remote == B_AT:
                    self.at_b.append(text)
            elif isinstance(command, Record):
                assert encode(command.frame)
            elif isinstance(command, Fetch):
                self.needs.append(command.need)

    def wait(self, seconds: float) -> None:
        """Time passes, and each timer expires at its instant."""
        until = self.now + seconds
        while (due := self.engine.next_timer()) is not None and due <= until:
            self.now = max(self.now, due)
            self.carry(self.engine.timer(self.clock()))
        self.now = until
        if seconds > 1.0:
            self.sent.clear()  # what comes again now is a new request
            self.cancelled = dict.fromkeys(self.cancelled, False)

    def finish(self) -> None:
        """Everything comes to its end: rings out, is hung up, and 64*T1 pass."""
        self.wait(RUNG_OUT_S)
        self.stuck = [call.id for call in self.engine.calls.values() if not call.answer_at]
        for need in self.needs:
            self.carry(self.engine.answered(need, FetchFailed("timeout"), self.clock()))
        self.carry(self.engine.control(Hangup(), self.clock()))
        for _ in range(3):
            self.wait(33.0)

    def left(self) -> list[str]:
        """Tables that should be empty now and are not."""
        engine = self.engine
        tables = {
            "calls": engine.calls,
            "legs": engine.legs,
            "servers": engine.layer.servers,
            "clients": engine.layer.clients,
            "timers": len(engine.layer.wheel),
            "waiting": engine.awaiting,
            "neither answered nor given up": self.stuck,
        }
        return [f"{name}: {table}" for name, table in tables.items() if table]

    def finals(self) -> Iterator[tuple[str, set[str]]]:
        """Each well-formed request with the final responses that it got; a repeated one counts once."""
        got: dict[tuple[str, str], set[str]] = {}
        for text in self.at_a + self.at_b:
            if text.startswith("SIP/2.0 ") and text[8] != "1":
                got.setdefault(_key(text), set()).add(text)
        for request in self.asked:
            yield request, got.get(_key(request), set())


class StreamGround(Ground):
    """The same over TCP: what is sent is cut anywhere and framed; where `breaks`, connections are lost now and then."""

    def __init__(self, breaks: bool) -> None:
        super().__init__()
        self.breaks = breaks
        self._framers: dict[tuple[str, int], Framer] = {}
        self.engine = Engine(stream_ruleset(), CertificateStore(), Random(1).randbytes, lambda: self.now)

    def wait(self, seconds: float) -> None:
        """Time passes; nothing that came by a stream comes again, so nothing is kept for it (Timers I, J, K are 0)."""
        super().wait(seconds)
        self.sent.clear()
        self.cancelled = dict.fromkeys(self.cancelled, False)

    def put(self, flow: Flow, octets: bytes) -> None:
        """Octets of a connection go in, in two pieces."""
        self.sent.append((flow, octets))
        here = Flow(1 + flow.remote[1], "tcp", flow.listener, flow.remote)
        framer = self._framers.setdefault(flow.remote, Framer())
        at = sum(octets) % (len(octets) + 1)
        for piece in (octets[:at], octets[at:]):
            for message in framer.feed(piece):
                if message != PING:
                    self.carry(self.engine.received(here, message, self.clock()))
        if framer.broken is not None:
            self.carry(self.engine.unframed(here, framer.head, framer.broken, self.clock()))
        if framer.broken is not None or (self.breaks and sum(octets) % 5 == 0):
            del self._framers[flow.remote]
            self.carry(self.engine.closed(here, len(octets) % 3 > 0, self.clock()))


@cache
def stream_ruleset() -> Ruleset:
    """The shipped configuration with its listener and its peers on TCP."""
    opened = ground_work()[1]
    trunks = {**opened.trunks, "core": replace(opened.trunks["core"], peers=(Peer(*B_AT, "tcp"),))}
    listeners = {name: replace(each, transport="tcp") for name, each in opened.listeners.items()}
    return replace(opened, trunks=trunks, listeners=listeners)


def _key(text: str) -> tuple[str, str]:
    """What a transaction goes by: the branch of the top Via, and the method."""
    return header(text, "Via").partition("branch=")[2].partition(";")[0], header(text, "CSeq").partition(" ")[2]


def play(octets: bytes, spoil: bool, streams: bool = False) -> Ground:
    """Plays a script to its end, over UDP or TCP."""
    ground, script = StreamGround(breaks=spoil) if streams else Ground(), Script(octets)
    acts = ACTS if spoil else ACTS[: -len(SPOILING)]
    for _ in range(STEPS):
        if not script:
            break
        acts[script.below(len(acts))](ground, script, spoil)
    ground.finish()
    return ground


# ---------------------------------------------------------------------- acts


def _send(ground: Ground, script: Script, flow: Flow, text: str, spoil: bool) -> None:
    octets = text.encode("latin-1")
    if spoil and (times := script.below(8)) < 4:
        for _ in range(times + 1):
            octets = _spoiled(octets, script)
    elif not text.startswith(("ACK", "SIP/2.0 ")):
        ground.asked.append(text)
    ground.put(flow, octets)


def _spoiled(octets: bytes, script: Script) -> bytes:
    """A message with one thing wrong."""
    at = script.below(max(len(octets), 257))
    upto = at + 1 + script.below(64)
    how = script.below(5)
    if how == 0:
        return octets[:at] + octets[upto:]
    if how == 1:
        return octets[:at] + octets[at:upto] + octets[at:]
    if how == 2:
        return octets[:at] + script.take(1) + octets[at + 1 :]
    if how == 3:
        lines = octets.split(b"\r\n")
        lines.insert(1 + at % len(lines), TOKENS[upto % len(TOKENS)].removesuffix(b"\r\n"))
        return b"\r\n".join(lines)
    return octets[:at] + TOKENS[script.below(len(TOKENS))] + octets[at:]


def _call(ground: Ground, script: Script, spoil: bool) -> None:
    """The caller's INVITE."""
    signed, caller = script.below(3), CALLERS[script.below(2 * len(CALLERS)) % len(CALLERS)]
    callee = CALLEES[script.below(len(CALLEES))]
    line = LINES[script.below(3 * len(LINES)) % len(LINES)] if script.below(2) else ""
    extra = [identity_line()] if signed == 0 else []
    text = invite(ground.number(), *extra, *([line] if line else []), caller=caller, callee=callee)
    if line.startswith("Max-Forwards"):
        text = text.replace("Max-Forwards: 70\r\n", "", 1)
    ground.invites.append(text)
    _send(ground, script, FROM_A, text, spoil)


def _plain_call(ground: Ground, script: Script, spoil: bool) -> None:
    """One that goes on to the callee."""
    text = invite(ground.number())
    ground.invites.append(text)
    _send(ground, script, FROM_A, text, spoil)


def _of_invite(ground: Ground, script: Script, spoil: bool) -> None:
    """The caller's CANCEL, or the ACK of a failure."""
    if ground.invites:
        request = _pick(ground.invites, script)
        method = ("CANCEL", "ACK")[script.below(2)]
        if method == "CANCEL" and not spoil and not ground.cancelled.setdefault(request, True):
            return
        _send(ground, script, FROM_A, companion(request, method), spoil)


def _answers(ground: Ground, script: Script, spoil: bool) -> None:
    """The callee responds to a request that it got."""
    requests = [text for text in ground.at_b if not text.startswith(("SIP/2.0", "ACK"))]
    if requests:
        status = STATUSES[script.below(len(STATUSES))]
        tag, content = ("b", "b", "b", "fork")[script.below(4)], SDP * script.below(2)
        text = reply(_pick(requests, script), status, tag, f"sip:callee@{B_AT[0]}:{B_AT[1]}", content)
        _send(ground, script, FROM_B, text, spoil)


def _caller_answers(ground: Ground, script: Script, spoil: bool) -> None:
    """The caller responds to a request that it got."""
    requests = [text for text in ground.at_a if not text.startswith(("SIP/2.0", "ACK"))]
    if requests:
        status = STATUSES[script.below(len(STATUSES))]
        text = reply(_pick(requests, script), status, "", f"sip:caller@{A_AT[0]}:{A_AT[1]}")
        _send(ground, script, FROM_A, text, spoil)


def _by_caller(ground: Ground, script: Script, spoil: bool) -> None:
    """A request of the caller within a dialog, early ones included; ACK often."""
    responses = [text for text in ground.at_a if text.startswith("SIP/2.0") and "INVITE" in header(text, "CSeq")]
    if responses:
        response = _pick(responses, script)
        request = next((each for each in ground.invites if header(each, "Call-ID") == header(response, "Call-ID")), "")
        if request and header(response, "Contact"):
            _within(ground, script, FROM_A, by_caller, request, response, spoil)


def _by_callee(ground: Ground, script: Script, spoil: bool) -> None:
    """A request of the callee within a dialog."""
    invites = [text for text in ground.at_b if text.startswith("INVITE")]
    if invites:
        request = _pick(invites, script)
        response = reply(request, "200 OK", "b", f"sip:callee@{B_AT[0]}:{B_AT[1]}")
        _within(ground, script, FROM_B, by_callee, request, response, spoil)


def _within(
    ground: Ground,
    script: Script,
    flow: Flow,
    compose: Callable[[str, str, str, int, str, str], str],
    request: str,
    response: str,
    spoil: bool,
) -> None:
    number = ground.number()
    if script.below(2):
        cseq = int(header(response, "CSeq").partition(" ")[0])
        text = compose(request, response, "ACK", cseq, f"w{number}", SDP * script.below(2))
    else:
        method = METHODS[script.below(len(METHODS))]
        text = compose(request, response, method, number + 1, f"w{number}", SDP * script.below(2))
        if script.below(2):
            named = NAMES[script.below(len(NAMES))].format(call_id=header(response, "Call-ID"), **_tags(response))
            text = text.replace("\r\nContent-Length", f"\r\n{named}\r\nContent-Length", 1)
    _send(ground, script, flow, text, spoil)


def _tags(message: str) -> dict[str, str]:
    """The tags of a message."""
    return {name: header(message, name).partition(";tag=")[2].partition(";")[0] for name in ("From", "To")}


def _outside(ground: Ground, script: Script, spoil: bool) -> None:
    """A request that is no INVITE, outside any dialog or in one that there is not."""
    method, n = OUTSIDE[script.below(len(OUTSIDE))], ground.number()
    text = invite(n).replace("INVITE", method)
    if script.below(2):
        text = text.replace("\r\nCall-ID", ";tag=none\r\nCall-ID", 1)
    _send(ground, script, (FROM_A, FROM_B)[script.below(2)], text, spoil)


def _time(ground: Ground, script: Script, spoil: bool) -> None:
    """Time passes."""
    ground.wait(WAITS_S[script.below(len(WAITS_S))])


def _moment(ground: Ground, script: Script, spoil: bool) -> None:
    """A moment passes."""
    ground.wait(0.05)


def _fetched(ground: Ground, script: Script, spoil: bool) -> None:
    """The fetcher answers: a certificate, octets that are none, or a failure."""
    if ground.needs:
        need = _pick(ground.needs, script)
        pem = ground_work()[0].leaf.pem
        results = (Fetched(pem), Fetched(pem), Fetched(script.take(20)), FetchFailed("timeout"))
        ground.carry(ground.engine.answered(need, results[script.below(4)], ground.clock()))


def _operates(ground: Ground, script: Script, spoil: bool) -> None:
    """An operator's wish, a second that passes, or a Send that failed."""
    engine, clock = ground.engine, ground.clock()
    which = script.below(6)
    if which == 0:
        ground.carry(engine.control(Reload(ground_work()[1]), clock))
    elif which == 1:
        ground.carry(engine.control(Mode(MODES[script.below(3)], ("", "carrier-a")[script.below(2)]), clock))
    elif which == 2:
        ground.carry(engine.second(clock))
    elif which == 3 and engine.layer.clients:
        ground.carry(engine.send_failed(_pick(list(engine.layer.clients), script), "unreachable", clock))
    elif which == 4 and engine.calls:
        ground.carry(engine.control(Hangup(_pick(list(engine.calls), script)), clock))
    elif which == 5 and script.below(8) == 7:
        ground.carry(engine.control(Drain(), clock))


def _again(ground: Ground, script: Script, spoil: bool) -> None:
    """What was sent comes once more."""
    if ground.sent:
        ground.put(*ground.sent[script.below(len(ground.sent))])


def _raw(ground: Ground, script: Script, spoil: bool) -> None:
    """Any octets, from anybody."""
    ground.put((FROM_A, FROM_B, STRANGER)[script.below(3)], script.take(script.below(300)))


def _mirrored(ground: Ground, script: Script, spoil: bool) -> None:
    """The engine's own message comes back to it, from anybody."""
    seen = ground.at_a + ground.at_b
    if seen:
        _send(ground, script, (FROM_A, FROM_B, STRANGER)[script.below(3)], _pick(seen, script), spoil)


def _pick(things: list[T], script: Script) -> T:
    """The last of them mostly, else any."""
    back = script.below(8)
    return things[-1] if back < 5 else things[-1 - script.below(len(things))]


SPOILING: Final = (_raw, _mirrored)
ACTS: Final = (
    _call, _plain_call, _plain_call, _of_invite, _answers, _answers, _answers, _caller_answers, _by_caller, _by_caller,
    _by_callee, _outside, _time, _moment, _fetched, _operates, _again, *SPOILING,
)  # fmt: skip


def _script(*steps: tuple[Callable[[Ground, Script, bool], None], bytes]) -> bytes:
    """A script of these acts with their arguments."""
    return b"".join(bytes([ACTS.index(act)]) + arguments for act, arguments in steps)


# An answered call that is acknowledged and ended; one that is cancelled while it rings.
ANSWERED: Final = _script(
    (_plain_call, b""),
    (_answers, bytes([3, 0, 1, 0])),
    (_by_caller, bytes([0, 1, 0])),
    (_by_caller, bytes([0, 0, 0, 0, 0])),
    (_answers, bytes([3, 0, 0, 0])),
)
CANCELLED: Final = _script(
    (_plain_call, b""),
    (_answers, bytes([1, 0, 0, 0])),
    (_of_invite, bytes([0, 0])),
    (_answers, bytes([3, 0, 0, 0])),
)
SEEDS: Final = (ANSWERED, CANCELLED)
