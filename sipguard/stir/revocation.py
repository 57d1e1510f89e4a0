"""Which certificates are revoked: the indirect CRL of the policy administrator (RFC 5280 §5, facts A6.3).

Enters: the octets of a CRL, the certificates that may have signed it, the time. Leaves: a Crl in a compact form that a
process can hand to another, or TrustError. One authority signs for all: each entry names the issuer of its certificate,
and one that does not has that of the entry before (§5.3.3).
Must not: fetch, know the time, keep one object for each entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from math import inf
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from sipguard.stir.errors import TrustError, in_short
from sipguard.stir.unreadable import UNREADABLE

CRL_LIMIT: Final = 32 * 1024 * 1024  # octets; 100,000 entries take some 5 MB
AHEAD_S: Final = 300.0  # that the clock of who signs may be before ours
MARK: Final = 16  # octets of a mark
REMARKS: Final = {  # what is odd about a CRL that is in force -> what it means
    "not_indirect": "its entries count for certificates of its own issuer only",
    "only_user_certs": "it revokes no authorities: onlyContainsUserCerts",
    "only_authorities": "it revokes no signers: onlyContainsCACerts",
    "only_some_reasons": "it revokes for some reasons only: onlySomeReasons",
    "next_update_missing": "it does not say when the next one comes",
}
_PEM: Final = b"-----BEGIN X509 CRL-----"


def mark(issuer: x509.Name, serial: int) -> bytes:
    """What a certificate is known by here: a digest of its issuer's name and its serial number, MARK octets.

    Names are compared as RFC 5280 §7.1 compares them: without case, spaces or kind of string.
    """
    return _mark(_canonical(issuer), serial)


@dataclass(frozen=True, slots=True, eq=False)
class Crl:
    """A CRL that was verified. `marks` are those of its entries, sorted, one behind the other."""

    marks: bytes = b""
    number: str = ""  # CRL number (§5.2.3), "" for none
    issued_at: float = 0.0  # thisUpdate, Unix seconds
    next_at: float = 0.0  # nextUpdate; infinite where it does not say. From then on it is stale
    issuer: str = ""  # RFC 4514 text
    deviations: tuple[str, ...] = ()  # out of REMARKS: where it leaves RFC 5280, or covers a part only

    def __len__(self) -> int:
        return len(self.marks) // MARK

    def __contains__(self, wanted: bytes) -> bool:
        marks, low, high = self.marks, 0, len(self.marks) // MARK
        while low < high:
            middle = (low + high) // 2
            found = marks[middle * MARK : middle * MARK + MARK]
            if found == wanted:
                return True
            if found < wanted:
                low = middle + 1
            else:
                high = middle
        return False

    def names_any(self, wanted: Iterable[bytes]) -> bool:
        """Whether a certificate of a path is revoked."""
        return any(one in self for one in wanted)


NO_CRL: Final = Crl()  # one that is wanted and was never had: stale at any time


def read_crl(octets: bytes, issuers: Iterable[x509.Certificate], unix_at: float) -> Crl:
    """The CRL in DER or PEM `octets`, signed by one of `issuers`. Raises TrustError.

    One whose nextUpdate has passed is read all the same: what it revokes stays revoked.
    """
    if len(octets) > CRL_LIMIT:
        raise TrustError("crl_too_large")
    try:
        load = x509.load_pem_x509_crl if _PEM in octets[:4096] else x509.load_der_x509_crl
        crl = load(octets)
        issuer = _signer(crl, issuers, unix_at)
        deviations = _require_understood(crl)
        marks = b"".join(sorted(set(_marks(crl))))
        number = _number(crl)
        next_at = crl.next_update_utc.timestamp() if crl.next_update_utc is not None else inf
        issued_at = crl.last_update_utc.timestamp()
    except UNREADABLE as error:
        raise TrustError("crl_malformed", in_short(error)) from None
    if issued_at > unix_at + AHEAD_S:
        raise TrustError("crl_not_yet_valid")
    if next_at == inf:
        deviations += ("next_update_missing",)
    return Crl(marks, number, issued_at, next_at, issuer.subject.rfc4514_string(), deviations)


def together(crls: Iterable[Crl]) -> Crl:
    """What several CRLs revoke, as one that is as old as the oldest of them; NO_CRL for none."""
    found = list(crls)
    if len(found) < 2:
        return found[0] if found else NO_CRL
    marks = {one.marks[at : at + MARK] for one in found for at in range(0, len(one.marks), MARK)}
    return Crl(
        b"".join(sorted(marks)),
        ", ".join(one.number for one in found if one.number),
        min(one.issued_at for one in found),
        min(one.next_at for one in found),
        ", ".join(dict.fromkeys(one.issuer for one in found)),
        tuple(dict.fromkeys(each for one in found for each in one.deviations)),
    )


def fell(crl: Crl, before: Crl) -> bool:
    """Whether its number is below that of the one in force, though it was issued later (RFC 5280 §5.2.3)."""
    return crl.number.isdigit() and before.number.isdigit() and int(crl.number) < int(before.number)


def require_newer(crl: Crl, before: Crl) -> None:
    """Raises TrustError where `crl` is older than the one in force: somebody plays an old one again."""
    if crl.issued_at < before.issued_at:
        raise TrustError("crl_older", "its thisUpdate is before that of the one in force")


def _signer(
    crl: x509.CertificateRevocationList, issuers: Iterable[x509.Certificate], unix_at: float
) -> x509.Certificate:
    """The certificate whose key signed `crl`; it must have the name of its issuer (§6.3.3 f, g)."""
    name = _canonical(crl.issuer)
    why = TrustError("crl_issuer", f"none of the issuers is {crl.issuer.rfc4514_string()}")
    for one in issuers:
        if _canonical(one.subject) != name:
            continue
        key = one.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey) or not crl.is_signature_valid(key):
            why = TrustError("crl_signature")
        elif unix_at > one.not_valid_after_utc.timestamp():
            why = TrustError("issuer_expired", one.subject.rfc4514_string())
        elif not _may_sign(one):
            why = TrustError("issuer_usage", "no cRLSign")
        else:
            return one
    raise why


def _may_sign(issuer: x509.Certificate) -> bool:
    """Whether its key is for CRLs (§4.2.1.3); one that does not say is for everything."""
    try:
        return issuer.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        return True


def _require_understood(crl: x509.CertificateRevocationList) -> tuple[str, ...]:
    """Raises TrustError where the CRL is partial in a way that this does not follow (§5.2); answers deviations.

    One that covers a part of the certificates, or of the reasons, is asked like any other: what it names is revoked.
    """
    indirect = False
    partial: tuple[str, ...] = ()
    for extension in crl.extensions:
        value = extension.value
        if isinstance(value, x509.DeltaCRLIndicator):
            raise TrustError("crl_delta")
        if isinstance(value, x509.IssuingDistributionPoint):
            indirect = value.indirect_crl
            partial = _partial(value)
            if value.only_contains_attribute_certs:
                raise TrustError("crl_extension", "attribute certificates only")
        elif extension.critical and isinstance(value, x509.UnrecognizedExtension):
            raise TrustError("crl_extension", extension.oid.dotted_string)
    return (*(() if indirect else ("not_indirect",)), *partial)


def _partial(point: x509.IssuingDistributionPoint) -> tuple[str, ...]:
    """What a CRL leaves out by its own word (§5.2.5)."""
    said = (
        ("only_user_certs", point.only_contains_user_certs),
        ("only_authorities", point.only_contains_ca_certs),
        ("only_some_reasons", point.only_some_reasons is not None),
    )
    return tuple([slug for slug, is_so in said if is_so])


def _marks(crl: x509.CertificateRevocationList) -> Iterator[bytes]:
    """A mark for each entry; its issuer is that of the entry before where it names none (§5.3.3)."""
    issuers: tuple[bytes, ...] = (_canonical(crl.issuer),)
    known: dict[x509.GeneralNames, tuple[bytes, ...]] = {}
    for entry in crl:
        gone = False
        for extension in entry.extensions:
            value = extension.value
            if isinstance(value, x509.CertificateIssuer):
                issuers = _issuers(value, known)
            elif isinstance(value, x509.CRLReason):
                gone = value.reason is x509.ReasonFlags.remove_from_crl
            elif extension.critical and isinstance(value, x509.UnrecognizedExtension):
                raise TrustError("crl_extension", extension.oid.dotted_string)
        if not gone:
            for issuer in issuers:
                yield _mark(issuer, entry.serial_number)


def _issuers(named: x509.CertificateIssuer, known: dict[x509.GeneralNames, tuple[bytes, ...]]) -> tuple[bytes, ...]:
    """The distinguished names in a CertificateIssuer. CRLs name the same few again and again."""
    names = x509.GeneralNames(named)
    found = known.get(names)
    if found is None:
        found = tuple(_canonical(each) for each in named.get_values_for_type(x509.DirectoryName))
        if not found:
            raise TrustError("crl_entry_issuer", "no distinguished name")
        known[names] = found
    return found


def _number(crl: x509.CertificateRevocationList) -> str:
    try:
        return str(crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number)
    except x509.ExtensionNotFound:
        return ""


def _canonical(name: x509.Name) -> bytes:
    """A name so that equal ones have equal octets (§7.1)."""
    parts = []
    for rdn in name.rdns:
        for each in sorted(rdn, key=lambda one: one.oid.dotted_string):
            value = each.value
            text = " ".join(value.casefold().split()) if isinstance(value, str) else value.hex()
            parts.append(f"{each.oid.dotted_string}={len(text)}:{text}")
        parts.append("+")
    return "".join(parts).encode("utf-8", "surrogatepass")


def _mark(issuer: bytes, serial: int) -> bytes:
    return sha256(issuer + b"\0" + b"%d" % serial).digest()[:MARK]
