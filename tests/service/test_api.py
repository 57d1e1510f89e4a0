"""The HTTP face: who may ask, what is answered, with a real client over loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from sipguard.net.fetch import CertificateFetcher, Fetched, FetchError, FetchSettings
from sipguard.screening.verification.evaluate import Settings
from sipguard.service.api import BODY_LIMIT, FAILURES, VERIFICATION, Api
from sipguard.service.trusted import Trusted
from sipguard.sip.secret import Secret
from sipguard.stir.revocation import Crl, mark
from tests import pki

PKI = pki.Pki()
LEAF = PKI.leaf()
NOW = int(PKI.now.timestamp())
URL = "https://certs.example/709J.pem"
CALLER, CALLEE = "12025550101", "12125550123"
TOKEN = {"Authorization": "Bearer open sesame"}


class Fetcher(CertificateFetcher):
    """A fetcher of the tests: one certificate, or a reason, when it is let go."""

    def __init__(self) -> None:
        super().__init__(FetchSettings())
        self.asked: list[str] = []
        self.gone = asyncio.Event()
        self.gone.set()
        self.reason = ""

    async def fetch(self, url: str, *_: Any, **__: Any) -> Fetched:
        self.asked.append(url)
        await self.gone.wait()
        if self.reason:
            raise FetchError(self.reason)
        return Fetched(LEAF.pem, 3600.0)


class Face:
    """The API on a free port, and a client."""

    def __init__(self, client: TestClient[Any, Any], fetcher: Fetcher, api: Api) -> None:
        self.client, self.fetcher, self.api = client, fetcher, api

    async def verify(self, value: object, **more: object) -> dict[str, Any]:
        """The verificationResponse."""
        asked = {"from": {"tn": CALLER}, "to": {"tn": [CALLEE]}, "time": NOW, "identity": value, **more}
        async with self.client.post(VERIFICATION, json={"verificationRequest": asked}, headers=TOKEN) as answer:
            assert answer.status == 200, await answer.text()
            found = await answer.json()
        response: dict[str, Any] = found["verificationResponse"]
        return response


@pytest.fixture
async def face() -> AsyncIterator[Face]:
    fetcher = Fetcher()
    api = Api(Secret(b"open sesame"), Settings(budget_s=0.05), (PKI.root.pem,), fetcher)
    async with TestClient(TestServer(api.application())) as client:
        yield Face(client, fetcher, api)
    await api.close()


def value(**knobs: Any) -> str:
    """An Identity value of these tests."""
    return pki.identity_value(pki.passport(CALLER, CALLEE, LEAF.key, URL, iat=NOW - 5, **knobs), URL)


async def test_a_good_value_passes_and_its_certificate_is_fetched_once(face: Face) -> None:
    wanted = {"verstat": "TN-Validation-Passed", "attest": "A", "origid": "o-1"}
    assert await face.verify(value(origid="o-1")) == wanted
    assert await face.verify([value(origid="o-1")]) == wanted
    assert await face.verify(value(origid="o-1"), to=f"+{CALLEE}", **{"from": "2025550101"}) == wanted
    assert face.fetcher.asked == [URL]


ANSWERS: dict[str, tuple[object, dict[str, object], str, int, str]] = {
    "changed": (value(tamper=True), {}, "TN-Validation-Failed", 438, "signature"),
    "another caller": (value(), {"from": {"tn": "13125550199"}}, "TN-Validation-Failed", 438, "orig_mismatch"),
    "another called": (value(), {"to": {"tn": ["13125550199"]}}, "TN-Validation-Failed", 438, "dest_mismatch"),
    "old": (value(), {"time": NOW + 600}, "TN-Validation-Failed", 403, "iat_expired"),
    "a type that nobody verifies": (value(ppt="xyz"), {}, "No-TN-Validation", 428, "unsupported_ppt"),
    "garbage": ("garbage", {}, "TN-Validation-Failed", 438, "info_missing"),
}


@pytest.mark.parametrize(("identity", "more", "verstat", "code", "reason"), ANSWERS.values(), ids=ANSWERS)
async def test_the_reason_of_what_does_not_pass(
    face: Face, identity: object, more: dict[str, object], verstat: str, code: int, reason: str
) -> None:
    found = await face.verify(identity, **more)
    assert (found["verstat"], found["reasonCode"]) == (verstat, code)
    assert found["reasonDesc"].startswith(f"{reason}: ")
    assert found["reasonText"]


async def test_asserted_number_and_request_uri_count(face: Face) -> None:
    parties = {"from": {"uri": "sip:alice@a.example"}, "pai": {"tn": CALLER}, "to": {"tn": ["18005550199", CALLEE]}}
    assert (await face.verify(value(), **parties))["verstat"] == "TN-Validation-Passed"


async def test_a_certificate_that_is_late_serves_the_next_question(face: Face) -> None:
    face.fetcher.gone.clear()
    found = await face.verify(value())
    assert (found["verstat"], found["reasonCode"]) == ("No-TN-Validation", 436)
    face.fetcher.gone.set()
    await asyncio.sleep(0)
    while (found := await face.verify(value()))["verstat"] != "TN-Validation-Passed":
        pass
    assert face.fetcher.asked == [URL]


async def test_a_certificate_that_cannot_be_had_is_436(face: Face) -> None:
    face.fetcher.reason = "x5u_connect"
    found = await face.verify(value())
    assert (found["verstat"], found["reasonCode"]) == ("TN-Validation-Failed", 436)
    assert found["reasonDesc"].startswith("x5u_connect")


async def test_anchors_of_a_reload_count_from_then_on(face: Face) -> None:
    assert (await face.verify(value()))["verstat"] == "TN-Validation-Passed"
    face.api.take(Settings(), (pki.Pki().root.pem,))
    assert (await face.verify(value()))["reasonDesc"].startswith("chain_")


async def test_what_the_crl_names_is_refused(face: Face) -> None:
    assert (await face.verify(value()))["verstat"] == "TN-Validation-Passed"
    certificate = LEAF.certificate
    named = mark(certificate.issuer, certificate.serial_number)
    face.api.trust(Trusted(crl=Crl(named, next_at=NOW + 3600.0)))
    assert (await face.verify(value()))["reasonDesc"].startswith("certificate_revoked")
    face.api.trust(Trusted())
    assert (await face.verify(value()))["verstat"] == "TN-Validation-Passed"


async def test_details_are_those_of_the_command(face: Face) -> None:
    asked = {"from": {"tn": CALLER}, "to": {"tn": CALLEE}, "identity": value(), "time": NOW}
    async with face.client.post(VERIFICATION, json={"verificationRequest": asked}, headers=TOKEN) as answer:
        details = (await answer.json())["details"]
    assert (details["verdict"], details["results"][0]["signature_ok"]) == ("passed", True)


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "open sesame"}, {"Authorization": "Basic open sesame"}],
    ids=["none", "wrong", "no scheme", "another scheme"],
)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", VERIFICATION), ("GET", VERIFICATION), ("GET", "/"), ("POST", "/stir/v1/else")]
)
async def test_a_stranger_learns_nothing(face: Face, headers: dict[str, str], method: str, path: str) -> None:
    async with face.client.request(method, path, data=b"x" * (BODY_LIMIT + 1), headers=headers) as answer:
        assert (answer.status, await answer.read()) == (401, b"")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert face.fetcher.asked == []


async def test_who_guesses_is_turned_away_and_the_token_still_serves(face: Face) -> None:
    statuses = []
    for n in range(FAILURES + 2):
        async with face.client.get("/", headers={"Authorization": f"Bearer {n}"}) as answer:
            statuses.append(answer.status)
    assert statuses == [401] * FAILURES + [429] * 2
    assert (await face.verify(value()))["verstat"] == "TN-Validation-Passed"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"{}", 400),
        (b'{"verificationRequest": {}}', 400),
        (b'{"verificationRequest": {"from": {"tn": "1"}, "to": {"tn": ["1"]}}}', 400),
        (b'{"verificationRequest": {"from": {"tn": 1}, "to": {"tn": ["1"]}, "identity": "x"}}', 400),
        (b'{"verificationRequest": {"from": {}, "to": {"tn": ["1"]}, "identity": "x"}}', 400),
        (b'{"verificationRequest": {"from": "1", "to": "1", "identity": "x", "time": "now"}}', 400),
        (b'{"verificationRequest": {"from": "1", "to": "1", "identity": ["x", 1]}}', 400),
        (b"[" * 100_000, 400),
        (b"\xff\xfe", 400),
        (b" " * (BODY_LIMIT + 1), 413),
    ],
)
async def test_a_broken_request_is_told_in_json(face: Face, body: bytes, status: int) -> None:
    async with face.client.post(VERIFICATION, data=body, headers=TOKEN) as answer:
        assert answer.status == status
        assert (await answer.json())["requestError"]["serviceException"]["text"]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", VERIFICATION, 405), ("POST", "/stir/v1/else", 404)])
async def test_what_is_not_served_is_told_in_json(face: Face, method: str, path: str, status: int) -> None:
    async with face.client.request(method, path, headers=TOKEN) as answer:
        assert answer.status == status
        assert "requestError" in await answer.json()
