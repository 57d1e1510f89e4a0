"""Peers of the running product: probed by OPTIONS, seen by operators."""

from __future__ import annotations

import pytest

from tests.e2e.calls import Calls
from tests.e2e.conftest import MakeProduct
from tests.e2e.product import HOP_HOST, Product, free_port, wait_for
from tests.standin import NextHop

pytestmark = pytest.mark.e2e


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
