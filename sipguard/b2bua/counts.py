"""What the engine counts, as slots of an array of integers that another process may read.

Enters: nothing. Leaves: the index of each count. Must not: render; `service/metrics` names them for Prometheus.
"""

from __future__ import annotations

from typing import Final

NAMES: Final = (
    "datagrams", "malformed", "unknown_source", "stray_responses", "retransmissions",
    "invites", "emergencies", "options", "refused_methods", "outside_dialog",
    "allowed", "labelled", "rejected", "redirected", "bypassed", "reported",
    "limited_cps", "limited_calls", "shed_verification", "shed_calls", "refused_draining",
    "unscreened_identity", "unscreened_number", "unscreened_lists", "unscreened_rate",
    "unscreened_plan", "unscreened_time",
    "identity_passed", "identity_failed", "identity_none", "identity_unsupported",
    "fetches", "fetches_late", "fetches_failed", "fetches_busy",
    "certificates_hit", "certificates_missed", "certificates_refused", "certificates_kept", "certificates_failed",
    "answered", "ended", "failovers", "calls_active", "dialogs", "transactions", "timers", "peers_down",
    "dead_call_checks", "recovered", "lost", "credentials_refused",
    "signers_usable", "signers_unusable", "signers_revoked", "signer_left_s", "signed_A", "signed_B", "signed_C",
    "signed_div",
    "unsigned_kept", "unsigned_no_rule", "unsigned_no_number", "unsigned_hidden", "unsigned_stale_date",
    "unsigned_no_signer", "unsigned_expired", "unsigned_out_of_scope", "unsigned_unfit", "unsigned_broken",
    "probes", "probes_failed", "names_unresolved", "names_stale", "resolutions_failed", "addresses_refused",
    "keys_counted", "keys_evicted",
)  # fmt: skip

INDEX: Final = {name: n for n, name in enumerate(NAMES)}
