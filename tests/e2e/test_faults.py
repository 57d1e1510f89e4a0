"""Peers that fall silent at any step, answer garbage, are not there, or flood; on the other side of sockets.

Silence is long: 64*T1 until somebody gives up. So all rows of SILENT are played at the same time on one product.
"""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.product import Product, configuration, wait_for
from tests.standin import SDP, Caller, Endpoint, NextHop, header, reply, uri_in

pytestmark = pytest.mark.e2e

GIVE_UP_S: Final = 32.0
FLOOD: Final = 10_000
GROWTH: Final = 200 * 2**20  # octets that 10,000 calls may take while they are remembered
CALLER, CALLEE, BLOCKED = "+12025550101", "+12025550131", "+12025550121"


class End(Endpoint):
    """One end of one call, played by a script."""

    def hear(self, start: str, within_s: float = 5.0, cseq: str = "") -> str:
        """The next message that begins so, others passed over. Raises TimeoutError."""
        end = time.monotonic() + within_s
        while True:
            message, self.source = self.receive(end - time.monotonic())
            if message.startswith(start) and header(message, "CSeq").endswith(cseq):
                return message

    def answer(self, request: str, status: str, content: str = "") -> None:
        """A response to a request."""
        contact = f"sip:{self.port}@{self.shown}:{self.port}"
        self.send(reply(request, status, f"t{self.port}", contact, content), self.source)


class Line:
    """A call from `a` to `b` up to where the script wants it."""

    def __init__(self, number: int, product: Product) -> None:
        self.target = product.address()
        self.caller = Caller(self.target, f"127.0.12.{number}")
        self.a = End(f"127.0.12.{number}")
        self.b = End(f"127.0.43.{number}", product.config["hop_port"])
        self.invite = self.at_b = self.final = ""

    # ------------------------------------------------------------------ steps

    def call(self) -> str:
        """The INVITE, as b hears it."""
        self.invite = self.caller.invite(CALLER, CALLEE).replace(f":{self.caller.port}", f":{self.a.port}")
        self.a.send(self.invite, self.target)
        self.at_b = self.b.hear("INVITE")
        return self.at_b

    def up(self) -> None:
        """Answered and acknowledged."""
        self.b.answer(self.call(), "200 OK", SDP)
        self.final = self.a.hear("SIP/2.0 200")
        self.ask("ACK", 1)
        self.b.hear("ACK")

    def ask(self, method: str, cseq: int, content: str = "") -> None:
        """A request of a within the dialog."""
        request = self.caller.in_dialog(self.invite, self.final, method, cseq, content)
        self.a.send(request.replace(f":{self.caller.port}", f":{self.a.port}"), self.target)

    def ask_back(self, method: str, cseq: int, content: str = "") -> None:
        """A request of b within the dialog."""
        where = f"{self.b.shown}:{self.b.port}"
        lines = [
            f"{method} {uri_in(header(self.at_b, 'Contact'))} SIP/2.0",
            f"Via: SIP/2.0/UDP {where};branch=z9hG4bKb{method}{cseq}x{time.time_ns()};rport",
            "Max-Forwards: 70",
            f"From: {header(self.at_b, 'To')};tag=t{self.b.port}",
            f"To: {header(self.at_b, 'From')}",
            f"Call-ID: {header(self.at_b, 'Call-ID')}",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:{self.b.port}@{where}>",
            *(["Content-Type: application/sdp"] if content else []),
            f"Content-Length: {len(content)}",
        ]
        self.b.send("\r\n".join([*lines, "", content]), self.b.source)

    def cancel(self) -> None:
        """The caller gives up."""
        self.a.send(self.caller._companion(self.invite, "CANCEL", header(self.invite, "To")), self.target)

    def close(self) -> None:
        """Ends the sockets."""
        for each in (self.caller, self.a, self.b):
            each.close()


# ------------------------------------------------------------------ silence, at each step


def to_an_invite(line: Line) -> str:
    line.call()
    line.a.hear("SIP/2.0 500", 10)
    return "unreachable"


def after_100(line: Line) -> str:
    line.b.answer(line.call(), "100 Trying")
    time.sleep(0.3)
    line.cancel()
    line.a.hear("SIP/2.0 487")
    line.b.hear("CANCEL")
    return "cancelled"


def after_180(line: Line) -> str:
    line.b.answer(line.call(), "180 Ringing")
    line.a.hear("SIP/2.0 180")
    line.cancel()
    line.a.hear("SIP/2.0 487")
    line.b.hear("CANCEL")
    return "cancelled"


def to_an_answer(line: Line) -> str:
    line.b.answer(line.call(), "200 OK", SDP)
    line.b.hear("ACK", GIVE_UP_S + 5)
    line.b.answer(line.b.hear("BYE"), "200 OK")
    line.a.hear("BYE")
    return "ack_lost"


def to_a_refusal(line: Line) -> str:
    line.b.answer(line.call(), "486 Busy Here")
    line.b.hear("ACK")
    line.a.hear("SIP/2.0 486")
    line.a.hear("SIP/2.0 486")  # again
    return "busy"


def to_a_bye_of_a(line: Line) -> str:
    line.up()
    line.ask("BYE", 2)
    line.a.hear("SIP/2.0 408", GIVE_UP_S + 5)
    return "answered"


def to_a_bye_of_b(line: Line) -> str:
    line.up()
    line.ask_back("BYE", 1)
    line.a.hear("BYE")
    line.b.hear("SIP/2.0 408", GIVE_UP_S + 5)
    return "answered"


def to_an_info(line: Line) -> str:
    line.up()
    line.ask("INFO", 2)
    line.a.hear("SIP/2.0 408", GIVE_UP_S + 5)
    line.ask("BYE", 3)
    line.b.answer(line.b.hear("BYE"), "200 OK")
    line.a.hear("SIP/2.0 200", cseq="BYE")
    return "answered"


def to_a_reinvite_of_a(line: Line) -> str:
    line.up()
    line.ask("INVITE", 2, SDP)
    line.a.hear("SIP/2.0 100")
    line.a.hear("SIP/2.0 408", GIVE_UP_S + 5)
    line.ask("BYE", 3)
    line.b.answer(line.b.hear("BYE"), "200 OK")
    return "answered"


def to_a_reinvite_of_b(line: Line) -> str:
    line.up()
    line.ask_back("INVITE", 1, SDP)
    line.a.hear("INVITE")
    line.b.hear("SIP/2.0 408", GIVE_UP_S + 5)
    line.ask_back("BYE", 2)
    line.a.answer(line.a.hear("BYE"), "200 OK")
    return "answered"


def to_the_answer_of_its_reinvite(line: Line) -> str:
    line.up()
    line.ask("INVITE", 2, SDP)
    line.b.answer(line.b.hear("INVITE"), "200 OK", SDP)
    line.b.hear("BYE", GIVE_UP_S + 5)
    line.a.hear("BYE")
    return "ack_lost"


def to_everything_once_it_is_up(line: Line) -> str:
    """Neither end is there any more: nobody answers whether the call is still known."""
    line.up()
    line.b.hear("OPTIONS")
    line.b.hear("BYE", GIVE_UP_S + 5)
    return "dead"


SILENT: Final[dict[str, Callable[[Line], str]]] = {
    "b_to_an_invite": to_an_invite,
    "b_after_its_100": after_100,
    "b_after_its_180": after_180,
    "a_to_an_answer": to_an_answer,
    "a_to_a_refusal": to_a_refusal,
    "b_to_a_bye": to_a_bye_of_a,
    "a_to_a_bye": to_a_bye_of_b,
    "b_to_an_info": to_an_info,
    "b_to_a_reinvite": to_a_reinvite_of_a,
    "a_to_a_reinvite": to_a_reinvite_of_b,
    "a_to_the_answer_of_its_reinvite": to_the_answer_of_its_reinvite,
    "both_once_it_is_up": to_everything_once_it_is_up,
}


class Silences:
    """All rows of SILENT, played at the same time, and the product that they were played on."""

    def __init__(self, directory: Path) -> None:
        hop_port = random.Random(os.getpid()).randrange(30_000, 32_000)
        config: dict[str, Any] = configuration(hop_port)
        config["policy"] = {"rules": [], "default": "allow"}
        for number in range(1, len(SILENT) + 1):
            config["trunks"] |= {
                f"from-{number}": {
                    "kind": "interconnect", "listener": "outer", "sources": [f"127.0.12.{number}"],
                    "route": f"to-{number}",
                },
                f"to-{number}": {
                    "kind": "interconnect", "listener": "inner", "peers": [f"127.0.43.{number}:{hop_port}"],
                    "try_timeout": "1s", "dead_call_check": "0s" if number < len(SILENT) else "2s",
                },
            }  # fmt: skip
        self.product = Product(directory, config).start()
        config["hop_port"] = hop_port
        self._pool = ThreadPoolExecutor(len(SILENT))
        self._results: dict[str, Future[str]] = {}
        for number, (name, script) in enumerate(SILENT.items(), 1):
            self._results[name] = self._pool.submit(self._play, number, script)

    def _play(self, number: int, script: Callable[[Line], str]) -> str:
        line = Line(number, self.product)
        try:
            return script(line)
        finally:
            line.close()

    def result(self, name: str) -> str:
        """The disposition that the script expects; what it missed is raised."""
        return self._results[name].result(2 * GIVE_UP_S)

    def wait(self) -> None:
        """Until all are over."""
        self._pool.shutdown()


@pytest.fixture(scope="module")
def silences(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Silences]:
    """All at once."""
    found = Silences(tmp_path_factory.mktemp("silences") / "product")
    yield found
    found.product.stop()


@pytest.mark.parametrize("name", SILENT)
def test_silence_at_any_step_ends_the_call_on_both_legs(silences: Silences, name: str) -> None:
    expected = silences.result(name)
    number = list(SILENT).index(name) + 1

    def recorded() -> list[str]:
        return [row["disposition"] for row in silences.product.calls("--trunk", f"from-{number}")]

    wait_for(lambda: recorded() == [expected], f"the record says {expected}, not {recorded()}")


def test_after_all_silences_nothing_is_left(silences: Silences) -> None:
    silences.wait()
    require_nothing_left(silences.product)


def require_nothing_left(product: Product) -> None:
    """Every table is empty, once those who must wait have waited."""
    wait_for(lambda: product.metric("sipguard_transactions_active") == 0, "no transaction is left", 2.5 * GIVE_UP_S)
    for name in ("calls", "dialogs", "timers"):
        assert product.metric(f"sipguard_{name}_active") == 0, name


# ------------------------------------------------------------------ garbage, and nobody there

GARBAGE: Final[dict[str, Callable[[str], str]]] = {
    "noise": lambda invite: random.Random(1).randbytes(700).decode("latin-1"),
    "half_a_response": lambda invite: reply(invite, "200 OK", "g", "sip:g@127.0.42.9", SDP)[:150],
    "no_status": lambda invite: reply(invite, "200 OK", "g").replace("SIP/2.0 200 OK", "SIP/2.0 OK"),
    "a_status_of_four_digits": lambda invite: reply(invite, "2000 OK", "g", "sip:g@127.0.42.9"),
    "another_branch": lambda invite: reply(invite, "486 Busy", "g").replace("branch=z9hG4bK", "branch=z9hG4bKx"),
    "another_method": lambda invite: reply(invite, "486 Busy", "g").replace(" INVITE\r\n", " BYE\r\n"),
    "a_broken_cseq": lambda invite: reply(invite, "486 Busy", "g").replace("CSeq: ", "CSeq: x"),
    "more_body_than_there_is": lambda invite: reply(invite, "183 Early", "g").replace("Length: 0", "Length: 9999"),
    "a_negative_length": lambda invite: reply(invite, "183 Early", "g").replace("Length: 0", "Length: -1"),
    "the_invite_itself": lambda invite: invite,
    "an_endless_header": lambda invite: reply(invite, "183 Early", "g", more="X: " + "x" * 60_000),
    "its_own_requests": lambda invite: invite.replace("INVITE ", "BYE ", 1).replace(" INVITE", " BYE"),
}


@contextmanager
def making(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Product]]:
    """Makes products, and stops them."""
    made: list[Product] = []

    def make(peers: list[str], overload: dict[str, object] | None = None, **egress: object) -> Product:
        config = configuration(0)
        config["trunks"]["hop"] |= {"peers": peers, **egress}
        config["overload"] = overload or {}
        config["drain"] = {"deadline": "500ms"}
        made.append(Product(tmp_path_factory.mktemp("faults") / "product", config))
        return made[-1].start()

    try:
        yield make
    finally:
        for each in made:
            each.stop()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Product]]:
    """Makes products of this module."""
    with making(tmp_path_factory) as make:
        yield make


def test_garbage_of_a_peer_changes_nothing(alone: Callable[..., Product]) -> None:
    """Each kind of garbage comes before the true answer, which is what the caller hears."""
    b = End("127.0.42.7")
    product = alone([f"127.0.42.7:{b.port}"], try_timeout="10s")
    for name, garbage in GARBAGE.items():
        caller = Caller(product.address(), "127.0.11.1")
        invite = caller.invite(CALLER, CALLEE)
        caller.send(invite, caller.target)
        arrived = b.hear("INVITE")
        for _ in range(3):
            b.send(garbage(arrived), b.source)
        b.answer(arrived, "480 Not At Home")
        end = time.monotonic() + 5
        while not (message := caller.receive(end - time.monotonic())[0]).startswith("SIP/2.0 4"):
            assert time.monotonic() < end, name
        assert message.startswith("SIP/2.0 480 Not At Home"), name
        caller._acknowledge(invite, message)
        b.hear("ACK")
        caller.close()
    b.close()
    assert product.metric("sipguard_malformed_total") > 10
    assert product.metric("sipguard_troubles_total") == 0


def test_a_port_where_nobody_listens_is_passed_over(alone: Callable[..., Product], hop: NextHop) -> None:
    closed = End("127.0.42.8")
    closed.close()
    product = alone([f"127.0.42.8:{closed.port}", f"{hop.host}:{hop.port}"], try_timeout="1s")
    caller = Caller(product.address(), "127.0.11.1")
    for _ in range(3):
        assert caller.call(caller.invite(CALLER, CALLEE)).status == 200
    assert product.metric("sipguard_failovers_total") == 1, "it is marked down"
    caller.close()


def test_a_caller_whose_port_is_closed_harms_nobody(alone: Callable[..., Product], hop: NextHop) -> None:
    product = alone([f"{hop.host}:{hop.port}"])
    for callee in (CALLEE, "+12025550150"):
        gone = Caller(product.address(), "127.0.11.1")
        gone.send(gone.invite(CALLER, callee), gone.target)
        gone.close()
    caller = Caller(product.address(), "127.0.11.1")
    for _ in range(5):
        assert caller.call(caller.invite(CALLER, CALLEE)).status == 200
    caller.close()


# ------------------------------------------------------------------ floods


class Flood:
    """Datagrams at full speed from one socket that reads nothing."""

    def __init__(self, target: tuple[str, int], host: str) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((host, 0))
        self.sock.connect(target)

    def send(self, messages: Iterator[bytes]) -> None:
        """As fast as the kernel takes them."""
        for message in messages:
            self.sock.send(message)


def resident(product: Product) -> float:
    """Memory of worker and desk, in octets."""
    return product.metric("sipguard_memory_bytes")


def flooded_with_invites(make: Callable[..., Product], hop: NextHop, shedding: bool) -> Product:
    """Half of them are refused by a rule, half go to a peer; nobody acknowledges anything. A call goes on meanwhile."""
    never = {"skip_verification_after": "1h", "refuse_after": "1h"}
    product = make([f"{hop.host}:{hop.port}"], None if shedding else never)
    caller = Caller(product.address(), "127.0.11.1")
    invite = caller.invite(CALLER, CALLEE)
    outcome = caller.call(invite, hang_up=False)
    assert outcome.status == 200
    before = resident(product)
    flood = Flood(product.address(), "127.0.11.2")
    template = caller.invite("NUMBER", "+12025550150")  # the hop answers that it is busy
    call_id = header(template, "Call-ID")
    branch = header(template, "Via").partition("branch=")[2].partition(";")[0]

    def invites() -> Iterator[bytes]:
        for n in range(FLOOD):
            text = template.replace("NUMBER", (CALLER, BLOCKED)[n % 2]).replace(call_id, f"flood-{n}")
            yield text.replace(branch, f"z9hG4bKflood{n}").encode()

    flood.send(invites())
    assert caller.ask(caller.in_dialog(invite, outcome.final, "INFO", 2), 10).startswith("SIP/2.0 200")
    assert caller.bye(invite, outcome.final, 3) == 200
    wait_for(lambda: caller.call(caller.invite(CALLER, CALLEE), wait_s=2).status == 200, "calls go through again", 30)
    wait_for(lambda: product.metric("sipguard_invites_total") > FLOOD / 4, "the flood was heard")
    assert (product.metric("sipguard_overload_total") > 0) is shedding
    assert resident(product) - before < GROWTH
    flood.sock.close()
    caller.close()
    return product


@pytest.fixture(scope="session")
def flooded(tmp_path_factory: pytest.TempPathFactory, hop: NextHop) -> Iterator[Callable[[bool], Product]]:
    """A product after ten thousand INVITEs at full speed; each is flooded once."""
    with making(tmp_path_factory) as make:
        yield cache(partial(flooded_with_invites, make, hop))


SHEDDING: Final = pytest.mark.parametrize("shedding", [True, False], ids=["most_are_shed", "none_is_shed"])


@pytest.mark.load
@SHEDDING
def test_ten_thousand_invites_at_full_speed(flooded: Callable[[bool], Product], shedding: bool) -> None:
    assert flooded(shedding).metric("sipguard_troubles_total") == 0


@pytest.mark.load
@pytest.mark.parametrize("host", ["127.0.11.2", "127.0.19.9"], ids=["from_a_trunk", "from_a_stranger"])
def test_ten_thousand_datagrams_of_noise(product: Product, host: str) -> None:
    caller = Caller(product.address(), "127.0.11.1")
    invite = caller.invite(CALLER, CALLEE)
    outcome = caller.call(invite, hang_up=False)
    flood = Flood(product.address(), host)
    dice = random.Random(2)
    whole = invite.encode()

    def noise() -> Iterator[bytes]:
        for n in range(FLOOD):
            if n % 3 == 0:
                yield dice.randbytes(dice.randrange(1, 1400))
            elif n % 3 == 1:
                yield whole[: dice.randrange(1, len(whole))]
            else:
                at = dice.randrange(len(whole) - 8)
                yield whole[:at] + dice.randbytes(8) + whole[at + 8 :]

    flood.send(noise())
    assert caller.bye(invite, outcome.final) == 200
    assert caller.call(caller.invite(CALLER, CALLEE)).status == 200
    flood.sock.close()
    assert product.metric("sipguard_troubles_total") == 0
    caller.close()


@pytest.mark.load
@pytest.mark.waits  # for 64*T1, as nobody has acknowledged anything
@SHEDDING
def test_after_a_flood_nothing_is_left(flooded: Callable[[bool], Product], shedding: bool) -> None:
    product = flooded(shedding)
    require_nothing_left(product)
    assert product.metric("sipguard_troubles_total") == 0
