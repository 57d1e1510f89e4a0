"""The HTTP face: who may ask, what is answered, with a real client over loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from sipguard.net.fetch import CertificateFetcher, Fetched, FetchError
from sipguard.net.sources import FetchSettings
from sipguard.numbers.rules import NumberRules
from sipguard.screening.trunk import Trunk
from sipguard.screening.verification.settings import Settings
from sipguard.service.api import BODY_LIMIT, FAILURES, VERIFICATION, Api
from sipguard.service.trusting import Trusted
from sipguard.sip.secret import Secret
from sipguard.stir.revocation import Crl, mark
from tests import pki
from tests.service.serving import DoorServer

PKI = pki.Pki()
LEAF = PKI.leaf()
NOW = int(PKI.now.timestamp())
URL = "https://certs.example/709J.pem"
CALLER, CALLEE = "12025550101", "12125550123"
TRUNK = Trunk("pbx", "interconnect", read=NumberRules(tech_prefix="^77[0-9]{2}", local_npa="202"))
TOKEN = {"Authorization": "Bearer open sesame"}


class Fetcher(CertificateFetcher):
    """A fetcher of the tests: one certificate, or a reason, when it is let go."""

    def __init__(self) -> None:
        super().__init__(FetchSettings())
        self.asked: list[str] = []
        self.gone = asyncio.Event()
        self.gone.set()
        self.reason = ""
        self.pem = LEAF.pem
        self.copy = b""  # on disk, fetched an hour ago
        self.kept: list[str] = []

    async def fetch(self, url: str, anew: bool = False) -> Fetched:
        self.asked.append(url)
        await self.gone.wait()
        if self.reason:
            raise FetchError(self.reason)
        return Fetched(self.copy, 7200.0, 3600.0, True) if self.copy and not anew else Fetched(self.pem, 3600.0)

    def keep(self, url: str, used_at: float = 0.0) -> None:
        self.kept.append(url)


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
    api = Api(Secret(b"open sesame"), Settings(budget_s=0.05), (PKI.root.pem,), fetcher, {"pbx": TRUNK})
    async with TestClient(DoorServer(api.door())) as client:
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


@pytest.mark.parametrize("ahead", [2 * 86400, 400 * 86400, -400 * 86400], ids=["two days", "next year", "last year"])
async def test_a_question_about_another_time_leaves_what_is_kept_alone(face: Face, ahead: int) -> None:
    assert (await face.verify(value()))["verstat"] == "TN-Validation-Passed"
    assert (await face.verify(value(), time=NOW + ahead))["verstat"] == "TN-Validation-Failed"
    assert (await face.verify(value(tamper=True), time=NOW + ahead))["reasonCode"] in (403, 437, 438)
    assert (await face.verify(value()))["verstat"] == "TN-Validation-Passed"
    assert face.fetcher.asked == [URL], "and it is not asked for again"


@pytest.mark.parametrize(
    ("ones", "orig", "asked", "verstat"),
    [
        ("4722123456", "4722123456", "4722123456", "Passed"),
        ("4722123456", "4722123456", "+4722123456", "Passed"),
        ("4722123456", "4722123456", "+14722123456", "Failed"),
        ("14722123456", "4722123456", "4722123456", "Passed"),
        ("14722123456", "4722123456", "+4722123456", "Failed"),
        ("14722123456", "+4722123456", "4722123456", "Failed"),
    ],
)
async def test_ten_digits_are_the_number_that_the_certificate_is_for(
    face: Face, ones: str, orig: str, asked: str, verstat: str
) -> None:
    leaf = PKI.leaf(extensions=pki.leaf_extensions(pki.tnauthlist(ones=[ones])))
    face.fetcher.pem = leaf.pem
    token = pki.identity_value(pki.passport(orig, CALLEE[1:], leaf.key, URL, iat=NOW - 5), URL)
    for called in (CALLEE, CALLEE[1:]):
        found = await face.verify(token, **{"from": {"tn": asked}, "to": {"tn": [called]}})
        assert found["verstat"] == f"TN-Validation-{verstat}"
    assert (await face.verify(token, **{"from": CALLER, "pai": {"tn": asked}}))["verstat"] == found["verstat"]


async def test_asserted_number_and_request_uri_count(face: Face) -> None:
    parties = {"from": {"uri": "sip:alice@a.example"}, "pai": {"tn": CALLER}, "to": {"tn": ["18005550199", CALLEE]}}
    assert (await face.verify(value(), **parties))["verstat"] == "TN-Validation-Passed"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({}, "rph_mismatch"),
        ({"resourcePriority": "esnet.0"}, "sph_mismatch"),
        ({"resourcePriority": ["ets.0", "esnet.0, wps.1"], "priority": "psap-callback"}, ""),
    ],
)
async def test_signed_priority_is_held_against_the_headers(face: Face, more: dict[str, object], reason: str) -> None:
    claims = {"attest": None, "origid": None, "rph": {"auth": ["esnet.0"]}, "sph": "psap-callback"}
    urgent = value(ppt="rph", extra=claims).replace('shaken"', 'rph"')
    asked = {"from": {"tn": CALLER}, "to": {"tn": [CALLEE]}, "time": NOW, "identity": urgent, **more}
    await face.verify(urgent)  # from here on the certificate is at hand
    async with face.client.post(VERIFICATION, json={"verificationRequest": asked}, headers=TOKEN) as answer:
        (found,) = (await answer.json())["details"]["results"]
    assert found["reason"] == (reason or "passed")
    assert (found["token"]["rph"], found["token"]["sph"]) == (["esnet.0"], "psap-callback")


async def test_the_date_is_compared(face: Face) -> None:
    asked = {"from": CALLER, "to": CALLEE, "time": NOW, "identity": value(), "date": "Thu, 26 Nov 2020 11:00:00 GMT"}
    async with face.client.post(VERIFICATION, json={"verificationRequest": asked}, headers=TOKEN) as answer:
        assert (await answer.json())["details"]["results"][0]["date_differs"] is True


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


async def until(face: Face, verstat: str) -> None:
    """Asks until the answer is this; what is fetched behind an answer takes a turn of the loop or two."""
    for _ in range(100):
        if (await face.verify(value()))["verstat"] == verstat:
            return
    raise AssertionError(verstat)


async def test_what_is_valid_is_kept_and_nothing_else(face: Face) -> None:
    face.fetcher.pem = pki.Pki("Other SHAKEN ROOT").leaf().pem
    assert (await face.verify(value()))["reasonDesc"].startswith("chain_untrusted")
    assert face.fetcher.kept == []
    face.api.take(Settings(budget_s=0.05), (pki.Pki().root.pem, PKI.root.pem))
    face.fetcher.pem = LEAF.pem
    assert (await face.verify(value()))["verstat"] == "TN-Validation-Passed"
    assert face.fetcher.kept == [URL]


async def test_a_copy_from_disk_serves_and_is_not_written_again(face: Face) -> None:
    face.fetcher.copy = LEAF.pem
    assert (await face.verify(value()))["verstat"] == "TN-Validation-Passed"
    assert face.fetcher.kept == []


async def test_a_revoked_copy_is_replaced_by_what_the_server_has_now(face: Face) -> None:
    old = PKI.leaf()
    named = mark(old.certificate.issuer, old.certificate.serial_number)
    face.api.trust(Trusted(crl=Crl(named, next_at=NOW + 3600.0)))
    face.fetcher.copy = old.pem
    assert (await face.verify(value()))["reasonDesc"].startswith("certificate_revoked")
    await until(face, "TN-Validation-Passed")
    assert face.fetcher.kept == [URL]


async def test_numbers_are_read_by_the_rules_of_a_trunk(face: Face) -> None:
    parties = {"from": {"tn": "5550101"}, "to": {"tn": [f"7712{CALLEE}"]}}
    assert (await face.verify(value(), **parties))["verstat"] == "TN-Validation-Failed"
    assert (await face.verify(value(), **parties, trunk="pbx"))["verstat"] == "TN-Validation-Passed"
    face.api.use_trunks({})
    for name in ("pbx", 5, [], "none"):
        asked = {"verificationRequest": {**parties, "identity": value(), "trunk": name}}
        async with face.client.post(VERIFICATION, json=asked, headers=TOKEN) as answer:
            assert answer.status == 400
            assert "trunk" in (await answer.json())["requestError"]["serviceException"]["text"]


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
    async with face.client.request(method, path, data=b"x", headers=headers) as answer:
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
        (b'{"verificationRequest": {"from": "1", "to": "1", "identity": "x", "time": 1e400}}', 400),
        (b'{"verificationRequest": {"from": "1", "to": "1", "identity": "x", "time": 1e12}}', 400),
        (b'{"verificationRequest": {"from": "1", "to": "1", "identity": "x", "priority": ["a"]}}', 400),
        (b'{"verificationRequest": {"from": "1", "to": "1", "identity": "x", "resourcePriority": 1}}', 400),
        (b'{"verificationRequest": {"from": "1", "to": "1", "identity": "x", "date": ""}}', 400),
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


@pytest.mark.parametrize(
    ("more", "member"),
    [
        ({"from": {"tn": "12025550101@x>;"}}, "from.tn"),
        ({"from": {"tn": "sip:12025550101@a.example"}}, "from.tn"),
        ({"from": {"uri": "sip:12025550101@x>;tag=1"}}, "from.uri"),
        ({"from": {"uri": "12025550101"}}, "from.uri"),
        ({"from": '"A" <sip:12025550101@a.example>'}, "from"),
        ({"to": {"tn": [CALLEE, "1212555;x"]}}, "to.tn"),
        ({"pai": "<tel:+12025550101>, <tel:+12025550102>"}, "pai"),
        ({"requestUri": "sip:12125550123@x> <"}, "requestUri"),
    ],
)
async def test_a_member_that_is_not_what_it_is_called_is_named(
    face: Face, more: dict[str, object], member: str
) -> None:
    asked = {"from": {"tn": CALLER}, "to": {"tn": [CALLEE]}, "time": NOW, "identity": value(), **more}
    async with face.client.post(VERIFICATION, json={"verificationRequest": asked}, headers=TOKEN) as answer:
        assert answer.status == 400
        text = (await answer.json())["requestError"]["serviceException"]["text"]
    assert text.startswith(f"{member} is n")
