"""The table of all metrics: which process counts them in which cell, and how Prometheus names them.

Enters: the names that engine, policy and frames have. Leaves: names of cells, families of metrics.
Must not: hold a count, or a label whose values callers choose.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sipguard.b2bua.counts import NAMES as ENGINE_NAMES
from sipguard.b2bua.frames import DISPOSITIONS
from sipguard.net.counts import NAMES as CONNECTION_NAMES
from sipguard.screening.policy.model import BASES
from sipguard.service.outcomes import KINDS
from sipguard.stir.reasons import OF_FETCHING

COUNTER: Final = "counter"
GAUGE: Final = "gauge"

SETUP_BUCKETS_S: Final = (
    0.0002, 0.0003, 0.0005, 0.00075, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0,
)  # fmt: skip
FETCH_BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
STATUSES: Final = (
    200, 202, 300, 301, 302, 400, 401, 403, 404, 405, 407, 408, 410, 413, 415, 416, 420, 422, 428, 433, 436,
    437, 438, 480, 481, 482, 483, 484, 485, 486, 487, 488, 491, 500, 501, 502, 503, 504, 580, 600, 603, 604,
    606, 607, 608,
)  # fmt: skip

WORKER_NAMES: Final = (
    *ENGINE_NAMES,
    *(f"connections_{name}" for name in CONNECTION_NAMES),
    "troubles", "unsent", "journal_bytes", "journal_lost", "left_out", "longest_turn_us", "gc2", "hep_sent",
    "hep_dropped", "memory_bytes", "cpu_us",
)  # fmt: skip
DESK_NAMES: Final = (
    *(f"basis_{basis}" for basis in BASES),
    *(f"end_{disposition}" for disposition in DISPOSITIONS),
    *(f"status_{status}" for status in STATUSES),
    "status_other",
    *(f"setup_{n}" for n in range(len(SETUP_BUCKETS_S) + 1)),
    "setup_sum_us", "frames_loaded", "frames_damaged", "frames_orphaned", "store_failures", "loader_lag_ms",
    "store_away", "log_lines",
    *(f"api_{kind}" for kind in KINDS),
    "memory_bytes", "cpu_us",
)  # fmt: skip
FETCHER_NAMES: Final = (
    "asked_ok",
    *(f"asked_{reason}" for reason in OF_FETCHING),
    *(f"took_{n}" for n in range(len(FETCH_BUCKETS_S) + 1)),
    "took_sum_us", "copies", "copies_failed", "breakers_open", "outstanding", "background", "memory_bytes", "cpu_us",
)  # fmt: skip
NAMES_OF: Final = {"worker": WORKER_NAMES, "desk": DESK_NAMES, "fetcher": FETCHER_NAMES}


@dataclass(frozen=True)
class Family:
    """One metric: its cells are (label value, slot name); one cell with value "" where it has no label."""

    name: str
    kind: str
    help: str
    process: str  # worker | desk | fetcher | all
    cells: tuple[tuple[str, str], ...]
    label: str = ""
    scale: float = 1.0


def _one(name: str, kind: str, slot: str, help: str, process: str = "worker", scale: float = 1.0) -> Family:
    return Family(name, kind, help, process, (("", slot),), scale=scale)


def _prefixed(names: Iterable[str], prefix: str) -> tuple[tuple[str, str], ...]:
    return tuple((name[len(prefix) :], name) for name in names if name.startswith(prefix))


METRICS: Final = (
    Family(
        "sipguard_calls_total",
        COUNTER,
        "calls by verdict",
        "worker",
        (("allow", "allowed"), ("label", "labelled"), ("reject", "rejected"), ("redirect", "redirected")),
        "verdict",
    ),
    Family(
        "sipguard_refusals_total",
        COUNTER,
        "calls that were refused, by the basis of their rejection",
        "desk",
        _prefixed(DESK_NAMES, "basis_"),
        "basis",
    ),
    Family(
        "sipguard_ended_calls_total",
        COUNTER,
        "calls by how they ended",
        "desk",
        _prefixed(DESK_NAMES, "end_"),
        "disposition",
    ),
    Family(
        "sipguard_responses_total",
        COUNTER,
        "final responses to INVITEs of callers",
        "desk",
        _prefixed(DESK_NAMES, "status_"),
        "status",
    ),
    Family(
        "sipguard_unscreened_calls_total",
        COUNTER,
        "calls for which a check failed or was late",
        "worker",
        _prefixed(ENGINE_NAMES, "unscreened_"),
        "check",
    ),
    Family(
        "sipguard_verifications_total",
        COUNTER,
        "results of identity verification",
        "worker",
        _prefixed(ENGINE_NAMES, "identity_"),
        "result",
    ),
    Family(
        "sipguard_signatures_total",
        COUNTER,
        "Identity values of ours: with attestation A, B or C, or a diversion",
        "worker",
        _prefixed(ENGINE_NAMES, "signed_"),
        "kind",
    ),
    Family(
        "sipguard_unsigned_calls_total",
        COUNTER,
        "calls that were to be signed and were not, and why",
        "worker",
        _prefixed(ENGINE_NAMES, "unsigned_"),
        "why",
    ),
    Family(
        "sipguard_api_signatures_total",
        COUNTER,
        "Identity values made for those who asked over HTTP, by attestation",
        "desk",
        _prefixed(DESK_NAMES, "api_signed_"),
        "kind",
    ),
    Family(
        "sipguard_api_unsigned_total",
        COUNTER,
        "requests for signatures that were refused, and why",
        "desk",
        _prefixed(DESK_NAMES, "api_refused_"),
        "why",
    ),
    Family(
        "sipguard_overload_total",
        COUNTER,
        "calls that overload cost something: verification, or admission",
        "worker",
        (("verification", "shed_verification"), ("admission", "shed_calls")),
        "level",
    ),
    Family(
        "sipguard_limited_calls_total",
        COUNTER,
        "calls turned away by a limit of their trunk",
        "worker",
        _prefixed(ENGINE_NAMES, "limited_"),
        "limit",
    ),
    Family(
        "sipguard_unmet_fetches_total",
        COUNTER,
        "fetches that failed, or came after their budget",
        "worker",
        _prefixed(ENGINE_NAMES, "fetches_"),
        "why",
    ),
    Family(
        "sipguard_certificate_lookups_total",
        COUNTER,
        "certificates that calls needed: in memory, not known, or known to have failed lately",
        "worker",
        (("hit", "certificates_hit"), ("miss", "certificates_missed"), ("failed", "certificates_refused")),
        "result",
    ),
    Family(
        "sipguard_certificate_requests_total",
        COUNTER,
        "requests to certificate servers, by what they came to",
        "fetcher",
        _prefixed(FETCHER_NAMES, "asked_"),
        "result",
    ),
    _one("sipguard_certificates", GAUGE, "certificates_kept", "certificates in memory"),
    _one("sipguard_failed_certificates", GAUGE, "certificates_failed", "URLs whose failure is remembered"),
    _one("sipguard_certificate_copies", GAUGE, "copies", "certificates on disk", "fetcher"),
    _one("sipguard_unkept_certificates_total", COUNTER, "copies_failed", "copies that the disk refused", "fetcher"),
    _one("sipguard_certificate_breakers_open", GAUGE, "breakers_open", "hosts left alone after errors", "fetcher"),
    _one("sipguard_certificate_requests_active", GAUGE, "outstanding", "requests under way or waiting", "fetcher"),
    _one("sipguard_certificate_renewals_waiting", GAUGE, "background", "renewals that wait their turn", "fetcher"),
    Family(
        "sipguard_hep_packets_total",
        COUNTER,
        "copies for a capture server: sent, or dropped for want of room or of a way",
        "worker",
        _prefixed(WORKER_NAMES, "hep_"),
        "result",
    ),
    Family(
        "sipguard_connections_open",
        GAUGE,
        "connections now",
        "worker",
        _prefixed(WORKER_NAMES, "connections_open_"),
        "transport",
    ),
    Family(
        "sipguard_connections_total",
        COUNTER,
        "connections that were accepted, and that we began",
        "worker",
        (("accepted", "connections_accepted"), ("made", "connections_made")),
        "by",
    ),
    Family(
        "sipguard_connections_refused_total",
        COUNTER,
        "connections cut off at once: of nobody's source, or of none of the names, without certificate, no room",
        "worker",
        _prefixed(WORKER_NAMES, "connections_refused_"),
        "why",
    ),
    Family(
        "sipguard_connections_failed_total",
        COUNTER,
        "connections to peers that did not come about, and TLS handshakes that failed",
        "worker",
        _prefixed(WORKER_NAMES, "connections_failed_"),
        "step",
    ),
    Family(
        "sipguard_connections_closed_total",
        COUNTER,
        "connections that stood and ended",
        "worker",
        _prefixed(WORKER_NAMES, "connections_closed_"),
        "why",
    ),
    _one("sipguard_fetches_total", COUNTER, "fetches", "certificates that calls waited for"),
    _one("sipguard_datagrams_total", COUNTER, "datagrams", "datagrams received"),
    _one("sipguard_malformed_total", COUNTER, "malformed", "messages that are no SIP or break its rules"),
    _one("sipguard_unknown_source_total", COUNTER, "unknown_source", "messages of senders of no trunk"),
    _one("sipguard_stray_responses_total", COUNTER, "stray_responses", "responses that belong to nothing"),
    _one("sipguard_retransmissions_total", COUNTER, "retransmissions", "messages of ours that were sent again"),
    _one("sipguard_invites_total", COUNTER, "invites", "initial INVITEs from trunks"),
    _one("sipguard_emergency_calls_total", COUNTER, "emergencies", "calls that the guard admitted"),
    _one("sipguard_options_total", COUNTER, "options", "OPTIONS answered"),
    _one("sipguard_refused_methods_total", COUNTER, "refused_methods", "requests of a method that is refused"),
    _one("sipguard_outside_dialog_total", COUNTER, "outside_dialog", "requests for dialogs that do not exist"),
    _one("sipguard_bypassed_calls_total", COUNTER, "bypassed", "calls forwarded unscreened in mode bypass"),
    _one("sipguard_reported_calls_total", COUNTER, "reported", "calls that mode report let pass a rejection"),
    _one("sipguard_drain_refusals_total", COUNTER, "refused_draining", "calls refused while draining"),
    _one("sipguard_answered_calls_total", COUNTER, "answered", "calls that were answered"),
    _one("sipguard_closed_calls_total", COUNTER, "ended", "calls that left the tables"),
    _one("sipguard_failovers_total", COUNTER, "failovers", "tries of another peer"),
    _one("sipguard_recovered_calls_total", COUNTER, "recovered", "calls of a process that crashed, taken up again"),
    _one("sipguard_lost_calls_total", COUNTER, "lost", "calls of a process that crashed, not taken up again"),
    _one("sipguard_unkept_calls_total", COUNTER, "left_out", "calls that a crash would lose, since too many were up"),
    _one("sipguard_dead_call_checks_total", COUNTER, "dead_call_checks", "OPTIONS of ours within dialogs"),
    _one(
        "sipguard_refused_credentials_total", COUNTER, "credentials_refused", "credentials of trunks that were refused"
    ),
    _one("sipguard_signers_usable", GAUGE, "signers_usable", "signers whose certificate is valid now"),
    _one("sipguard_signers_unusable", GAUGE, "signers_unusable", "signers that cannot sign now, those for HTTP too"),
    _one("sipguard_signers_revoked", GAUGE, "signers_revoked", "signers whose certificate the CRL in force names"),
    _one("sipguard_signer_left_seconds", GAUGE, "signer_left_s", "until the first certificate of a signer expires"),
    _one("sipguard_calls_active", GAUGE, "calls_active", "calls now"),
    _one("sipguard_dialogs_active", GAUGE, "dialogs", "dialogs now"),
    _one("sipguard_transactions_active", GAUGE, "transactions", "transactions now"),
    _one("sipguard_timers_active", GAUGE, "timers", "timers now"),
    _one(
        "sipguard_counted_keys",
        GAUGE,
        "keys_counted",
        "callers, called numbers, prefixes, trunks and signers that are counted",
    ),
    _one("sipguard_evicted_keys_total", COUNTER, "keys_evicted", "of these, those that made room for others"),
    _one("sipguard_peers_down", GAUGE, "peers_down", "peers that are passed over now"),
    _one("sipguard_probes_total", COUNTER, "probes", "OPTIONS sent to peers"),
    _one("sipguard_failed_probes_total", COUNTER, "probes_failed", "OPTIONS that no peer answered, or with 408 or 503"),
    _one("sipguard_unresolved_names", GAUGE, "names_unresolved", "host names of peers that lead nowhere now"),
    _one("sipguard_stale_names", GAUGE, "names_stale", "host names of peers whose answer is used beyond its TTL"),
    _one("sipguard_failed_resolutions_total", COUNTER, "resolutions_failed", "resolutions of names that failed"),
    _one("sipguard_refused_addresses_total", COUNTER, "addresses_refused", "addresses of DNS that no peer may have"),
    _one("sipguard_troubles_total", COUNTER, "troubles", "errors of the program that the loop survived"),
    _one("sipguard_unsent_datagrams_total", COUNTER, "unsent", "datagrams the kernel had no room for"),
    _one("sipguard_journal_bytes_total", COUNTER, "journal_bytes", "octets of frames written to the journal"),
    _one("sipguard_journal_lost_frames_total", COUNTER, "journal_lost", "frames lost to a full disk"),
    _one(
        "sipguard_longest_turn_seconds",
        GAUGE,
        "longest_turn_us",
        "longest turn of the loop in the last second",
        scale=1e-6,
    ),
    _one("sipguard_gc_generation2_total", COUNTER, "gc2", "runs of the collector over all generations"),
    _one("sipguard_memory_bytes", GAUGE, "memory_bytes", "resident memory", "all"),
    _one("sipguard_cpu_seconds_total", COUNTER, "cpu_us", "processor time", "all", 1e-6),
    _one("sipguard_loaded_frames_total", COUNTER, "frames_loaded", "frames loaded into the database", "desk"),
    _one("sipguard_damaged_frames_total", COUNTER, "frames_damaged", "damaged frames passed over", "desk"),
    _one("sipguard_orphaned_ends_total", COUNTER, "frames_orphaned", "ends of calls without a row", "desk"),
    _one("sipguard_store_failures_total", COUNTER, "store_failures", "times the database was away", "desk"),
    _one("sipguard_store_away", GAUGE, "store_away", "1 while the database cannot be used", "desk"),
    _one("sipguard_loader_lag_seconds", GAUGE, "loader_lag_ms", "age of what is not loaded yet", "desk", 1e-3),
    _one("sipguard_log_lines_total", COUNTER, "log_lines", "lines written for calls", "desk"),
)
