"""Certificates on disk, so that a restart does not ask the whole country again.

Enters: what was fetched. Leaves: the same, as long as it may be kept. One file per URL, named by its hash:
a line of JSON (url, fetched_at, expires_at), then the octets. Must not: fail a fetch; a full disk is counted.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from sipguard.stir.certificate import MIN_LIFETIME_S, REFRESH_SHARE

FILES_LIMIT: Final = 50_000  # the United States have some 18,000
SERVINGS: Final = 8  # of one copy; who asks more often got no use out of it and needs a new one
_PRUNED_SHARE: Final = 16  # of the files go, oldest first, when there are too many


class _Head(msgspec.Struct):
    url: str
    fetched_at: float
    expires_at: float


class Copy:
    """A kept copy: `fresh` until 80 % of its life; `left_s` seconds until its end."""

    __slots__ = ("fresh", "left_s", "octets")

    def __init__(self, octets: bytes, fresh: bool, left_s: float) -> None:
        self.octets = octets
        self.fresh = fresh
        self.left_s = left_s


class Disk:
    """The folder of copies; it is made if need be. Raises OSError where it cannot be."""

    def __init__(self, directory: Path, limit: int = FILES_LIMIT) -> None:
        self._directory = directory
        self._limit = limit
        self._served: dict[str, int] = {}
        self.failures = 0  # copies that could not be written
        directory.mkdir(parents=True, exist_ok=True)
        for left in directory.glob("*.part"):
            left.unlink(missing_ok=True)
        self._files = sum(1 for _ in directory.iterdir())

    def read(self, url: str, unix_at: float) -> Copy | None:
        """The copy of `url`, None where there is none that is still alive and readable."""
        name = _name(url)
        try:
            head, _, octets = (self._directory / name).read_bytes().partition(b"\n")
            found = msgspec.json.decode(head, type=_Head)
        except (OSError, msgspec.MsgspecError):
            return None
        if found.url != url or not found.fetched_at <= unix_at < found.expires_at:
            return None
        servings = self._served.get(name, 0) + 1
        self._served[name] = servings
        grown_old_at = found.fetched_at + REFRESH_SHARE * (found.expires_at - found.fetched_at)
        return Copy(octets, unix_at < grown_old_at and servings <= SERVINGS, found.expires_at - unix_at)

    def write(self, url: str, octets: bytes, lifetime_s: float, unix_at: float) -> None:
        """Keeps a copy for its HTTP lifetime, 24 h at least, but not past the end of a certificate in it."""
        end_at = _end(octets)
        if end_at is None or end_at <= unix_at:
            return
        head = _Head(url, unix_at, min(unix_at + max(lifetime_s, MIN_LIFETIME_S), end_at))
        name = _name(url)
        part = self._directory / f"{name}.{os.getpid()}.part"
        try:
            if self._files >= self._limit:
                self._prune()
            self._files += not (self._directory / name).exists()
            part.write_bytes(msgspec.json.encode(head) + b"\n" + octets)
            part.replace(self._directory / name)
        except OSError:
            self.failures += 1
        self._served.pop(name, None)

    def _prune(self) -> None:
        entries = sorted((entry.stat().st_mtime, entry.path) for entry in os.scandir(self._directory))
        for _, path in entries[: len(entries) // _PRUNED_SHARE + 1]:
            gone = Path(path)
            gone.unlink(missing_ok=True)
            self._served.pop(gone.name, None)
        self._files = len(entries) - len(entries) // _PRUNED_SHARE - 1


def _name(url: str) -> str:
    return sha256(url.encode()).hexdigest()


def _end(octets: bytes) -> float | None:
    """Unix seconds at which the first certificate in `octets` ends, None where they are no certificates."""
    try:
        chain = x509.load_pem_x509_certificates(octets)
        return min(one.not_valid_after_utc.timestamp() for one in chain)
    except (ValueError, UnsupportedAlgorithm):
        return None
