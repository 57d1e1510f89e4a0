"""The store of validated certificates: what is known behind each x5u, and for how long.

Enters: octets that were fetched, failures to fetch, the time. Leaves: a Credential, the reason why there
is none, or None: it must be fetched. Facts A6.4. A CRL that is swapped in is asked of each from then on.
Must not: fetch, know the time, grow beyond its capacity. An entry is dropped when it is least recently used.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Final
from zlib import crc32

from sipguard.stir.credential import NO_ANCHORS, Anchors, Credential, read_chain, validate
from sipguard.stir.errors import StirError, UnsupportedCredential
from sipguard.stir.revocation import Crl

__all__ = ["NO_ANCHORS", "Anchors", "CertificateStore", "Credential", "read_chain", "validate"]

MIN_LIFETIME_S: Final = 24 * 3600.0  # ATIS-1000080: hold 24 h where HTTP says less
REFRESH_SHARE: Final = 0.8  # of the lifetime, then the URL is due
NEGATIVE_S: Final = (30.0, 60.0, 300.0)  # how long a failure is believed: first, second, later ones
_NEGATIVE_MOST_S: Final = 1.1 * NEGATIVE_S[-1]  # with the spread of `_fail`
_RETRY_S: Final = 300.0  # a due URL that was not answered is due again
_FAILED_SHARE: Final = 4  # failures take at most a quarter of the capacity
_REVOKED: Final = UnsupportedCredential("certificate_revoked")
_CRL_STALE: Final = UnsupportedCredential("crl_stale")


class _Kept:
    """Octets that once validated, and what they came to under the anchors of `revision`."""

    __slots__ = ("crl", "expires_at", "octets", "outcome", "refresh_at", "revision", "revoked")

    def __init__(
        self,
        octets: bytes,
        outcome: Credential | StirError,
        revision: str,
        expires_at: float,
        refresh_at: float,
    ) -> None:
        self.octets = octets
        self.outcome = outcome
        self.revision = revision
        self.expires_at = expires_at
        self.refresh_at = refresh_at
        self.crl: Crl | None = None  # the one that was asked last, and what it said
        self.revoked = False


class _Failed:
    """A failure, believed until `until_at`; `octets` where some came, "" where none did."""

    __slots__ = ("count", "error", "octets", "revision", "until_at")

    def __init__(self, error: StirError, count: int, until_at: float, octets: bytes, revision: str) -> None:
        self.error = error
        self.count = count
        self.until_at = until_at
        self.octets = octets
        self.revision = revision


class _Shelf:
    """What the stores of successive anchors share. Dicts stand in order of use, the next to go first."""

    __slots__ = ("capacity", "crl", "crl_required", "due", "failed", "kept", "trust_version")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.crl: Crl | None = None  # None where none is wanted
        self.crl_required = False  # nobody is trusted while it is stale
        self.trust_version = ""
        self.kept: dict[str, _Kept] = {}
        self.failed: dict[str, _Failed] = {}
        self.due: list[tuple[float, str]] = []  # heap; an item that differs from its entry is stale


class CertificateStore:
    """Credentials by exact URL, under one set of anchors."""

    __slots__ = ("_shelf", "anchors")

    def __init__(self, anchors: Anchors = NO_ANCHORS, capacity: int = 20_000) -> None:
        self.anchors = anchors
        self._shelf = _Shelf(capacity)

    def __len__(self) -> int:
        return len(self._shelf.kept) + len(self._shelf.failed)

    def with_anchors(self, anchors: Anchors) -> CertificateStore:
        """A store under other anchors over the same octets; each is validated again when it is asked for."""
        store = CertificateStore(anchors, 0)
        store._shelf = self._shelf
        return store

    def use_crl(self, crl: Crl | None, required: bool = False, version: str = "") -> None:
        """Asks this CRL from now on, of what is kept already too; None for none.

        `required`: while it is stale, nobody is trusted. `version` names trust list and CRL for whoever asks later. All
        this binds the stores of all anchors, and so also calls that began before.
        """
        shelf = self._shelf
        shelf.crl, shelf.crl_required, shelf.trust_version = crl, required, version

    @property
    def trust_version(self) -> str:
        """Which trust list and CRL are in force, "" where neither is wanted."""
        return self._shelf.trust_version

    def crl_stale(self, unix_at: float) -> bool | None:
        """Whether the time of the CRL's next issue has passed, or there was never one; None where none is wanted."""
        crl = self._shelf.crl
        return None if crl is None else unix_at > crl.next_at

    def get(self, url: str, unix_at: float) -> Credential | StirError | None:
        """The credential behind `url`, why there is none, or None: it must be fetched."""
        shelf = self._shelf
        kept = shelf.kept.pop(url, None)
        if kept is not None and unix_at < kept.expires_at:
            shelf.kept[url] = kept
            if kept.revision != self.anchors.revision:
                kept.outcome = self._validated(kept.octets, unix_at)
                kept.revision = self.anchors.revision
                kept.crl = None
            return kept.outcome if shelf.crl is None else self._unrevoked(url, kept, shelf.crl, unix_at)
        failed = shelf.failed.get(url)
        if failed is None or not 0.0 < failed.until_at - unix_at <= _NEGATIVE_MOST_S:
            return None  # also where the clock was set back
        if failed.octets and failed.revision != self.anchors.revision:
            return None  # other anchors may trust it
        return failed.error

    def put(self, url: str, octets: bytes, lifetime_s: float, unix_at: float) -> Credential | StirError:
        """Takes what was fetched and answers what it came to, not asking the CRL; `lifetime_s` is what HTTP allows.

        Octets that do not validate count as a failure and leave a valid predecessor in place.
        """
        outcome = self._validated(octets, unix_at)
        if isinstance(outcome, StirError):
            self._fail(url, outcome, unix_at, octets)
            return outcome
        shelf = self._shelf
        lifetime_s = max(lifetime_s, MIN_LIFETIME_S)
        expires_at = min(unix_at + lifetime_s, outcome.not_after_at)
        refresh_at = unix_at + max(REFRESH_SHARE * (expires_at - unix_at), _RETRY_S)
        shelf.failed.pop(url, None)
        shelf.kept.pop(url, None)
        shelf.kept[url] = _Kept(octets, outcome, self.anchors.revision, expires_at, refresh_at)
        if len(shelf.kept) > shelf.capacity:
            del shelf.kept[next(iter(shelf.kept))]
        self._push(refresh_at, url)
        return outcome

    def put_failure(self, url: str, error: StirError, unix_at: float) -> None:
        """Takes a failure to fetch: the answer for 30, then 60, then 300 s; a valid predecessor stays."""
        self._fail(url, error, unix_at, b"")

    def due(self, unix_at: float) -> list[str]:
        """URLs to fetch again in the background, at 80 % of their lifetime; each is named once per 300 s."""
        heap, kept, urls = self._shelf.due, self._shelf.kept, []
        while heap and heap[0][0] <= unix_at:
            at, url = heappop(heap)
            entry = kept.get(url)
            if entry is None or entry.refresh_at != at:
                continue
            if unix_at >= entry.expires_at:
                del kept[url]
                continue
            urls.append(url)
            entry.refresh_at = unix_at + _RETRY_S
            heappush(heap, (entry.refresh_at, url))
        return urls

    def _unrevoked(self, url: str, kept: _Kept, crl: Crl, unix_at: float) -> Credential | StirError:
        """What is kept, unless the CRL names it. Each is looked up once for each CRL.

        One that is revoked is due at once: its signer may have put another certificate there.
        """
        outcome = kept.outcome
        if not isinstance(outcome, Credential):
            return outcome
        if kept.crl is not crl:
            kept.crl = crl
            kept.revoked = crl.names_any(outcome.marks)
            if kept.revoked:
                kept.refresh_at = unix_at
                self._push(unix_at, url)
        if kept.revoked:
            return _REVOKED
        return _CRL_STALE if self._shelf.crl_required and unix_at > crl.next_at else outcome

    def _validated(self, octets: bytes, unix_at: float) -> Credential | StirError:
        try:
            return validate(read_chain(octets), self.anchors, unix_at)
        except UnsupportedCredential as error:
            return UnsupportedCredential(error.reason, error.detail)  # a fresh one holds no frames

    def _fail(self, url: str, error: StirError, unix_at: float, octets: bytes) -> None:
        failed = self._shelf.failed
        before = failed.pop(url, None)
        count = before.count + 1 if before is not None else 1
        wait_s = NEGATIVE_S[min(count, len(NEGATIVE_S)) - 1]
        wait_s *= 0.9 + (crc32(url.encode()) + count) % 1000 / 5000  # spread by a tenth either way
        plain = type(error)(error.reason, error.detail)
        failed[url] = _Failed(plain, count, unix_at + wait_s, octets, self.anchors.revision)
        if len(failed) > max(1, self._shelf.capacity // _FAILED_SHARE):
            del failed[next(iter(failed))]

    def _push(self, refresh_at: float, url: str) -> None:
        heap = self._shelf.due
        heappush(heap, (refresh_at, url))
        if len(heap) > 2 * len(self._shelf.kept) + 64:
            heap[:] = [(one.refresh_at, name) for name, one in self._shelf.kept.items()]
            heapify(heap)
