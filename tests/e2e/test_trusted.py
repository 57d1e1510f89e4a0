"""Trust list and CRL of a real HTTPS server: revoked while it runs, swapped, gone, broken, stale, over a restart."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sipguard.service import control
from tests import pki
from tests.e2e.conftest import MakeProduct
from tests.e2e.product import CALLER_HOST, Product, wait_for
from tests.pki import CertificateServer, Pki, identity_value, passport
from tests.standin import Caller

pytestmark = pytest.mark.e2e

CALLER, CALLEE = "12025550101", "12025550181"  # the callee wants verified callers only

PATIENT = {"checks": {"identity": {"budget": "3s"}}}


class Administrator:
    """The STI-PA, an authority, a signer under it, and the server of all that they publish."""

    def __init__(self, directory: Path) -> None:
        self.pki = Pki()
        self.sti_pa = self.pki.administrator()
        self.leaf = self.pki.leaf()
        self.others = [self.pki.authority(f"Example SHAKEN CA {n}") for n in range(3)]
        self.served = directory / "served"
        self.served.mkdir()
        (directory / "sti-pa.pem").write_bytes(self.sti_pa.pem)
        (directory / "root.pem").write_bytes(self.pki.root.pem)
        self.directory = directory
        (self.served / "709J.pem").write_bytes(self.leaf.pem)
        self.revoke()
        self.list(self.pki.root, version=1)
        self.server = CertificateServer(self.served, tls=self.pki.web()).start()
        self.x5u = self.server.url("709J.pem")

    def publish(self, name: str, octets: bytes) -> None:
        """Serves this from now on."""
        part = self.directory / f"{name}.part"
        part.write_bytes(octets)
        part.replace(self.served / name)

    def revoke(self, *holders: pki.Holder, number: int = 1, **knobs: Any) -> None:
        """Publishes a CRL that names these."""
        issued = self.pki.now - timedelta(hours=1) + timedelta(seconds=number)
        self.publish(
            "crl", pki.crl(self.sti_pa, pki.revoked(*holders), **{"issued": issued, "number": number, **knobs})
        )

    def list(self, *authorities: pki.Holder, version: int) -> None:
        """Publishes a trust list of these and of some others."""
        self.publish("list", pki.trust_list(self.sti_pa, [*authorities, *self.others], version=version))

    def identity(self) -> dict[str, Any]:
        """The section `identity`: no anchors, all from here, asked for each second."""
        signers = [str(self.directory / "sti-pa.pem")]
        return {
            "trust_list": {"url": self.server.url("list"), "signers": signers, "refresh": "1s"},
            "crl": {"url": self.server.url("crl"), "signers": signers, "refresh": "1s"},
            "fetch": {
                "allow_networks": ["127.0.0.0/8"],
                "ports": [self.server.port],
                "ca_file": str(self.directory / "root.pem"),
                "deadline": "1s",
            },
        }


@pytest.fixture
def sti_pa(tmp_path: Path) -> Iterator[Administrator]:
    """Who approves authorities and revokes."""
    found = Administrator(tmp_path)
    yield found
    found.server.stop()


def sources(product: Product) -> dict[str, dict[str, Any]]:
    """What certs status says, by source."""
    answer = asyncio.run(control.ask(product.directory / "run" / "control.sock", "certs"))
    return {each["source"]: each for each in answer["sources"]}


def until(product: Product, source: str, **wanted: object) -> dict[str, Any]:
    """Waits until a source stands so."""
    wait_for(
        lambda: all(sources(product)[source][name] == value for name, value in wanted.items()), f"{source} {wanted}", 20
    )
    return sources(product)[source]


def place(product: Product, sti_pa: Administrator) -> tuple[int, dict[str, Any]]:
    """A signed call: its status, and its row."""
    token = passport(CALLER, CALLEE, sti_pa.leaf.key, sti_pa.x5u)
    caller = Caller(product.address(), CALLER_HOST)
    began_at = time.time()
    try:
        extra = (f"Identity: {identity_value(token, sti_pa.x5u)}",)
        outcome = caller.call(caller.invite(f"+{CALLER}", f"+{CALLEE}", extra=extra))
        return outcome.status, product.call_of(CALLEE, began_at)
    finally:
        caller.close()


def explained(product: Product, row: dict[str, Any]) -> str:
    """All facts of a call, as text."""
    return json.dumps(product.answer("explain", row["decision_id"]))


def test_a_certificate_is_revoked_while_calls_go_on(make_product: MakeProduct, sti_pa: Administrator) -> None:
    product = make_product(identity=sti_pa.identity(), screening=PATIENT)
    until(product, "trust_list", version="1", entries=4, signed=True, error="")
    until(product, "crl", version="1", entries=0)
    status, row = place(product, sti_pa)
    assert (status, row["identity"]) == (200, "passed")
    worker = product.worker_pid()

    sti_pa.revoke(sti_pa.leaf, number=2)
    until(product, "crl", version="2", entries=1)
    status, row = place(product, sti_pa)
    assert (status, row["identity"]) == (437, "failed")
    told = explained(product, row)
    assert "certificate_revoked" in told and "trust list 1, CRL 2" in told
    assert product.metric("sipguard_trust_entries", source="crl") == 1
    assert product.metric("sipguard_trust_stale", source="crl") == 0
    assert product.worker_pid() == worker

    sti_pa.revoke(number=3)
    until(product, "crl", version="3", entries=0)
    assert place(product, sti_pa)[0] == 200
    assert "CRL 2 in force: 1 revoked" in product.log.read_text()


def test_what_must_not_be_used_leaves_the_one_before_in_force(make_product: MakeProduct, sti_pa: Administrator) -> None:
    sti_pa.revoke(sti_pa.leaf)
    product = make_product(identity=sti_pa.identity(), screening=PATIENT)
    until(product, "crl", version="1", entries=1)
    rogue = sti_pa.pki.administrator()
    issued = sti_pa.pki.now
    for octets, reason in (
        (b"<html>down for maintenance</html>", "crl_malformed"),
        (pki.crl(rogue, issued=issued), "crl_signature"),
        (pki.crl(sti_pa.sti_pa, issued=issued - timedelta(days=1)), "crl_older"),
    ):
        sti_pa.publish("crl", octets)
        wait_for(lambda reason=reason: reason in sources(product)["crl"]["error"], reason, 20)  # type: ignore[misc]
        assert place(product, sti_pa)[0] == 437
    (sti_pa.served / "crl").unlink()
    wait_for(lambda: "http_status: 404" in sources(product)["crl"]["error"], "the server's 404", 20)
    assert place(product, sti_pa)[0] == 437
    assert product.metric("sipguard_trust_failures_total", source="crl") >= 4
    assert "trust_not_refreshed" in product.log.read_text()


def test_a_list_is_swapped_and_one_that_shrinks_is_not_taken(make_product: MakeProduct, sti_pa: Administrator) -> None:
    product = make_product(identity=sti_pa.identity(), screening=PATIENT)
    until(product, "trust_list", version="1")
    assert place(product, sti_pa)[0] == 200
    sti_pa.list(version=2)
    until(product, "trust_list", version="2", entries=3)
    status, row = place(product, sti_pa)
    assert status == 437 and "chain_untrusted" in explained(product, row)
    sti_pa.list(sti_pa.pki.root, version=3)
    until(product, "trust_list", version="3", entries=4)
    assert place(product, sti_pa)[0] == 200
    sti_pa.publish("list", pki.trust_list(sti_pa.sti_pa, sti_pa.others[:1], version=4))
    wait_for(lambda: "list_shrunk" in sources(product)["trust_list"]["error"], "it is refused", 20)
    assert "largest_loss" in sources(product)["trust_list"]["advice"]
    assert place(product, sti_pa)[0] == 200
    identity = sti_pa.identity()
    identity["trust_list"]["largest_loss"] = "100%"
    product.write(identity=identity)
    assert product.command("reload").returncode == 0
    until(product, "trust_list", version="4", entries=1)
    assert place(product, sti_pa)[0] == 437


def test_it_is_in_force_after_a_restart_while_the_server_is_dead(
    make_product: MakeProduct, sti_pa: Administrator
) -> None:
    sti_pa.revoke(sti_pa.pki.leaf(), number=5)
    product = make_product(identity=sti_pa.identity(), screening=PATIENT)
    until(product, "trust_list", version="1")
    until(product, "crl", version="5")
    assert place(product, sti_pa)[0] == 200
    product.stop()
    sti_pa.server.stop()
    product.start()
    status, row = place(product, sti_pa)  # the certificate lies on disk too
    assert status == 200 and "trust list 1, CRL 5" in explained(product, row)
    wait_for(lambda: "connect" in sources(product)["crl"]["error"], "nobody serves it", 20)
    assert sources(product)["crl"]["version"] == "5" and place(product, sti_pa)[0] == 200
    sti_pa.server = CertificateServer(sti_pa.served, tls=sti_pa.pki.web(), port=sti_pa.server.port).start()


def test_one_that_is_stale_is_used_on_loudly_unless_it_must_not(
    make_product: MakeProduct, sti_pa: Administrator
) -> None:
    old: datetime = sti_pa.pki.now - timedelta(days=3)
    sti_pa.revoke(issued=old)
    product = make_product(identity=sti_pa.identity(), screening=PATIENT)
    until(product, "trust_list", version="1")  # without it no chain is trusted
    until(product, "crl", version="1", stale=True)
    status, row = place(product, sti_pa)
    assert status == 200 and '"identity.crl_stale": true' in explained(product, row)
    assert product.metric("sipguard_trust_stale", source="crl") == 1
    shown = product.command("certs", "status")
    assert shown.returncode == 1 and "CRL: version 1, 0 revoked" in shown.stdout and "STALE" in shown.stdout
    assert "certificates: 1 certificates on disk, 0 end in 7 days, from 1 host(s)" in shown.stdout
    assert json.loads(product.command("certs", "status", "--json").stdout)["cache"]["misses"] == 1
    assert "trust_stale" in product.log.read_text()
    assert "out of date" in product.command("doctor").stdout

    identity = sti_pa.identity()
    identity["crl"]["when_stale"] = "refuse"
    product.write(identity=identity)
    assert product.command("reload").returncode == 0
    status, row = place(product, sti_pa)
    assert status == 437 and "crl_stale" in explained(product, row)
    sti_pa.revoke(number=2)
    until(product, "crl", version="2", stale=False)
    assert place(product, sti_pa)[0] == 200


def test_a_certificate_that_its_signer_replaces_after_a_revocation_serves_at_once(
    make_product: MakeProduct, sti_pa: Administrator
) -> None:
    product = make_product(identity=sti_pa.identity(), screening=PATIENT)
    until(product, "trust_list", version="1", error="")
    assert place(product, sti_pa)[0] == 200
    revoked, sti_pa.leaf = sti_pa.leaf, sti_pa.pki.leaf()
    sti_pa.publish("709J.pem", sti_pa.leaf.pem)
    sti_pa.revoke(revoked, number=2)
    until(product, "crl", version="2", entries=1)
    asked = sti_pa.server.asked.count("/709J.pem")
    place(product, sti_pa)  # finds that it is revoked
    wait_for(lambda: sti_pa.server.asked.count("/709J.pem") > asked, "a request to the server", 10)
    wait_for(lambda: place(product, sti_pa)[0] == 200, "the new one", 10)


def test_warm_beside_a_running_sipguard_judges_by_its_trust_list(
    make_product: MakeProduct, sti_pa: Administrator, tmp_path: Path
) -> None:
    product = make_product(identity=sti_pa.identity(), screening=PATIENT)
    until(product, "trust_list", version="1", error="")
    sti_pa.publish("stranger.pem", Pki("Other SHAKEN ROOT").leaf().pem)
    urls = tmp_path / "urls.txt"
    urls.write_text(f"{sti_pa.x5u}\n{sti_pa.server.url('stranger.pem')}\n")
    done = product.command("certs", "warm", "--from", str(urls), "--rate", "50", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["fetched"], found["failed"]) == (1, 1, {"chain_untrusted": 1})
    wait_for(lambda: product.metric("sipguard_certificates") == 1, "the worker to have it", 10)
    sti_pa.server.stop()
    try:
        assert place(product, sti_pa)[0] == 200
    finally:
        sti_pa.server = CertificateServer(sti_pa.served, tls=sti_pa.pki.web(), port=sti_pa.server.port).start()


def test_a_signal_ends_warm_and_the_next_run_goes_on(
    make_product: MakeProduct, sti_pa: Administrator, tmp_path: Path
) -> None:
    product = make_product(identity=sti_pa.identity(), screening=PATIENT)
    until(product, "trust_list", version="1", error="")
    names = [f"{n}.pem" for n in range(12)]
    for name in names:
        sti_pa.publish(name, sti_pa.leaf.pem)
    urls = tmp_path / "urls.txt"
    urls.write_text("\n".join(sti_pa.server.url(name) for name in names))
    command = [sys.executable, "-m", "sipguard.cli.main", "certs", "warm", "--from", str(urls), "--rate", "4", "--json"]
    with subprocess.Popen([*command, "-c", str(product.path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        wait_for(lambda: sti_pa.server.asked.count("/1.pem") == 1, "two requests", 20)
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=20)
    first = json.loads(out)
    assert run.returncode == 130 and b"interrupted after" in err and b"goes on from there" in err
    assert 1 <= first["fetched"] < 12 and first["left"] == 12 - first["fetched"]
    again = product.command("certs", "warm", "--from", str(urls), "--rate", "50", "--json")
    second = json.loads(again.stdout)
    assert (again.returncode, second["present"], second["fetched"]) == (0, first["fetched"], first["left"])
