"""Certificates judged under what is trusted now.

Enters: a store, anchors of a configuration, trust list and CRL. Leaves: the store under them. Must not: read files.
"""

from __future__ import annotations

from sipguard.service.trusting import Trusted
from sipguard.stir.certificate import Anchors, CertificateStore


def under(store: CertificateStore, anchors: tuple[bytes, ...], trusted: Trusted) -> CertificateStore:
    """`store` under the anchors of a configuration, those listed and the CRL in force. Raises StirError."""
    found = store.with_anchors(Anchors.read(each for each in (*anchors, trusted.pem) if each))
    found.use_crl(trusted.crl, trusted.crl_required, trusted.version)
    return found
