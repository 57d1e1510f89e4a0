"""The table of sipp_scenarios/README.md, row by row, with SIPp on both sides of the running product."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.product import CALLER_HOST, HOP_HOST, Product, configuration, free_port, wait_for
from tests.e2e.sipp import LONGEST_S, SCENARIOS, Message, Sipp
from tests.e2e.topology import altered, leaks, private
from tests.standin import SDP, Caller, Endpoint, NextHop, reply
from tests.wanted import reason

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(reason("sipp")), reason=reason("sipp") or "sipp is there"),
]

AT_ONCE: Final = 8
NOTHING: Final = "nothing"


def table() -> dict[str, tuple[str, str, str]]:
    """Rows of the README: scenario -> what happens, asserted at A, asserted at B."""
    rows = {}
    for line in (SCENARIOS / "README.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if len(cells) == 4 and cells[0][:3].isdigit():
            rows[cells[0]] = (cells[1], cells[2], cells[3])
    return rows


TABLE: Final = table()


@dataclass
class Run:
    """What came of one scenario. `a` and `b` are the messages of both sides."""

    name: str
    product: Product
    statuses: tuple[int, int]
    complaints: str
    a: list[Message]
    b: list[Message]
    places: tuple[list[str], list[str]]
    failover: list[str] = field(default_factory=list)  # what arrived at the peer before B

    def count(self, side: str, kind: str, sent: bool = False) -> int:
        """How often SIPp on this side received (or sent) a message of this kind, such as `200 INVITE`."""
        return sum(1 for each in getattr(self, side) if each.sent is sent and each.kind == kind)


# ------------------------------------------------------------------ what a scenario cannot say itself


def _first_peer_was_asked(run: Run) -> None:
    assert run.failover[0].startswith("INVITE ")
    assert not any(each.kind.startswith("503") for each in run.a)
    (first,) = {line for text in run.failover for line in text.split("\r\n") if line.startswith("Call-ID:")}
    assert all(line != first for each in run.b for line in each.lines), "each try has a Call-ID of its own"


def _screened_once(run: Run) -> None:
    assert run.count("b", "INVITE") == 1
    assert run.count("a", "INVITE", sent=True) == 3
    assert run.count("a", "200 INVITE") == 1
    number = run.name[:3]
    wait_for(lambda: len(run.product.calls("--trunk", f"from-{number}")) == 1, "one record")


def _repeated_until_the_end(run: Run) -> None:
    assert run.count("a", "200 INVITE") >= 10  # T1, 2*T1, 4*T1, then every T2 (RFC 3261 §13.3.1.4)
    assert run.count("b", "ACK") >= 1


def _repeated_by_us(run: Run) -> None:
    assert run.count("a", "200 INVITE") == 3
    assert run.count("b", "200 INVITE", sent=True) > 1
    assert run.count("b", "ACK") == 1


def _answered_once(run: Run) -> None:
    assert run.count("a", "200 INVITE") == 1


def _acknowledged_again(run: Run) -> None:
    assert run.count("a", "200 INVITE") == 1
    acks = [each.text for each in run.b if each.kind == "ACK"]
    assert len(acks) == 2
    assert acks[0] == acks[1]


def _cancel_waited(run: Run) -> None:
    kinds = [each.kind for each in run.b]
    assert kinds.index("180 INVITE") < kinds.index("CANCEL")
    assert run.count("b", "CANCEL") == 1


def _dismissed(run: Run) -> None:
    kinds = [text.partition(" ")[0] for text in run.failover]
    assert kinds[-2:] == ["ACK", "BYE"]
    assert run.count("a", "BYE") == 0


def _octets(run: Run) -> None:
    (arrived,) = [each for each in run.b if each.kind == "INVITE"]
    assert len(arrived.body) > 60_000


@dataclass(frozen=True)
class Setup:
    """What of the template a scenario needs otherwise. `first_peer`: silent, busy (503) or late, tried before B."""

    trunk: dict[str, Any] = field(default_factory=dict)
    egress: dict[str, Any] = field(default_factory=dict)
    listeners: tuple[str, str] = ("outer", "inner")
    first_peer: str = ""
    draining: bool = False
    uac: tuple[str, ...] = ()  # options of SIPp; -nr: it does not judge what is a retransmission
    uas: tuple[str, ...] = ()
    check: Callable[[Run], None] | None = None
    long: bool = False


SETUPS: Final = {
    "005_cancelled_before_any_response": Setup(check=_cancel_waited),
    "006_no_ack_ends_both_legs": Setup(check=_repeated_until_the_end, long=True),
    "014_failover_on_silence": Setup(first_peer="silent", egress={"try_timeout": "1s"}, check=_first_peer_was_asked),
    "015_failover_on_503": Setup(first_peer="busy", check=_first_peer_was_asked),
    "016_retransmitted_invite": Setup(uac=("-nr",), check=_screened_once),
    "017_lost_ack": Setup(uas=("-nr",), check=_acknowledged_again),
    "018_answer_repeated_until_ack": Setup(check=_repeated_by_us),
    "019_answered_twice": Setup(uas=("-nr",), check=_answered_once),
    "031_mark_of_trusted_trunk": Setup(trunk={"emergency_marks": "trusted"}),
    "038_ipv6": Setup(listeners=("outer6", "inner6")),
    "039_ipv6_to_ipv4": Setup(listeners=("outer6to4", "inner")),
    "040_body_of_60_kib": Setup(check=_octets),
    "041_draining": Setup(draining=True),
    "046_late_answer_after_failover": Setup(first_peer="late", egress={"try_timeout": "1s"}, check=_dismissed),
}


class Runs:
    """Runs scenarios, several at a time, on one product; each has a trunk, a caller's and a next hop's address."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.hop_port = free_port(HOP_HOST)
        self.product = Product(directory / "product", self._configuration())
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._started: dict[str, Future[Run]] = {}
        self._silent: list[socket.socket] = []

    def _configuration(self) -> dict[str, Any]:
        config = configuration(self.hop_port)
        for name in ("outer6", "outer6to4", "inner6"):
            config["listeners"][name] = {"address": "::1", "port": free_port("::1")}
        for name in TABLE:
            setup = SETUPS.get(name, Setup())
            number = name[:3]
            outer, inner = setup.listeners
            peers = [_shown(self.b_place(name))]
            if setup.first_peer:
                peers.insert(0, _shown(self.first_place(name)))
            config["trunks"] |= {
                f"from-{number}": {
                    "kind": "interconnect", "listener": outer, "sources": [self.a_host(name)],
                    "route": f"to-{number}", "trust_pai": True, **setup.trunk,
                },
                f"to-{number}": {"kind": "interconnect", "listener": inner, "peers": peers, **setup.egress},
            }  # fmt: skip
        return config

    @staticmethod
    def a_host(name: str) -> str:
        """Where the caller of a scenario sits."""
        v6 = SETUPS.get(name, Setup()).listeners[0].startswith("outer6")
        return "::1" if v6 else f"127.0.12.{int(name[:3])}"

    def b_place(self, name: str) -> tuple[str, int]:
        """Where its next hop sits."""
        v6 = SETUPS.get(name, Setup()).listeners[1] == "inner6"
        return ("::1", self.hop_port) if v6 else (f"127.0.43.{int(name[:3])}", self.hop_port)

    def first_place(self, name: str) -> tuple[str, int]:
        """Where the peer sits that is tried before."""
        return f"127.0.44.{int(name[:3])}", self.hop_port

    def begin(self, names: list[str]) -> None:
        """Starts these scenarios, those that take long first."""
        for name in sorted(names, key=lambda each: not SETUPS.get(each, Setup()).long):
            if name not in self._started:
                self._started[name] = self._pool.submit(self._run, name)

    def result(self, name: str) -> Run:
        """What came of a scenario."""
        self.begin([name])
        return self._started[name].result(150)

    def _run(self, name: str) -> Run:
        setup = SETUPS.get(name, Setup())
        directory = self.directory / name
        directory.mkdir()
        if setup.draining:
            with Draining(directory) as product:
                return self._both(name, setup, directory, product)
        if setup.first_peer == "busy":
            first = NextHop(*self.first_place(name))  # answers 503 to numbers that end in 54
            run = self._both(name, setup, directory, self.product)
            first.close()
            run.failover = first.got
            return run
        if setup.first_peer == "late":
            with LatePeer(*self.first_place(name)) as late:
                run = self._both(name, setup, directory, self.product)
            run.failover = late.got
            return run
        if setup.first_peer == "silent":
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
                mute.bind(self.first_place(name))
                run = self._both(name, setup, directory, self.product)
                run.failover = [mute.recv(65535).decode("latin-1")]
            return run
        return self._both(name, setup, directory, self.product)

    def _both(self, name: str, setup: Setup, directory: Path, product: Product) -> Run:
        """Plays both sides."""
        own = product is self.product
        a_host = self.a_host(name) if own else CALLER_HOST
        b_place = self.b_place(name)
        a_place = (a_host, free_port(a_host))
        outer, inner = (product.address(each) for each in setup.listeners)
        uas = Sipp(f"{name}_uas", directory, b_place, None, *setup.uas).start()
        uac = Sipp(f"{name}_uac", directory, a_place, outer, *setup.uac).start()
        try:
            status = uac.wait()
            if TABLE[name][2] == NOTHING:
                time.sleep(0.3)
                uas.stop()
                statuses = (status, 0)
            else:
                patience = threading.Timer(10 if status == 0 else 1, uas.stop)
                patience.start()
                statuses = (status, uas.wait())
                patience.cancel()
        finally:
            uac.stop()
            uas.stop()
        v6 = a_host == b_place[0]
        places = [[_shown(one) if v6 else one[0] for one in pair] for pair in ((a_place, outer), (b_place, inner))]
        return Run(
            name, product, statuses, uac.complaint() + uas.complaint(), uac.messages(), uas.messages(),
            (places[0], places[1]),
        )  # fmt: skip

    def close(self) -> None:
        """Stops everything."""
        self._pool.shutdown(cancel_futures=True)
        self.product.stop()


class Draining:
    """A product of its own that drains, because one call is still up."""

    def __init__(self, directory: Path) -> None:
        self._hop = NextHop(HOP_HOST)
        config = configuration(self._hop.port)
        config["drain"] = {"deadline": "30s"}
        self._product = Product(directory / "product", config)

    def __enter__(self) -> Product:
        product = self._product.start()
        self._caller = Caller(product.address(), CALLER_HOST)
        self._invite = self._caller.invite("+12025550101", "+12025550131")
        self._outcome = self._caller.call(self._invite, hang_up=False)
        product.terminate()
        wait_for(lambda: b'"event": "draining"' in product.log.read_bytes(), "it drains")
        return product

    def __exit__(self, *error: object) -> None:
        self._caller.bye(self._invite, self._outcome.final)
        self._product.stop()
        self._caller.close()
        self._hop.close()


class LatePeer(Endpoint):
    """A peer that answers an INVITE 200 when it has waited for too long, and keeps what it gets."""

    def __enter__(self) -> LatePeer:
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def _serve(self) -> None:
        invite, source = self.receive(LONGEST_S)
        time.sleep(1.3)
        contact = f"sip:late@{self.shown}:{self.port}"
        self.send(reply(invite, "200 OK", "late", contact, SDP), source)
        while not self.got[-1].startswith("BYE"):
            self.receive(5)
        self.send(reply(self.got[-1], "200 OK", ""), source)

    def __exit__(self, *error: object) -> None:
        self._thread.join(10)
        self.close()


def _shown(place: tuple[str, int]) -> str:
    return f"[{place[0]}]:{place[1]}" if ":" in place[0] else f"{place[0]}:{place[1]}"


@pytest.fixture(scope="session")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """All chosen scenarios, begun at once; under xdist each process begins what it is asked for."""
    found = Runs(tmp_path_factory.mktemp("sipp"))
    try:
        found.product.start()
        if "PYTEST_XDIST_WORKER" not in os.environ:
            chosen = [item.callspec.params.get("name") for item in request.session.items if hasattr(item, "callspec")]
            found.begin([name for name in TABLE if name in chosen])
        yield found
    finally:
        found.close()


def test_every_pair_stands_in_the_table() -> None:
    files = {path.stem for path in SCENARIOS.glob("*.xml")}
    assert files == {f"{name}_{side}" for name in TABLE for side in ("uac", "uas")}
    assert [int(name[:3]) for name in TABLE] == list(range(1, len(TABLE) + 1))
    assert set(SETUPS) <= set(TABLE)
    assert all(all(cells) for cells in TABLE.values())


@pytest.mark.parametrize("name", TABLE)
def test_scenario(runs: Runs, name: str) -> None:
    run = runs.result(name)
    assert run.statuses == (0, 0), run.complaints
    arrived = [each for each in run.b if not each.sent]
    if TABLE[name][2] == NOTHING:
        assert not arrived
    else:
        assert arrived
    _check_topology(run)
    _check_crossing(run)
    check = SETUPS.get(name, Setup()).check
    if check is not None:
        check(run)


def _check_topology(run: Run) -> None:
    """Nothing of one leg is seen on the other."""
    a_places, b_places = run.places
    assert leaks(run.b, private(run.a, a_places)) == []
    assert leaks(run.a, private(run.b, b_places)) == []


def _check_crossing(run: Run) -> None:
    """What nobody may change arrives as it was sent."""
    sent = [each for each in run.a if each.sent and each.kind == "INVITE"]
    arrived = [each for each in run.b if not each.sent and each.kind == "INVITE"]
    if sent and arrived:
        assert altered(sent[0], arrived[0]) == []
