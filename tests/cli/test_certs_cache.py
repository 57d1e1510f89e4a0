"""`sipguard certs warm`, `list` and `show`: from a list of URLs to copies on disk, and what is shown of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography.x509 import load_pem_x509_certificates

from sipguard.cli.main import main
from sipguard.net.sources import FetchSettings
from sipguard.service.warming import STATE, Warming, urls_in
from sipguard.stir.certificate import Anchors
from tests import pki
from tests.e2e.product import configuration

PKI = pki.Pki()
LAB = (ip_network("127.0.0.0/8"),)
MANY = 5


@dataclass
class Ground:
    """A certificate server, and a configuration that may ask it."""

    path: Path
    server: pki.CertificateServer
    list: Path

    def run(self, *arguments: str) -> Result:
        """`sipguard certs ARGUMENTS`."""
        return CliRunner().invoke(main, ["certs", *arguments, "-c", str(self.path)])

    def json(self, *arguments: str) -> Any:
        """What it prints with --json."""
        return json.loads(self.run(*arguments, "--json").stdout)

    def settings(self) -> FetchSettings:
        """What the configuration says."""
        directory = self.path.parent / "state" / "certificates"
        roots = str(self.path.parent / "roots.pem")
        return FetchSettings((self.server.port,), allow_networks=LAB, ca_file=roots, directory=str(directory))


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    served = tmp_path / "served"
    served.mkdir()
    for n in range(MANY):
        days = 13.0 if n == 0 else 90.0  # the leaf opened ten days ago
        (served / f"{n}.pem").write_bytes(PKI.leaf(days=days).pem)
    (served / "other.pem").write_bytes(pki.Pki("Other SHAKEN ROOT").leaf().pem)
    (tmp_path / "roots.pem").write_bytes(PKI.root.pem)
    with pki.CertificateServer(served, tls=PKI.web()) as server:
        config = configuration(5090)
        fetch = {"allow_networks": ["127.0.0.0/8"], "ports": [server.port], "ca_file": "roots.pem"}
        config["identity"] = {"anchors": ["roots.pem"], "fetch": fetch}
        path = tmp_path / "sipguard.yaml"
        path.write_text(json.dumps(config))
        urls = [server.url(f"{n}.pem") for n in range(MANY)]
        urls += [server.url("absent.pem"), server.url("other.pem"), "http://certs.example/a", urls[0]]
        file = tmp_path / "urls.txt"
        file.write_text("# ours\n\n" + "\n".join(urls))
        yield Ground(path, server, file)


def test_a_list_is_fetched_once_and_failures_are_summed_up(ground: Ground) -> None:
    first = ground.json("warm", "--from", str(ground.list), "--rate", "100")
    failed = {"x5u_http_status": 1, "chain_untrusted": 1, "x5u_refused": 1}
    assert (first["urls"], first["fetched"], first["failed"], first["left"]) == (8, MANY, failed, 0)
    asked = len(ground.server.asked)
    again = ground.run("warm", "--from", str(ground.list), "--rate", "100")
    assert again.exit_code == 1
    assert "8 URLs: 0 fetched, 5 there before, 3 failed, 0 left" in again.output
    assert len(ground.server.asked) == asked, "what failed lately is not asked for again"
    third = ground.json("warm", "--from", str(ground.list), "--rate", "100", "--again")
    assert (third["present"], third["failed"]) == (MANY, failed)
    assert len(ground.server.asked) == asked + 2


def test_what_is_fresh_is_fetched_anew_where_that_is_wanted(ground: Ground) -> None:
    ground.json("warm", "--from", str(ground.list), "--rate", "100")
    anew = ground.run("warm", "--from", str(ground.list), "--rate", "100", "--refetch")
    assert f"{MANY} fetched, 0 there before" in anew.output
    assert "the same command with --json" in anew.output
    said = ground.run("list").output
    assert "certs warm did not get 2 of 127.0.0.1 within the last hour: " in said
    assert "certs warm did not get 1 of certs.example within the last hour: x5u_refused" in said


def test_show_judges_by_the_anchors_of_the_configuration(ground: Ground) -> None:
    ground.json("warm", "--from", str(ground.list), "--rate", "100")
    said = ground.run("show", ground.server.url("1.pem")).output
    assert "anchored" in said
    assert "None" not in said


@pytest.mark.parametrize(("file", "checked", "revoked"), [("", False, None), ("no", False, None), ("crl", True, True)])
def test_show_says_whether_a_certificate_is_revoked_or_that_no_crl_was_asked(
    ground: Ground, file: str, checked: bool, revoked: bool | None
) -> None:
    sti_pa, folder = PKI.administrator(), ground.path.parent
    ground.json("warm", "--from", str(ground.list), "--rate", "100")
    (leaf,) = load_pem_x509_certificates((folder / "served" / "1.pem").read_bytes())
    (folder / "sti-pa.pem").write_bytes(sti_pa.pem)
    (folder / "crl").write_bytes(pki.crl(sti_pa, [(leaf.issuer, leaf.serial_number)]))
    if file:
        config = json.loads(ground.path.read_text())
        config["identity"]["crl"] = {"file": file, "signers": ["sti-pa.pem"]}
        ground.path.write_text(json.dumps(config))
    found = ground.json("show", ground.server.url("1.pem"))
    assert (found["revocation"]["checked"], found["certificates"][0]["revoked"]) == (checked, revoked)
    words = "revocation checked: " if checked else "revocation was NOT checked: "
    assert words in ground.run("show", ground.server.url("1.pem")).output


def test_what_is_interrupted_goes_on_where_it_was(ground: Ground) -> None:
    urls = urls_in(ground.list.read_text())
    anchors = Anchors([PKI.root.certificate])

    async def run(stop_after: int) -> Warming:
        stop = asyncio.Event()
        warming = Warming(urls, ground.settings(), anchors, 1000.0)
        await warming.run(lambda: stop.set() if warming.kept >= stop_after else None, stop)
        return warming

    first = asyncio.run(run(2))
    assert 2 <= first.kept < MANY
    second = asyncio.run(run(99))
    assert (second.present, second.kept + first.kept, second.done) == (first.kept, MANY, len(urls))


def test_the_case_of_scheme_and_host_makes_no_other_url(ground: Ground) -> None:
    loud = ground.server.url("1.pem").replace("https", "HTTPS")
    assert urls_in(f"{loud}\n{ground.server.url('1.pem')}") == [ground.server.url("1.pem")]
    ground.list.write_text(loud)
    assert ground.json("warm", "--from", str(ground.list), "--rate", "100")["fetched"] == 1
    assert ground.run("show", loud).exit_code == 0


def test_a_damaged_state_is_as_none(ground: Ground) -> None:
    directory = Path(ground.settings().directory)
    directory.mkdir(parents=True)
    (directory / STATE).write_text('{"https://a.example/": 5}')
    assert ground.json("warm", "--from", str(ground.list), "--rate", "100")["fetched"] == MANY


def test_hosts_certificates_and_one_of_them_are_shown(ground: Ground) -> None:
    assert "nothing was fetched yet" in ground.run("list").output
    ground.run("warm", "--from", str(ground.list), "--rate", "100")
    found = ground.json("list")
    assert (found["certificates"], found["expiring_7d"], found["hit_rate"]) == (MANY, 1, None)
    assert [(at["host"], at["certificates"]) for at in found["hosts"]] == [("127.0.0.1", MANY)]
    (soon,) = ground.json("list", "--expiring", "7d")
    assert (soon["url"], soon["state"], soon["warning"]) == (ground.server.url("0.pem"), "fresh", "")
    assert len(ground.json("list", "--host", "127.0.0.1")) == MANY
    assert ground.json("list", "--host", "certs.example") == []
    assert "127.0.0.1" in ground.run("list").output
    assert ground.server.url("3.pem") in ground.run("list", "--host", "127.0.0.1").output
    shown = ground.json("show", ground.server.url("1.pem"))
    assert [line["kind"] for line in shown["certificates"]] == ["leaf"]
    assert "fetched" in ground.run("show", ground.server.url("1.pem")).output
    assert ground.run("show", "https://certs.example/none").exit_code == 1
    assert ground.run("list", "--expiring", "soon").exit_code == 2


def test_an_expiring_leaf_is_told_by_its_end() -> None:
    assert PKI.leaf(days=13.0).certificate.not_valid_after_utc - PKI.now < timedelta(days=7)
