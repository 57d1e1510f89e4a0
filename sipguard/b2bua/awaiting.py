"""Certificates that are being fetched, and the calls that wait for them.

Enters: what calls need, what the fetcher answers, about once a second a tick. Leaves: commands to fetch; calls that go
on. Must not: ask twice at once for one certificate, keep a call longer than its budget, or await more than `limit`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipguard.b2bua import admission
from sipguard.b2bua.commands import Fetch, Fetched, FetchFailed, Keep
from sipguard.b2bua.counts import INDEX
from sipguard.screening.finding import Need
from sipguard.stir.errors import BadIdentityInfo, StirError

if TYPE_CHECKING:
    from sipguard.b2bua.engine import Engine
    from sipguard.b2bua.setup import Setup

AWAITED_LIMIT: Final = 1024  # certificates that are being fetched; calls that need another go on without
LOST_S: Final = 10.0  # no answer takes longer
_FETCHES: Final = INDEX["fetches"]
_FETCHES_BUSY: Final = INDEX["fetches_busy"]
_FETCHES_FAILED: Final = INDEX["fetches_failed"]
_FETCHES_LATE: Final = INDEX["fetches_late"]


class Awaited:
    """What is being fetched: since when (monotonic), and the calls that wait for it."""

    __slots__ = ("at", "setups")

    def __init__(self, at: float) -> None:
        self.at = at
        self.setups: list[Setup] = []


class Awaiting:
    """What the calls of an engine wait for. `len` is how many certificates are being fetched."""

    __slots__ = ("_engine", "_keys", "limit")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.limit = AWAITED_LIMIT
        self._keys: dict[str, Awaited] = {}  # a key stands here while it is fetched

    def __len__(self) -> int:
        return len(self._keys)

    def wait(self, setup: Setup, needs: tuple[Need, ...]) -> None:
        """Lets a call wait for the first of `needs` that serves; each is asked for once for all that wait for it.

        Its budget began with the first that it waited for, and is not prolonged by what it needs then.
        """
        engine = self._engine
        asked_for = setup.asked_for if setup.asked_for is not None else set()
        for need in needs:
            if need.key not in asked_for:
                asked = self._keys.get(need.key)
                if asked is None:
                    if len(self._keys) >= self.limit:
                        engine.counts[_FETCHES_BUSY] += 1
                        continue
                    asked = self._ask(need)
                    engine.counts[_FETCHES] += 1
                asked_for.add(need.key)
                asked.setups.append(setup)
        if not asked_for:
            self.stop(setup)
            admission.give_up(engine, setup, "identity", "x5u_busy")
        elif setup.asked_for is None:
            setup.asked_for = asked_for
            setup.server.expect(engine.clock.now)
            engine.layer.wheel.set(setup, engine.clock.now + needs[0].budget_s)

    def late(self, setup: Setup) -> None:
        """The budget of what a call waits for is over; the answers are for later calls."""
        self._engine.counts[_FETCHES_LATE] += 1
        self.stop(setup)
        admission.give_up(self._engine, setup, "identity", "x5u_timeout")

    def stop(self, setup: Setup) -> None:
        """A call needs no more of what it waits for, or its caller gave up."""
        self._engine.layer.wheel.cancel(setup)
        for key in setup.asked_for or ():
            asked = self._keys.get(key)
            if asked is not None and setup in asked.setups:
                asked.setups.remove(setup)
        setup.asked_for = None

    def answered(self, url: str, result: Fetched | FetchFailed) -> None:
        """What was fetched, or why not; the calls that wait for it go on as far as they can."""
        engine = self._engine
        asked = self._keys.pop(url, None)
        waiting = asked.setups if asked is not None else []
        if isinstance(result, Fetched):
            engine.tried(self._judge, url, result, waiting)
        else:
            engine.counts[_FETCHES_FAILED] += 1
            engine.certificates.put_failure(url, BadIdentityInfo(result.reason), engine.clock.unix)
        for setup in waiting:
            if setup.asked_for is not None and url in setup.asked_for:
                setup.asked_for.remove(url)
                engine.safely(setup, admission.go_on, engine, setup)

    def renew(self) -> None:
        """Asks for certificates that grow old, and again for those that calls miss."""
        engine, keys = self._engine, self._keys
        clock, certificates = engine.clock, engine.certificates
        for url in [url for url, asked in keys.items() if clock.now - asked.at > LOST_S]:
            setups = keys.pop(url).setups  # whoever fetched it has died
            if setups:
                self._ask(Need("certificate", url, 0.0)).setups += setups
        for url in certificates.due(clock.unix):
            if url not in keys:
                need = Need("certificate", url, 0.0)
                engine.layer.out.append(Fetch(need, True, certificates.used_at(url)))
        for url in certificates.retries(clock.unix):
            if url not in keys and len(keys) < self.limit:
                self._ask(Need("certificate", url, 0.0))

    def _ask(self, need: Need) -> Awaited:
        engine = self._engine
        asked = self._keys[need.key] = Awaited(engine.clock.now)
        engine.layer.out.append(Fetch(need, engine.certificates.wants_anew(need.key)))
        return asked

    def _judge(self, url: str, result: Fetched, waiting: list[Setup]) -> None:
        """Judges what was fetched, under the anchors of today and those that calls began with."""
        engine = self._engine
        unix, certificates = engine.clock.unix, engine.certificates
        for context in {setup.context for setup in waiting} - {engine.context}:  # of before a reload
            context.certificates.put(url, result.octets, result.lifetime_s, unix, result.age_s)
        found = certificates.put(url, result.octets, result.lifetime_s, unix, result.age_s)
        if not result.kept and not isinstance(found, StirError):
            engine.layer.out.append(Keep(url, certificates.used_at(url)))
