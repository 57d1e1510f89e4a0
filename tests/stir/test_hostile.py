"""Certificates of strangers: whatever stands in them, the store answers with a reason and raises nothing."""

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import NoReturn

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from sipguard.stir import certificate, inspection
from sipguard.stir.certificate import Anchors, CertificateStore, Credential
from sipguard.stir.chain import EXTENSION_LIMIT, outline_of
from sipguard.stir.errors import UnsupportedCredential
from sipguard.stir.extensions import Extensions
from sipguard.stir.unreadable import UNREADABLE
from tests import pki

PKI = pki.Pki()
NOW = PKI.now.timestamp()
ANCHORS = Anchors([PKI.root.certificate])
URL = "https://certs.example/hostile.pem"


def der(tag: int, value: bytes) -> bytes:
    """One element."""
    length = bytes((len(value),)) if len(value) < 128 else b"\x82" + len(value).to_bytes(2, "big")
    return bytes((tag,)) + length + value


# General names that a parser may choke on: of kinds that nobody reads, of wrong octets, of wrong lengths.
NAMES = {
    "otherName": der(0xA0, b""),
    "x400Address": der(0xA3, b""),
    "ediPartyName": der(0xA5, der(0xA1, der(0x0C, b"x"))),
    "directoryName": der(0xA4, b"\x30\x00"),
    "directoryName of rubbish": der(0xA4, b"zz"),
    "dNSName of no text": der(0x82, b"\xff\xfe"),
    "URI of no text": der(0x86, b"\xff\xfe"),
    "iPAddress of three octets": der(0x87, b"\1\2\3"),
    "registeredID of nothing": der(0x88, b""),
    "registeredID endless": der(0x88, b"\x80" * 9),
    "unknown tag": der(0xAF, b""),
}
OCSP = bytes.fromhex("06082b06010505073001")
PLACES: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "SAN": ("2.5.29.17", lambda name: der(0x30, name)),
    "IAN": ("2.5.29.18", lambda name: der(0x30, name)),
    "NameConstraints": ("2.5.29.30", lambda name: der(0x30, der(0xA0, der(0x30, name)))),
    "CRLDP": ("2.5.29.31", lambda name: der(0x30, der(0x30, der(0xA0, der(0xA0, name))))),
    "CRLDP issuer": ("2.5.29.31", lambda name: der(0x30, der(0x30, der(0xA2, name)))),
    "freshest CRL": ("2.5.29.46", lambda name: der(0x30, der(0x30, der(0xA0, der(0xA0, name))))),
    "AKI": ("2.5.29.35", lambda name: der(0x30, der(0xA1, name) + der(0x82, b"\1"))),
    "AIA": ("1.3.6.1.5.5.7.1.1", lambda name: der(0x30, der(0x30, OCSP + name))),
    "SIA": ("1.3.6.1.5.5.7.1.11", lambda name: der(0x30, der(0x30, OCSP + name))),
    "admission": ("1.3.36.8.3.3", lambda name: der(0x30, name + der(0x30, b""))),
}
RUBBISH = {
    "BasicConstraints": ("2.5.29.19", b"zz"),
    "pathLen of 20 octets": ("2.5.29.19", der(0x30, b"\x01\x01\xff" + der(2, b"\x7f" + b"\xff" * 20))),
    "negative pathLen": ("2.5.29.19", der(0x30, b"\x01\x01\xff" + der(2, b"\xff"))),
    "KeyUsage of nothing": ("2.5.29.15", der(3, b"")),
    "encipherOnly alone": ("2.5.29.15", der(3, b"\0\x01")),
    "TNAuthList": ("1.3.6.1.5.5.7.1.26", b"\x30\x84\xff\xff\xff\xff"),
    "SCT": ("1.3.6.1.4.1.11129.2.4.2", der(4, b"\0\5\0\3abc")),
    "TLS feature": ("1.3.6.1.5.5.7.1.24", der(0x30, der(2, b"\x7f" * 9))),
    "inhibitAnyPolicy": ("2.5.29.54", der(2, b"\x7f" * 30)),
    "private key period": ("2.5.29.16", der(0x30, der(0x80, b"9999"))),
}
EXTENSIONS = RUBBISH | {
    f"{name} in {place}": (oid, within(octets))
    for place, (oid, within) in PLACES.items()
    for name, octets in NAMES.items()
}


def self_signed(oid: str, octets: bytes) -> x509.Certificate:
    """What anybody can make, with one extension of these octets."""
    key = pki.new_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(pki.name("stranger"))
        .issuer_name(pki.name("stranger"))
        .public_key(key.public_key())
        .serial_number(5)
        .not_valid_before(PKI.now - timedelta(days=1))
        .not_valid_after(PKI.now + timedelta(days=3))
        .add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), octets), False)
    )
    return builder.sign(key, hashes.SHA256())


@pytest.mark.parametrize("what", EXTENSIONS)
def test_an_extension_of_any_octets_comes_to_a_reason(what: str) -> None:
    one = self_signed(*EXTENSIONS[what])
    store = CertificateStore(ANCHORS)
    pem = one.public_bytes(Encoding.PEM)
    assert isinstance(store.put(URL, pem, 0.0, NOW), UnsupportedCredential)
    store.hold(URL + "2", pem, 0.0, NOW, 0.0, NOW)
    assert store.get(URL + "2", NOW) is None  # a copy that does not hold is fetched
    inspection.describe(one, [one], ANCHORS, NOW)


@pytest.mark.parametrize("what", EXTENSIONS)
def test_all_that_reading_raises_is_in_the_one_list(what: str) -> None:
    """The door behind would hide what is missing there."""
    try:
        Extensions(self_signed(*EXTENSIONS[what]))
    except (UnsupportedCredential, *UNREADABLE):
        pass


def test_octets_changed_at_random_come_to_a_reason_or_to_the_credential() -> None:
    random, leaf = Random(5), PKI.leaf().certificate.public_bytes(Encoding.DER)
    store = CertificateStore(ANCHORS)
    for _ in range(2000):
        octets = bytearray(leaf)
        for _ in range(random.choice((1, 1, 2, 6))):
            octets[random.randrange(len(octets))] = random.choice((0, 0xFF, 0x80, 0x30, 5, 0xA3, random.randrange(256)))
        assert isinstance(store.put(URL, bytes(octets), 0.0, NOW), Credential | UnsupportedCredential)


class Panic(BaseException):
    """As a panic of Rust reaches Python: not as an Exception."""


@pytest.mark.parametrize("kind", [Panic, RuntimeError, MemoryError])
def test_nothing_that_a_library_raises_leaves_the_store(
    kind: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(octets: bytes) -> NoReturn:
        raise kind

    monkeypatch.setattr(certificate, "read_chain", broken)
    store = CertificateStore(ANCHORS)
    found = store.put(URL, b"x", 0.0, NOW)
    assert isinstance(found, UnsupportedCredential)
    assert found.reason == "certificate_malformed"


def with_extensions(count: int) -> pki.Holder:
    """An authority with so many extensions that nobody knows."""
    odd = [(x509.UnrecognizedExtension(x509.ObjectIdentifier(f"1.3.9.{n}"), b""), False) for n in range(count)]
    extensions = [(x509.BasicConstraints(True, None), True), *odd]
    return PKI.issue(PKI.root, pki.name("Example Odd CA"), pki.new_key(), extensions, PKI.now - pki.DAY, 30)


def test_extensions_are_counted_before_they_are_read() -> None:
    fewest = len(with_extensions(0).certificate.extensions)
    for count, reason in ((EXTENSION_LIMIT, ""), (EXTENSION_LIMIT + 1, "certificate_malformed")):
        authority = with_extensions(count - fewest)
        assert outline_of(authority.certificate)[2] == count
        outcome = CertificateStore(ANCHORS).put(URL, PKI.leaf(issuer=authority).pem + authority.pem, 0.0, NOW)
        assert getattr(outcome, "reason", "") == reason


def test_names_are_taken_as_they_stand() -> None:
    for one in (PKI.root, PKI.leaf(), with_extensions(3), PKI.provider()):
        found = one.certificate
        issuer, subject, count = outline_of(found)
        assert (issuer, subject) == (found.issuer.public_bytes(), found.subject.public_bytes())
        assert count == len(found.extensions)


def test_one_certificate_many_times_over_is_one() -> None:
    """A path goes through it once."""
    authority = PKI.authority()
    leaf = PKI.leaf(issuer=authority)
    pem = leaf.certificate.public_bytes(Encoding.PEM) + authority.certificate.public_bytes(Encoding.PEM) * 6
    assert isinstance(CertificateStore(ANCHORS).put(URL, pem, 0.0, NOW), Credential)
    assert getattr(CertificateStore().put(URL, pem, 0.0, NOW), "reason", "") == "chain_untrusted"
