"""The extensions of a certificate that decide what it may do, read once.

Enters: a certificate. Leaves: its BasicConstraints, KeyUsage, key identifiers, TNAuthList and constraints on claims.
Must not: judge them; `chain` and `profile` do. Reading may raise what `unreadable` names, and UnsupportedCredential.
"""

from __future__ import annotations

from typing import Final

from cryptography import x509

from sipguard.stir import constraints, tnauthlist
from sipguard.stir.constraints import ClaimConstraints
from sipguard.stir.tnauthlist import TNAuthList

BY_REFERENCE: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.48.14")  # id-ad-stirTNList, RFC 8226 §10.1
SKI, KEY_USAGE, BASIC_CONSTRAINTS = "2.5.29.14", "2.5.29.15", "2.5.29.19"
CRL_POINTS, POLICIES, AKI = "2.5.29.31", "2.5.29.32", "2.5.29.35"
AUTHORITY_ACCESS: Final = "1.3.6.1.5.5.7.1.1"
UNDERSTOOD: Final = frozenset(  # extensions that may be critical
    (
        tnauthlist.OID,
        constraints.OID,
        constraints.ENHANCED_OID,
        SKI,
        KEY_USAGE,
        BASIC_CONSTRAINTS,
        CRL_POINTS,
        POLICIES,
        AKI,
        AUTHORITY_ACCESS,
    )
)


class Extensions:
    """What of a certificate's extensions is asked for; None, "" and empty where one is absent."""

    __slots__ = (
        "aki",  # bytes: key identifier of the issuer
        "by_oid",  # dict[str, x509.Extension]
        "ca",
        "constraints",  # tuple[ClaimConstraints, ...]
        "constraints_ignored",  # an extension that counts as absent (RFC 9118 §3)
        "path_length",  # int | None
        "reference",  # the TNAuthList lies elsewhere (RFC 8226 §10.1)
        "scope",  # TNAuthList | None
        "ski",  # bytes
        "usage",  # x509.KeyUsage | None
    )

    def __init__(self, certificate: x509.Certificate) -> None:
        self.by_oid = {one.oid.dotted_string: one for one in certificate.extensions}
        self.aki = self.ski = b""
        self.ca = self.reference = self.constraints_ignored = False
        self.path_length: int | None = None
        self.scope: TNAuthList | None = None
        self.usage: x509.KeyUsage | None = None
        limits: list[ClaimConstraints] = []
        for oid, extension in self.by_oid.items():
            value = extension.value
            # The OID decides; asking for the type as well costs once for an extension, not once for each type.
            if oid == BASIC_CONSTRAINTS and isinstance(value, x509.BasicConstraints):
                self.ca, self.path_length = value.ca, value.path_length
            elif oid == KEY_USAGE and isinstance(value, x509.KeyUsage):
                self.usage = value
            elif oid == SKI and isinstance(value, x509.SubjectKeyIdentifier):
                self.ski = value.digest
            elif oid == AKI and isinstance(value, x509.AuthorityKeyIdentifier):
                self.aki = value.key_identifier or b""
            elif oid == AUTHORITY_ACCESS and isinstance(value, x509.AuthorityInformationAccess):
                self.reference = any(one.access_method == BY_REFERENCE for one in value)
            elif oid == tnauthlist.OID:
                self.scope = tnauthlist.read(value.public_bytes())
            elif oid in (constraints.OID, constraints.ENHANCED_OID):
                found = constraints.read(value.public_bytes(), oid == constraints.ENHANCED_OID)
                if found is None:
                    self.constraints_ignored = True
                else:
                    limits.append(found)
        self.constraints = tuple(limits)
