"""The trust list and the CRL: read from disk at the start, then kept fresh by who can ask for them.

Enters: where they come from, octets that came. Leaves: what may be used, and how it stands with each source, as either
changes. What does not come or must not be used leaves the one before in force. Must not: download, which the process
that starts a worker never does; judge a certificate of a call.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from hashlib import sha256
from math import isfinite
from pathlib import Path
from typing import Final

from cryptography import x509

from sipguard.net.errors import NetError
from sipguard.net.sources import SourceSettings, TrustSettings
from sipguard.service.atomically import write_atomically
from sipguard.service.trusting import CRL, SourceState
from sipguard.stir import revocation, trustlist
from sipguard.stir.errors import TrustError
from sipguard.stir.revocation import Crl, read_crl
from sipguard.stir.trustlist import TrustList, read_trust_list
from sipguard.stir.unreadable import UNREADABLE

RETRY_S: Final = 60.0  # after a failure, doubled each time
RETRY_AT_MOST_S: Final = 3600.0
AHEAD: Final = 0.9  # of the time until it is stale, then there may be a new one
SPREAD: Final = 0.1  # of a wait, either way, so that not all ask at once
FORMAT: Final = 1

Material = TrustList | Crl
Tell = Callable[[SourceState, Material | None], None]
Ask = Callable[[SourceSettings], Awaitable[bytes]]  # what a source holds now; raises NetError, OSError


def examine(settings: SourceSettings, octets: bytes, now_at: float) -> Material:
    """What stands in `octets`, its signature checked. Raises TrustError."""
    signers = [one for file in settings.signers for one in _signers(Path(file))]
    if settings.name == CRL:
        return read_crl(octets, signers, now_at)
    return read_trust_list(octets, signers, now_at)


def _signers(file: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(file.read_bytes())
    except OSError as error:
        raise TrustError("signers_unreadable", f"{file}: {error.strerror}") from None
    except UNREADABLE:
        raise TrustError("signers_unreadable", f"{file}: no PEM certificates") from None


def wait_s(settings: SourceSettings, state: SourceState, failed: int, now_at: float, chance: float) -> float:
    """Seconds until the next try; `failed` times in a row it did not go well. `chance` is from 0 to 1."""
    if failed:
        wait = min(RETRY_S * 2.0 ** min(failed - 1, 16), RETRY_AT_MOST_S, settings.refresh_s)
    else:
        wait = max(AHEAD * (state.stale_at - now_at), RETRY_S)
        wait = min(wait, max(state.fetched_at + settings.refresh_s - now_at, 0.0))
    return wait * (1.0 - SPREAD + 2.0 * SPREAD * chance)


class Source:
    """One source: what is in force of it, and how it stands."""

    def __init__(self, settings: SourceSettings, directory: Path) -> None:
        self._settings = settings
        self._kept = directory / settings.name
        self._comparable = False  # what is in force came from the same place
        self._failed = 0
        self.material: Material | None = None
        self.state = SourceState(settings.name, settings.place, refuse_stale=settings.refuse_stale)

    def load(self, now_at: float) -> None:
        """Takes what was kept on disk, if it may still be used: its signature is checked again."""
        try:
            head, _, octets = self._kept.read_bytes().partition(b"\n")
            told = json.loads(head)
            if told["format"] != FORMAT:
                return
            self._use(octets, examine(self._settings, octets, now_at), min(float(told["fetched_at"]), now_at))
            self._comparable = told["place"] == self._settings.place
        except (OSError, ValueError, LookupError, TypeError, TrustError):
            return

    def read_file(self, now_at: float, keep: bool = True) -> None:
        """Takes the file of the source as it is now, for who must not wait."""
        try:
            octets = Path(self._settings.file).read_bytes()
            self._take(octets, examine(self._settings, octets, now_at), now_at, keep)
        except OSError as error:
            self._note_failure(f"{self._settings.file}: {error.strerror}", now_at)
        except TrustError as error:
            self._note_failure(str(error), now_at)

    async def refresh(self, ask: Ask) -> bool:
        """One try; answers whether something else, or the same for longer, is in force now."""
        before = (self.state.digest, self.state.stale_at)
        try:
            octets = await ask(self._settings)
            now_at = time.time()
            self._take(octets, await asyncio.to_thread(examine, self._settings, octets, now_at), now_at)
        except OSError as error:
            self._note_failure(f"{error.filename}: {error.strerror}", time.time())
        except (NetError, TrustError) as error:
            self._note_failure(str(error), time.time())
        return (self.state.digest, self.state.stale_at) != before

    async def keep(self, ask: Ask, tell: Tell, at_once: bool) -> None:
        """Refreshes for ever, and tells how it stands at each change of that."""
        tell(self._planned(0.0 if at_once else None), self.material)
        while True:
            state = self.state
            was_stale = state.stale(time.time())
            until_at = state.next_at if was_stale else min(state.next_at, state.stale_at + 1.0)
            await asyncio.sleep(max(until_at - time.time(), 0.0))
            changed = await self.refresh(ask) if time.time() >= state.next_at else False
            tell(self._planned(), self.material if changed else None)

    def _planned(self, wait: float | None = None) -> SourceState:
        """The state with the instant of the next try, one that was planned already stays."""
        now_at = time.time()
        if self.state.next_at <= now_at:
            if wait is None:
                wait = wait_s(self._settings, self.state, self._failed, now_at, random.random())
            self.state = replace(self.state, next_at=now_at + wait)
        return self.state

    def _take(self, octets: bytes, found: Material, now_at: float, keep: bool = True) -> None:
        """Puts it in force and keeps it on disk. Raises TrustError where it must not replace the one before."""
        before = self.material
        if self._comparable and isinstance(found, Crl) and isinstance(before, Crl):
            revocation.require_newer(found, before)
            if revocation.fell(found, before):
                found = replace(found, deviations=(*found.deviations, f"number_fell from {before.number}"))
        if self._comparable and isinstance(found, TrustList) and isinstance(before, TrustList):
            trustlist.require_newer(found, before)
            trustlist.require_like(found, before, self._settings.largest_loss)
        self._use(octets, found, now_at)
        self._comparable, self._failed = True, 0
        self.state = replace(self.state, tried_at=now_at, error="")
        if keep:
            self._write(octets, now_at)

    def _write(self, octets: bytes, now_at: float) -> None:
        head = {"format": FORMAT, "place": self._settings.place, "fetched_at": now_at}
        try:
            self._kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(self._kept, json.dumps(head).encode() + b"\n" + octets)
        except OSError as error:
            self._note_failure(f"not kept over a restart: {error.strerror}", now_at)

    def _use(self, octets: bytes, found: Material, fetched_at: float) -> None:
        said_at: float | None
        if isinstance(found, Crl):
            said_at = found.next_at if isfinite(found.next_at) else None
            version = found.number or time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(found.issued_at))
            entries, signed, issued_at, remarks = len(found), True, found.issued_at, found.deviations
        else:
            said_at, version, signed, issued_at = found.expires_at, found.version, found.signed, 0.0
            entries = len(found.certificates)
            remarks = (f"{found.unreadable} unreadable",) if found.unreadable else ()
        stale_at = said_at if said_at is not None else fetched_at + self._settings.stale_after_s
        self.material = replace(found, next_at=stale_at) if isinstance(found, Crl) else found
        self.state = replace(
            self.state,
            version=version,
            digest=sha256(octets).hexdigest()[:16],
            entries=entries,
            signed=signed,
            issued_at=issued_at,
            fetched_at=fetched_at,
            stale_at=stale_at,
            remarks=remarks,
        )

    def _note_failure(self, why: str, now_at: float) -> None:
        self._failed += 1
        self.state = replace(self.state, tried_at=now_at, error=why, failures=self.state.failures + 1)


def at_start(settings: TrustSettings, now_at: float, keep: bool = True) -> list[Source]:
    """Each source with what may be used of it before anything was downloaded. `keep`: files are kept on disk too."""
    sources = [Source(each, Path(settings.directory)) for each in settings.sources]
    for source, each in zip(sources, settings.sources, strict=True):
        source.load(now_at)
        if each.file:
            source.read_file(now_at, keep)
    return sources
