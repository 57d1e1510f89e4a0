"""On the wire: what turns other calls away lets one pass whose priority is signed (RFC 8443)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.identities import priority
from tests.e2e.product import CALLER_HOST, HOP_HOST, Product, configuration, wait_for
from tests.e2e.signers import CALLER, Signers
from tests.standin import Caller, NextHop, Outcome

pytestmark = pytest.mark.e2e

CALLEE: Final = "12125550131"
LIMITS: Final[dict[str, tuple[dict[str, Any], dict[str, Any], int]]] = {  # of the trunk, overload, answer to others
    "rate of its trunk": ({"cps": 0.001}, {}, 480),
    "calls of its trunk": ({"calls": 1}, {}, 480),
    "all calls": ({}, {"max_calls": 1}, 503),
    "drain": ({}, {}, 503),
}


@pytest.fixture
def signers(tmp_path: Path) -> Iterator[Signers]:
    """Who signs."""
    found = Signers(tmp_path)
    yield found
    found.close()


@pytest.fixture
def hop() -> Iterator[NextHop]:
    """Who answers all calls."""
    found = NextHop(HOP_HOST)
    yield found
    found.close()


@pytest.mark.parametrize("name", LIMITS)
def test_signed_priority_passes(tmp_path: Path, signers: Signers, hop: NextHop, name: str) -> None:
    """The first call stays up, and brings the certificate: none is waited for where no others are taken."""
    limits, overload, refused = LIMITS[name]
    config = configuration(hop.port)
    config["identity"] = signers.identity()
    config["overload"] = overload
    config["trunks"]["carrier"]["limits"] = limits
    config["drain"] = {"deadline": "20s"}
    product = Product(tmp_path / "product", config)
    try:
        product.start()
        caller = Caller(product.address(), CALLER_HOST)
        first, up = _call(caller, signers.value(CALLEE))
        assert up.status == 200, up.phrase
        wait_for(lambda: product.metric("sipguard_certificates") >= 1, "the certificate is there")
        if name == "drain":
            product.terminate()
            wait_for(lambda: b'"event": "draining"' in product.log.read_bytes(), "it drains")
        _, other = _call(caller, signers.value(CALLEE))
        assert other.status == refused, other.phrase
        signed = priority("ets.0", orig=CALLER)(signers, CALLEE)
        second, lifted = _call(caller, str(signed), "Resource-Priority: ets.0")
        assert lifted.status == 200, lifted.phrase
        assert len(hop.invites) == 2
        assert (caller.bye(second, lifted.final), caller.bye(first, up.final)) == (200, 200)
        caller.close()
    finally:
        product.stop()


def _call(caller: Caller, identity: str, *more: str) -> tuple[str, Outcome]:
    """A call that stays up, if it is answered."""
    invite = caller.invite(f"+{CALLER}", f"+{CALLEE}", extra=(f"Identity: {identity}", *more))
    return invite, caller.call(invite, hang_up=False)
