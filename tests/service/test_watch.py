"""Which messages belong to a call, and which of them a trace gets: on an engine, without a socket."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sipguard.b2bua.commands import Clock, Command
from sipguard.b2bua.engine import Engine
from sipguard.b2bua.frames import VerdictFrame
from sipguard.net.capture import Seen
from sipguard.net.hep import Exporter, HepSettings
from sipguard.screening.policy.model import OneOf, Rule
from sipguard.service.watch import KEPT_S, Trace, Watch, call_id_of
from sipguard.sip.flow import Flow, Send
from tests import hep
from tests.playbook import CALLEE, CALLER, Playbook

OTHER = "+12025550177"
BLOCK = Rule("unsigned", OneOf("identity.result", ("none",)), basis="identity")


class Tapped:
    """An engine whose `received` passes the watch, as the driver does it."""

    def __init__(self, engine: Engine, watch: Watch) -> None:
        self._engine = engine
        self._watch = watch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def received(self, flow: Flow, octets: bytes, clock: Clock) -> list[Command]:
        commands = self._engine.received(flow, octets, clock)
        self._watch.received(flow, octets, clock.unix, commands)
        return commands


class Watched(Playbook):
    """A playbook with a watch, and what its traces were given: (trace, message)."""

    def __init__(self, *rules: Rule, room: Callable[[], bool] = lambda: True) -> None:
        super().__init__(*rules)
        self.given: list[tuple[int, Seen]] = []
        self.full: list[tuple[int, str, int]] = []

        def give(number: int, seen: Seen) -> bool:
            if not room():
                return False
            self.given.append((number, seen))
            return True

        self.watch = Watch(self.engine, give, lambda trace, why: self.full.append((trace.number, why, trace.lost)))
        self.engine = Tapped(self.engine, self.watch)  # type: ignore[assignment]

    def carry(self, commands: list[Command]) -> list[str]:
        column = super().carry(commands)
        for command in commands:
            if isinstance(command, Send):
                self.watch.sent(command.flow, command.octets, self.clock.unix)
        return column

    def trace(
        self, number: int = 1, tn: str = CALLER, trunk: str = "", messages: int = 100, octets: int = 10**6
    ) -> None:
        """A trace begins."""
        self.watch.traces[number] = Trace(number, tn.lstrip("+"), trunk, messages, octets)

    def column(self, number: int = 1) -> list[str]:
        """What a trace was given: who, and the first word."""
        names = {party.address: party.name for party in self.parties}
        return [
            f"{'to' if seen.sent else 'from'} {names[seen.remote]} {first_word(seen.octets)}"
            for each, seen in self.given
            if each == number
        ]


def first_word(octets: bytes) -> str:
    """INVITE, or 200."""
    words = octets.decode("latin-1").split(" ", 2)
    return words[1] if words[0] == "SIP/2.0" else words[0]


ESTABLISHED = [
    "from a INVITE", "to b INVITE", "from b 180", "to a 180", "from b 200", "to a 200", "from a ACK", "to b ACK",
]  # fmt: skip
ENDED = ["from a BYE", "to b BYE", "from b 200", "to a 200"]


@pytest.mark.parametrize("tn", [CALLER, CALLEE])
def test_a_call_is_followed_on_both_legs_to_its_end(tn: str) -> None:
    book = Watched()
    book.trace(tn=tn)
    book.establish()
    book.bye()
    assert book.column() == ESTABLISHED + ENDED
    assert {seen.decision_id for _, seen in book.given} == {book.frames[0].decision_id}  # type: ignore[union-attr]
    assert len({call_id_of(seen.octets) for _, seen in book.given}) == 2
    assert {seen.local for _, seen in book.given} == {("192.0.2.1", 5060), ("198.51.100.1", 5060)}


def test_calls_of_others_are_not_given() -> None:
    book = Watched()
    book.trace(tn=OTHER)
    book.trace(2, tn=CALLER, trunk="hop")
    book.establish()
    assert book.given == []


def test_each_trace_gets_its_own() -> None:
    book = Watched()
    book.trace()
    book.trace(2, tn=CALLEE, trunk="carrier")
    book.trace(3, tn="", trunk="carrier")
    book.trace(4, tn="", trunk="hop")
    book.establish()
    assert book.column(1) == book.column(2) == book.column(3) == ESTABLISHED
    assert book.column(4) == []


def test_messages_after_the_end_are_given_and_then_it_is_forgotten() -> None:
    book = Watched(BLOCK)
    book.trace()
    (rejected,) = book.a.invite()
    book.wait(2.0)
    status = f"to {rejected.partition(' ')[0]} {rejected.split()[1]}"
    assert book.column() == ["from a INVITE", *[status] * 3]
    book.watch.sweep(book.clock.unix)
    assert book.a.ack() == []
    assert book.column()[-1] == "from a ACK"
    for _ in range(2):
        book.wait(KEPT_S)
        book.watch.sweep(book.clock.unix)
    given = len(book.given)
    book.a.again()
    assert len(book.given) == given


def test_a_call_that_is_up_stays_known() -> None:
    book = Watched()
    book.trace()
    book.establish()
    for _ in range(5):
        book.wait(KEPT_S)
        book.watch.sweep(book.clock.unix)
    book.bye()
    assert book.column() == ESTABLISHED + ENDED


def test_failover_is_part_of_the_call() -> None:
    book = Watched()
    book.trace()
    book.a.invite()
    book.b.reply("503 Service Unavailable")
    book.c.reply("486 Busy Here")
    book.a.ack()
    wanted = ["from a INVITE", "to b INVITE", "from b 503", "to b ACK", "to c INVITE", "from c 486"]
    assert book.column()[: len(wanted)] == wanted
    assert len({call_id_of(seen.octets) for _, seen in book.given}) == 3


def test_the_same_call_id_may_come_again_for_another_call() -> None:
    """As after a 401 that crossed: the second INVITE is another decision."""
    book = Watched()
    book.trace()
    book.a.invite()
    book.b.reply("401 Unauthorized")
    book.a.ack()
    book.a.send(book.a.invited.replace("CSeq: 1 ", "CSeq: 2 ").replace("branch=z9hG4bK", "branch=z9hG4bKagain"))
    ids = [frame.decision_id for frame in book.of(VerdictFrame)]
    assert len(set(ids)) == 2
    assert book.given[-1][1].decision_id == ids[1]


def test_what_gets_no_answer_is_given_too() -> None:
    """An INVITE of nobody's trunk: why it gets no answer is what a trace may be for."""
    book = Watched()
    book.trace()
    assert book.stranger.invite() == []
    assert book.column() == ["from stranger INVITE"]


def test_a_trace_ends_by_its_bounds() -> None:
    book = Watched()
    book.trace(messages=3)
    book.trace(2, octets=1)
    book.establish()
    assert (len(book.column(1)), len(book.column(2))) == (3, 1)
    assert book.full == [(2, "size", 0), (1, "messages", 0)]
    assert not book.watch.wanted


def test_what_finds_no_room_is_counted() -> None:
    room = iter([True, False, True, True, True, True, True, True])
    book = Watched(room=lambda: next(room))
    book.trace(messages=6)
    book.establish()
    assert len(book.given) == 6
    assert book.full == [(1, "messages", 1)]


@pytest.mark.parametrize(
    ("octets", "call_id"),
    [
        (b"OPTIONS sip:a SIP/2.0\r\nCall-ID: one@example.com\r\n\r\n", "one@example.com"),
        (b"OPTIONS sip:a SIP/2.0\r\ncall-id:two\r\nCSeq: 1 OPTIONS\r\n\r\n", "two"),
        (b"OPTIONS sip:a SIP/2.0\r\ni : three\r\nCSeq: 1 OPTIONS\r\n\r\n", "three"),
        (b"OPTIONS sip:a SIP/2.0\r\nSubject: x\r\n\r\nCall-ID: body\r\n", ""),
        (b"nothing of SIP", ""),
    ],
    ids=["usual", "lower case", "compact", "in the body", "garbage"],
)
def test_call_id_of(octets: bytes, call_id: str) -> None:
    assert call_id_of(octets) == call_id


def test_keep_alives_and_garbage_pass_by() -> None:
    book = Watched()
    book.trace()
    for text in ("", "\r\n\r\n", "\0", "INVITE", "INVITE x\r\n\r\n", "SIP/2.0 200 OK\r\n\r\n"):
        book.a.send(text)
    assert book.given == []


@pytest.fixture
def collector() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)
        yield sock


def export(book: Watched, collector: socket.socket, sip: bool = True, verdicts: bool = True) -> None:
    """Copies of what the book's engine hears and says go to the collector."""
    settings = HepSettings("127.0.0.1", collector.getsockname()[1], 1, "node-1", sip, verdicts)
    book.watch.export = Exporter(settings, None)


def test_copies_of_both_legs_and_of_the_verdict_are_joined_by_the_decision_id(collector: socket.socket) -> None:
    book = Watched()
    export(book, collector)
    assert book.watch.wanted
    book.establish()
    (frame,) = book.of(VerdictFrame)
    book.watch.decided(frame)
    packets = [hep.read(collector.recv(65_535)) for _ in range(len(ESTABLISHED) + 1)]
    assert {packet.chunks[17] for packet in packets} == {frame.decision_id}
    verdict = packets.pop()
    assert (verdict.source, verdict.target) == (packets[0].source, packets[0].target)
    written = json.loads(verdict.chunks[15])
    assert (written["type"], written["action"], written["caller"]) == ("verdict", "allow", CALLER.lstrip("+"))
    assert written["call_id_a"] in packets[0].chunks[15].decode()
    assert [first_word(packet.chunks[15]) for packet in packets] == [line.split()[2] for line in ESTABLISHED]


def test_only_what_was_asked_for_is_copied(collector: socket.socket) -> None:
    book = Watched()
    export(book, collector, sip=False)
    assert not book.watch.wanted
    book.establish()
    (frame,) = book.of(VerdictFrame)
    book.watch.decided(frame)
    assert hep.read(collector.recv(65_535)).chunks[11] == 100
    export(book, collector, verdicts=False)
    book.watch.decided(frame)
    book.stranger.send("OPTIONS sip:192.0.2.1 SIP/2.0\r\nCall-ID: one\r\n\r\n")
    packet = hep.read(collector.recv(65_535))
    assert (packet.chunks[11], 17 in packet.chunks) == (1, False)
