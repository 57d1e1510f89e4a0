"""Peers of the running product: probed by OPTIONS, seen by operators."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator

import pytest

from tests.dns_server import NameServer
from tests.e2e.calls import Calls
from tests.e2e.conftest import MakeProduct
from tests.e2e.product import HOP_HOST, Product, free_port, wait_for
from tests.standin import NextHop, reply

pytestmark = pytest.mark.e2e

NAME = "sip.hop.example"


def passed_over(product: Product) -> list[str]:
    """Why each peer of the trunk `hop` is passed over."""
    return [each["passed_over"] for each in product.answer("status")["peers"] if each["trunk"] == "hop"]


def test_a_dead_peer_is_found_by_probes_and_comes_back(make_product: MakeProduct) -> None:
    port = free_port(HOP_HOST)
    probe = {"interval": "1s", "timeout": "500ms", "down_after": 1}
    product = make_product(start=False)
    product.config["trunks"]["hop"] |= {"peers": [f"{HOP_HOST}:{port}"], "probe": probe}
    product.write()
    product.start()
    calls = Calls(product)
    wait_for(lambda: passed_over(product) == ["probed"], "it is found down")
    assert calls.status() == 500
    assert product.metric("sipguard_peer_up", trunk="hop") == 0
    wait_for(lambda: b'"event": "peer_down"' in product.log.read_bytes(), "the log says so")
    hop = NextHop(HOP_HOST, port)
    wait_for(lambda: passed_over(product) == [""], "it is found up")
    assert calls.status() == 200
    wait_for(lambda: product.metric("sipguard_peer_up", trunk="hop") == 1, "the metric says so")
    assert b'"event": "peer_up"' in product.log.read_bytes()
    assert any(text.startswith(f"OPTIONS sip:{HOP_HOST}:{port} ") for text in hop.requests)
    hop.close()
    calls.caller.close()


class Resting(NextHop):
    """Asks to be left alone, by 503 with Retry-After."""

    def _invited(self, message: str, source: tuple[str, int], at: float) -> None:
        self.invites.append((message, at))
        self.send(reply(message, "503 Service Unavailable", "resting", more="Retry-After: 30"), source)


def test_a_peer_that_asks_to_be_left_alone_is(make_product: MakeProduct, hop: NextHop) -> None:
    resting = Resting("127.0.42.78")
    product = make_product(start=False)
    product.config["trunks"]["hop"] |= {"peers": [f"{resting.host}:{resting.port}", f"{HOP_HOST}:{hop.port}"]}
    product.write()
    product.start()
    calls = Calls(product)
    assert [calls.status() for _ in range(3)] == [200, 200, 200]
    assert len(resting.invites) == 1
    wait_for(lambda: passed_over(product) == ["retry_after", ""], "status says so")
    resting.close()
    calls.caller.close()


@pytest.fixture
def server() -> Iterator[NameServer]:
    """A name server in a thread."""
    found = NameServer()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(found.__aenter__(), loop).result(5)
    yield found
    asyncio.run_coroutine_threadsafe(found.__aexit__(), loop).result(5)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)
    loop.close()


def by_name(make_product: MakeProduct, server: NameServer, **dns: object) -> Product:
    """A product whose next hop is a host name."""
    product = make_product(start=False)
    product.config["trunks"]["hop"] |= {"peers": [NAME]}
    product.config["dns"] = {
        "servers": [f"127.0.0.1:{server.port}"], "allow_networks": ["127.0.0.0/8"], "shortest_ttl": "1s",
        "deadline": "1s", **dns,
    }  # fmt: skip
    product.write()
    return product.start()


def test_peers_by_name_move_and_outlive_the_name_server(
    make_product: MakeProduct, server: NameServer, hop: NextHop
) -> None:
    server.add(f"_sip._udp.{NAME} 1 SRV 1 0 {hop.port} one.hop.example.")
    server.add(f"one.hop.example 1 A {HOP_HOST}")
    product = by_name(make_product, server)
    calls = Calls(product)
    assert calls.status() == 200, "it was ready when the name was resolved"
    arrived = hop.invite_for("+12025550131")
    assert arrived is not None
    assert arrived[0].startswith(f"INVITE sip:+12025550131@{NAME} ")
    server.broken = "silent"
    wait_for(lambda: product.metric("sipguard_stale_names") == 1, "the answer is stale")
    assert calls.status() == 200, "and used on"
    wait_for(lambda: b'"event": "name_not_resolved"' in product.log.read_bytes(), "the log says so")
    worker = product.pids()[1]
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: product.pids()[1] != worker and passed_over(product) == [""], "a new worker knows the answer")
    wait_for(lambda: calls.status() == 200, "and uses it")
    server.broken = ""
    server.records.clear()
    other = NextHop("127.0.42.77")
    server.add(f"_sip._udp.{NAME} 1 SRV 1 0 {other.port} two.hop.example.")
    server.add(f"two.hop.example 1 A {other.host}")
    wait_for(lambda: calls.status() == 200 and bool(other.invites), "calls follow the name", 40)
    other.close()
    calls.caller.close()


def test_reload_asks_for_new_names_and_forgets_old_ones(
    make_product: MakeProduct, server: NameServer, hop: NextHop
) -> None:
    server.add(f"{NAME} 60 A {HOP_HOST}")
    product = make_product(dns={"servers": [f"127.0.0.1:{server.port}"], "allow_networks": ["127.0.0.0/8"]})
    calls = Calls(product)
    assert server.asked == []
    product.config["trunks"]["hop"] |= {"peers": [f"{NAME}:{hop.port}"]}
    product.write()
    assert product.answer("reload")["ok"]
    assert calls.status() == 200, "the name was resolved before the Ruleset was swapped"
    assert server.asked == [(NAME, "A")]
    assert product.answer("rollback")["ok"]
    assert calls.status() == 200
    calls.caller.close()


def test_before_the_first_answer_a_name_has_no_peers_and_nobody_waits(
    make_product: MakeProduct, server: NameServer
) -> None:
    server.broken = "servfail"
    product = by_name(make_product, server)
    calls = Calls(product)
    assert calls.status() == 500
    wait_for(lambda: passed_over(product) == ["unresolved"], "status says so")
    wait_for(lambda: product.metric("sipguard_unresolved_names") == 1, "the metric says so")
    calls.caller.close()
