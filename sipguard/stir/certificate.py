"""The store of validated certificates: what is known behind each x5u, and for how long.

Enters: octets that were fetched, failures to fetch, the time. Leaves: a Credential, the reason why there
is none, or None: it must be fetched. Facts A6.4. A CRL that is swapped in is asked of each from then on.
Must not: fetch, know the time, grow beyond its capacity. Where there is no room, an old entry of the certificate that
stands under the most URLs goes, if those are many, since who has one can serve it under any number of them; else the
least recently used.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from itertools import islice
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
_SOON_S: Final = 10.0  # a copy from disk that is due already
_AHEAD_S: Final = 3.0  # before a failure is forgotten, what calls still ask for is tried again
NOT_ASKED: Final = frozenset(("x5u_busy", "x5u_breaker_open", "x5u_fetcher_closed"))  # nobody was asked
_BRIEF_S: Final = 5.0
URLS_PER_LEAF: Final = 16  # that lead to one certificate; where there are more they go first
_LOOKED_AT: Final = 8  # of them, to find one that is not in use
_DETAIL_LIMIT: Final = 256  # characters, of which strangers may choose some
_FAILED_SHARE: Final = 4  # failures take at most a quarter of the capacity
_REVOKED: Final = UnsupportedCredential("certificate_revoked")
_CRL_STALE: Final = UnsupportedCredential("crl_stale")


class _Kept:
    """Octets, and what they came to under the anchors of `revision`; outcome None and revision "" until looked at.

    `leaf` is the SHA-256 of its leaf, "" until it was valid once.
    """

    __slots__ = (
        "asked_at", "crl", "expires_at", "leaf", "octets", "outcome", "refresh_at", "revision", "revoked", "used_at"
    )  # fmt: skip

    def __init__(self, octets: bytes, asked_at: float, expires_at: float, refresh_at: float, used_at: float) -> None:
        self.octets = octets
        self.asked_at = asked_at  # when it was fetched, or when its host was asked for another
        self.leaf = ""
        self.outcome: Credential | StirError | None = None
        self.revision = ""
        self.expires_at = expires_at
        self.refresh_at = refresh_at
        self.crl: Crl | None = None  # the one that was asked last, and what it said
        self.revoked = False
        self.used_at = used_at


class _Failed:
    """A failure, believed until `until_at`; `came` where there were octets, which are not kept."""

    __slots__ = ("asked", "came", "count", "error", "revision", "until_at")

    def __init__(self, error: StirError, count: int, until_at: float, came: bool, revision: str) -> None:
        self.error = error
        self.count = count
        self.until_at = until_at
        self.came = came
        self.revision = revision
        self.asked = False  # whether a call asked while it stood


class _Shelf:
    """What the stores of successive anchors share. Dicts stand in order of use, the next to go first."""

    __slots__ = (
        "capacity", "crl", "crl_required", "due", "failed", "greedy", "hits", "kept", "leaves", "misses", "refusals",
        "retries", "trust_version",
    )  # fmt: skip

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.crl: Crl | None = None  # None where none is wanted
        self.crl_required = False  # nobody is trusted while it is stale
        self.trust_version = ""
        self.kept: dict[str, _Kept] = {}
        self.leaves: dict[str, dict[str, None]] = {}  # by SHA-256 of a leaf: the URLs that lead to it, the oldest first
        self.greedy: set[str] = set()  # leaves with more than URLS_PER_LEAF
        self.failed: dict[str, _Failed] = {}
        self.due: list[tuple[float, str]] = []  # heap; an item that differs from its entry is stale
        self.retries: list[tuple[float, str]] = []  # the same of failures
        self.hits = self.misses = self.refusals = 0  # lookups: a credential, nothing known, a failure believed

    def belongs(self, url: str, kept: _Kept, leaf: str) -> None:
        """What is kept from `url` has this leaf."""
        kept.leaf = leaf
        urls = self.leaves.setdefault(leaf, {})
        urls[url] = None
        if len(urls) > URLS_PER_LEAF:
            self.greedy.add(leaf)

    def gone(self, url: str, kept: _Kept) -> None:
        """What was kept from `url` is kept no longer."""
        urls = self.leaves.get(kept.leaf)
        if urls is None:
            return
        urls.pop(url, None)
        if len(urls) <= URLS_PER_LEAF:
            self.greedy.discard(kept.leaf)
        if not urls:
            del self.leaves[kept.leaf]

    def make_room(self) -> None:
        """Drops one entry."""
        kept = self.kept
        url = next(iter(kept))
        if self.greedy:
            greediest = max(self.greedy, key=lambda leaf: len(self.leaves[leaf]))
            some = islice(self.leaves[greediest], _LOOKED_AT)
            url = min(some, key=lambda one: kept[one].used_at)
        self.gone(url, kept.pop(url))


class CertificateStore:
    """Credentials by exact URL, under one set of anchors."""

    __slots__ = ("_now", "_shelf", "anchors")

    def __init__(self, anchors: Anchors = NO_ANCHORS, capacity: int = 20_000) -> None:
        self.anchors = anchors
        self._shelf = _Shelf(capacity)
        self._now = 0.0  # Unix seconds as of which it is asked, 0.0: those that it is told

    def __len__(self) -> int:
        return len(self._shelf.kept) + len(self._shelf.failed)

    def with_anchors(self, anchors: Anchors) -> CertificateStore:
        """A store under other anchors over the same octets; each is validated again when it is asked for."""
        store = CertificateStore(anchors, 0)
        store._shelf = self._shelf
        return store

    def as_of(self, unix_at: float) -> CertificateStore:
        """This store for a call of another time: what is kept is looked at, aged and due as of `unix_at`, the true one.

        A question about next year shall not have the copies of today dropped.
        """
        store = self.with_anchors(self.anchors)
        store._now = unix_at
        return store

    def use_crl(self, crl: Crl | None, required: bool = False, version: str = "") -> None:
        """Asks this CRL from now on, of what is kept already too; None for none.

        `required`: while it is stale, nobody is trusted. `version` names trust list and CRL for whoever asks later. All
        this binds the stores of all anchors, and so also calls that began before.
        """
        shelf = self._shelf
        shelf.crl, shelf.crl_required, shelf.trust_version = crl, required, version

    @property
    def crl(self) -> Crl | None:
        """The CRL in force, None where none is wanted."""
        return self._shelf.crl

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
        if self._now:
            unix_at = self._now
        shelf = self._shelf
        kept = shelf.kept.pop(url, None)
        if (
            kept is not None
            and unix_at < kept.expires_at
            and (kept.revision == self.anchors.revision or self._look_at(url, kept, unix_at))
        ):
            shelf.kept[url] = kept
            kept.used_at = unix_at
            shelf.hits += 1
            return kept.outcome if shelf.crl is None else self._unrevoked(url, kept, shelf.crl, unix_at)
        if kept is not None:
            shelf.gone(url, kept)
        failed = shelf.failed.get(url)
        if failed is None or not 0.0 < failed.until_at - unix_at <= _NEGATIVE_MOST_S:
            shelf.misses += 1
            return None  # also where the clock was set back
        if failed.came and failed.revision != self.anchors.revision:
            shelf.misses += 1
            return None  # other anchors may trust it
        if not failed.asked:
            failed.asked = True
            heappush(shelf.retries, (failed.until_at - _AHEAD_S, url))
        shelf.refusals += 1
        return failed.error

    def wants_anew(self, url: str) -> bool:
        """Whether what was fetched from `url` before is of no use, or grows old: a copy from disk would not do."""
        failed = self._shelf.failed.get(url)
        return url in self._shelf.kept or (failed is not None and failed.came)

    def put(
        self, url: str, octets: bytes, lifetime_s: float, unix_at: float, age_s: float = 0.0
    ) -> Credential | StirError:
        """Takes what was fetched `age_s` ago and answers what it came to, not asking the CRL.

        `lifetime_s` is what HTTP allows. Octets that do not validate count as a failure and leave a valid predecessor
        in place.
        """
        outcome = self._validated(octets, unix_at)
        if isinstance(outcome, StirError):
            self._fail(url, outcome, unix_at, came=True)
            return outcome
        shelf = self._shelf
        before = shelf.kept.get(url)
        used_at = before.used_at if before is not None else unix_at
        kept = self._keep(url, octets, lifetime_s, unix_at, age_s, used_at)
        kept.outcome, kept.revision = outcome, self.anchors.revision
        kept.expires_at = min(kept.expires_at, outcome.not_after_at)
        kept.refresh_at = _refresh_at(unix_at, age_s, kept.expires_at)
        if before is not None and before.revoked and not age_s and before.leaf == outcome.sha256:
            kept.crl, kept.revoked = before.crl, True  # its signer has not replaced it yet
            kept.refresh_at = unix_at + _RETRY_S
        shelf.failed.pop(url, None)
        shelf.belongs(url, kept, outcome.sha256)
        self._push(kept.refresh_at, url)
        return outcome

    def hold(self, url: str, octets: bytes, lifetime_s: float, unix_at: float, age_s: float, used_at: float) -> None:
        """Takes a copy that validated in an earlier life, or elsewhere; it is looked at when a call asks for it.

        What is kept gives way to what is another and was fetched later.
        """
        before = self._shelf.kept.get(url)
        if before is not None and (before.octets == octets or unix_at - age_s <= before.asked_at):
            return
        if max(lifetime_s, MIN_LIFETIME_S) <= age_s:
            return
        self._push(self._keep(url, octets, lifetime_s, unix_at, age_s, used_at).refresh_at, url)

    def put_failure(self, url: str, error: StirError, unix_at: float) -> None:
        """Takes a failure to fetch: the answer for 30, then 60, then 300 s; a valid predecessor stays."""
        self._fail(url, error, unix_at, came=False)

    def due(self, unix_at: float) -> list[str]:
        """URLs to fetch again in the background, at 80 % of their lifetime; each is named once per 300 s."""
        heap, kept, urls = self._shelf.due, self._shelf.kept, []
        while heap and heap[0][0] <= unix_at:
            at, url = heappop(heap)
            entry = kept.get(url)
            if entry is None or entry.refresh_at != at:
                continue
            if unix_at >= entry.expires_at:
                self._shelf.gone(url, kept.pop(url))
                continue
            urls.append(url)
            entry.refresh_at = unix_at + _RETRY_S
            heappush(heap, (entry.refresh_at, url))
        return urls

    def _unrevoked(self, url: str, kept: _Kept, crl: Crl, unix_at: float) -> Credential | StirError | None:
        """What is kept, unless the CRL names it. Each is looked up once for each CRL.

        One that is revoked is due at once, then as often as one that is not answered: its signer may have put another
        certificate there.
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

    def doubt(self, url: str, unix_at: float) -> None:
        """A signature does not hold by what is kept from `url`: its signer may have put another certificate there.

        It is due at once, unless its host was asked within the last 300 s: whoever forges signatures can have no URL
        asked for more often.
        """
        if self._now:
            unix_at = self._now
        kept = self._shelf.kept.get(url)
        if kept is not None and unix_at - kept.asked_at >= _RETRY_S:
            kept.asked_at = kept.refresh_at = unix_at
            self._push(unix_at, url)

    def revokes(self, marks: Iterable[bytes]) -> bool:
        """Whether the CRL in force names one of these."""
        crl = self._shelf.crl
        return crl is not None and crl.names_any(marks)

    def used_at(self, url: str) -> float:
        """Unix seconds at which a call asked for it last, 0.0 where it is not kept."""
        kept = self._shelf.kept.get(url)
        return kept.used_at if kept is not None else 0.0

    def retries(self, unix_at: float) -> list[str]:
        """URLs whose failure ends soon and that calls still ask for: so these need not wait for the next try."""
        heap, failed, urls = self._shelf.retries, self._shelf.failed, []
        while heap and heap[0][0] <= unix_at:
            at, url = heappop(heap)
            entry = failed.get(url)
            if entry is not None and entry.until_at - _AHEAD_S == at:
                urls.append(url)
        if len(heap) > 2 * len(failed) + 64:
            heap[:] = [(one.until_at - _AHEAD_S, name) for name, one in failed.items() if one.asked]
            heapify(heap)
        return urls

    def counts(self) -> tuple[int, int, int, int, int]:
        """(hits, misses, failures believed, certificates kept, failures kept): the first three since the start."""
        shelf = self._shelf
        return shelf.hits, shelf.misses, shelf.refusals, len(shelf.kept), len(shelf.failed)

    def _look_at(self, url: str, kept: _Kept, unix_at: float) -> bool:
        """Judges what is kept under these anchors. False where it came from disk and does not hold: it is fetched."""
        held = kept.revision == ""
        kept.outcome = self._validated(kept.octets, unix_at)
        kept.revision = self.anchors.revision
        kept.crl = None
        if held and isinstance(kept.outcome, StirError):
            self._fail(url, kept.outcome, unix_at, came=True)
            self._shelf.failed[url].until_at = unix_at  # it says what to fetch, not what to answer
            return False
        if not kept.leaf and isinstance(kept.outcome, Credential):
            self._shelf.belongs(url, kept, kept.outcome.sha256)
        return True

    def _keep(self, url: str, octets: bytes, lifetime_s: float, unix_at: float, age_s: float, used_at: float) -> _Kept:
        """A new entry; where there is no room another goes."""
        shelf = self._shelf
        expires_at = unix_at - age_s + max(lifetime_s, MIN_LIFETIME_S)
        kept = _Kept(octets, unix_at - age_s, expires_at, _refresh_at(unix_at, age_s, expires_at), used_at)
        before = shelf.kept.pop(url, None)
        if before is not None:
            shelf.gone(url, before)
        if len(shelf.kept) >= shelf.capacity > 0:
            shelf.make_room()
        shelf.kept[url] = kept
        return kept

    def _validated(self, octets: bytes, unix_at: float) -> Credential | StirError:
        """What the octets come to; no error gets past here, whatever a library makes of them."""
        try:
            return validate(read_chain(octets), self.anchors, unix_at)
        except UnsupportedCredential as error:
            return UnsupportedCredential(error.reason, error.detail)  # a fresh one holds no frames
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001  strangers send these octets, and a panic of Rust is no Exception
            return UnsupportedCredential("certificate_malformed", type(error).__name__)

    def _fail(self, url: str, error: StirError, unix_at: float, came: bool) -> None:
        failed = self._shelf.failed
        before = failed.pop(url, None)
        count = before.count + 1 if before is not None else 1
        wait_s = NEGATIVE_S[min(count, len(NEGATIVE_S)) - 1]
        if error.reason in NOT_ASKED:
            count, wait_s = count - 1, _BRIEF_S
        wait_s *= 0.9 + (crc32(url.encode()) + count) % 1000 / 5000  # spread by a tenth either way
        plain = type(error)(error.reason, error.detail[:_DETAIL_LIMIT])
        failed[url] = _Failed(plain, count, unix_at + wait_s, came, self.anchors.revision)
        if len(failed) > max(1, self._shelf.capacity // _FAILED_SHARE):
            del failed[next(iter(failed))]

    def _push(self, refresh_at: float, url: str) -> None:
        heap = self._shelf.due
        heappush(heap, (refresh_at, url))
        if len(heap) > 2 * len(self._shelf.kept) + 64:
            heap[:] = [(one.refresh_at, name) for name, one in self._shelf.kept.items()]
            heapify(heap)


def _refresh_at(unix_at: float, age_s: float, expires_at: float) -> float:
    """80 % of the lifetime, but not at once: a copy that is older serves while it is renewed."""
    fetched_at = unix_at - age_s
    return max(fetched_at + REFRESH_SHARE * (expires_at - fetched_at), unix_at + (_RETRY_S if not age_s else _SOON_S))
