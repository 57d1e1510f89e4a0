"""Signing: deterministic JSON, ES256, what is refused, div (RFC 8224 §4, RFC 8225 §9, RFC 8588, RFC 8946)."""

import base64
import json
import uuid
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from sipguard.stir import identity, passport, signer, signing
from sipguard.stir.certificate import Anchors, read_chain, validate
from sipguard.stir.errors import NotSignable
from tests import pki

PKI = pki.Pki()
LEAF = PKI.leaf(spc="709J")
URL = "https://certs.example/709J.pem"
SIGNER = signer.read("own", URL, LEAF.pem, LEAF.key_pem)
NOW = int(PKI.now.timestamp())
ORIG, DEST, NEXT = "12025550101", "12125550123", "12125550124"
ORIGID = "0b1e6f2c-0001-4000-8000-000000000001"

OF_NUMBERS = {"tn_dialled"}  # what numbers of any digits may be; all else is of the signer
numbers = st.text("0123456789#*", min_size=1, max_size=15)


def parts(value: str) -> list[bytes]:
    """Header, claims and signature of an Identity value, decoded."""
    token = value.partition(";")[0]
    return [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split(".")]


def verified(value: str) -> passport.Passport:
    """The token of an Identity value, by our own verifier, under the anchors of the PKI."""
    header = identity.read(value)
    read = passport.read(header.token)
    passport.require_agreement(header, read)
    credential = validate(read_chain(LEAF.pem), Anchors([PKI.root.certificate]), NOW)
    passport.verify(read, credential, NOW)
    assert set(read.deviations) <= OF_NUMBERS
    return read


@given(numbers, numbers, st.sampled_from("ABC"), st.uuids())
def test_what_is_signed_verifies_whatever_the_numbers(orig: str, dest: str, attest: str, origid: uuid.UUID) -> None:
    value = signing.shaken(SIGNER, attest, orig, dest, NOW, str(origid))
    read = verified(value)
    assert (read.orig_tn, read.dest_tns, read.attest, read.origid) == (orig, (dest,), attest, str(origid))
    assert (read.ppt, read.alg, read.typ, read.x5u, read.iat) == ("shaken", "ES256", "passport", URL, NOW)


@given(numbers, numbers, numbers)
def test_a_diversion_verifies_whatever_the_numbers(orig: str, diverting: str, dest: str) -> None:
    if diverting == dest:
        return
    read = verified(signing.div(SIGNER, orig, diverting, dest, NOW))
    assert (read.ppt, read.orig_tn, read.div_tn, read.dest_tns) == ("div", orig, diverting, (dest,))


def canonical(octets: bytes) -> bytes:
    """The same JSON as RFC 8225 §9 wants it."""
    return json.dumps(json.loads(octets), separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()


VALUES = {
    "shaken": signing.shaken(SIGNER, "A", ORIG, DEST, NOW, ORIGID),
    "shaken to a service": signing.shaken(SIGNER, "B", ORIG, "urn:service:sos", NOW, ORIGID),
    "shaken to 911": signing.shaken(SIGNER, "C", ORIG, "911", NOW, ORIGID),
    "div": signing.div(SIGNER, ORIG, DEST, NEXT, NOW),
    "div of a URI": signing.div(SIGNER, "sip:alice@example.com", DEST, NEXT, NOW),
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_json_is_deterministic_and_the_signature_raw(value: str) -> None:
    header, claims, signature = parts(value)
    assert header == canonical(header)
    assert claims == canonical(claims)
    assert len(signature) == 64
    assert "=" not in value.partition(";")[0]


def test_the_value_is_written_as_the_grammar_has_it() -> None:
    header, claims, _ = parts(VALUES["shaken"])
    assert header == f'{{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"{URL}"}}'.encode()
    assert (
        claims
        == (
            f'{{"attest":"A","dest":{{"tn":["{DEST}"]}},"iat":{NOW},"orig":{{"tn":"{ORIG}"}},"origid":"{ORIGID}"}}'
        ).encode()
    )
    assert VALUES["shaken"].partition(";")[2] == f"info=<{URL}>;alg=ES256;ppt=shaken"
    assert VALUES["div"].partition(";")[2] == f"info=<{URL}>;alg=ES256;ppt=div"


def test_a_diversion_copies_the_caller_as_it_was_received() -> None:
    assert verified_claims(signing.div(SIGNER, "+" + ORIG, DEST, NEXT, NOW))["orig"] == {"tn": "+" + ORIG}
    assert verified_claims(VALUES["div of a URI"])["orig"] == {"uri": "sip:alice@example.com"}
    assert set(verified_claims(VALUES["div"])) == {"dest", "div", "iat", "orig"}


def verified_claims(value: str) -> Any:
    return json.loads(parts(value)[1])


REFUSED: dict[str, tuple[str, str, str, int, str, str]] = {
    "attest D": ("D", ORIG, DEST, NOW, ORIGID, "attest_invalid"),
    "attest missing": ("", ORIG, DEST, NOW, ORIGID, "attest_invalid"),
    "no caller": ("A", "", DEST, NOW, ORIGID, "party_invalid"),
    "caller with a plus": ("A", "+" + ORIG, DEST, NOW, ORIGID, "party_invalid"),
    "caller with 16 digits": ("A", "1" * 16, DEST, NOW, ORIGID, "party_invalid"),
    "caller with a quote": ("A", 'sip:a"b@example.com', DEST, NOW, ORIGID, "party_invalid"),
    "no called party": ("A", ORIG, "", NOW, ORIGID, "party_invalid"),
    "called party without scheme": ("A", ORIG, "alice", NOW, ORIGID, "party_invalid"),
    "called party with a line end": ("A", ORIG, "sip:a\r\nb@example.com", NOW, ORIGID, "party_invalid"),
    "called party beyond ASCII": ("A", ORIG, "sip:\N{LATIN SMALL LETTER E WITH ACUTE}@example.com", NOW, ORIGID,
                                  "party_invalid"),
    "iat 0": ("A", ORIG, DEST, 0, ORIGID, "iat_invalid"),
    "iat far ahead": ("A", ORIG, DEST, 1 << 41, ORIGID, "iat_invalid"),
    "origid no UUID": ("A", ORIG, DEST, NOW, "customer-1", "origid_invalid"),
    "origid in upper case": ("A", ORIG, DEST, NOW, ORIGID.upper(), "origid_invalid"),
    "origid with quotes": ("A", ORIG, DEST, NOW, '"' * 36, "origid_invalid"),
}  # fmt: skip


@pytest.mark.parametrize(("attest", "orig", "dest", "iat", "origid", "why"), REFUSED.values(), ids=REFUSED)
def test_what_a_strict_verifier_would_refuse_is_not_written(
    attest: str, orig: str, dest: str, iat: int, origid: str, why: str
) -> None:
    with pytest.raises(NotSignable) as error:
        signing.shaken(SIGNER, attest, orig, dest, iat, origid)
    assert error.value.reason == why


def test_a_call_that_was_not_diverted_gets_no_div() -> None:
    with pytest.raises(NotSignable, match="not_diverted"):
        signing.div(SIGNER, ORIG, DEST, DEST, NOW)


@given(st.uuids(), st.text())
def test_derived_identifiers_are_those_of_the_standard_library(namespace: uuid.UUID, name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        return
    assert signing.named_uuid(str(namespace), name) == str(uuid.uuid5(namespace, name))


# ------------------------------------------------------------------------------------------ signers


def encrypted(passphrase: bytes) -> bytes:
    return LEAF.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase))


def test_a_signer_says_what_its_certificate_says() -> None:
    assert (SIGNER.name, SIGNER.spc, SIGNER.x5u) == ("own", "709J", URL)
    assert SIGNER.valid_at(NOW)
    assert not SIGNER.valid_at(SIGNER.not_after_at + 1)
    assert not SIGNER.valid_at(SIGNER.not_before_at - 1)
    assert repr(SIGNER) == "Signer('own')"


KEYS: dict[str, tuple[bytes, bytes | None]] = {
    "PKCS 8": (LEAF.key_pem, None),
    "SEC 1": (LEAF.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()), None),
    "encrypted": (encrypted(b"open sesame"), b"open sesame"),
    "an empty passphrase is none": (LEAF.key_pem, b""),
    "signer.pem that openssl makes": (
        b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
        + LEAF.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        None,
    ),
}


@pytest.mark.parametrize(("key", "passphrase"), KEYS.values(), ids=KEYS)
def test_keys_are_read(key: bytes, passphrase: bytes | None) -> None:
    made = signer.read("own", URL, LEAF.pem, key, passphrase)
    assert verified(signing.shaken(made, "A", ORIG, DEST, NOW, ORIGID)).attest == "A"


SECRET = b"open sesame"
P384 = ec.generate_private_key(ec.SECP384R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
RSA = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
UNUSABLE: dict[str, tuple[bytes, bytes, bytes | None, str]] = {
    "another key": (LEAF.pem, PKI.leaf().key_pem, None, "key_mismatch"),
    "passphrase missing": (LEAF.pem, encrypted(SECRET), None, "passphrase_missing"),
    "passphrase wrong": (LEAF.pem, encrypted(SECRET), b"sesame", "passphrase_wrong"),
    "passphrase for nothing": (LEAF.pem, LEAF.key_pem, SECRET, "passphrase_needless"),
    "P-384": (LEAF.pem, P384, None, "key_unsupported"),
    "RSA": (LEAF.pem, RSA, None, "key_unsupported"),
    "no key": (LEAF.pem, b"", None, "key_malformed"),
    "a certificate for a key": (LEAF.pem, LEAF.pem, None, "key_malformed"),
    "no certificate": (b"", LEAF.key_pem, None, "pem_malformed"),
    "no TNAuthList": (PKI.leaf(extensions=pki.leaf_extensions(None), key=LEAF.key).pem, LEAF.key_pem, None,
                      "tnauthlist_missing"),
    "TNAuthList malformed": (PKI.leaf(extensions=pki.leaf_extensions(b"\x30\x00"), key=LEAF.key).pem, LEAF.key_pem,
                             None, "tnauthlist_malformed"),
}  # fmt: skip


@pytest.mark.parametrize(("chain", "key", "passphrase", "why"), UNUSABLE.values(), ids=UNUSABLE)
def test_what_cannot_sign_is_named_without_its_content(
    chain: bytes, key: bytes, passphrase: bytes | None, why: str
) -> None:
    with pytest.raises(NotSignable) as error:
        signer.read("own", URL, chain, key, passphrase)
    assert str(error.value) == why
    assert error.value.__cause__ is None


def test_a_key_is_written_for_another_process_and_read_again() -> None:
    assert signer.read_key(signer.pem_of(LEAF.key)).private_numbers() == LEAF.key.private_numbers()
