"""Certificate servers that are slow, dead, endless, lying or hostile, under 200 calls a second (facts A6.4).

Half of the calls are signed by a certificate that is known, half name URLs of an attacker, each another one. What the
known ones get is compared with a calm phase of the same run.
"""

from __future__ import annotations

import asyncio
import gzip
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web

from sipguard.service.overview import resident
from tests import pki
from tests.e2e.product import CALLER_HOST, HOP_HOST, Product, configuration, free_port, wait_for
from tests.standin import Caller, header, reply

pytestmark = [pytest.mark.e2e, pytest.mark.load]

GOOD, EVIL, DEAD, MISNAMED = (f"127.0.60.{n}" for n in (1, 2, 3, 4))
RATE: Final = 200
CALM_S, STORM_S = 3, 9
BUDGET_S: Final = 0.25
GROWN_MOST: Final = 64 << 20


class Servers:
    """One HTTPS server behind four addresses; the one at DEAD takes connections and never answers, until `revive`."""

    def __init__(self, leaf: pki.Holder, tls: pki.Holder) -> None:
        self._pem = leaf.pem
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self.asked = 0
        with socket.create_server((EVIL, 0)) as probe:
            self.port: int = probe.getsockname()[1]
        self._silent: socket.socket | None = socket.create_server((DEAD, self.port), backlog=512)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        for host in (GOOD, EVIL, MISNAMED):
            self._serve(host)

    def _serve(self, host: str) -> None:
        asyncio.run_coroutine_threadsafe(self._site(host), self._loop).result(10)

    async def _site(self, host: str) -> None:
        app = web.Application()
        app.router.add_get("/{what}/{n}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, host, self.port, ssl_context=pki.server_context(self._tls), backlog=512).start()

    def revive(self) -> None:
        """The dead server works from now on."""
        assert self._silent is not None
        self._silent.close()
        self._silent = None
        self._serve(DEAD)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        what = request.match_info["what"]
        if what == "good":
            return web.Response(body=self._pem, content_type="application/pem-certificate-chain")
        if what == "slow":
            await asyncio.sleep(1.5)
            return web.Response(body=self._pem)
        if what == "redirect":
            return web.Response(status=302, headers={"Location": f"https://{GOOD}:{self.port}/good/1"})
        if what == "large":
            return web.Response(body=self._pem + b"\n" * (64 * 1024 + 1 - len(self._pem)))
        if what == "bomb":
            packed = gzip.compress(self._pem + b"\n" * (8 << 20))
            return web.Response(body=packed, headers={"Content-Encoding": "gzip"})
        if what == "endless":
            response = web.StreamResponse()
            await response.prepare(request)
            for _ in range(1000):
                await response.write(self._pem)
                await asyncio.sleep(0.001)
            return response
        if what == "garbage":
            return web.Response(body=b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        return web.Response(status=404)

    def close(self) -> None:
        """Ends the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        if self._silent is not None:
            self._silent.close()


class Storm:
    """Callers and the next hop in one thread: how long each INVITE took to arrive, and what it then said."""

    def __init__(self, product: Product, leaf: pki.Holder, hop_port: int) -> None:
        self._key = leaf.key
        self._caller = Caller(product.address(), CALLER_HOST)
        self._hop = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._hop.bind((HOP_HOST, hop_port))
        self._n = 0
        self._left: dict[str, tuple[str, float]] = {}  # by called number: x5u, and when the INVITE left
        self.arrived: dict[str, list[tuple[float, str]]] = {}  # by kind: seconds, verstat

    def call(self, kind: str, x5u: str) -> None:
        """Sends one INVITE."""
        self._n += 1
        callee = f"1212555{self._n % 10000:04}"
        token = pki.passport("12025550101", callee, self._key, x5u)
        extra = (f"Identity: {pki.identity_value(token, x5u)}",)
        self._left[callee] = (kind, time.perf_counter())
        self._caller.send(self._caller.invite("+12025550101", f"+{callee}", extra=extra), self._caller.target)

    def turn(self, until: float) -> None:
        """Serves both sides until then (perf_counter)."""
        while (left_s := until - time.perf_counter()) > 0:
            for ready in select.select((self._caller.sock, self._hop), (), (), left_s)[0]:
                octets, source = ready.recvfrom(65535)
                message = octets.decode("latin-1")
                if ready is self._hop:
                    self._reached(message, source)
                elif message.startswith("SIP/2.0 486"):
                    self._acknowledge(message)

    def _reached(self, message: str, source: tuple[str, int]) -> None:
        if not message.startswith("INVITE "):
            return
        kind, left_at = self._left.pop(message.partition("@")[0].rpartition("+")[2], ("", 0.0))
        self._hop.sendto(reply(message, "486 Busy Here", "hop").encode("latin-1"), source)
        if kind:
            shown = header(message, "From").partition("verstat=")[2].partition("@")[0]
            self.arrived.setdefault(kind, []).append((time.perf_counter() - left_at, shown))

    def _acknowledge(self, final: str) -> None:
        lines = [f"ACK sip:x@{self._caller.target_shown} SIP/2.0", "Max-Forwards: 70", "CSeq: 1 ACK"]
        lines += [f"{name}: {header(final, name)}" for name in ("Via", "From", "To", "Call-ID")]
        self._caller.send("\r\n".join([*lines, "Content-Length: 0", "", ""]), self._caller.target)

    def rush(self, seconds: int, name: str, evil: list[str]) -> None:
        """RATE calls a second; every second one names the next URL of `evil`, if there are any."""
        began_at = time.perf_counter()
        for n in range(RATE * seconds):
            if evil and n % 2:
                self.call("evil", evil[n // 2 % len(evil)].format(n=n))
            else:
                self.call(name, self.known)
            self.turn(began_at + (n + 1) / RATE)
        self.turn(time.perf_counter() + 2.0)

    known: str = ""
    missed: tuple[str, float] | None = None  # a URL that was not answered in the storm, and when it was asked for

    def close(self) -> None:
        """Closes both sides."""
        self._caller.close()
        self._hop.close()


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Product, Servers, Storm]]:
    directory = tmp_path_factory.mktemp("servers")
    made = pki.Pki()
    leaf = made.leaf()
    (directory / "root.pem").write_bytes(made.root.pem)
    hop_port = free_port(HOP_HOST)
    with ExitStack() as stack:
        servers = Servers(leaf, made.web((GOOD, EVIL, DEAD)))
        stack.callback(servers.close)
        config: dict[str, Any] = configuration(hop_port)
        config["screening"] = {"checks": {"identity": {"budget": f"{1000 * BUDGET_S:.0f}ms"}}}
        config["identity"] = {
            "anchors": [str(directory / "root.pem")],
            "fetch": {
                "ports": [servers.port], "allow_networks": ["127.0.60.0/24"], "ca_file": str(directory / "root.pem"),
            },
        }  # fmt: skip
        product = Product(directory / "product", config)
        stack.callback(product.stop)
        product.start()
        storm = Storm(product, leaf, hop_port)
        stack.callback(storm.close)
        storm.known = f"https://{GOOD}:{servers.port}/good/1"
        yield product, servers, storm


def late(arrived: list[tuple[float, str]]) -> float:
    """The share of calls that took longer than half of what a call may wait for a certificate."""
    return sum(took > BUDGET_S / 2 for took, _ in arrived) / len(arrived)


def test_hostile_certificate_servers_cost_other_calls_nothing(
    ground: tuple[Product, Servers, Storm], tmp_path: Path
) -> None:
    product, servers, storm = ground
    port = servers.port
    missed = f"https://{DEAD}:{port}/good/first"
    kinds = ("slow", "redirect", "large", "bomb", "endless", "garbage", "absent")
    evil = [f"https://{EVIL}:{port}/{kind}/{{n}}" for kind in kinds]
    evil += [f"https://{DEAD}:{port}/good/{{n}}", f"https://{MISNAMED}:{port}/good/{{n}}"]
    evil += [f"https://localhost:{port}/good/{{n}}", f"https://host{{n}}.invalid:{port}/good/{{n}}"]
    evil += [f"https://{GOOD}:{port}/absent/{{n}}"]  # a flood at the host of the good ones
    storm.call("first", storm.known)
    storm.turn(time.perf_counter() + 1.0)
    storm.rush(CALM_S, "calm", [])
    before = resident(product.pids())
    storm.call("missed", missed)
    storm.missed = missed, time.monotonic()
    storm.rush(STORM_S, "stormy", evil)
    after = resident(product.pids())

    calm, stormy, attacked = (storm.arrived[name] for name in ("calm", "stormy", "evil"))
    assert len(calm) == RATE * CALM_S
    assert len(stormy) == len(attacked) == RATE * STORM_S / 2, "every call goes on"
    assert {shown for _, shown in (*calm, *stormy)} == {"TN-Validation-Passed"}
    assert late(stormy) <= late(calm) + 0.05
    grown = {pid: after[pid] - before[pid] for pid in before}
    assert max(grown.values()) <= GROWN_MOST, grown
    passed = [shown for _, shown in attacked if shown == "TN-Validation-Passed"]
    assert len(passed) <= len(attacked) / len(evil), "only the slow one ever serves a certificate"
    assert product.metric("sipguard_certificate_requests_active") <= 1024
    assert product.metric("sipguard_certificate_breakers_open") >= 1

    assert storm.arrived["missed"][0][1] == "No-TN-Validation"
    servers.revive()


@pytest.mark.waits  # the first failure is believed for 30 s
def test_a_server_that_was_dead_in_the_storm_is_asked_again(ground: tuple[Product, Servers, Storm]) -> None:
    _, _, storm = ground
    if storm.missed is None:
        pytest.skip("no storm was before")
    missed, began_at = storm.missed
    storm.turn(time.perf_counter() + max(0.0, began_at + 36.0 - time.monotonic()))
    storm.call("recovered", missed)
    storm.turn(time.perf_counter() + 1.0)
    assert storm.arrived["recovered"][0][1] == "TN-Validation-Passed"


@pytest.mark.waits  # it follows the one above
def test_after_a_restart_the_first_call_waits_for_no_server(ground: tuple[Product, Servers, Storm]) -> None:
    product, servers, storm = ground
    asked = servers.asked
    product.stop()
    product.start()
    storm.call("again", storm.known)
    wait_for(lambda: not storm.turn(time.perf_counter() + 0.2) and "again" in storm.arrived, "the call arrives")
    assert storm.arrived["again"][0][1] == "TN-Validation-Passed"
    assert servers.asked == asked
