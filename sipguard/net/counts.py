"""What is counted of connections.

Enters: nothing. Leaves: names. Must not: bring along who counts; who only shows them imports this too.
"""

from __future__ import annotations

from typing import Final

NAMES: Final = (
    "open_tcp", "open_tls", "accepted", "made",
    "refused_stranger", "refused_unverified", "refused_name", "refused_no_certificate", "refused_full",
    "failed_connect", "failed_handshake",
    "closed_peer", "closed_lost", "closed_idle", "closed_slow_message", "closed_slow_reader", "closed_unframed",
)  # fmt: skip
