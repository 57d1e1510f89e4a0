"""What a process makes a Signer of, as it is handed from one to another.

Enters: PEM that was checked. Leaves: a SigningKey, which can be pickled. Must not: show the key, in a repr or anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from sipguard.sip.secret import Secret
from sipguard.stir import signer


@dataclass(frozen=True, slots=True)
class SigningKey:
    """PEM of the certificate, and of the key, which does not show itself; Unix seconds of the validity."""

    name: str
    x5u: str
    chain: bytes
    key: Secret
    not_after_at: float
    not_before_at: float = 0.0

    def signer(self) -> signer.Signer:
        """Ready to sign."""
        return signer.read(self.name, self.x5u, self.chain, self.key.reveal())
