"""A signer: a private key, the certificate that names it, and where verifiers find that.

Enters: PEM octets of certificate and key, a passphrase, the x5u. Leaves: a Signer, or NotSignable with what does not
fit. Must not: show key or passphrase, in a repr, an error or anything else; know the time.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509 import BasicConstraints, Certificate, ExtensionNotFound, ObjectIdentifier

from sipguard.stir import tnauthlist
from sipguard.stir.certificate import read_chain
from sipguard.stir.errors import NotSignable, UnsupportedCredential
from sipguard.stir.revocation import mark
from sipguard.stir.signing import DIV, SHAKEN, header_of
from sipguard.stir.tnauthlist import TNAuthList
from sipguard.stir.unreadable import UNREADABLE

_TNAUTHLIST: Final = ObjectIdentifier(tnauthlist.OID)


class Signer:
    """Ready to sign. `not_before_at` and `not_after_at` are Unix seconds of the certificate's validity."""

    __slots__ = (
        "authority",  # TNAuthList: numbers or service provider codes that it may sign for
        "certificate_sha256",  # of its DER, hexadecimal
        "div_header",
        "div_tail",
        "key",  # EllipticCurvePrivateKey on P-256
        "marks",  # what a CRL knows its certificate, and those above it in the file, by
        "name",
        "not_after_at",
        "not_before_at",
        "shaken_header",
        "shaken_tail",
        "spc",  # service provider code, "" where the certificate names numbers instead
        "x5u",
    )

    def __init__(
        self, name: str, x5u: str, chain: list[Certificate], authority: TNAuthList, key: ec.EllipticCurvePrivateKey
    ) -> None:
        """Takes what was checked; see `read`."""
        certificate = chain[0]
        self.marks = tuple(mark(one.issuer, one.serial_number) for one in chain)
        self.name = name
        self.x5u = x5u
        self.key = key
        self.authority = authority
        self.spc = authority.spcs[0] if authority.spcs else ""
        self.certificate_sha256 = certificate.fingerprint(SHA256()).hex()
        self.not_before_at = certificate.not_valid_before_utc.timestamp()
        self.not_after_at = certificate.not_valid_after_utc.timestamp()
        self.shaken_header, self.div_header = header_of(SHAKEN, x5u), header_of(DIV, x5u)
        self.shaken_tail, self.div_tail = (f";info=<{x5u}>;alg=ES256;ppt={ppt}" for ppt in (SHAKEN, DIV))

    def __repr__(self) -> str:
        return f"Signer({self.name!r})"

    def valid_at(self, unix_at: float) -> bool:
        """Whether verifiers accept its certificate at that instant."""
        return self.not_before_at <= unix_at <= self.not_after_at


def read(name: str, x5u: str, chain: bytes, key: bytes, passphrase: bytes | None = None) -> Signer:
    """The Signer of a PEM file with its certificate first, and a PEM file with its private key.

    Raises NotSignable: what of them cannot be read, is no P-256 key, or does not belong together. A certificate
    without TNAuthList signs nothing that anybody accepts (RFC 8226 §9).
    """
    try:
        certificates = read_chain(chain)
        certificate = certificates[0]
        if _is_authority(certificate):
            raise NotSignable("authority_first", certificate.subject.rfc4514_string())
        authority = _authority(certificate)
    except UnsupportedCredential as error:
        raise NotSignable(error.reason) from None
    private = read_key(key, passphrase)
    if private.public_key() != certificate.public_key():
        raise NotSignable("key_mismatch")
    return Signer(name, x5u, certificates, authority, private)


def read_key(octets: bytes, passphrase: bytes | None = None) -> ec.EllipticCurvePrivateKey:
    """A P-256 key in PEM, encrypted or not. Raises NotSignable, which never says what stood there."""
    try:
        private = load_pem_private_key(octets, passphrase or None)
    except TypeError:
        reason = "passphrase_missing" if not passphrase else "passphrase_needless"
    except UNREADABLE:
        reason = "passphrase_wrong" if passphrase and b"ENCRYPTED" in octets else "key_malformed"
    else:
        if isinstance(private, ec.EllipticCurvePrivateKey) and isinstance(private.curve, ec.SECP256R1):
            return private
        reason = "key_unsupported"
    raise NotSignable(reason)


def pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A key as PKCS 8 in PEM, unencrypted: for a file of mode 0600, or another process of ours."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _is_authority(certificate: Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(BasicConstraints).value.ca
    except UNREADABLE:
        return False


def _authority(certificate: Certificate) -> TNAuthList:
    try:
        extension = certificate.extensions.get_extension_for_oid(_TNAUTHLIST)
    except ExtensionNotFound:
        raise UnsupportedCredential("tnauthlist_missing") from None
    except UNREADABLE:
        raise UnsupportedCredential("certificate_malformed") from None
    return tnauthlist.read(extension.value.public_bytes())
