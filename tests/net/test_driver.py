"""The shell around the engine, over a real socket: what one wake takes, and the time it tells the engine."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest

from sipguard.b2bua.commands import Clock, Command, Record, Trouble
from sipguard.b2bua.frames import NoteFrame
from sipguard.net.driver import DRAIN, Driver
from sipguard.net.udp import Port, open_socket
from sipguard.screening.trunk import Listener
from sipguard.sip.flow import Flow, Send

HOST = "127.0.0.1"


class Door:
    """An engine that notes what it is given, and has more sent to itself while it is at work."""

    def __init__(self, sender: socket.socket, to: tuple[str, int], more: int) -> None:
        self.heard: list[tuple[bytes, Clock]] = []
        self.sent_at: list[float] = []
        self.has_all = asyncio.Event()
        self._sender, self._to, self._more = sender, to, more

    def received(self, flow: Flow, octets: bytes, clock: Clock) -> list[Command]:
        self.heard.append((octets, clock))
        if len(self.heard) <= self._more:
            self.sent_at.append(time.time())
            self._sender.sendto(b"%d" % len(self.heard), self._to)
        else:
            self.has_all.set()
        return []

    def send_failed(self, send_id: str, why: str, clock: Clock) -> list[Command]:
        raise AssertionError(why)

    def timer(self, clock: Clock) -> list[Command]:
        raise AssertionError("there is no timer")

    def next_timer(self) -> float | None:
        return None


@pytest.fixture
def sender() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, 0))
        yield sock


async def heard_by(sender: socket.socket, more: int) -> Door:
    """What the engine was given once everything sent to it has been read."""
    troubles: list[str] = []
    with open_socket(Listener("main", HOST, 0)) as sock:
        to = (HOST, int(sock.getsockname()[1]))
        door = Door(sender, to, more)
        driver = Driver(door, [Port("main", sock)], troubles.append, troubles.append, troubles.append)
        sender.sendto(b"0", to)
        async with asyncio.timeout(5):
            await door.has_all.wait()
        driver.close()
    assert troubles == []
    return door


async def test_one_wake_takes_what_comes_meanwhile_and_no_more_than_drain(sender: socket.socket) -> None:
    door = await heard_by(sender, 2 * DRAIN)
    assert [octets for octets, _ in door.heard] == [b"%d" % n for n in range(2 * DRAIN + 1)]
    turns = [clock.now for _, clock in door.heard]
    assert (turns.count(turns[0]), len(set(turns))) == (DRAIN, 3)


async def test_no_message_is_older_than_its_sending(sender: socket.socket) -> None:
    """What comes during a turn has the time of its own receipt, or its record would lie before the call."""
    door = await heard_by(sender, 5)
    for sent_at, (_, clock) in zip(door.sent_at, door.heard[1:], strict=True):
        assert clock.unix >= sent_at


async def test_backlog_is_the_time_for_which_the_socket_was_not_empty(sender: socket.socket) -> None:
    door = await heard_by(sender, 2 * DRAIN)
    backlogs = [clock.backlog_s for _, clock in door.heard]
    assert backlogs[: 2 * DRAIN - DRAIN] == [0.0] * DRAIN
    assert 0.0 < backlogs[DRAIN] < backlogs[2 * DRAIN]


class Tap:
    """Notes what passes."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Flow, bytes, float, list[Command]]] = []

    def received(self, flow: Flow, octets: bytes, at: float, commands: list[Command]) -> None:
        self.seen.append(("received", flow, octets, at, commands))

    def sent(self, flow: Flow, octets: bytes, at: float) -> None:
        self.seen.append(("sent", flow, octets, at, []))


class Echo(Door):
    """An engine that sends back what it is given, to the sender and to where nothing can be sent."""

    def received(self, flow: Flow, octets: bytes, clock: Clock) -> list[Command]:
        super().received(flow, octets, clock)
        nowhere = Flow(0, "udp", flow.listener, ("127.0.0.1", 0))
        return [Send(flow, octets.upper()), Send(nowhere, b"lost")]


async def test_the_tap_sees_what_comes_and_what_has_left(sender: socket.socket) -> None:
    tap = Tap()
    with open_socket(Listener("main", HOST, 0)) as sock:
        to = (HOST, int(sock.getsockname()[1]))
        door = Echo(sender, to, 0)
        driver = Driver(door, [Port("main", sock)], _refuse, _refuse, _refuse)
        driver.tap = tap
        began_at = time.time()
        sender.sendto(b"once", to)
        async with asyncio.timeout(5):
            await door.has_all.wait()
        driver.close()
    (_, came, octets, came_at, commands), (kind, left, answer, left_at, _) = tap.seen
    assert (octets, kind, answer) == (b"once", "sent", b"ONCE")
    assert came is left and came.remote == sender.getsockname()
    assert began_at <= came_at <= left_at
    assert [type(command) for command in commands] == [Send, Send]


def _refuse(what: object) -> None:
    raise AssertionError(what)


class Misled(Door):
    """An engine that sends to what can be no address, and then back to the sender."""

    def __init__(self, sender: socket.socket, to: tuple[str, int]) -> None:
        super().__init__(sender, to, 0)
        self.failed: list[str] = []

    def received(self, flow: Flow, octets: bytes, clock: Clock) -> list[Command]:
        super().received(flow, octets, clock)
        odd = (("192.0.2.1", 65536), ("x" * 64 + ".example", 5060))
        return [*(Send(Flow(0, "udp", flow.listener, at), b"x", str(at[1])) for at in odd), Send(flow, b"answer")]

    def send_failed(self, send_id: str, why: str, clock: Clock) -> list[Command]:
        self.failed.append(send_id)
        return []


async def test_what_can_be_no_address_fails_alone(sender: socket.socket) -> None:
    """The messages behind it in the same turn leave."""
    with open_socket(Listener("main", HOST, 0)) as sock:
        to = (HOST, int(sock.getsockname()[1]))
        door = Misled(sender, to)
        driver = Driver(door, [Port("main", sock)], _refuse, _refuse, _refuse)
        sender.sendto(b"once", to)
        async with asyncio.timeout(5):
            await door.has_all.wait()
        driver.close()
    assert door.failed == ["65536", "5060"]
    assert sender.recv(100) == b"answer"


class Breaking(Door):
    """An engine that breaks at what says so, and answers everything else."""

    def received(self, flow: Flow, octets: bytes, clock: Clock) -> list[Command]:
        self.heard.append((octets, clock))
        if octets == b"last":
            self.has_all.set()
        if octets == b"breaks":
            raise ZeroDivisionError("here")
        if octets == b"odd":
            nowhere = Flow(0, "udp", "gone", flow.remote)
            return [Record(NoteFrame(0.0, "note", "", "")), Send(nowhere, b"lost", "send-1"), Send(flow, b"after")]
        return [Send(flow, octets.upper())]

    def send_failed(self, send_id: str, why: str, clock: Clock) -> list[Command]:
        return [Send(Flow(0, "udp", "main", self._sender.getsockname()), f"failed {send_id}".encode())]


class BrokenTap(Tap):
    """A tap that may not raise, and does."""

    def sent(self, flow: Flow, octets: bytes, at: float) -> None:
        raise ZeroDivisionError("tap")


def _full(what: object) -> None:
    raise OSError("no room")


async def test_what_breaks_ends_neither_the_batch_nor_the_loop(sender: socket.socket) -> None:
    """A message, a record that cannot be written, a listener that is gone, a tap: the others of the wake go on."""
    troubles: list[str] = []
    sender.settimeout(5)
    with open_socket(Listener("main", HOST, 0)) as sock:
        to = (HOST, int(sock.getsockname()[1]))
        door = Breaking(sender, to, 0)
        driver = Driver(door, [Port("main", sock)], _full, _refuse, troubles.append)
        driver.tap = BrokenTap()
        for octets in (b"breaks", b"first", b"odd", b"breaks", b"last"):
            sender.sendto(octets, to)
        async with asyncio.timeout(5):
            await door.has_all.wait()
        sender.sendto(b"later", to)
        got = [await asyncio.to_thread(sender.recv, 100) for _ in range(5)]
        driver.close()
    assert got == [b"FIRST", b"failed send-1", b"after", b"LAST", b"LATER"]
    told = [what.partition(";")[0] for what in troubles if what]
    assert told == ["ZeroDivisionError: here", "ZeroDivisionError: tap", "OSError: no room"]
    assert len(troubles) == 2 + 1 + 5  # each is counted: two messages, a record, five taps


async def test_timers_and_commands_of_the_loop_go_on_after_an_error(sender: socket.socket) -> None:
    troubles: list[str] = []
    done: list[int] = []
    with open_socket(Listener("main", HOST, 0)) as sock:
        driver = Driver(Door(sender, (HOST, 0), 0), [Port("main", sock)], _full, _refuse, troubles.append)
        driver._timer()  # its engine has no timer, and breaks
        assert driver.safely(done.append, 1)
        assert not driver.safely(_full, 2)
        driver.execute([Record(NoteFrame(0.0, "note", "", "")), Trouble("told"), Trouble("")])
        driver.close()
    assert done == [1]
    assert [what.partition(":")[0] for what in troubles] == ["AssertionError", "OSError", "", "told", ""]
