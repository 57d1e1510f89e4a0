"""Marks: headers by which sipguard tells the next hop what it found, so that nobody else may send them in its place.

Enters: policy and trunks. Leaves: names of headers. Must not: name what callers and carriers write for their own ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sipguard.screening.policy.model import Policy
from sipguard.screening.trunk import Trunk

ATTESTING: Final = frozenset(  # attestation and its origin, as carriers name them (3GPP TS 24.229, vendors)
    {
        "attestation-info", "origination-id", "p-attestation-info", "p-origination-id", "p-attestation-indicator",
        "x-attestation-info", "x-origination-id", "p-identity-bypass",
    }
)  # fmt: skip
SHARED: Final = frozenset(  # registered for the ends or for carriers: theirs cross beside what a label writes
    {
        "accept", "accept-contact", "accept-encoding", "accept-language", "accept-resource-priority", "alert-info",
        "allow", "allow-events", "answer-mode", "authentication-info", "call-info", "content-disposition",
        "content-language", "diversion", "error-info", "event", "feature-caps", "geolocation",
        "geolocation-routing", "history-info", "in-reply-to", "join", "mime-version", "organization",
        "p-access-network-info", "p-answer-state", "p-asserted-identity", "p-asserted-service", "p-associated-uri",
        "p-called-party-id", "p-charge-info", "p-charging-function-addresses", "p-charging-vector", "p-early-media",
        "p-preferred-identity", "p-preferred-service", "p-private-network-indication", "p-profile-key",
        "p-served-user", "p-visited-network-id", "priority", "privacy", "priv-answer-mode", "reason", "refer-to",
        "referred-by", "reject-contact", "remote-party-id", "replaces", "reply-to", "request-disposition", "require",
        "resource-priority", "retry-after", "rseq", "server", "session-expires", "session-id", "subject",
        "supported", "target-dialog", "timestamp", "unsupported", "user-agent", "user-to-user", "warning",
    }
)  # fmt: skip


def marks_of(policy: Policy, trunks: Iterable[Trunk]) -> frozenset[str]:
    """Lower-case names of all marks: known ones, those that trunks are written, those of labels."""
    names = set(ATTESTING)
    for trunk in trunks:
        names.update(name.lower() for name in trunk.attestation_headers or ())
    for rule in policy.rules:
        if rule.label is not None:
            names.update(name.lower() for name, _ in rule.label.headers)
    return frozenset(names - SHARED)
