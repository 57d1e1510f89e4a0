"""Signing over HTTP: who may have what signed, by whom, with a real client over loopback; and what is told of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from structlog.testing import capture_logs

from sipguard.net.fetch import CertificateFetcher
from sipguard.net.sources import FetchSettings
from sipguard.screening.signingkey import SigningKey
from sipguard.screening.verification.settings import Settings
from sipguard.service.api import BODY_LIMIT, SIGNING, VERIFICATION, Api
from sipguard.service.metric_table import DESK_NAMES
from sipguard.service.outcomes import WHY_REFUSED
from sipguard.service.signatures import Limits, Signatures
from sipguard.sip.secret import Secret
from sipguard.stir import identity, passport
from sipguard.stir.certificate import Anchors, read_chain, validate
from tests import pki
from tests.service.serving import DoorServer

PKI = pki.Pki()
LEAF, OTHER, OLD = PKI.leaf(), PKI.leaf(spc="710J"), PKI.leaf(opens=PKI.now - 30 * pki.DAY, days=20)
NARROW = PKI.leaf(extensions=pki.leaf_extensions(pki.tnauthlist(ones=["13125550199"])))
CALLER, CALLEE = "12025550101", "12125550123"
ORIGID = "de305d54-75b4-431b-adb2-eb6b9e546014"
TOKEN = {"Authorization": "Bearer open sesame"}


def key(name: str, leaf: pki.Holder) -> SigningKey:
    """The key of a signer, as the desk is sent it."""
    return SigningKey(name, f"https://certs.example/{name}.pem", leaf.pem, Secret(leaf.key_pem), 0.0)


class Face:
    """The API with signers, and a client."""

    def __init__(self, limits: Limits, *keys: SigningKey) -> None:
        self.counted: Counter[str] = Counter()
        signatures = Signatures(limits, keys, lambda kind: self.counted.update([kind]))
        fetcher = CertificateFetcher(FetchSettings())
        self.api = Api(Secret(b"open sesame"), Settings(), (PKI.root.pem,), fetcher, {}, signatures)
        self.client = TestClient(DoorServer(self.api.door()))

    async def ask(self, asked: object) -> tuple[int, dict[str, Any]]:
        """Status and answer."""
        async with self.client.post(SIGNING, json={"signingRequest": asked}, headers=TOKEN) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def face() -> AsyncIterator[Face]:
    found = Face(
        Limits(("own", "old", "narrow", "gone")),
        key("own", LEAF),
        key("old", OLD),
        key("narrow", NARROW),
        key("x", OTHER),
    )
    async with found.client:
        yield found
    await found.api.close()


def request(**changed: object) -> dict[str, object]:
    """A signingRequest; members that are None are left out."""
    asked = {
        "attest": "B", "dest": {"tn": [CALLEE]}, "iat": int(time.time()), "orig": {"tn": CALLER}, "origid": ORIGID,
        "signer": "own", **changed,
    }  # fmt: skip
    return {name: value for name, value in asked.items() if value is not None}


def verified(answer: dict[str, Any], leaf: pki.Holder = LEAF) -> passport.Passport:
    """The token of an answer, once its signature holds under the authority."""
    read = passport.read(identity.read(answer["signingResponse"]["identity"]).token)
    passport.verify(read, validate(read_chain(leaf.pem), Anchors([PKI.root.certificate]), read.iat), read.iat)
    return read


async def test_what_is_asked_is_signed(face: Face) -> None:
    asked = request()
    status, answer = await face.ask(asked)
    assert status == 200
    read = verified(answer)
    assert (read.attest, read.orig_tn, read.dest_tns, read.iat) == ("B", CALLER, (CALLEE,), asked["iat"])
    assert (read.origid, read.x5u) == (ORIGID, "https://certs.example/own.pem")
    assert answer["details"] == {"attest": "B", "signer": "own"}
    assert face.counted == {"signed_B": 1}
    async with face.client.post(
        VERIFICATION,
        json={"verificationRequest": {"from": CALLER, "to": CALLEE, "identity": answer["signingResponse"]["identity"]}},
        headers=TOKEN,
    ) as judged:
        details = (await judged.json())["details"]["results"][0]
    assert (details["orig_ok"], details["dest_ok"], details["fresh"]) == (True, True, True)


@pytest.mark.parametrize(
    ("changed", "orig", "dest"),
    [
        ({"orig": {"tn": f"+{CALLER}"}, "dest": {"tn": f"+{CALLEE}"}}, CALLER, (CALLEE,)),
        ({"orig": {"tn": "+1 202-555-0101"}, "dest": {"tn": "1 (212) 555-0123"}}, CALLER, (CALLEE,)),
        ({"orig": {"tn": "+4722123456"}, "dest": {"tn": ["+6561234567"]}}, "4722123456", ("6561234567",)),
        ({"orig": {"tn": "4951234567"}}, "4951234567", (CALLEE,)),
        ({"orig": {"tn": "442079460123"}, "dest": {"tn": ["+442079460124"]}}, "442079460123", ("442079460124",)),
        ({"dest": {"tn": ["911"]}}, CALLER, ("911",)),
        ({"origid": ORIGID.upper()}, CALLER, (CALLEE,)),
    ],
    ids=["plus", "separators", "ten digits abroad", "ten that no NANP number has", "abroad", "emergency", "upper case"],
)
async def test_numbers_are_signed_in_their_canonical_form(
    face: Face, changed: dict[str, object], orig: str, dest: tuple[str, ...]
) -> None:
    status, answer = await face.ask(request(**changed))
    assert status == 200, answer
    read = verified(answer)
    assert (read.orig_tn, read.dest_tns, read.origid) == (orig, dest, ORIGID)


async def test_a_service_is_a_uri(face: Face) -> None:
    _, answer = await face.ask(request(dest={"uri": ["urn:service:sos"]}))
    assert verified(answer).dest_uris == ("urn:service:sos",)


@pytest.mark.parametrize(
    ("most", "asked", "signed"),
    [("A", "A", "A"), ("A", "C", "C"), ("B", "A", "B"), ("B", "B", "B"), ("B", "C", "C"), ("C", "A", "C")],
)
async def test_no_more_is_attested_than_allowed(most: str, asked: str, signed: str) -> None:
    face = Face(Limits(("own",), most), key("own", LEAF))
    async with face.client:
        _, answer = await face.ask(request(attest=asked, signer=None))
    assert (verified(answer).attest, answer["details"]["attest"]) == (signed, signed)
    assert face.counted == {f"signed_{signed}": 1}
    await face.api.close()


REFUSED: list[tuple[dict[str, object], str]] = [
    *(({"attest": each}, "attest_invalid") for each in (None, "", "a", "D", 1, ["A"])),
    *(
        ({"orig": each}, "orig_invalid")
        for each in (None, {}, [], CALLER, {"tn": [CALLER]}, {"tn": 1}, {"uri": "sip:a@b.example"})
    ),
    *(
        ({"orig": {"tn": each}}, "orig_invalid")
        for each in ("", "anonymous", "911", "5550101", "1202555010", "1" * 16, '1"', "+१२०२५५५०१०१")
    ),
    *(
        ({"orig": {"tn": each}}, "orig_invalid")
        for each in ("+1", "+12", "+1202555010", "+19115550100", "+12025110100")
    ),
    *(({"dest": {"tn": each}}, "dest_invalid") for each in ("+12", "+19115550100", "1202555010", "+")),
    *(
        ({"orig": {"tn": each}}, "tn_ambiguous")
        for each in ("2025550101", "4722123456", "(202) 555-0101", "6421550101")
    ),
    *(({"dest": {"tn": [each]}}, "tn_ambiguous") for each in ("2125550123", "4522123456", "6561234567")),
    ({"orig": {"tn": CALLER, "uri": "sip:a@b.example"}}, "orig_invalid"),
    *(
        ({"dest": each}, "dest_invalid")
        for each in (None, {}, [], CALLEE, {"tn": []}, {"tn": [1]}, {"tn": [""]}, {"tn": [None]})
    ),
    *(
        ({"dest": each}, "dest_invalid")
        for each in ({"uri": ["sip:a@b.example"]}, {"uri": ['urn:a"b']}, {"uri": [CALLEE]}, {"tn": ["urn:service:sos"]})
    ),
    ({"dest": {"tn": [CALLEE, CALLER]}}, "dest_several"),
    ({"dest": {"tn": [CALLEE], "uri": ["urn:service:sos"]}}, "dest_several"),
    *(({"iat": each}, "iat_invalid") for each in (None, "1", 1.5, True, [])),
    *(({"iat": each}, "iat_expired") for each in (0, -1, int(PKI.now.timestamp()) - 90)),
    *(({"iat": each}, "iat_future") for each in (2**40, int(PKI.now.timestamp()) + 3600)),
    *(({"origid": each}, "origid_invalid") for each in (None, "", "x", 1, ORIGID[:-1], ORIGID.replace("-", "+"))),
    *(({"signer": each}, "signer_unknown") for each in (None, "", "x", "else", 1)),
    ({"signer": "narrow"}, "out_of_scope"),
    ({"signer": "gone"}, "no_signer"),
    ({"signer": "old"}, "expired"),
]


IDS = [f"{n}-{'-'.join(changed)}" for n, (changed, _) in enumerate(REFUSED)]  # without times: processes must agree


@pytest.mark.parametrize(("changed", "why"), REFUSED, ids=IDS)
async def test_what_is_not_signed_is_told_why(face: Face, changed: dict[str, object], why: str) -> None:
    status, answer = await face.ask(request(**changed))
    said = answer["requestError"]["serviceException"]
    assert (said["messageId"], status) == (why, WHY_REFUSED[why][0])
    assert face.counted == {f"refused_{why}": 1}


def test_each_reason_is_met_and_documented() -> None:
    assert {why for _, why in REFUSED} == set(WHY_REFUSED)
    documented = (Path(__file__).parents[2] / "docs" / "stir.md").read_text()
    for why, (status, _) in WHY_REFUSED.items():
        assert f"| `{why}` | {status} |" in documented
        assert f"api_refused_{why}" in DESK_NAMES


async def test_a_key_that_changed_signs_from_then_on(face: Face) -> None:
    face.api.rekey((key("own", OTHER), key("x", LEAF)))
    _, answer = await face.ask(request())
    verified(answer, OTHER)
    assert (await face.ask(request(signer="x")))[1]["requestError"]["serviceException"]["messageId"] == "signer_unknown"
    face.api.rekey(())
    assert (await face.ask(request()))[0] == 503


async def test_what_is_fresh_is_what_a_reload_says(face: Face) -> None:
    asked = request(iat=int(time.time()) - 90)
    assert (await face.ask(asked))[0] == 422
    face.api.take(Settings(freshness_s=600.0), ())
    assert (await face.ask(asked))[0] == 200


@pytest.mark.parametrize(("whole", "orig", "dest"), [(False, "1202555****", "1212555****"), (True, CALLER, CALLEE)])
async def test_a_signature_is_a_line_in_the_log(whole: bool, orig: str, dest: str) -> None:
    face = Face(Limits(("own",), whole_numbers=whole), key("own", LEAF))
    async with face.client:
        with capture_logs() as lines:
            await face.ask(request(attest="A"))
            await face.ask(request(orig={"tn": "anonymous"}))
    await face.api.close()
    made, refused = lines
    assert (made["event"], made["signer"], made["attest"], made["asked"]) == ("signed", "own", "B", "A")
    assert (made["orig"], made["dest"], made["origid"]) == (orig, dest, ORIGID)
    assert (refused["event"], refused["why"]) == ("signature_refused", "orig_invalid")


async def test_nothing_is_signed_unless_the_operator_names_signers() -> None:
    api = Api(Secret(b"open sesame"), Settings(), (), CertificateFetcher(FetchSettings()), {})
    api.rekey((key("own", LEAF),))
    async with (
        TestClient(DoorServer(api.door())) as client,
        client.post(SIGNING, json={"signingRequest": request()}, headers=TOKEN) as answer,
    ):
        assert answer.status == 404
    await api.close()


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}], ids=["none", "wrong"])
async def test_a_stranger_has_nothing_signed(face: Face, headers: dict[str, str]) -> None:
    async with face.client.post(SIGNING, json={"signingRequest": request()}, headers=headers) as answer:
        assert (answer.status, await answer.read()) == (401, b"")
    assert not face.counted


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"[]", 400), (b"{}", 400), (b'{"signingRequest": []}', 400), (b" " * (BODY_LIMIT + 1), 413)],
)
async def test_a_broken_request_is_told_in_json(face: Face, body: bytes, status: int) -> None:
    async with face.client.post(SIGNING, data=body, headers=TOKEN) as answer:
        assert answer.status == status
        assert (await answer.json())["requestError"]["serviceException"]["text"]
    assert not face.counted
