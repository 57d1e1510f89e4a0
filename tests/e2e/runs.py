"""Runs scenarios of sipp_scenarios/ through one running product, several at a time.

Enters: names of scenarios. Leaves: a Run of each. Must not: judge it.
"""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from tests.e2e.product import (
    CALLER_HOST,
    HOP_HOST,
    INNER,
    OUTER,
    Product,
    asked_listeners,
    configuration,
    free_port,
    wait_for,
)
from tests.e2e.setups import NOTHING, PASSWORD, PASSWORD_FILE, SETUPS, SHAKEN_URL, Run, Setup
from tests.e2e.sipp import LONGEST_S, TABLE, Sipp
from tests.pki import Pki, identity_value, passport
from tests.standin import SDP, Caller, Endpoint, NextHop, reply
from tests.tlsrelay import Place, TlsRelay, context

AT_ONCE: Final = 8
AHEAD: Final = 4  # scenarios that are begun before they are asked for
TLS_FILES: Final = {"certificate": "edge.pem", "key": "edge.key", "ca": "ca.pem"}


class Runs:
    """Runs scenarios, several at a time, on one product; each has a trunk, a caller's and a next hop's address."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.pki = Pki("Example Transport ROOT")
        self.hop_port = free_port(HOP_HOST)
        self.product = Product(directory / "product", self._configuration())
        secret = self.product.directory / PASSWORD_FILE
        secret.write_text(PASSWORD)
        secret.chmod(0o600)
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._started: dict[str, Future[Run]] = {}
        self._chosen: list[str] = []
        self._silent: list[socket.socket] = []

    def _configuration(self) -> dict[str, Any]:
        config = configuration(self.hop_port)
        for name in ("outer6", "outer6to4", "inner6"):
            config["listeners"][name] = {"address": "::1", "port": free_port("::1")}
        for name, host in (("outer", OUTER), ("inner", INNER), ("outer6", "::1"), ("inner6", "::1")):
            port = free_port(host, socket.SOCK_STREAM)
            config["listeners"][f"{name}-tcp"] = {"address": host, "port": port, "transport": "tcp"}
        self.pki.write_tls(self.directory, "edge", (OUTER, INNER, "edge.example"))
        files = {kind: str(self.directory / file) for kind, file in TLS_FILES.items()}
        for name, host in (("outer-tls", OUTER), ("inner-tls", INNER)):
            port = free_port(host, socket.SOCK_STREAM)
            config["listeners"][name] = {"address": host, "port": port, "transport": "tls", "tls": files}
        config["listeners"] |= asked_listeners()
        self.leaf = leaf = self.pki.leaf(spc="709J")
        (self.directory / "root.pem").write_bytes(self.pki.root.pem)
        for file, octets in (("shaken.pem", leaf.pem), ("shaken.key", leaf.key_pem)):
            (self.directory / file).touch(0o600)
            (self.directory / file).write_bytes(octets)
        own = {"certificate": str(self.directory / "shaken.pem"), "key": str(self.directory / "shaken.key")}
        config["signers"] = {"own": {**own, "x5u": SHAKEN_URL}}
        config["lists"]["ours"] = {"members": ["+12025550131"], "bind": ["callee"]}
        config["lists"]["customers"] = {"members": ["+12025550101"], "bind": ["caller"]}
        for name in TABLE:
            setup = SETUPS.get(name, Setup())
            number = name[:3]
            outer, inner = setup.listeners
            b_place = self.b_place(name)
            peers: list[Any] = [
                {"host": b_place[0], "port": b_place[1], **setup.peer} if setup.peer else _shown(b_place)
            ]
            route: Any = f"to-{number}"
            if setup.first_trunk:
                route = [{"prefix": "+1202", "to": [f"before-{number}", route]}, {"to": route}]
                config["trunks"][f"before-{number}"] = {
                    "kind": "interconnect", "listener": inner, "peers": [_shown(self.first_place(name))],
                }  # fmt: skip
            elif setup.first_peer:
                peers.insert(0, _shown(self.first_place(name)))
            config["trunks"] |= {
                f"from-{number}": {
                    "kind": "interconnect", "listener": outer, "sources": [self.a_host(name)],
                    "route": route, "trust_pai": True, **setup.trunk,
                },
                f"to-{number}": {
                    "kind": "interconnect", "peers": peers,
                    **({} if "listeners" in setup.egress else {"listener": inner}), **setup.egress,
                },
            }  # fmt: skip
        return config

    @staticmethod
    def a_host(name: str) -> str:
        """Where the caller of a scenario sits."""
        v6 = SETUPS.get(name, Setup()).listeners[0].startswith("outer6")
        return "::1" if v6 else f"127.0.12.{int(name[:3])}"

    def b_place(self, name: str) -> tuple[str, int]:
        """Where its next hop sits."""
        v6 = SETUPS.get(name, Setup()).listeners[1].startswith("inner6")
        return ("::1", self.hop_port) if v6 else (f"127.0.43.{int(name[:3])}", self.hop_port)

    def first_place(self, name: str) -> tuple[str, int]:
        """Where the peer sits that is tried before."""
        return f"127.0.44.{int(name[:3])}", self.hop_port

    def choose(self, names: list[str]) -> None:
        """These are asked for, in this order; those that take long begin now."""
        self._chosen = names
        self._begin([name for name in names if SETUPS.get(name, Setup()).long])

    def _begin(self, names: list[str]) -> None:
        for name in names:
            if name not in self._started:
                self._started[name] = self._pool.submit(self._run, name)

    def result(self, name: str) -> Run:
        """What came of a scenario; the next ones begin."""
        at = self._chosen.index(name)
        self._begin(self._chosen[at : at + AHEAD])
        return self._started[name].result(150)

    def _run(self, name: str) -> Run:
        setup = SETUPS.get(name, Setup())
        directory = self.directory / name
        directory.mkdir()
        self.pki.write_tls(directory, "side", ("a.example", "hop.example"))
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
        if setup.first_peer == "moved":
            with MovedPeer(*self.first_place(name), _shown(self.b_place(name))) as moved:
                run = self._both(name, setup, directory, self.product)
            run.failover = moved.got
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
        if setup.identity:
            token = passport("12025550101", "12025550131", self.leaf.key, SHAKEN_URL)
            setup = replace(setup, uac=(*setup.uac, "-key", "identity", identity_value(token, SHAKEN_URL)))
        a_host = self.a_host(name) if own else CALLER_HOST
        b_place = self.b_place(name)
        a_place = (a_host, free_port(a_host))
        outer, inner = (product.address(each) for each in setup.listeners)
        with ExitStack() as relays:
            uas_place, uac_remote = b_place, outer
            if setup.over[1] == "tls":
                uas_place = (b_place[0], free_port(b_place[0], socket.SOCK_STREAM))
                tls = context(directory, "side", server=True)
                relays.enter_context(TlsRelay(b_place, uas_place, tls, into=False, source=b_place[0]))
            if setup.over[0] == "tls":
                uac_remote = (a_host, free_port(a_host, socket.SOCK_STREAM))
                tls = context(directory, "side", server=False)
                relays.enter_context(TlsRelay(uac_remote, outer, tls, into=True, source=a_host, name="edge.example"))
            statuses, uac, uas = self._sides(name, setup, directory, (a_place, uac_remote), uas_place)
        v6 = a_host == b_place[0]
        places = [[_shown(one) if v6 else one[0] for one in pair] for pair in ((a_place, outer), (b_place, inner))]
        return Run(
            name, product, statuses, uac.complaint() + uas.complaint(), uac.messages(), uas.messages(),
            (places[0], places[1]),
        )  # fmt: skip

    @staticmethod
    def _sides(
        name: str, setup: Setup, directory: Path, a_way: tuple[Place, Place], b_place: Place
    ) -> tuple[tuple[int, int], Sipp, Sipp]:
        """Exit statuses of A and B, and both."""
        a_place, outer = a_way
        uas = Sipp(f"{name}_uas", directory, b_place, None, *setup.uas, over=setup.over[1]).start()
        uac = Sipp(f"{name}_uac", directory, a_place, outer, *setup.uac, over=setup.over[0]).start()
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
        return statuses, uac, uas

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


class MovedPeer(Endpoint):
    """A peer that answers an INVITE 302 with another place, and keeps what it gets."""

    def __init__(self, host: str, port: int, place: str) -> None:
        super().__init__(host, port)
        self._place = place

    def __enter__(self) -> MovedPeer:
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def _serve(self) -> None:
        invite, source = self.receive(LONGEST_S)
        contact = f"sip:+12025550177@{self._place};user=phone"
        self.send(reply(invite, "302 Moved Temporarily", "moved", contact), source)
        self.receive(5)

    def __exit__(self, *error: object) -> None:
        self._thread.join(10)
        self.close()


def _shown(place: tuple[str, int]) -> str:
    return f"[{place[0]}]:{place[1]}" if ":" in place[0] else f"{place[0]}:{place[1]}"
