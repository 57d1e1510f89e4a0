"""What the end-to-end tests share: products in directories of their own, a next hop, a SHAKEN PKI that is served."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.calls import Calls
from tests.e2e.product import CALLER_HOST, HOP_HOST, Product, configuration
from tests.pki import CertificateServer, Holder, Pki
from tests.standin import Caller, NextHop

MakeProduct = Callable[..., Product]


class Signer:
    """A SHAKEN authority, a signer under it, and the server of its certificate."""

    def __init__(self, directory: Path) -> None:
        pki = Pki()
        self.leaf: Holder = pki.leaf(spc="709J")
        self.key_file = directory / "signer.key"
        self.anchors = directory / "anchors"
        served = directory / "served"
        for made in (self.anchors, served):
            made.mkdir()
        (self.anchors / "root.pem").write_bytes(pki.root.pem)
        (served / "709J.pem").write_bytes(self.leaf.pem)
        self.key_file.write_bytes(self.leaf.key_pem)
        self.server = CertificateServer(served, tls=pki.web()).start()
        self.x5u = self.server.url("709J.pem")

    def identity(self) -> dict[str, Any]:
        """The section `identity` of a configuration that trusts this authority."""
        return {
            "anchors": [str(self.anchors)],
            "fetch": {
                "allow_networks": ["127.0.0.0/8"],
                "ports": [self.server.port],
                "ca_file": str(self.anchors / "root.pem"),
            },
        }


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of what takes long by itself come last."""
    items.sort(key=lambda item: item.get_closest_marker("waits") is not None)


@pytest.fixture(scope="session")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signer]:
    """Who signs what is verified here."""
    found = Signer(tmp_path_factory.mktemp("signer"))
    yield found
    found.server.stop()


@pytest.fixture(scope="session")
def hop() -> Iterator[NextHop]:
    """The next hop of the template's trunk `hop`."""
    found = NextHop(HOP_HOST)
    yield found
    found.close()


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory, hop: NextHop, signer: Signer) -> Iterator[Product]:
    """A product that tests share; they must leave it as it was."""
    config = configuration(hop.port)
    config["identity"] = signer.identity()
    found = Product(tmp_path_factory.mktemp("product"), config)
    try:
        yield found.start()
    finally:
        found.stop()


@pytest.fixture
def make_product(tmp_path: Path, hop: NextHop) -> Iterator[MakeProduct]:
    """Makes products of a test's own, started unless told not to; they are stopped afterwards."""
    made: list[Product] = []

    def make(start: bool = True, **changed: object) -> Product:
        found = Product(tmp_path / f"product{len(made)}", {**configuration(hop.port), **changed})
        made.append(found)
        return found.start() if start else found

    yield make
    for each in made:
        each.stop()


@pytest.fixture
def caller(product: Product) -> Iterator[Caller]:
    """Places calls to the shared product."""
    found = Caller(product.address(), CALLER_HOST)
    yield found
    found.close()


@pytest.fixture
def own(make_product: MakeProduct) -> Product:
    """A product of the test's own."""
    return make_product()


@pytest.fixture
def calls(own: Product) -> Iterator[Calls]:
    """Calls to it."""
    found = Calls(own)
    yield found
    found.caller.close()
