"""What a signer may say of its customer's right to a number (RFC 8588 §4).

Enters: nothing. Leaves: the levels. Must not: sign.
"""

from __future__ import annotations

from typing import Final

ATTESTATIONS: Final = ("A", "B", "C")
