"""The certificates that were fetched, counted: by host, by what was wrong, by when they end.

Enters: copies on disk, the status and the counters of a sipguard that runs. Leaves: plain members of JSON documents.
Must not: ask anybody, read the clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from cryptography import x509

from sipguard.net.disk import Copy
from sipguard.net.fetch import host_in
from sipguard.service.cells import scrape
from sipguard.service.overview import published
from sipguard.stir.unreadable import UNREADABLE

SOON_S: Final = 7 * 24 * 3600.0
_ASKED: Final = "asked_"


def chain_of(copy: Copy) -> list[x509.Certificate]:
    """The certificates of a copy, none where they cannot be read."""
    try:
        return x509.load_pem_x509_certificates(copy.octets)
    except UNREADABLE:
        return []


def row(copy: Copy, unix_at: float) -> dict[str, Any]:
    """One copy; instants are Unix seconds."""
    head, chain = copy.head, chain_of(copy)
    subject = chain[0].subject.rfc4514_string() if chain else ""
    return {
        "url": head.url,
        "host": host_in(head.url),
        "subject": subject,
        "chain": len(chain),
        "state": "fresh" if copy.fresh else "stale" if copy.alive else "expired",
        "fetched_at": head.fetched_at,
        "expires_at": head.expires_at,
        "not_after_at": min((one.not_valid_after_utc.timestamp() for one in chain), default=0.0),
        "used_at": copy.used_at,
        "warning": f"content type {head.type}" if head.type else "",
    }


def ends_soon(found: Mapping[str, Any], unix_at: float) -> bool:
    """Whether the certificate of a row ends within 7 days, and has not yet."""
    return bool(0.0 <= found["not_after_at"] - unix_at <= SOON_S)


def summary(
    rows: Iterable[Mapping[str, Any]], status: Mapping[str, Any], run_directory: Path, unix_at: float
) -> dict[str, Any]:
    """Hosts with certificates and troubles, errors by reason, what ends in 7 days, and how often memory had it.

    `status` is empty where no sipguard runs; then `in_memory`, `hit_rate` and what counts since the start say nothing.
    """
    hosts: dict[str, dict[str, Any]] = {}
    ending = []
    certificates = 0
    for each in rows:
        certificates += 1
        at = hosts.setdefault(each["host"], _host(each["host"]))
        at["certificates"] += 1
        if ends_soon(each, unix_at):
            at["expiring_7d"] += 1
            ending.append({name: each[name] for name in ("url", "subject", "not_after_at")})
    for trouble in status.get("certificate_hosts", ()):
        at = hosts.setdefault(trouble["host"], _host(trouble["host"]))
        at |= {"failures": trouble["failures"], "last_error": trouble["reason"], "left_alone": trouble["left_alone"]}
    worker = published(run_directory)[0] if status else {}
    hits, misses = worker.get("certificates_hit", 0), worker.get("certificates_missed", 0)
    return {
        "certificates": certificates,
        "expiring_7d": len(ending),
        "expiring": sorted(ending, key=lambda each: each["not_after_at"]),
        "in_memory": worker.get("certificates_kept"),
        "hits": hits,
        "misses": misses,
        "hit_rate": round(hits / (hits + misses), 4) if hits + misses else None,
        "errors": _errors(run_directory) if status else {},
        "hosts": sorted(hosts.values(), key=lambda at: (-at["certificates"], at["host"])),
    }


def _host(name: str) -> dict[str, Any]:
    return {"host": name, "certificates": 0, "expiring_7d": 0, "failures": 0, "last_error": "", "left_alone": False}


def _errors(run_directory: Path) -> dict[str, int]:
    """How often requests failed since the fetcher's start, by reason, the most frequent first."""
    scraped = scrape("fetcher", "fetcher", run_directory / "fetcher.slots")
    if scraped is None:
        return {}
    slots = scraped.slots
    found = {name.removeprefix(_ASKED): slots[name] for name in slots.names if name.startswith(_ASKED)}
    slots.close()
    return {
        reason: count for reason, count in sorted(found.items(), key=lambda one: -one[1]) if count and reason != "ok"
    }
