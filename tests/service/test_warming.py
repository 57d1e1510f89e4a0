"""Warming by a list whose host fails: what was not asked for has not failed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler
from ipaddress import ip_network
from pathlib import Path

import pytest

from sipguard.cli.certs_cache import _waits
from sipguard.net import rounds
from sipguard.net.sources import FetchSettings
from sipguard.service.warming import STATE, Warming
from sipguard.stir.certificate import Anchors
from tests import pki

PKI = pki.Pki()
PEM = PKI.leaf().pem
ANCHORS = Anchors([PKI.root.certificate])
MANY = 24
ERRORS = 5  # that open the breaker


class Host:
    """A certificate server that answers 503 to its first `failing` requests."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.failing = MANY
        self.server = pki.CertificateServer(
            path, tls=PKI.web(), odd=dict.fromkeys([f"/{n}.pem" for n in range(MANY)], self._answer)
        )
        self.urls = [self.server.url(f"{n}.pem") for n in range(MANY)]

    def _answer(self, request: SimpleHTTPRequestHandler) -> None:
        failed = len(self.server.asked) <= self.failing
        request.send_response(503 if failed else 200)
        request.send_header("Content-Type", "application/pem-certificate-chain")
        request.send_header("Content-Length", str(0 if failed else len(PEM)))
        request.end_headers()
        request.wfile.write(b"" if failed else PEM)

    def warming(self, retry_s: float = 0.01) -> Warming:
        """A run over its URLs."""
        settings = FetchSettings(
            (self.server.port,),
            allow_networks=(ip_network("127.0.0.0/8"),),
            ca_file=str(self.path / "roots.pem"),
            directory=str(self.path / "copies"),
            breaker_errors=ERRORS,
            breaker_retry_s=retry_s,
        )
        return Warming(self.urls, settings, ANCHORS, 1000.0)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    (tmp_path / "roots.pem").write_bytes(PKI.root.pem)
    found = Host(tmp_path)
    with found.server:
        yield found


def run(warming: Warming, until: Callable[[], bool] = lambda: False) -> list[tuple[int, set[str]]]:
    """How far it was, and who was waited for, at each step of a run that is stopped where `until` is true."""
    steps: list[tuple[int, set[str]]] = []

    async def whole() -> None:
        stop = asyncio.Event()

        def moved() -> None:
            steps.append((warming.done, set(warming.waiting)))
            if until():
                stop.set()

        await warming.run(moved, stop)

    asyncio.run(whole())
    return steps


def test_every_url_of_a_host_that_fails_is_asked_for(host: Host) -> None:
    warming = host.warming()
    steps = run(warming)
    assert len(host.server.asked) == MANY
    assert warming.reasons() == {"x5u_http_status": MANY}
    assert (ERRORS, {"127.0.0.1"}) in steps, "it tells whom it waits for"
    assert warming.waiting == set()


def test_a_host_that_recovers_is_fetched_from(host: Host) -> None:
    host.failing = ERRORS + 1
    warming = host.warming()
    run(warming)
    assert (warming.kept, len(warming.failures)) == (MANY - ERRORS - 1, ERRORS + 1)
    assert len(host.server.asked) == MANY


def test_what_waited_at_an_interruption_is_asked_for_by_the_next_run(host: Host) -> None:
    host.failing = ERRORS
    first = host.warming(retry_s=600.0)
    run(first, lambda: bool(first.waiting))
    assert (len(first.failures), first.done, first.waiting) == (ERRORS, ERRORS, {"127.0.0.1"})
    second = host.warming()
    run(second)
    assert (second.kept, second.reasons()) == (MANY - ERRORS, {"x5u_http_status": ERRORS})


@pytest.mark.parametrize("reason", ["x5u_breaker_open", "x5u_busy", "x5u_fetcher_closed"])
def test_what_an_older_version_did_not_ask_for_has_not_failed(host: Host, reason: str) -> None:
    host.failing = 0
    warming = host.warming()
    state = Path(host.path / "copies" / STATE)
    state.write_text(json.dumps({url: (reason, PKI.now.timestamp()) for url in host.urls}))
    again = host.warming()
    run(again)
    assert (again.kept, again.failures, warming.kept) == (MANY, {}, 0)


def test_a_list_that_is_too_long_says_so_and_the_next_run_goes_on(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "LIMIT", 20)
    host.failing = 0
    first = host.warming()
    run(first)
    assert (first.kept, first.reasons()) == (20, {"list_too_long": MANY - 20})
    second = host.warming()
    run(second)
    assert (second.present, second.kept, second.failures) == (20, MANY - 20, {})


def test_the_progress_bar_names_who_is_left_alone() -> None:
    assert _waits(set()) == ""
    assert _waits({"b.example", "a.example"}).startswith("; a.example and 1 more failed again and again: it waits")
