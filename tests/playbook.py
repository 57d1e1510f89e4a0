"""Races written as a column: what a party sends, and what the engine sends because of it.

    book = Playbook()
    a, b = book.a, book.b
    assert a.invite() == ["b INVITE"]
    assert b.reply("180 Ringing") == ["a 180 Ringing"]
    assert b.reply("200 OK", body=SDP) == ["a 200 OK"]
    assert a.ack() == ["b ACK"]
    assert a.request("BYE") == ["b BYE"]
    assert b.reply("200 OK") == ["a 200 OK"]
    book.over()

Every act answers the messages that left the engine, in order, as "<party> <method>" or "<party> <status> <phrase>".
Time passes only by `book.wait`; random octets are the same in every run. No socket, no sleep. Messages are composed
and read by str methods alone, not by sipguard.

`over` is the checker that every scenario runs through: nothing of one side shows on the other, 64*T1 later every
table is empty, no reference cycle is left, and each call has the frames it must have.
"""

from __future__ import annotations

import gc
import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from ipaddress import ip_network
from typing import Any
from urllib.parse import unquote

from sipguard.b2bua import frames
from sipguard.b2bua.commands import (
    Clock,
    Command,
    Control,
    Drain,
    Fetch,
    Fetched,
    FetchFailed,
    Hangup,
    Keep,
    Mode,
    Record,
    Reload,
    Reuse,
    Trouble,
)
from sipguard.b2bua.counts import INDEX, NAMES
from sipguard.b2bua.crossing import EXPOSED
from sipguard.b2bua.engine import Engine
from sipguard.b2bua.recovery import Remains
from sipguard.records.record import ends_call
from sipguard.screening.checks import CHECKS, rate
from sipguard.screening.finding import Need
from sipguard.screening.overlay import Overlay
from sipguard.screening.policy.model import Policy, Rule
from sipguard.screening.ruleset import PlainRuleset, Ruleset
from sipguard.screening.trunk import Listener, Peer, Trunk
from sipguard.sip.flow import Flow, Send
from sipguard.sip.secret import Account
from sipguard.stir.certificate import CertificateStore
from sipguard.stir.signer import Signer

START_AT = 1_760_000_000.0  # Unix seconds when a book begins; monotonic time begins at 1000
SDP = "v=0\r\no=- 1 1 IN IP4 203.0.113.9\r\ns=-\r\nc=IN IP4 203.0.113.9\r\nt=0 0\r\nm=audio 20000 RTP/AVP 0\r\n"
ANSWER_SDP = SDP.replace("20000", "30000")
COUNTS_ALL = rate.Settings(count_all=True)
OUTSIDE = Listener("outside", "192.0.2.1", 5060)
INSIDE = Listener("inside", "198.51.100.1", 5060)
A_AT, B_AT, C_AT = ("192.0.2.10", 5060), ("198.51.100.20", 5060), ("198.51.100.30", 5060)
CALLER, CALLEE = "+12025550101", "+12125550123"
COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length"}


def values(message: str, name: str) -> list[str]:
    """Values of the headers of that name, in order."""
    return [value for key, value in _headers(message) if key == name.lower()]


def value(message: str, name: str) -> str:
    """The first of them, or ""."""
    return next(iter(values(message, name)), "")


def lines(message: str) -> list[str]:
    """The header lines as they stand."""
    return message.partition("\r\n\r\n")[0].split("\r\n")[1:]


def body_of(message: str) -> str:
    """What follows the empty line."""
    return message.partition("\r\n\r\n")[2]


def tag_in(value_: str) -> str:
    """The tag of a From or To value, or ""."""
    return value_.partition(";tag=")[2].partition(";")[0]


def uri_in(value_: str) -> str:
    """The URI within angle brackets."""
    return value_.partition("<")[2].partition(">")[0]


def _headers(message: str) -> list[tuple[str, str]]:
    found = []
    for line in lines(message):
        name, _, text = line.partition(":")
        key = name.strip().lower()
        found.append((COMPACT.get(key, key), text.strip()))
    return found


def shown(message: str) -> str:
    """`INVITE`, or `180 Ringing`."""
    first = message.partition("\r\n")[0]
    return first[8:] if first.startswith("SIP/2.0 ") else first.partition(" ")[0]


class Party:
    """Someone who talks to the engine: the caller, a next hop, a stranger. One dialog at a time."""

    def __init__(self, book: Playbook, name: str, address: tuple[str, int], listener: str) -> None:
        self.book = book
        self.name = name
        self.address = address
        self.flow = Flow(0, "udp", listener, address)
        self.host = f"[{address[0]}]" if ":" in address[0] else address[0]
        self.got: list[str] = []
        self.sent: list[str] = []
        self.settled: list[str] = []  # of those got, what a test has answered by itself
        self.contact = f"<sip:{name}@{self.host}:{address[1]}>"
        self.tag = f"tag-{name}-{next(book.numbers)}"
        self.call_id = self.local = self.remote = self.target = ""
        self.routes: list[str] = []
        self.cseq = 0
        self.asked = ""  # the last request that was sent by `invite` or `request`
        self.invited = ""  # the last INVITE sent
        self.writes: Callable[[str], str] = str  # how a message leaves, for one who writes wrongly

    # ------------------------------------------------------------------ acts

    def send(self, message: str) -> list[str]:
        """Any text as a datagram."""
        return self._send(self.writes(message))

    def again(self, message: str = "") -> list[str]:
        """The last message once more, or `message`, as it is."""
        return self._send(message or self.sent[-1])

    def _send(self, message: str) -> list[str]:
        self.sent.append(message)
        return self.book.carry(self.book.engine.received(self.flow, message.encode("latin-1"), self.book.clock))

    def invite(
        self,
        *headers: str,
        callee: str = CALLEE,
        caller: str = CALLER,
        uri: str = "",
        shown_as: str = "",
        to: str = "",
        body: str = SDP,
        leave_out: Sequence[str] = (),
        branch: str = "",
    ) -> list[str]:
        """An initial INVITE; `headers` are raw lines, `leave_out` names of headers it shall lack."""
        n = next(self.book.numbers)
        ours = self.book.public(self.flow.listener)
        self.call_id = f"call-{self.name}-{n}"
        self.tag = f"tag-{self.name}-{n}"
        self.local = f"{shown_as or f'<sip:{caller}@{self.host}>'};tag={self.tag}"
        self.remote = to or f"<sip:{callee}@{ours}>"
        self.target = uri or f"sip:{callee}@{ours}"
        self.routes = []
        self.cseq = 1
        self.invited = self.asked = self._composed("INVITE", headers, body, leave_out, branch)
        return self.send(self.asked)

    def request(self, method: str, *headers: str, body: str = "", cseq: int = 0) -> list[str]:
        """A request within the dialog; the CSeq is the next one unless given."""
        self.cseq = cseq or self.cseq + 1
        self.asked = self._composed(method, headers, body, (), "")
        if method == "INVITE":
            self.invited = self.asked
        return self.send(self.asked)

    def turn_to(self, own: str = "", far: str = "") -> None:
        """Another early dialog of the same INVITE: the tag that this party has there, or the one it sees."""
        if own:
            self.local = f"{self.local.partition(';tag=')[0]};tag={own}"
        if far:
            self.remote = f"{self.remote.partition(';tag=')[0]};tag={far}"

    def ack(self, *headers: str, body: str = "") -> list[str]:
        """The ACK of a final response to the last INVITE: end to end for a 2xx, else of the transaction."""
        final = next(m for m in reversed(self.got) if m.startswith("SIP/2.0 ") and "INVITE" in value(m, "CSeq"))
        if final.startswith("SIP/2.0 2"):
            number = value(self.invited, "CSeq").partition(" ")[0]
            kept, self.cseq = self.cseq, int(number)
            message = self._composed("ACK", headers, body, (), "")
            self.cseq = kept
            return self.send(message)
        return self.send(self.companion("ACK", *headers, to=value(final, "To")))

    def cancel(self, *headers: str) -> list[str]:
        """A CANCEL for the last INVITE sent."""
        return self.send(self.companion("CANCEL", *headers))

    def reply(
        self,
        status: str,
        *headers: str,
        to: str = "INVITE",
        tag: str = "",
        body: str = "",
        contact: bool | str = True,
        request: str = "",
    ) -> list[str]:
        """A response to the last request received with the method `to`, or to `request`."""
        request = request or self.last_request(to)
        return self.send(self._response(status, request, headers, tag, body, contact))

    def last_request(self, method: str) -> str:
        """The last request of that method."""
        return next(m for m in reversed(self.got) if shown(m) == method)

    def last(self, what: str = "") -> str:
        """The last message received whose start line shows `what`."""
        return next(m for m in reversed(self.got) if shown(m).startswith(what))

    def all(self, what: str) -> list[str]:
        """All messages received whose start line shows `what`."""
        return [m for m in self.got if shown(m).startswith(what)]

    # ------------------------------------------------------------------ what the messages say

    def hears(self, message: str) -> None:
        """A message of the engine arrives; the dialog is learned from it as a user agent would."""
        self.got.append(message)
        method = shown(message)
        if message.startswith("SIP/2.0 "):
            if "INVITE" in value(message, "CSeq") and value(message, "Contact") and method[0] in "12":
                self.target = uri_in(value(message, "Contact"))
                self.remote = value(message, "To")
        elif method == "INVITE":
            if not tag_in(value(message, "To")):
                self.call_id = value(message, "Call-ID")
                self.local = f"{value(message, 'To')};tag={self.tag}"
                self.remote = value(message, "From")
                self.cseq = 500
            self.target = uri_in(value(message, "Contact"))

    def _composed(self, method: str, headers: Sequence[str], body: str, leave_out: Sequence[str], branch: str) -> str:
        branch = branch or f"z9hG4bK-{self.name}-{next(self.book.numbers)}"
        mine = [
            f"Via: SIP/2.0/{self.flow.transport.upper()} {self.host}:{self.address[1]};branch={branch};rport",
            *(f"Route: {route}" for route in self.routes),
            "Max-Forwards: 70",
            f"From: {self.local}",
            f"To: {self.remote}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {self.cseq} {method}",
            *([f"Contact: {self.contact}"] if method in ("INVITE", "UPDATE") else []),
        ]
        given = {line.partition(":")[0].lower() for line in headers}
        mine = [
            line
            for line in mine
            if (name := line.partition(":")[0].lower()) not in leave_out and (name not in given or name == "via")
        ]
        typed = ["Content-Type: application/sdp"] if body else []
        return "\r\n".join(
            [f"{method} {self.target} SIP/2.0", *mine, *headers, *typed, f"Content-Length: {len(body)}", "", body]
        )

    def companion(self, method: str, *headers: str, to: str = "") -> str:
        """CANCEL, or the ACK of a failure: Request-URI, Via, Call-ID and From of the INVITE (§9.1, §17.1.1.3)."""
        invite = self.invited
        return "\r\n".join(
            [
                invite.partition("\r\n")[0].replace("INVITE", method, 1),
                f"Via: {value(invite, 'Via')}",
                "Max-Forwards: 70",
                f"From: {value(invite, 'From')}",
                f"To: {to or value(invite, 'To')}",
                f"Call-ID: {value(invite, 'Call-ID')}",
                f"CSeq: {value(invite, 'CSeq').partition(' ')[0]} {method}",
                *headers,
                "Content-Length: 0",
                "",
                "",
            ]
        )

    def _response(
        self, status: str, request: str, headers: Sequence[str], tag: str, body: str, contact: bool | str
    ) -> str:
        to = value(request, "To")
        if not tag_in(to) and not status.startswith("100"):
            to += f";tag={tag or self.tag}"
        where = contact if isinstance(contact, str) else self.contact
        typed = ["Content-Type: application/sdp"] if body else []
        return "\r\n".join(
            [
                f"SIP/2.0 {status}",
                *(f"Via: {via}" for via in values(request, "Via")),
                f"From: {value(request, 'From')}",
                f"To: {to}",
                f"Call-ID: {value(request, 'Call-ID')}",
                f"CSeq: {value(request, 'CSeq')}",
                *([f"Contact: {where}"] if contact and not status.startswith("100") else []),
                *headers,
                *typed,
                f"Content-Length: {len(body)}",
                "",
                body,
            ]
        )


class Broken(Exception):
    """What `Faults` raise."""


class Faults(list[int]):
    """Things that an engine is given from outside, and that break when they are told to: it is the counts itself.

    `at` is how many more times something may be asked for before it breaks, `what` is what: identifier, stopwatch, or
    the name of a count. It breaks once, or from then on.
    """

    def __init__(self) -> None:
        super().__init__([0] * len(NAMES))
        self.what, self.at, self.for_ever = "", 0, False
        self.asked: dict[str, int] = {}
        self._octets = itertools.count(1)
        self._seconds = itertools.count(1000)

    def arm(self, what: str, at: int = 0, for_ever: bool = False) -> None:
        """From now on `what` breaks after `at` more times."""
        self.what, self.at, self.for_ever = what, at, for_ever

    def random(self, n: int) -> bytes:
        """Just enough for one identifier, so that each is asked for."""
        self._ask("identifier")
        return sha256(str(next(self._octets)).encode()).digest()[:8]

    def stopwatch(self) -> float:
        self._ask("stopwatch")
        return float(next(self._seconds))

    def __setitem__(self, index: Any, value_: Any) -> None:
        self._ask(NAMES[index])
        super().__setitem__(index, value_)

    def _ask(self, what: str) -> None:
        self.asked[what] = self.asked.get(what, 0) + 1
        if what != self.what:
            return
        self.at -= 1
        if self.at < 0:
            if not self.for_ever:
                self.what = ""
            raise Broken(what)


class Playbook:
    """An engine with a tiny Ruleset, its parties and its time. `b` and `c` are the peers of trunk `hop`, in order."""

    def __init__(
        self,
        *rules: Rule,
        carrier: dict[str, Any] | None = None,
        hop: dict[str, Any] | None = None,
        accounts: dict[str, Account] | None = None,
        signers: dict[str, Signer] | None = None,
        faults: Faults | None = None,
        **more: Any,
    ) -> None:
        """`carrier` and `hop` replace fields of the two trunks, `more` those of the Ruleset; `accounts` by trunk,
        `signers` by name. Without `faults` nothing may break."""
        self.breaks = faults is not None
        self.numbers = itertools.count(1)
        self._random = itertools.count(1)
        self._stopwatch = itertools.count(1000)
        self.now, self.backlog_s = 1000.0, 0.0
        self.plain = ruleset(*rules, carrier=carrier, hop=hop, **more)
        self.accounts, self.signers = accounts, signers
        self.overlay = Overlay()
        gc.collect()
        self.engine = Engine(
            Ruleset.open(self.plain, self.accounts, self.signers, self.overlay),
            CertificateStore(),
            self._octets if faults is None else faults.random,
            (lambda: float(next(self._stopwatch))) if faults is None else faults.stopwatch,
            0,
            None if faults is None else faults,
        )
        self.before: list[Engine] = []
        self.frames: list[frames.Frame] = []
        self.wanted: list[Need] = []
        self.kept: list[str] = []  # URLs whose certificates go to disk
        self.troubles: list[str] = []  # what broke, as it is told of, where that is expected
        self.last_commands: list[Command] = []
        self.sends: list[Send] = []
        self.a = Party(self, "a", A_AT, "outside")
        self.b = Party(self, "b", B_AT, "inside")
        self.c = Party(self, "c", C_AT, "inside")
        self.stranger = Party(self, "stranger", ("203.0.113.66", 5060), "outside")
        self.parties = [self.a, self.b, self.c, self.stranger]

    def _octets(self, n: int) -> bytes:
        return b"".join(sha256(str(next(self._random)).encode()).digest() for _ in range(n // 32))

    def party(self, name: str, address: tuple[str, int], listener: str) -> Party:
        """One more party."""
        self.parties.append(Party(self, name, address, listener))
        return self.parties[-1]

    def public(self, listener: str) -> str:
        """Host of a listener as callers write it."""
        return self.plain.listeners[listener].public_host

    # ------------------------------------------------------------------ acts

    @property
    def clock(self) -> Clock:
        """The time of the next input."""
        return Clock(self.now, START_AT + self.now - 1000.0, self.backlog_s)

    def wait(self, seconds: float) -> list[str]:
        """Lets time pass, and every timer expire at its instant."""
        column: list[str] = []
        end = self.now + seconds
        while (due := self.engine.next_timer()) is not None and due <= end:
            self.now = max(self.now, due)
            column += self.carry(self.engine.timer(self.clock))
        self.now = end
        return column

    def second(self) -> list[str]:
        """What the engine does about once a second."""
        return self.carry(self.engine.second(self.clock))

    def control(self, what: Control) -> list[str]:
        """An operator's wish."""
        return self.carry(self.engine.control(what, self.clock))

    def reload(self, *rules: Rule, **more: Any) -> list[str]:
        """Another Ruleset, revision r2 unless said otherwise."""
        self.plain = ruleset(*rules, **{"revision": "r2", **more})
        return self.control(Reload(Ruleset.open(self.plain, self.accounts, self.signers, self.overlay)))

    def crash(self, gone_s: float = 0.0, plain: PlainRuleset | None = None) -> list[str]:
        """The process is killed and started again `gone_s` later, maybe with another Ruleset; frames are all it has."""
        alive_at = self.clock.unix
        self.now += gone_s
        self.before.append(self.engine)  # not for the collector: its calls point to each other for ever
        self.plain = plain or self.plain
        self.engine = Engine(
            Ruleset.open(self.plain, self.accounts, self.signers, self.overlay),
            CertificateStore(),
            self._octets,
            lambda: float(next(self._stopwatch)),
        )
        return self.carry(self.engine.recover(remains_of(self.frames), alive_at, self.clock))

    def drain(self) -> list[str]:
        """No new calls."""
        return self.control(Drain())

    def mode(self, mode: str, trunk: str = "") -> list[str]:
        """enforce | report | bypass."""
        return self.control(Mode(mode, trunk))

    def hang_up(self, decision_id: str = "") -> list[str]:
        """One call, or all."""
        return self.control(Hangup(decision_id))

    def fetched(self, result: bytes | str, need: Need | None = None) -> list[str]:
        """The certificate (PEM), or a reason why there is none, for the last need unless said otherwise."""
        outcome = Fetched(result) if isinstance(result, bytes) else FetchFailed(result)
        return self.carry(self.engine.answered(need or self.wanted[-1], outcome, self.clock))

    def closed(self, flow: Flow, stood: bool = True) -> list[str]:
        """A connection is gone; `stood` is whether it was ever open."""
        return self.carry(self.engine.closed(flow, stood, self.clock))

    def refused(self, who: Party) -> list[str]:
        """The network refuses what was sent to `who` last."""
        send = next(s for s in reversed(self.sends) if s.flow.remote == who.address)
        return self.carry(self.engine.send_failed(send.send_id, "Connection refused", self.clock))

    def carry(self, commands: list[Command]) -> list[str]:
        """Carries out what the engine returned; the column of what it sent and fetched."""
        column: list[str] = []
        self.last_commands = commands
        for command in commands:
            if isinstance(command, Record):
                self.frames.append(frames.decode(frames.encode(command.frame)))
            elif isinstance(command, Fetch):
                self.wanted.append(command.need)
                column.append(f"fetch {command.need.key}")
            elif isinstance(command, Trouble):
                assert self.breaks, command.what
                self.troubles.append(command.what)
            elif isinstance(command, Keep):
                self.kept.append(command.url)
            elif isinstance(command, Reuse):
                column.append(f"reuse {command.address[0]}:{command.address[1]}")
            else:
                assert isinstance(command, Send)
                self.sends.append(command)
                column.append(self._deliver(command))
        return column

    def _deliver(self, send: Send) -> str:
        message = send.octets.decode("latin-1")
        for party in self.parties:
            if party.address == send.flow.remote:
                place = self.plain.listeners[send.flow.listener].host
                assert place == self.plain.listeners[party.flow.listener].host, f"{shown(message)} left by {place}"
                party.hears(message)
                return f"{party.name} {shown(message)}"
        return f"{send.flow.remote[0]}:{send.flow.remote[1]} {shown(message)}"

    # ------------------------------------------------------------------ usual ways

    def establish(self, *, ack: bool = True) -> None:
        """A call from a to b, answered."""
        assert self.a.invite() == ["b INVITE"]
        assert self.b.reply("180 Ringing") == ["a 180 Ringing"]
        assert self.b.reply("200 OK", body=ANSWER_SDP) == ["a 200 OK"]
        if ack:
            assert self.a.ack() == ["b ACK"]

    def bye(self) -> None:
        """The end of it, by a."""
        assert self.a.request("BYE") == ["b BYE"]
        assert self.b.reply("200 OK", to="BYE") == ["a 200 OK"]

    # ------------------------------------------------------------------ questions

    def count(self, name: str) -> int:
        """One of the engine's counts."""
        return self.engine.counts[INDEX[name]]

    def last_octets(self) -> str:
        """The last message that left, wherever it went."""
        return self.sends[-1].octets.decode("latin-1")

    def of(self, kind: type[Any]) -> list[Any]:
        """The frames of one kind, in order."""
        return [frame for frame in self.frames if type(frame) is kind]

    def verdicts(self) -> list[tuple[str, str]]:
        """(action, rule) of all decisions."""
        return [(frame.action, frame.rule) for frame in self.of(frames.VerdictFrame)]

    def ends(self) -> list[str]:
        """How calls ended, in order."""
        return [frame.disposition for frame in self.of(frames.EndFrame)]

    # ------------------------------------------------------------------ the checker

    def over(self) -> None:
        """64*T1 after the last message: what every scenario must leave behind."""
        self.wait(32.5)
        require_hidden(self.parties)
        self.require_empty()
        require_complete(self.frames)
        require_no_cycles()

    def require_empty_legs(self) -> None:
        """No dialog stands any more, without a wait."""
        assert not self.engine.legs, list(self.engine.legs)

    def require_empty(self) -> None:
        """Every table is empty."""
        engine = self.engine
        left = {
            "calls": list(engine.calls),
            "legs": list(engine.legs),
            "servers": [f"{t.method} {t.state}" for t in engine.layer.servers.values()],
            "clients": [f"{t.method} {t.state}" for t in engine.layer.clients.values()],
            "timers": len(engine.layer.wheel),
            "loads": sum(load.calls for load in engine._loads.values()),
            "dialogs": list(engine.counters._open),
            "concurrent": [shape.concurrent for shape in engine.counters.shapes() if shape.concurrent],
        }
        assert not any(left.values()), left


def require_hidden(parties: Sequence[Party]) -> None:
    """No address, tag or Call-ID of one side stands in a message to the other, but where EXPOSED says (and bodies)."""
    for here in parties:
        for there in parties:
            if side_of(here) != side_of(there):
                secrets = _secrets(there)
                for message in here.got:
                    _require_none_of(secrets, message, f"{here.name} sees {there.name}")


def side_of(party: Party) -> str:
    """outside, inside, or whatever its listener is called before the transport."""
    return party.flow.listener.partition("-")[0]


def _secrets(party: Party) -> set[str]:
    """Address, Call-IDs and tags of one side, its own and those that it was shown by us."""
    found = {party.address[0], OUTSIDE.host if side_of(party) == "outside" else INSIDE.host}
    for message in party.got + party.sent:
        found |= {value(message, "Call-ID"), tag_in(value(message, "From")), tag_in(value(message, "To"))}
    return found - {""}


def _require_none_of(secrets: set[str], message: str, what: str) -> None:
    redirects = message[8:9] == "3" or message[8:11] == "485"
    visible = [message.partition("\r\n")[0]]
    for key, text in _headers(message):
        if key == "refer-to":  # its host may tell; dialogs in its headers are named as this side knows them
            visible.append(f"{key}: {unquote(text.partition('?')[2])}")
        elif key not in EXPOSED and not (key == "contact" and redirects):
            visible.append(f"{key}: {text}")
    for line in visible:
        for secret in secrets:
            assert secret not in line, f"{what}: {line!r} holds {secret!r}"


def require_complete(all_frames: Sequence[frames.Frame]) -> None:
    """One verdict for each decided call; one end unless the verdict was it; an answer where both dialogs stood."""
    calls: dict[str, list[frames.Frame]] = {}
    for frame in all_frames:
        if not isinstance(frame, frames.NoteFrame):
            calls.setdefault(frame.decision_id, []).append(frame)
    for decision_id, own in calls.items():
        kinds = [type(frame) for frame in own]
        first = own[0]
        assert isinstance(first, frames.VerdictFrame), f"{decision_id}: {kinds}"
        assert kinds.count(frames.VerdictFrame) == 1, f"{decision_id}: {kinds}"
        refused = bool(first.status) and first.mode == "enforce"
        assert kinds.count(frames.EndFrame) == (0 if refused else 1), f"{decision_id}: {kinds}"
        if not refused:
            end = own[-1]
            assert isinstance(end, frames.EndFrame), f"{decision_id}: {kinds}"
            assert end.disposition in frames.DISPOSITIONS
            answers = [frame for frame in own if isinstance(frame, frames.AnswerFrame)]  # another after each crash
            assert bool(answers) == bool(end.answer_at), f"{decision_id}: {kinds}"
            assert {frame.at for frame in answers} <= {end.answer_at}, f"{decision_id}: {kinds}"


def remains_of(all_frames: Sequence[frames.Frame]) -> list[Remains]:
    """The calls that have no end, with the frames that are kept in sight of them."""
    found: dict[str, Remains] = {}
    for frame in all_frames:
        if isinstance(frame, frames.AnswerFrame) or (isinstance(frame, frames.VerdictFrame) and not ends_call(frame)):
            found[frame.decision_id] = Remains(frame.decision_id, frame)
        elif isinstance(frame, frames.TargetFrame) and frame.decision_id in found:
            of = found[frame.decision_id]
            of.changes = [*(each for each in of.changes if each.leg != frame.leg), frame]
        elif isinstance(frame, frames.EndFrame):
            found.pop(frame.decision_id, None)
    return list(found.values())


def require_no_cycles() -> None:
    """Nothing of the product is left for the collector of reference cycles."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        found = [type(thing).__name__ for thing in gc.garbage if type(thing).__module__.startswith("sipguard.")]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.collect()
    assert "Engine" in found or not found, found  # an engine in there is the book of a test that failed before


def ruleset(
    *rules: Rule,
    carrier: dict[str, Any] | None = None,
    hop: dict[str, Any] | None = None,
    trunks: Sequence[Trunk] = (),
    **more: Any,
) -> PlainRuleset:
    """Two trunks: `carrier`, from where a calls, and `hop`, where b and c are. `trunks` are further ones."""
    both = (
        Trunk("carrier", "interconnect", (ip_network(A_AT[0]),), ("outside",), "hop"),
        Trunk(
            "hop",
            "origination",
            (ip_network("198.51.100.0/24"),),
            ("inside",),
            "carrier",
            (Peer(*B_AT), Peer(*C_AT)),
        ),
    )
    every = [replace(both[0], **(carrier or {})), replace(both[1], **(hop or {})), *trunks]
    fields: dict[str, Any] = {
        "revision": "r1",
        "policy": Policy(rules),
        "trunks": {trunk.name: trunk for trunk in every},
        "listeners": {"outside": OUTSIDE, "inside": INSIDE},
        "settings": {name: check.Settings() for name, check in CHECKS.items()} | {"rate": COUNTS_ALL},
        "on_failure": {},
        **more,
    }
    return PlainRuleset(**fields)


Play = Callable[..., Playbook]
