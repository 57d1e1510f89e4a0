"""PASSporTs: decoding, leniency, freshness, signature (RFC 8225, facts A1.3, A1.4, A2)."""

import base64
import json
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipguard.stir import passport
from sipguard.stir.certificate import Credential
from sipguard.stir.errors import (
    InvalidIdentity,
    StaleDate,
    StirError,
    UnsupportedCredential,
    UnsupportedPassport,
)
from sipguard.stir.identity import IdentityHeader
from sipguard.stir.reasons import DEVIATIONS
from tests import pki

URL = "https://certs.example/709J.pem"
KEY = pki.new_key()
ORIG, DEST = "12025550101", "12125550123"


def token(**knobs: Any) -> str:
    """A token of the calls in these tests."""
    return pki.passport(ORIG, DEST, KEY, URL, **{"iat": 1_700_000_000, **knobs})


def credential(key: Any = None, opens: float = 0.0, closes: float = 2e9) -> Credential:
    """A credential with nothing but a key and a validity."""
    public = (key or KEY).public_key()
    return cast(Credential, SimpleNamespace(key=public, not_before_at=opens, not_after_at=closes))


def test_all_of_a_token_is_read() -> None:
    read = passport.read(token(attest="B", origid="0b1e6f2c-0001-4000-8000-000000000001"))
    assert (read.alg, read.ppt, read.typ, read.x5u) == ("ES256", "shaken", "passport", URL)
    assert (read.orig_tn, read.orig_uri, read.dest_tns, read.dest_uris) == (ORIG, "", (DEST,), ())
    assert (read.attest, read.origid, read.iat) == (
        "B",
        "0b1e6f2c-0001-4000-8000-000000000001",
        1_700_000_000,
    )
    assert (read.div_tn, read.deviations, len(read.signature)) == ("", (), 64)


@pytest.mark.parametrize(
    ("attest", "origid", "read_as"),
    [
        ("A", "customer-17", ("A", "customer-17")),
        ("a", "0b1e6f2c-0001-4000-8000-000000000001", ("", "0b1e6f2c-0001-4000-8000-000000000001")),
        ("A\r\nX-Evil: 1", "o\r\nX-Evil: 1", ("", "")),
        ("\u4e2d", "\u4e2d", ("", "")),
        ("", "o 1", ("", "")),
    ],
)
def test_what_is_no_level_and_no_plain_text_is_in_the_claims_only(
    attest: str, origid: str, read_as: tuple[str, str]
) -> None:
    """No fact, no record and no header has it; the token itself is kept as evidence."""
    read = passport.read(token(header={"ppt": None}, attest=attest, origid=origid))
    assert (read.attest, read.origid) == read_as
    assert (read.claims.attest, read.claims.origid) == (attest, origid)


LENIENT: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "iat as a string": ({"iat": "1700000000"}, ("iat_string",)),
    "dest.tn as a string": ({"extra": {"dest": {"tn": DEST}}}, ("dest_string",)),
    "both": ({"iat": "1700000000", "extra": {"dest": {"tn": DEST}}}, ("dest_string", "iat_string")),
    "orig with a plus": ({"extra": {"orig": {"tn": "+" + ORIG}}}, ("tn_plus",)),
    "dest with a plus": ({"extra": {"dest": {"tn": [DEST, "+" + DEST]}}}, ("tn_plus",)),
    "typ missing": ({"header": {"typ": None}}, ("typ",)),
    "typ another": ({"header": {"typ": "JWT"}}, ("typ",)),
    "origid missing": ({"extra": {"origid": None}}, ("origid_missing",)),
    "origid no UUID": ({"origid": "customer-17"}, ("origid_form",)),
    "origid with dashes elsewhere": ({"origid": "0b1e6f2c0001-4000-8000-0000-00000001"}, ("origid_form",)),
    "origid in capitals": ({"origid": "0B1E6F2C-0001-4000-8000-000000000001"}, ()),
    "origid no text": ({"origid": "o 1\r\nX: 1"}, ("origid_form",)),
    "attest of a base token": ({"header": {"ppt": None}, "attest": "D"}, ("attest_form",)),
    "numbers with dashes": ({"extra": {"orig": {"tn": "1-202-555-0101"}}}, ("tn_form",)),
    "numbers with both": ({"extra": {"orig": {"tn": "+1 202 555 0101"}}}, ("tn_plus", "tn_form")),
    "origid without dashes": ({"origid": "0b1e6f2c000140008000000000000001"}, ("origid_form",)),
    "origid with letters of no UUID": ({"origid": "0b1e6f2g-0001-4000-8000-000000000001"}, ("origid_form",)),
    "origid in other digits": ({"origid": "0b1e6f2c-0001-4000-8000-00000000000\u0661"}, ("json_form", "origid_form")),
    "orig without country code": ({"extra": {"orig": {"tn": "2025550101"}}}, ()),
    "dest without country code": ({"extra": {"dest": {"tn": [DEST, "2025550102"]}}}, ()),
    "the same with dashes": ({"extra": {"orig": {"tn": "202-555-0101"}}}, ("tn_form",)),
    "without area code": ({"extra": {"orig": {"tn": "5550101"}}}, ()),
    "ten digits that no area code begins": ({"extra": {"orig": {"tn": "4930123456"}}}, ()),
    "ten digits with a plus": ({"extra": {"orig": {"tn": "+2025550101"}}}, ("tn_plus",)),
    "dialled abroad": ({"extra": {"orig": {"tn": "011442079460101"}}}, ("tn_dialled",)),
    "dialled abroad elsewhere": ({"extra": {"dest": {"tn": [DEST, "00442079460101"]}}}, ("tn_dialled",)),
    "dialled at home": ({"extra": {"dest": {"tn": [DEST, "02079460101"]}}}, ("tn_dialled",)),
    "dialled with a plus": ({"extra": {"dest": {"tn": [DEST, "+011442079460101"]}}}, ("tn_plus", "tn_dialled")),
    "a number abroad": ({"extra": {"orig": {"tn": "442079460101"}}}, ()),
    "a star code": ({"extra": {"dest": {"tn": [DEST, "*69"]}}}, ()),
    "more digits than E.164 has": ({"extra": {"orig": {"tn": "1202555010112345"}}}, ("tn_form",)),
    "an empty number": ({"extra": {"dest": {"tn": [DEST, ""]}}}, ("tn_form",)),
    "digits of another script": ({"extra": {"orig": {"tn": "1202555010\u0661"}}}, ("json_form", "tn_form")),
    "a div number as dialled": (
        {"header": {"ppt": "div"}, "extra": {"div": {"tn": "0112"}, "attest": None, "origid": None}},
        ("tn_dialled",),
    ),
    "orig with a member nobody knows": ({"extra": {"orig": {"nam": "A", "tn": ORIG}}}, ("party_members",)),
    "orig with a second member": ({"extra": {"orig": {"tn": ORIG, "uri": None}}}, ("party_members",)),
    "dest with a member nobody knows": ({"extra": {"dest": {"cc": ["1"], "tn": [DEST]}}}, ("party_members",)),
    "the same beside a text": ({"extra": {"dest": {"cc": "1", "tn": DEST}}}, ("dest_string", "party_members")),
    "div with the index of RFC 8946": (
        {"header": {"ppt": "div"}, "extra": {"div": {"hi": "1.2", "tn": ORIG}, "attest": None, "origid": None}},
        (),
    ),
    "div with a member nobody knows": (
        {"header": {"ppt": "div"}, "extra": {"div": {"at": 1, "tn": ORIG}, "attest": None, "origid": None}},
        ("party_members",),
    ),
    "several dest": ({"extra": {"dest": {"tn": [DEST, ORIG, "911"]}}}, ()),
    "dest with uri and tn": ({"extra": {"dest": {"tn": [DEST], "uri": ["sip:a@b.example"]}}}, ()),
    "unknown claims": ({"extra": {"rcd": {"nam": "Example"}, "crn": "x"}}, ()),
    "unknown header members": ({"header": {"kid": "1"}}, ()),
    "base PASSporT": ({"header": {"ppt": None}, "extra": {"attest": None, "origid": None}}, ()),
}


def rewritten(change: Callable[[dict[str, Any]], Any], **form: Any) -> str:
    """A token whose claims were changed and written in another form of JSON."""
    body = token().split(".")[1]
    claims = change(json.loads(base64.urlsafe_b64decode(body + "==")))
    return raw(HEADER, json.dumps(claims, **{"separators": (",", ":"), **form}).encode())


def backwards(claims: dict[str, Any]) -> dict[str, Any]:
    """Members in the other order."""
    return dict(reversed(claims.items()))


FORMS: dict[str, tuple[Callable[[], str], tuple[str, ...]]] = {
    "as it should be": (lambda: rewritten(dict), ()),
    "claims backwards": (lambda: rewritten(backwards), ("json_form",)),
    "with spaces": (lambda: rewritten(dict, separators=(", ", ": ")), ("json_form",)),
    "extra claims in order": (lambda: rewritten(lambda claims: {**claims, "rcd": {"nam": "x"}}), ()),
    "extra claims backwards": (lambda: rewritten(lambda c: backwards({**c, "rcd": {"nam": "x"}})), ("json_form",)),
    "members of an extra claim backwards": (
        lambda: rewritten(lambda claims: {**claims, "rcd": {"nam": "x", "icn": "y"}}),
        ("json_form",),
    ),
    "a letter escaped that need not be": (
        lambda: rewritten(lambda claims: {**claims, "rcd": {"nam": "é"}}),
        ("json_form",),
    ),
    "a letter beyond ASCII": (lambda: rewritten(lambda c: {**c, "rcd": {"nam": "é"}}, ensure_ascii=False), ()),
    "a number that no float holds": (lambda: raw(HEADER, claims_with(b'"z":1e999')), ("json_form",)),
    "a member twice": (lambda: raw(HEADER, claims_with(b'"orig":{"tn":"12025550101"}')), ("json_form",)),
}


def claims_with(member: bytes) -> bytes:
    """Claims with one more member at the end."""
    body = token().split(".")[1]
    return base64.urlsafe_b64decode(body + "==")[:-1] + b"," + member + b"}"


@pytest.mark.parametrize(("make", "deviations"), FORMS.values(), ids=FORMS)
def test_json_of_any_form_is_read_and_verified_as_received(
    make: Callable[[], str], deviations: tuple[str, ...]
) -> None:
    read = passport.read(make())
    assert read.deviations == deviations
    passport.verify(read, credential(), 1_700_000_001.0)


def test_a_header_in_another_form_is_a_deviation_each_time_it_is_read() -> None:
    text = raw(HEADER.replace(b",", b", "), base64.urlsafe_b64decode(token().split(".")[1] + "=="))
    for _ in range(2):
        assert passport.read(text).deviations == ("json_form",)


def test_a_deviation_of_header_and_claims_is_named_once() -> None:
    body = base64.urlsafe_b64decode(token().split(".")[1] + "==").replace(b",", b", ")
    assert passport.read(raw(HEADER.replace(b",", b", "), body)).deviations == ("json_form",)


def test_every_deviation_is_in_the_list() -> None:
    said = {name for _, names in [*LENIENT.values(), *FORMS.values()] for name in names}
    assert said <= set(DEVIATIONS)
    assert set(DEVIATIONS) - said <= {"comma_list", "date_repeated", "ppt_missing", "tn_national"}, (
        "these stand outside the token"
    )


@pytest.mark.parametrize(("knobs", "deviations"), LENIENT.values(), ids=LENIENT)
def test_known_departures_are_read_listed_and_still_verify(knobs: dict[str, Any], deviations: tuple[str, ...]) -> None:
    read = passport.read(token(**knobs))
    assert read.deviations == deviations
    assert (read.iat, read.dest_tns[0]) == (1_700_000_000, DEST)
    passport.verify(read, credential(), 1_700_000_001.0)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "iat missing": ({"extra": {"iat": None}}, "iat_invalid"),
    "iat garbage": ({"iat": "yesterday"}, "iat_invalid"),
    "iat a fraction": ({"iat": 1.5}, "iat_invalid"),
    "iat true": ({"iat": True}, "iat_invalid"),
    "iat negative": ({"iat": -5}, "iat_invalid"),
    "iat beyond reason": ({"iat": 10**300}, "iat_invalid"),
    "iat a list": ({"iat": [1]}, "iat_invalid"),
    "orig missing": ({"extra": {"orig": None}}, "claims_malformed"),
    "orig empty": ({"extra": {"orig": {}}}, "orig_malformed"),
    "orig empty tn": ({"extra": {"orig": {"tn": ""}}}, "orig_malformed"),
    "orig with tn and uri": ({"extra": {"orig": {"tn": ORIG, "uri": "sip:a@b.example"}}}, "orig_malformed"),
    "orig a list": ({"extra": {"orig": [ORIG]}}, "claims_malformed"),
    "dest missing": ({"extra": {"dest": None}}, "claims_malformed"),
    "dest empty": ({"extra": {"dest": {"tn": []}}}, "dest_malformed"),
    "dest of numbers": ({"extra": {"dest": {"tn": [12125550123]}}}, "claims_malformed"),
    "attest missing": ({"extra": {"attest": None}}, "attest_invalid"),
    "attest empty": ({"attest": ""}, "attest_invalid"),
    "attest D": ({"attest": "D"}, "attest_invalid"),
    "attest small": ({"attest": "a"}, "attest_invalid"),
    "origid of 8 KB": ({"origid": "x" * 5000}, "origid_invalid"),
    "claims of 7 KB": ({"extra": {"x": "x" * 7000}}, "claims_too_large"),
    "header of 3 KB": ({"header": {"x": "x" * 3000}}, "header_too_large"),
    "header a wrong type": ({"header": {"alg": 256}}, "header_malformed"),
    "crit": ({"header": {"crit": ["b64"]}}, "crit_unsupported"),
    "x5u missing": ({"header": {"x5u": None}}, "x5u_missing"),
    "x5u empty": ({"header": {"x5u": ""}}, "x5u_missing"),
    "orig of 33 digits": ({"extra": {"orig": {"tn": "1" * 33}}}, "tn_too_long"),
    "dest of 4321 digits": ({"extra": {"dest": {"tn": [DEST, "1" * 4321]}}}, "tn_too_long"),
    "div of 4321 digits": (
        {"header": {"ppt": "div"}, "attest": None, "extra": {"div": {"tn": "1" * 4321}}},
        "tn_too_long",
    ),
    "dest of 65 numbers": ({"extra": {"dest": {"tn": [DEST] * 65}}}, "dest_too_many"),
    "dest of 65 parties": ({"extra": {"dest": {"tn": [DEST] * 64, "uri": ["sip:a@b.example"]}}}, "dest_too_many"),
    "div without div": ({"header": {"ppt": "div"}}, "div_malformed"),
}


@pytest.mark.parametrize(("knobs", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_token_without_what_it_must_have_is_refused_with_438(knobs: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidIdentity) as raised:
        passport.read(token(**knobs))
    assert raised.value.reason == reason


def test_a_type_that_is_not_known_is_unsupported_and_not_wrong() -> None:
    with pytest.raises(UnsupportedPassport) as raised:
        passport.read(token(ppt="msg"))
    assert (raised.value.reason, raised.value.status) == ("unsupported_ppt", 428)


@pytest.mark.parametrize("alg", ["none", "HS256", "RS256", "es256", ""])
def test_no_algorithm_but_es256_is_supported(alg: str) -> None:
    with pytest.raises(UnsupportedCredential) as raised:
        passport.read(token(header={"alg": alg}))
    assert (raised.value.reason, raised.value.status) == ("unsupported_alg", 437)


def raw(header: bytes, claims: bytes) -> str:
    """A token over these octets."""
    return pki.sign(header, claims, KEY)


HEADER = json.dumps({"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": URL}, separators=(",", ":")).encode()
GOOD = token()
HEAD, BODY, TAIL = GOOD.split(".")
MALFORMED = {
    "empty": ("", "token_malformed"),
    "two parts": (f"{HEAD}.{BODY}", "token_malformed"),
    "four parts": (f"{GOOD}.x", "token_malformed"),
    "compact form": (f"..{TAIL}", "compact_not_allowed"),
    "no signature": (f"{HEAD}.{BODY}.", "signature_malformed"),
    "signature sig!!": (f"{HEAD}.{BODY}.sig!!", "signature_malformed"),
    "signature with a character that others skip": (
        f"{HEAD}.{BODY}.{TAIL[:-2]}!{TAIL[-1]}",
        "token_malformed",
    ),
    "signature padded": (f"{GOOD}==", "signature_malformed"),
    "signature too long": (f"{GOOD}AAAA", "signature_malformed"),
    "signature with stray bits": (f"{GOOD[:-1]}B", "signature_malformed"),
    "base64 that is not base64url": (f"{HEAD[:-1]}+.{BODY}.{TAIL}", "token_malformed"),
    "header padded": (f"{HEAD}=.{BODY}.{TAIL}", "token_malformed"),
    "line end inside": (f"{HEAD}\n.{BODY}.{TAIL}", "token_malformed"),
    "letters beyond ASCII": (f"{HEAD}.é{BODY}.{TAIL}", "token_malformed"),
    "header of one character": (f"A.{BODY}.{TAIL}", "token_malformed"),
    "header no JSON": (raw(b"hello", b"{}"), "header_malformed"),
    "header an array": (raw(b"[]", b"{}"), "header_malformed"),
    "claims no JSON": (raw(HEADER, b"{"), "claims_malformed"),
    "claims an array": (raw(HEADER, b"[]"), "claims_malformed"),
    "claims no UTF-8": (raw(HEADER, b'{"iat":1,"orig":{"tn":"\xff"},"dest":{}}'), "claims_malformed"),
    "claims too deep": (raw(HEADER, b'{"iat":1,"x":' + b"[" * 7 + b"]" * 7 + b"}"), "json_too_deep"),
    "257 arrays": (raw(HEADER, b'{"iat":1,"x":[' + b"[]," * 255 + b"[]]}"), "json_too_deep"),
    "claims very deep": (raw(HEADER, b'{"iat":1,"x":' + b"[" * 3000 + b"]" * 3000 + b"}"), "json_too_deep"),
}


@pytest.mark.parametrize(("text", "reason"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_token_is_refused_before_any_crypto(text: str, reason: str) -> None:
    with pytest.raises(InvalidIdentity) as raised:
        passport.read(text)
    assert raised.value.reason == reason


def test_brackets_inside_strings_are_no_depth() -> None:
    assert passport.read(token(extra={"x": '{[{[{[{[\\"{[{['})).deviations == ()


@given(st.text(alphabet="AZaz09-_.+/=! é", max_size=200))
def test_reading_raises_nothing_else(text: str) -> None:
    for candidate in (text, f"{HEAD}.{text}.{TAIL}", f"{text}.{BODY}.{TAIL}"):
        try:
            passport.read(candidate)
        except StirError:
            pass


@given(st.binary(max_size=120))
def test_reading_any_octets_as_claims_raises_nothing_else(claims: bytes) -> None:
    head, _, tail = GOOD.partition(".")[0], "", TAIL
    try:
        passport.read(f"{head}.{pki.b64url(claims)}.{tail}")
    except StirError:
        pass


FRESHNESS = {
    "now": (0.0, ""),
    "at the edge": (60.0, ""),
    "past it": (60.5, "iat_expired"),
    "long ago": (1e9, "iat_expired"),
    "a little ahead": (-5.0, ""),
    "ahead": (-5.5, "iat_future"),
}


@pytest.mark.parametrize(("age_s", "reason"), FRESHNESS.values(), ids=FRESHNESS)
def test_freshness_is_a_window(age_s: float, reason: str) -> None:
    if not reason:
        assert passport.freshness(1_700_000_000, 1_700_000_000 + age_s, 60.0, 5.0) == age_s
        return
    with pytest.raises(StaleDate) as raised:
        passport.freshness(1_700_000_000, 1_700_000_000 + age_s, 60.0, 5.0)
    assert (raised.value.reason, raised.value.status) == (reason, 403)


DISAGREEMENTS = {
    "info": (IdentityHeader("", URL + "x", "ES256", "shaken"), "info_mismatch"),
    "alg": (IdentityHeader("", URL, "RS256", "shaken"), "alg_mismatch"),
    "ppt": (IdentityHeader("", URL, "ES256", "div"), "ppt_mismatch"),
}


@pytest.mark.parametrize(("header", "reason"), DISAGREEMENTS.values(), ids=DISAGREEMENTS)
def test_parameters_that_contradict_the_token_are_refused(header: IdentityHeader, reason: str) -> None:
    with pytest.raises(InvalidIdentity) as raised:
        passport.require_agreement(header, passport.read(GOOD))
    assert raised.value.reason == reason


def test_a_ppt_parameter_may_be_absent() -> None:
    passport.require_agreement(IdentityHeader("", URL, "ES256", ""), passport.read(GOOD))


AT = 1_700_000_010.0
VERDICTS: dict[str, tuple[str, Credential, float, str]] = {
    "signed by it": (GOOD, credential(), AT, ""),
    "changed after signing": (token(tamper=True), credential(), AT, "signature"),
    "signed by another": (GOOD, credential(pki.new_key()), AT, "signature"),
    "signature of another": (f"{HEAD}.{BODY}.{token().split('.')[2]}", credential(), AT, "signature"),
    "signature of zeros": (f"{HEAD}.{BODY}.{'A' * 86}", credential(), AT, "signature"),
    "expired now": (GOOD, credential(closes=1_700_000_005.0), AT, "certificate_expired"),
    "expired at iat": (GOOD, credential(closes=1_699_999_999.0), 1_699_999_998.0, "certificate_expired"),
    "not valid now": (GOOD, credential(opens=1_700_000_005.0), 1_700_000_001.0, "certificate_not_yet_valid"),
    "not valid at iat": (GOOD, credential(opens=1_700_000_005.0), AT, "certificate_not_yet_valid"),
}


@pytest.mark.parametrize(("text", "signer", "unix_at", "reason"), VERDICTS.values(), ids=VERDICTS)
def test_verification_raises_unless_the_credential_signed_it(
    text: str, signer: Credential, unix_at: float, reason: str
) -> None:
    read = passport.read(text)
    if not reason:
        passport.verify(read, signer, unix_at)
        return
    with pytest.raises(StirError) as raised:
        passport.verify(read, signer, unix_at)
    assert raised.value.reason == reason
    assert raised.value.status == (438 if reason == "signature" else 437)


def test_a_token_signed_by_another_library_verifies() -> None:
    jwt = pytest.importorskip("jwt")
    claims = {
        "attest": "A",
        "dest": {"tn": [DEST]},
        "iat": int(time.time()),
        "orig": {"tn": ORIG},
        "origid": "x",
    }
    text = jwt.encode(claims, KEY, algorithm="ES256", headers={"typ": "passport", "ppt": "shaken", "x5u": URL})
    passport.verify(passport.read(text), credential(closes=4e9), time.time())
