"""Where a certificate leaves the SHAKEN profile without being wrong (ATIS-1000080, as facts A6.2 has it).

Enters: a leaf and its path to the anchor. Leaves: slugs, kept as warnings with the credential.
Must not: refuse; real certificates deviate and are trusted all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sipguard.stir import tnauthlist

_PROFILE: Final = frozenset(
    (tnauthlist.OID, "2.5.29.14", "2.5.29.15", "2.5.29.19", "2.5.29.31", "2.5.29.32", "2.5.29.35")
)
_CRITICAL: Final = ("2.5.29.15", "2.5.29.19")
_REQUIRED_NAMES: Final = (NameOID.COUNTRY_NAME, NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME)


def deviations(leaf: x509.Certificate, path: Sequence[x509.Certificate]) -> tuple[str, ...]:
    """Slugs of all deviations, in a fixed order. Raises ValueError where an extension is malformed."""
    extensions = {one.oid.dotted_string: one for one in leaf.extensions}
    found = [f"{slug}_missing" for oid, slug in _REQUIRED_SLUGS.items() if oid not in extensions]
    if not _PROFILE.issuperset(extensions):
        found.append("extension_unexpected")
    if any(oid in extensions and not extensions[oid].critical for oid in _CRITICAL):
        found.append("not_critical")
    found.extend(_key_usage(extensions.get("2.5.29.15")))
    found.extend(_subject(leaf))
    found.extend(_spc(extensions.get(tnauthlist.OID)))
    found.extend(_crl(extensions.get("2.5.29.31")))
    if any(_unusual_key(one) for one in path[1:]):
        found.append("authority_key")
    return tuple(found)


_REQUIRED_SLUGS: Final = {
    "2.5.29.14": "ski",
    "2.5.29.15": "key_usage",
    "2.5.29.19": "basic_constraints",
    "2.5.29.31": "crl",
    "2.5.29.32": "policies",
    "2.5.29.35": "aki",
}

_Extension = x509.Extension[x509.ExtensionType]


def _key_usage(extension: _Extension | None) -> list[str]:
    usage = extension.value if extension is not None else None
    if isinstance(usage, x509.KeyUsage) and not usage.digital_signature:
        return ["key_usage"]
    return []


def _subject(leaf: x509.Certificate) -> list[str]:
    if any(not leaf.subject.get_attributes_for_oid(oid) for oid in _REQUIRED_NAMES):
        return ["subject_incomplete"]
    common = str(leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
    return [] if common.startswith("SHAKEN ") else ["subject_name"]


def _spc(extension: _Extension | None) -> list[str]:
    if extension is None:
        return []
    authority = tnauthlist.read(extension.value.public_bytes())
    return [] if len(authority.spcs) == 1 and not authority.ranges else ["not_one_spc"]


def _crl(extension: _Extension | None) -> list[str]:
    points = extension.value if extension is not None else None
    if not isinstance(points, x509.CRLDistributionPoints):
        return []
    if len(points) != 1:
        return ["crl_points"]
    return [] if points[0].crl_issuer else ["crl_issuer_missing"]


def _unusual_key(authority: x509.Certificate) -> bool:
    key = authority.public_key()
    return not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in ("secp256r1", "secp384r1")
