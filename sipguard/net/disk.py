"""Certificates on disk, so that a restart does not ask the whole country again.

Enters: what was fetched and has validated. Leaves: the same, as long as it may be kept. One file per URL, named by its
hash: a line of JSON (Head), then the octets; its mtime says when it was used last. Processes may write side by side:
a file is replaced as a whole. Where there are too many, those of the certificates that stand under the most URLs go
first. Must not: fail a fetch; a full disk is counted.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from sipguard.stir.certificate import MIN_LIFETIME_S, REFRESH_SHARE, URLS_PER_LEAF
from sipguard.stir.unreadable import UNREADABLE

FILES_LIMIT: Final = 20_000  # the United States have some 18,000
FILE_LIMIT: Final = 1 << 20  # octets; a larger file is none of ours
_PRUNED_SHARE: Final = 16  # of the files go, least recently used first, when there are too many
_NAME_LENGTH: Final = 64
_HALF_S: Final = 60.0  # no write takes longer


class Head(msgspec.Struct):
    """Unix seconds. `sha256` is of the octets, `leaf` of the leaf's DER, both "" in copies of earlier releases.

    `type` is the content type where it is unusual.
    """

    url: str
    fetched_at: float
    expires_at: float
    sha256: str = ""
    type: str = ""
    leaf: str = ""


class Copy:
    """A kept copy: `fresh` until 80 % of its life, `alive` until its end."""

    __slots__ = ("alive", "fresh", "head", "octets", "used_at")

    def __init__(self, head: Head, octets: bytes, used_at: float, unix_at: float) -> None:
        self.head = head
        self.octets = octets
        self.used_at = used_at
        self.alive = head.fetched_at <= unix_at < head.expires_at
        self.fresh = self.alive and unix_at < head.fetched_at + REFRESH_SHARE * (head.expires_at - head.fetched_at)


class Disk:
    """The folder of copies; it is made if need be. Raises OSError where it cannot be."""

    def __init__(self, directory: Path, limit: int = FILES_LIMIT) -> None:
        self._directory = directory
        self._limit = limit
        self.failures = 0  # copies that could not be written
        directory.mkdir(parents=True, exist_ok=True)
        self.files = sum(1 for _ in self._paths())
        self._leaves: dict[str, str] = {}  # leaf by name of a file, of what was written or swept since the start

    def read(self, url: str, unix_at: float) -> Copy | None:
        """The copy of `url`, None where there is none that is alive and whole. It counts as used now."""
        found = self.peek(url, unix_at)
        if found is None or not found.alive:
            return None
        self.used(url, unix_at)
        return found

    def peek(self, url: str, unix_at: float) -> Copy | None:
        """The same, dead or alive, and without a trace."""
        return _read(self._directory / _name(url), unix_at)

    def copies(self, unix_at: float) -> Iterator[Copy]:
        """Every copy that is whole, in no order."""
        for path in self._paths():
            found = _read(path, unix_at)
            if found is not None:
                yield found

    def write(
        self, url: str, octets: bytes, lifetime_s: float, unix_at: float, type: str = "", used_at: float = 0.0
    ) -> None:
        """Keeps a copy for its HTTP lifetime, 24 h at least, but not past the end of a certificate in it."""
        end_at = _end(octets)
        if end_at is None or end_at <= unix_at:
            return
        expires_at = min(unix_at + max(lifetime_s, MIN_LIFETIME_S), end_at)
        head = Head(url, unix_at, expires_at, sha256(octets).hexdigest(), type, _leaf(octets))
        path = self._directory / _name(url)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            if self.files >= self._limit:
                self._prune()
            new = not path.exists()
            part.write_bytes(msgspec.json.encode(head) + b"\n" + octets)
            part.replace(path)
            self.files += new
        except OSError:
            self.failures += 1
            self._remove(part)
            return
        self._leaves[path.name] = head.leaf
        self._touch(path, used_at or unix_at)

    def used(self, url: str, used_at: float) -> None:
        """Notes when a certificate was needed last."""
        self._touch(self._directory / _name(url), used_at)

    def forget(self, url: str) -> None:
        """Removes the copy of `url`."""
        self._leaves.pop(_name(url), None)
        self._remove(self._directory / _name(url))

    def sweep(self, unix_at: float, unused_since: float) -> None:
        """Removes what is dead, damaged or foreign, and what was not used since `unused_since`."""
        for part in self._directory.glob("*.part"):  # of a process that was killed
            if not 0.0 <= unix_at - part.stat().st_mtime < _HALF_S:
                self._remove(part)
        leaves = {}
        for path in self._paths():
            found = _read(path, unix_at)
            if found is None or found.head.expires_at <= unix_at or found.used_at < unused_since:
                self._remove(path)
            else:
                leaves[path.name] = found.head.leaf or _leaf(found.octets)
        self._leaves = leaves
        self.files = len(leaves)

    def _prune(self) -> None:
        """Makes room: of certificates under many URLs the least recently used go, then of all."""
        found = sorted(((path.stat().st_mtime, path) for path in self._paths()), reverse=True)
        greedy: list[Path] = []
        others: list[Path] = []
        seen = Counter[str]()
        for _, path in found:
            leaf = self._leaves.get(path.name, "")
            seen[leaf] += leaf != ""
            (greedy if seen[leaf] > URLS_PER_LEAF else others).append(path)
        count = len(found) - self._limit + self._limit // _PRUNED_SHARE + 1
        gone = [*reversed(greedy), *reversed(others)][:count]
        for path in gone:
            self._remove(path)
            self._leaves.pop(path.name, None)
        self.files = len(found) - len(gone)

    def _paths(self) -> Iterator[Path]:
        with os.scandir(self._directory) as entries:
            for entry in entries:
                if len(entry.name) == _NAME_LENGTH and entry.is_file(follow_symlinks=False):
                    yield Path(entry.path)

    def _touch(self, path: Path, used_at: float) -> None:
        with suppress(OSError):  # it is gone, or was never kept
            os.utime(path, (used_at, used_at))

    def _remove(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError:
            self.failures += 1


def _read(path: Path, unix_at: float) -> Copy | None:
    """What lies in one file, None where that is damaged or foreign."""
    try:
        with path.open("rb") as file:
            content = file.read(FILE_LIMIT + 1)
            used_at = os.fstat(file.fileno()).st_mtime
        line, _, octets = content.partition(b"\n")
        head = msgspec.json.decode(line, type=Head)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if len(content) > FILE_LIMIT or not octets or _name(head.url) != path.name:
        return None
    if head.sha256 and head.sha256 != sha256(octets).hexdigest():
        return None
    return Copy(head, octets, used_at, unix_at)


def _name(url: str) -> str:
    return sha256(url.encode(errors="surrogatepass")).hexdigest()


def _end(octets: bytes) -> float | None:
    """Unix seconds at which the first certificate in `octets` ends, None where they are no certificates."""
    try:
        chain = x509.load_pem_x509_certificates(octets)
        return min(one.not_valid_after_utc.timestamp() for one in chain)
    except UNREADABLE:
        return None


def _leaf(octets: bytes) -> str:
    """SHA-256 of the first certificate that is no authority's, hex; "" where there is none."""
    try:
        for one in x509.load_pem_x509_certificates(octets):
            try:
                authority = one.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
            except x509.ExtensionNotFound:
                authority = False
            if not authority:
                return one.fingerprint(SHA256()).hex()
    except UNREADABLE:
        pass
    return ""
