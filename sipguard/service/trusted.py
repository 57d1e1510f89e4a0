"""What the supervisor knows of trust list and CRL: for the worker, for whoever asks, for the log.

Enters: what the fetcher says, what lies on disk at the start. Leaves: what the worker trusts, log lines at changes and
failures. Must not: download.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Final

import structlog

from sipguard.net.sources import TrustSettings
from sipguard.service.trust import Material, Source, at_start
from sipguard.service.trusting import CRL, TRUST_LIST, SourceState, Trusted
from sipguard.stir.revocation import NO_CRL, Crl
from sipguard.stir.trustlist import TrustList

log: Final = structlog.get_logger("sipguard")

_WORDS: Final = {TRUST_LIST: ("trust list", "authorities"), CRL: ("CRL", "revoked")}


class Trusts:
    """The sources of a configuration and what is in force of them."""

    def __init__(self) -> None:
        self._states: dict[str, SourceState] = {}
        self._material: dict[str, Material] = {}
        self._told_stale: set[str] = set()
        self._was_trusted = Trusted()

    @property
    def states(self) -> tuple[SourceState, ...]:
        """How it stands with each source."""
        return tuple(self._states.values())

    def begin(self, sources: Iterable[Source]) -> None:
        """These are the sources from now on, and this is what may be used of them at once."""
        self._states, self._material = {}, {}
        for source in sources:
            self._states[source.state.name] = source.state
            if source.state.remarks:
                _tell_odd(source.state)
            if source.material is not None:
                self._material[source.state.name] = source.material

    def note(self, state: SourceState, material: Material | None) -> Trusted | None:
        """What the fetcher says of a source. Answers what the worker is to trust now, None where that is as before."""
        before = self._states.get(state.name)
        if before is None or before.place != state.place:
            return None  # of sources that are configured no longer
        self._states[state.name] = state
        if material is not None:
            self._material[state.name] = material
        if state.error and state.tried_at != before.tried_at:
            in_force = state.version or "nothing"
            log.error("trust_not_refreshed", source=state.name, place=state.place, why=state.error, in_force=in_force)
        if state.remarks and state.digest != before.digest:
            _tell_odd(state)
        self._note_age(state)
        trusted = self.trusted()
        if trusted == self._was_trusted:
            return None
        self._was_trusted = trusted
        notes = (_in_words(state),) if state.digest != before.digest else ()
        for text in notes:
            log.info("trust_changed", source=state.name, version=state.version, entries=state.entries, what=text)
        return _with(trusted, notes)

    def at_start(self) -> Trusted:
        """What a worker begins with."""
        self._was_trusted = self.trusted()
        return _with(self._was_trusted, tuple(_in_words(state) for state in self.states if state.digest))

    def trusted(self) -> Trusted:
        """What is in force now. A list that is stale counts for nothing where that was asked for."""
        listed, crl_state = self._states.get(TRUST_LIST), self._states.get(CRL)
        found, crl = self._material.get(TRUST_LIST), self._material.get(CRL)
        pem = b""
        if isinstance(found, TrustList) and listed is not None:
            pem = b"" if listed.refuse_stale and listed.stale(time.time()) else found.pem
        wanted = None if crl_state is None else crl if isinstance(crl, Crl) else NO_CRL
        version = ", ".join(f"{_WORDS[each.name][0]} {each.version or 'missing'}" for each in self.states)
        return Trusted(pem, wanted, crl_state is not None and crl_state.refuse_stale, version)

    def as_json(self) -> list[dict[str, Any]]:
        """A row for each source, for commands."""
        return [row(state, time.time()) for state in self.states]

    def _note_age(self, state: SourceState) -> None:
        if not state.stale(time.time()):
            self._told_stale.discard(state.name)
        elif state.name not in self._told_stale and state.tried_at:
            self._told_stale.add(state.name)
            log.error("trust_stale", source=state.name, version=state.version or "nothing", advice=advice(state))


def _with(trusted: Trusted, notes: tuple[str, ...]) -> Trusted:
    return Trusted(trusted.pem, trusted.crl, trusted.crl_required, trusted.version, notes)


def _tell_odd(state: SourceState) -> None:
    """The log hears of what is odd about something that is in force all the same."""
    log.warning("trust_odd", source=state.name, version=state.version, remarks=list(state.remarks))


def _in_words(state: SourceState) -> str:
    word, entries = _WORDS[state.name]
    return f"{word} {state.version} in force: {state.entries} {entries}"


def advice(state: SourceState) -> str:
    """What to do about a source that is stale or does not refresh, "" where nothing is wrong."""
    if "list_shrunk" in state.error:
        return "compare it with the administrator's; identity.trust_list.largest_loss: 100% and a reload accept it"
    if "_older" in state.error:
        return "the server offers an older one than is in force; ask who runs it"
    if any(word in state.error for word in ("_signature", "issuer_", "crl_issuer", "signers_")):
        return "compare `signers` with the certificate that the administrator signs with now"
    if "login" in state.error:
        return "compare user and password with the account at the administrator"
    if state.error or state.stale(time.time()):
        return f"see why {state.place} does not serve it; a reload tries again at once"
    return ""


def row(state: SourceState, now_at: float) -> dict[str, Any]:
    """One source for people and programs. Instants are Unix seconds, ages seconds, None for what there is not."""
    return {
        "source": state.name,
        "place": state.place,
        "version": state.version,
        "entries": state.entries,
        "signed": state.signed,
        "age_s": round(now_at - state.fetched_at, 1) if state.fetched_at else None,
        "issued_at": state.issued_at or None,
        "fetched_at": state.fetched_at or None,
        "stale_at": state.stale_at or None,
        "stale": state.stale(now_at),
        "when_stale": "refuse" if state.refuse_stale else "keep",
        "tried_at": state.tried_at or None,
        "next_at": state.next_at or None,
        "failures": state.failures,
        "error": state.error,
        "remarks": list(state.remarks),
        "advice": advice(state),
    }


def trusted_on_disk(settings: TrustSettings) -> Trusted:
    """What of trust list and CRL lies on disk, for commands; nothing is written or downloaded."""
    trusts = Trusts()
    trusts.begin(at_start(settings, time.time(), keep=False))
    return trusts.trusted()
