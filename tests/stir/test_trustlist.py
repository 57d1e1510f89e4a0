"""The list of approved authorities: PEM, or a JWS that the administrator signed; nothing else is raised."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from sipguard.stir.errors import TrustError
from sipguard.stir.trustlist import TrustList, read_trust_list, require_like, require_newer
from tests import pki

PKI = pki.Pki()
NOW = PKI.now.timestamp()
STI_PA, ROGUE = PKI.administrator(), PKI.administrator()
SIGNERS = (STI_PA.certificate,)
CAS = [PKI.root, *(PKI.authority(f"Example SHAKEN CA {n}") for n in range(1, 4))]
SIGNED = pki.trust_list(STI_PA, CAS, version=7, exp=int(NOW) + 86_400)


def der(*holders: pki.Holder) -> tuple[bytes, ...]:
    """Their certificates."""
    return tuple(one.certificate.public_bytes(Encoding.DER) for one in holders)


def flattened(compact: bytes) -> dict[str, str]:
    """The flattened form (RFC 7515 §7.2.2)."""
    return dict(zip(("protected", "payload", "signature"), compact.decode().split("."), strict=True))


FORMS = {
    "compact": SIGNED,
    "with a line end": SIGNED + b"\r\n",
    "flattened": json.dumps(flattened(SIGNED)).encode(),
    "caList as a text": json.dumps({"status": "success", "caList": SIGNED.decode()}).encode(),
    "caList as an object": json.dumps({"caList": flattened(SIGNED)}).encode(),
    "a JSON text": json.dumps(SIGNED.decode()).encode(),
}


@pytest.mark.parametrize("octets", FORMS.values(), ids=FORMS)
def test_a_jws_is_read_in_any_form(octets: bytes) -> None:
    found = read_trust_list(octets, SIGNERS, NOW)
    assert found.certificates == der(*CAS)
    assert (found.version, found.sequence, found.expires_at, found.signed) == ("7", 7, int(NOW) + 86_400, True)


def test_members_may_be_pem_and_one_that_is_broken_does_not_cost_the_others() -> None:
    members = [CAS[0].pem.decode(), "bm90aGluZw==", 5, base64.encodebytes(der(CAS[1])[0]).decode()]
    found = read_trust_list(pki.trust_list(STI_PA, [], trustList=members), SIGNERS, NOW)
    assert found.certificates == der(CAS[0], CAS[1]) and found.unreadable == 2


def test_a_bundle_of_pem_needs_no_signature_and_is_named_by_its_content() -> None:
    bundle = b"".join(one.pem for one in CAS)
    found = read_trust_list(b"# approved\n" + bundle + CAS[0].pem, (), NOW)
    assert found.certificates == der(*CAS) and not found.signed and found.expires_at is None
    assert x509.load_pem_x509_certificates(found.pem) == [one.certificate for one in CAS]
    assert found.version == read_trust_list(bundle, (), NOW).version
    assert found.version != read_trust_list(CAS[0].pem, (), NOW).version


def part(octets: bytes) -> bytes:
    """base64url of a part of a JWS."""
    return pki.b64url(octets).encode()


HEAD, BODY, TAIL = SIGNED.split(b".")
REFUSED = {
    "another key": (pki.trust_list(ROGUE, CAS), "jws_signature"),
    "another payload": (HEAD + b"." + part(b'{"trustList":[]}') + b"." + TAIL, "jws_signature"),
    "a short signature": (HEAD + b"." + BODY + b"." + part(bytes(63)), "jws_signature"),
    "no signature": (HEAD + b"." + BODY + b".", "jws_signature"),
    "alg none": (part(b'{"alg":"none"}') + b"." + BODY + b".", "jws_algorithm"),
    "alg HS256": (part(b'{"alg":"HS256"}') + b"." + BODY + b"." + TAIL, "jws_algorithm"),
    "crit": (part(b'{"alg":"ES256","crit":["x"]}') + b"." + BODY + b"." + TAIL, "jws_malformed"),
    "b64 false": (part(b'{"alg":"ES256","b64":false}') + b"." + BODY + b"." + TAIL, "jws_malformed"),
    "header no object": (part(b"[]") + b"." + BODY + b"." + TAIL, "jws_malformed"),
    "two parts": (HEAD + b"." + BODY, "jws_malformed"),
    "base64 with padding": (HEAD + b"=." + BODY + b"." + TAIL, "jws_malformed"),
    "general form": (json.dumps({"payload": "e30", "signatures": []}).encode(), "jws_malformed"),
    "unprotected header": (json.dumps(flattened(SIGNED) | {"header": {}}).encode(), "jws_malformed"),
    "an error of the API": (b'{"status":"error","message":"no"}', "jws_malformed"),
    "caList null": (b'{"caList":null}', "jws_malformed"),
    "broken JSON": (b'{"caList":', "list_malformed"),
    "deep JSON": (b'{"caList":' + b"[" * 100_000, "list_malformed"),
    "PEM where a JWS is due": (CAS[0].pem, "jws_malformed"),
    "nothing": (b"", "list_empty"),
    "an empty list": (pki.trust_list(STI_PA, []), "list_empty"),
    "no certificates": (pki.trust_list(STI_PA, [], trustList=["x", "y"]), "list_empty"),
    "no list": (pki.trust_list(STI_PA, [], trustList=None), "list_malformed"),
    "a list that is none": (pki.trust_list(STI_PA, [], trustList="all"), "list_malformed"),
    "a payload that is none": (pki.sign(b'{"alg":"ES256"}', b"hello", STI_PA.key).encode(), "list_malformed"),
    "too much": (bytes(5 * 1024 * 1024), "list_too_large"),
}


@pytest.mark.parametrize(("octets", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_must_not_be_used_is_refused(octets: bytes, reason: str) -> None:
    with pytest.raises(TrustError) as raised:
        read_trust_list(octets, SIGNERS, NOW)
    assert raised.value.reason == reason


def test_without_a_signer_no_jws_is_used() -> None:
    with pytest.raises(TrustError, match="list_not_pem"):
        read_trust_list(SIGNED, (), NOW)
    with pytest.raises(TrustError, match="list_malformed"):
        read_trust_list(CAS[0].pem[:100], (), NOW)


def test_who_signs_must_be_valid() -> None:
    past = PKI.administrator(days=5)
    with pytest.raises(TrustError, match="issuer_expired"):
        read_trust_list(pki.trust_list(past, CAS), (past.certificate,), NOW)
    assert read_trust_list(SIGNED, (ROGUE.certificate, STI_PA.certificate), NOW).sequence == 7


def listed(*holders: pki.Holder, **claims: object) -> TrustList:
    """A list of these."""
    return read_trust_list(pki.trust_list(STI_PA, holders, **claims), SIGNERS, NOW)


def test_a_version_only_grows() -> None:
    require_newer(listed(CAS[0], version="8"), listed(CAS[0], version=7))
    require_newer(listed(CAS[0], sequence=7), listed(CAS[0], version=7))
    require_newer(listed(CAS[0]), listed(CAS[0], version=7))
    with pytest.raises(TrustError, match="list_older"):
        require_newer(listed(CAS[0], version=6), listed(CAS[0], version=7))


def test_a_list_that_loses_too_many_is_refused() -> None:
    before = listed(*CAS)
    require_like(listed(*CAS[:2]), before, 0.5)
    require_like(listed(CAS[0]), before, 1.0)
    require_like(listed(CAS[0]), TrustList(), 0.0)
    with pytest.raises(TrustError, match=r"list_shrunk: 3 of 4"):
        require_like(listed(CAS[0]), before, 0.5)
    with pytest.raises(TrustError, match="list_shrunk"):  # all are others: as many are lost
        require_like(listed(*(PKI.authority(f"Other {n}") for n in range(9))), before, 0.5)


@given(st.integers(0, len(SIGNED) - 1), st.binary(max_size=6), st.integers(0, 6))
def test_whatever_comes_only_a_trust_error_is_raised(at: int, put: bytes, cut: int) -> None:
    changed = SIGNED[:at] + put + SIGNED[at + cut :]
    try:
        found = read_trust_list(changed, SIGNERS, NOW)
    except TrustError:
        return
    assert found.certificates == der(*CAS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(JSON, JSON, JSON)
def test_whatever_is_signed_only_a_trust_error_is_raised(members: object, version: object, exp: object) -> None:
    try:
        read_trust_list(pki.trust_list(STI_PA, CAS, version=version, exp=exp), SIGNERS, NOW)
        read_trust_list(pki.trust_list(STI_PA, [], trustList=members), SIGNERS, NOW)
    except TrustError:
        return


@given(st.binary(max_size=200))
def test_random_octets_are_no_list(octets: bytes) -> None:
    for signers in (SIGNERS, ()):
        with pytest.raises(TrustError):
            read_trust_list(octets, signers, NOW)
