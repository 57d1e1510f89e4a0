"""The fetcher against servers that misbehave, on loopback (facts A6.4)."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate
from ipaddress import ip_network
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from sipguard.net import fetch, resolver
from sipguard.net.fetch import CertificateFetcher, Fetched, FetchError
from sipguard.net.sources import FetchSettings
from tests import pki

PKI = pki.Pki()
PEM = PKI.leaf().pem
LAB = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


class Origin:
    """A server with one route for each way to behave; `asked` counts the requests for each path."""

    def __init__(self, holder: pki.Holder) -> None:
        self.asked: dict[str, int] = {}
        self.at_once = self.most_at_once = 0
        self.gate = asyncio.Event()
        self.port = 0
        self._context = pki.server_context(holder)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Origin"]:
        """The server, from its first to its last connection."""
        app = web.Application(middlewares=[self._count])
        for name in dir(self):
            if name.startswith("serve_"):
                app.router.add_get(f"/{name[6:]}", getattr(self, name))
        app.router.add_get("/gated/{n}", self.serve_gated)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self._context)
        await site.start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            self.gate.set()
            await runner.cleanup()

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """Where a path of this server lies."""
        return f"https://{host}:{self.port}/{path}"

    @web.middleware
    async def _count(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        self.asked[request.path] = self.asked.get(request.path, 0) + 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return await handler(request)
        finally:
            self.at_once -= 1

    async def serve_good(self, request: web.Request) -> web.Response:
        """A chain that may be kept for two days."""
        return certificate({"Cache-Control": "public, max-age=172800"})

    async def serve_gated(self, request: web.Request) -> web.Response:
        """Answers when the test lets it."""
        await self.gate.wait()
        return certificate({})

    async def serve_redirect(self, request: web.Request) -> web.Response:
        """Elsewhere."""
        return web.Response(status=302, headers={"Location": "/good"})

    async def serve_failing(self, request: web.Request) -> web.Response:
        """Broken inside."""
        return web.Response(status=503)

    async def serve_html(self, request: web.Request) -> web.Response:
        """A certificate that says it is a page."""
        return web.Response(body=PEM, content_type="text/html")

    async def serve_text(self, request: web.Request) -> web.Response:
        """No certificate."""
        return web.Response(text="hello")

    async def serve_large(self, request: web.Request) -> web.Response:
        """More than the limit, and it says so."""
        return web.Response(body=PEM + b"\n" * 70_000)

    async def serve_packed(self, request: web.Request) -> web.Response:
        """Compressed though nobody asked."""
        return web.Response(body=b"\x1f\x8b" + PEM, headers={"Content-Encoding": "gzip"})

    async def serve_headers(self, request: web.Request) -> web.Response:
        """A certificate under a heap of headers."""
        return certificate({f"X-{n}": "x" for n in range(200)})

    async def serve_endless(self, request: web.Request) -> web.StreamResponse:
        """A body without end."""
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(PEM)
        except (ConnectionError, asyncio.CancelledError):
            return response

    async def serve_trickle(self, request: web.Request) -> web.StreamResponse:
        """One octet, then nothing until the test ends."""
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"-")
        await self.gate.wait()
        return response


def certificate(headers: dict[str, str]) -> web.Response:
    """A proper answer."""
    return web.Response(body=PEM, content_type="application/pem-certificate-chain", headers=headers)


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    """A server whose TLS certificate is for 127.0.0.1 and localhost."""
    async with Origin(PKI.web()).running() as server:
        yield server


@pytest.fixture
def roots(tmp_path: Path) -> str:
    """The file with the root of the server's TLS certificate."""
    file = tmp_path / "roots.pem"
    file.write_bytes(PKI.root.pem)
    return str(file)


@asynccontextmanager
async def fetcher(origin: Origin, roots: str, **settings: object) -> AsyncIterator[CertificateFetcher]:
    """A fetcher that may ask this server."""
    given: dict[str, object] = {"ports": (origin.port,), "allow_networks": LAB, "ca_file": roots, **settings}
    made = CertificateFetcher(FetchSettings(**given))  # type: ignore[arg-type]
    try:
        yield made
    finally:
        await made.close()


async def reason(made: CertificateFetcher, url: str) -> str:
    """The slug that a fetch fails with."""
    with pytest.raises(FetchError) as raised:
        await made.fetch(url)
    return raised.value.reason


async def test_a_certificate_is_fetched_with_its_lifetime(origin: Origin, roots: str) -> None:
    async with fetcher(origin, roots) as made:
        assert await made.fetch(origin.url("good")) == Fetched(PEM, 172800.0)
        assert await made.fetch(origin.url("good", "localhost")) == Fetched(PEM, 172800.0)


MISBEHAVIOUR = {
    "redirect": ("redirect", "x5u_redirect"),
    "not found": ("nothing-here", "x5u_http_status"),
    "broken": ("failing", "x5u_http_status"),
    "a page": ("html", "x5u_content_type"),
    "no certificate": ("text", "x5u_not_pem"),
    "too large": ("large", "x5u_too_large"),
    "compressed": ("packed", "x5u_encoding"),
    "endless": ("endless", "x5u_too_large"),
    "headers without end": ("headers", "x5u_http"),
}


@pytest.mark.parametrize(("path", "slug"), MISBEHAVIOUR.values(), ids=MISBEHAVIOUR)
async def test_a_server_that_misbehaves_yields_a_reason(origin: Origin, roots: str, path: str, slug: str) -> None:
    async with fetcher(origin, roots) as made:
        assert await reason(made, origin.url(path)) == slug
        assert origin.asked[f"/{path}"] == 1
        assert "/good" not in origin.asked


async def test_a_server_that_trickles_meets_the_deadline(origin: Origin, roots: str) -> None:
    async with fetcher(origin, roots, deadline_s=0.1) as made:
        assert await reason(made, origin.url("trickle")) == "x5u_timeout"


REFUSED = {
    "http": "http://127.0.0.1:{port}/good",
    "another port": "https://127.0.0.1:1/good",
    "userinfo": "https://a@127.0.0.1:{port}/good",
    "query": "https://127.0.0.1:{port}/good?a",
    "fragment": "https://127.0.0.1:{port}/good#a",
}


@pytest.mark.parametrize("url", REFUSED.values(), ids=REFUSED)
async def test_urls_outside_the_rules_are_not_asked(origin: Origin, roots: str, url: str) -> None:
    async with fetcher(origin, roots) as made:
        assert await reason(made, url.format(port=origin.port)) == "x5u_refused"
    assert origin.asked == {}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"])
async def test_addresses_inside_are_not_connected_to(origin: Origin, roots: str, host: str) -> None:
    async with fetcher(origin, roots, allow_networks=()) as made:
        assert await reason(made, origin.url("good", host)) == "x5u_address_refused"
    assert origin.asked == {}


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0177.0.0.1"])
async def test_other_spellings_of_addresses_lead_nowhere(origin: Origin, roots: str, host: str) -> None:
    async with fetcher(origin, roots, allow_networks=()) as made:
        assert await reason(made, origin.url("good", host)) == "x5u_refused"
    assert origin.asked == {}


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example"])
async def test_a_host_that_no_name_server_can_be_asked_for_does_not_resolve(
    origin: Origin, roots: str, host: str
) -> None:
    async with fetcher(origin, roots) as made:
        assert await reason(made, origin.url("good", host)) == "x5u_dns"


async def test_a_tls_certificate_of_a_stranger_is_refused(origin: Origin) -> None:
    async with fetcher(origin, "") as made:
        assert await reason(made, origin.url("good")) == "x5u_tls"


async def test_a_tls_certificate_for_another_name_is_refused(roots: str) -> None:
    async with Origin(PKI.web(["certs.example"])).running() as origin, fetcher(origin, roots) as made:
        assert await reason(made, origin.url("good")) == "x5u_tls"
    assert origin.asked == {}


async def test_a_closed_port_is_a_reason(origin: Origin, roots: str, unused_tcp_port: int) -> None:
    async with fetcher(origin, roots, ports=(unused_tcp_port,)) as made:
        assert await reason(made, f"https://127.0.0.1:{unused_tcp_port}/good") == "x5u_connect"


async def test_all_who_ask_at_once_share_one_request(origin: Origin, roots: str) -> None:
    async with fetcher(origin, roots) as made:
        origin.gate.set()
        answers = await asyncio.gather(*(made.fetch(origin.url("gated/1")) for _ in range(50)))
    assert {answer.octets for answer in answers} == {PEM}
    assert origin.asked == {"/gated/1": 1}


async def test_an_asker_that_gives_up_does_not_end_the_request(origin: Origin, roots: str) -> None:
    async with fetcher(origin, roots) as made:
        first = asyncio.create_task(made.fetch(origin.url("gated/1")))
        await until(lambda: bool(origin.asked))
        first.cancel()
        second = asyncio.create_task(made.fetch(origin.url("gated/1")))
        await asyncio.sleep(0)
        origin.gate.set()
        assert (await second).octets == PEM
    assert first.cancelled()
    assert origin.asked == {"/gated/1": 1}


async def until(true: Callable[[], bool]) -> None:
    """Lets the loop turn until it is so; two seconds at most."""
    async with asyncio.timeout(2):
        while not true():  # noqa: ASYNC110 - what is waited for happens in a server
            await asyncio.sleep(0)


async def test_a_host_gets_so_many_requests_at_once(origin: Origin, roots: str) -> None:
    async with fetcher(origin, roots, per_host=3, queue_per_host=10) as made:
        tasks = [asyncio.create_task(made.fetch(origin.url(f"gated/{n}"))) for n in range(12)]
        await until(lambda: origin.at_once == 3)
        origin.gate.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert origin.most_at_once == 3
    assert [str(one) for one in answers if isinstance(one, FetchError)] == ["x5u_busy"] * 2
    assert sum(isinstance(one, Fetched) for one in answers) == 10


async def test_close_ends_what_runs_with_a_reason(origin: Origin, roots: str) -> None:
    async with fetcher(origin, roots) as made:
        task = asyncio.create_task(made.fetch(origin.url("gated/1")))
        await until(lambda: bool(origin.asked))
        await made.close()
        with pytest.raises(FetchError, match="x5u_fetcher_closed"):
            await task


async def test_a_host_that_fails_is_left_alone_and_tried_again(
    origin: Origin, roots: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = Now(monkeypatch)
    async with fetcher(origin, roots, breaker_errors=2) as made:
        for _ in range(2):
            assert await reason(made, origin.url("failing")) == "x5u_http_status"
        assert await reason(made, origin.url("good")) == "x5u_breaker_open"
        assert "/good" not in origin.asked
        now.ahead_s = 15.1
        assert await reason(made, origin.url("failing")) == "x5u_http_status"
        assert await reason(made, origin.url("good")) == "x5u_breaker_open"
        now.ahead_s = 30.3
        assert (await made.fetch(origin.url("good"))).octets == PEM
        assert (await made.fetch(origin.url("good"))).octets == PEM


async def test_errors_outside_the_window_or_of_the_url_leave_the_host_alone(
    origin: Origin, roots: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = Now(monkeypatch)
    async with fetcher(origin, roots, breaker_errors=2) as made:
        for n in range(4):
            now.ahead_s = n * 10.1
            assert await reason(made, origin.url("failing")) == "x5u_http_status"
        for _ in range(4):
            assert await reason(made, origin.url("nothing-here")) == "x5u_http_status"
        assert (await made.fetch(origin.url("good"))).octets == PEM


class Now:
    """The fetcher's monotonic clock, with something added to it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead_s = 0.0
        monkeypatch.setattr(fetch, "_now", lambda: time.monotonic() + self.ahead_s)


async def test_a_copy_on_disk_serves_after_a_restart(origin: Origin, roots: str, tmp_path: Path) -> None:
    folder = str(tmp_path / "copies")
    async with fetcher(origin, roots, directory=folder) as made:
        await made.fetch(origin.url("good"))
        made.keep(origin.url("good"))
    async with fetcher(origin, roots, directory=folder) as made:
        again = await made.fetch(origin.url("good"))
        assert (again.octets, again.lifetime_s, again.kept) == (PEM, 172800.0, True)
        assert again.age_s >= 0.0
        assert origin.asked == {"/good": 1}
        assert not (await made.fetch(origin.url("good"), anew=True)).kept
    assert origin.asked == {"/good": 2}


async def test_what_nobody_found_valid_is_not_kept(origin: Origin, roots: str, tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    async with fetcher(origin, roots, directory=str(folder)) as made:
        await made.fetch(origin.url("good"))
        made.keep(origin.url("another"))
    assert list(folder.iterdir()) == []


async def test_an_old_copy_serves_at_once_until_its_end(
    origin: Origin, roots: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(tmp_path / "copies")
    async with fetcher(origin, roots, directory=folder) as made:
        await made.fetch(origin.url("good"))
        made.keep(origin.url("good"))
    async with fetcher(origin, "", directory=folder) as made:  # TLS will fail
        monkeypatch.setattr(fetch, "_unix", lambda: time.time() + 1.8 * DAY)
        old = await made.fetch(origin.url("good"))
        assert (old.octets, old.age_s // DAY) == (PEM, 1.0)
        monkeypatch.setattr(fetch, "_unix", lambda: time.time() + 2.0 * DAY)
        assert await reason(made, origin.url("good")) == "x5u_tls"


async def test_hosts_that_nobody_knows_take_no_place_of_others(origin: Origin, roots: str) -> None:
    async with fetcher(origin, roots, at_once=2, waiting=3, per_host=1, queue_per_host=9) as made:
        made.know("localhost")
        strange = [asyncio.create_task(made.fetch(origin.url(f"gated/{n}"))) for n in range(5)]
        await until(lambda: origin.at_once == 1)
        assert (await made.fetch(origin.url("good", "localhost"))).octets == PEM
        origin.gate.set()
        answers = await asyncio.gather(*strange, return_exceptions=True)
    assert [str(one) for one in answers if isinstance(one, FetchError)] == ["x5u_busy"] * 2


async def test_who_waits_in_vain_for_a_place_is_told_so(origin: Origin, roots: str) -> None:
    async with fetcher(origin, roots, per_host=1, deadline_s=0.1) as made:
        first = asyncio.create_task(made.fetch(origin.url("gated/1")))
        await until(lambda: origin.at_once == 1)
        assert await reason(made, origin.url("gated/2")) in ("x5u_busy", "x5u_timeout")
        assert await asyncio.gather(first, return_exceptions=True)
        assert [row[:2] for row in made.troubled()] == [("127.0.0.1", "x5u_timeout")]


async def test_an_address_is_resolved_once_and_connected_to(
    origin: Origin, roots: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS that answers otherwise the second time leads nowhere else."""
    asked: list[str] = []

    def resolve(host: str, port: int, *rest: object) -> list[tuple[object, ...]]:
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "127.0.0.2"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(resolver.socket, "getaddrinfo", resolve)
    only = (ip_network("127.0.0.1/32"),)
    async with fetcher(origin, roots, allow_networks=only) as made:
        assert (await made.fetch(origin.url("good", "localhost"))).octets == PEM
        await made.close()
        assert asked == ["localhost"]
    async with fetcher(origin, roots, allow_networks=only) as made:
        assert await reason(made, origin.url("good", "localhost")) == "x5u_address_refused"


DAY = 86400.0
LIFETIMES = {
    "nothing said": ({}, 0.0),
    "max-age": ({"Cache-Control": "max-age=86400"}, DAY),
    "among others, quoted": ({"Cache-Control": 'Public, Max-Age="86400", x'}, DAY),
    "less its age": ({"Cache-Control": "max-age=86400", "Age": "86000"}, 400.0),
    "older than that": ({"Cache-Control": "max-age=10", "Age": "86000"}, 0.0),
    "no-store": ({"Cache-Control": "no-store, max-age=86400"}, 0.0),
    "no-cache": ({"Cache-Control": "no-cache"}, 0.0),
    "garbage": ({"Cache-Control": "max-age=forever"}, 0.0),
    "negative": ({"Cache-Control": "max-age=-5"}, 0.0),
    "beyond reason": ({"Cache-Control": "max-age=99999999999"}, 366 * DAY),
    "Expires": ({"Expires": formatdate(2 * DAY, usegmt=True), "Date": formatdate(DAY, usegmt=True)}, DAY),
    "Expires 0": ({"Expires": "0", "Date": formatdate(2e9, usegmt=True)}, 0.0),
    "Date alone": ({"Date": formatdate(DAY, usegmt=True)}, 0.0),
    "max-age before Expires": (
        {"Cache-Control": "max-age=60", "Expires": formatdate(9 * DAY, usegmt=True)},
        60.0,
    ),
}


@pytest.mark.parametrize(("headers", "lifetime_s"), LIFETIMES.values(), ids=LIFETIMES)
def test_http_says_how_long_a_response_may_be_kept(headers: dict[str, str], lifetime_s: float) -> None:
    assert fetch.lifetime(headers) == lifetime_s


async def test_the_certificate_server_of_tests_and_demo_serves_a_directory(roots: str, tmp_path: Path) -> None:
    (tmp_path / "709J.pem").write_bytes(PEM)
    with pki.CertificateServer(tmp_path, tls=PKI.web()) as server:
        made = CertificateFetcher(FetchSettings(ports=(server.port,), allow_networks=LAB, ca_file=roots))
        assert (await made.fetch(server.url("709J.pem"))).octets == PEM
        assert await reason(made, server.url("absent.pem")) == "x5u_http_status"
        await made.close()
    assert server.asked == ["/709J.pem", "/absent.pem"]


@given(st.dictionaries(st.sampled_from(["Cache-Control", "Age", "Expires", "Date"]), st.text(max_size=60)))
def test_any_header_is_a_lifetime_within_bounds(headers: dict[str, str]) -> None:
    assert 0.0 <= fetch.lifetime(headers) <= fetch.LIFETIME_LIMIT_S


@given(
    st.text(alphabet='max-ge=0123456789,"; sn\t', max_size=60), st.text(alphabet="-0123456789 GMTanSu:,", max_size=40)
)
def test_nearly_right_headers_are_a_lifetime_within_bounds(control: str, instant: str) -> None:
    for headers in ({"Cache-Control": control, "Age": instant}, {"Expires": instant, "Date": instant}):
        assert 0.0 <= fetch.lifetime(headers) <= fetch.LIFETIME_LIMIT_S
