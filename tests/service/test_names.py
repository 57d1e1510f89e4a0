"""Names are asked again before their TTL ends, and while nobody answers."""

from __future__ import annotations

import asyncio

import pytest

from sipguard.net.resolve import ResolveError
from sipguard.service import names as module
from sipguard.service.names import Names
from sipguard.service.resolutions import Resolutions
from sipguard.sip.locate import Answer, Place, Query

QUERY, OTHER = (Query(f"{name}.example", 5060, ("udp",), ((4,),)) for name in ("one", "two"))
ANSWER = Answer((Place("udp", 5060, ("192.0.2.1",)),), 100.0)


class Asked:
    """Answers what it is told to; sleeping ends at once and is noted."""

    def __init__(self, *outcomes: Answer | str) -> None:
        self._outcomes = list(outcomes)
        self.slept: list[float] = []
        self.told: list[tuple[str, bool, str]] = []
        self.over = asyncio.Event()

    async def resolve(self, query: Query) -> Answer:
        """The next outcome."""
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, str):
            raise ResolveError(outcome)
        return outcome

    def tell(self, query: Query, answer: Answer | None, why: str) -> None:
        """What the names say."""
        self.told.append((query.name, answer is not None, why))

    async def sleep(self, seconds: float) -> None:
        """Notes, and goes on while there are outcomes."""
        self.slept.append(seconds)
        if not self._outcomes:
            self.over.set()
            await asyncio.Event().wait()


async def test_asked_again_before_the_end_and_more_often_while_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(ANSWER, "dns_timeout", "dns_timeout", "dns_failure", ANSWER)
    monkeypatch.setattr(module.asyncio, "sleep", asked.sleep)
    names = Names(asked, asked.tell)
    names.want([QUERY])
    await asked.over.wait()
    names.want([])
    assert asked.slept == [80.0, 2.0, 4.0, 8.0, 80.0]
    assert [(known, why) for _, known, why in asked.told] == [
        (True, ""), (False, "dns_timeout"), (False, "dns_timeout"), (False, "dns_failure"), (True, ""),
    ]  # fmt: skip


async def test_names_that_nobody_wants_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(ANSWER, ANSWER)
    monkeypatch.setattr(module.asyncio, "sleep", asked.sleep)
    names = Names(asked, asked.tell)
    names.want([QUERY, OTHER])
    names.want([OTHER])
    await asked.over.wait()
    names.want([])
    assert {name for name, *_ in asked.told} == {"two.example"}


async def test_waiting_until_each_name_was_heard_of() -> None:
    resolutions = Resolutions()
    await resolutions.heard_of([], 60.0)
    await resolutions.heard_of([QUERY], 0.0)
    waiting = asyncio.create_task(resolutions.heard_of([QUERY, OTHER], 60.0))
    await asyncio.sleep(0)
    resolutions.note(QUERY, ANSWER, "")
    await asyncio.sleep(0)
    assert not waiting.done()
    resolutions.note(OTHER, None, "dns_timeout")
    await waiting


def test_what_a_worker_that_is_started_again_gets() -> None:
    resolutions = Resolutions()
    resolutions.note(QUERY, ANSWER, "")
    resolutions.note(OTHER, None, "dns_timeout")
    resolutions.note(QUERY, None, "dns_timeout")
    ((query, answer, age_s),) = resolutions.with_age()
    assert (query, answer) == (QUERY, ANSWER)
    assert age_s >= 0
    resolutions.keep([OTHER])
    assert resolutions.with_age() == ()


def test_reload_warns_of_names_that_do_not_resolve() -> None:
    resolutions = Resolutions()
    resolutions.note(QUERY, ANSWER, "")
    assert resolutions.warnings([QUERY]) == []
    resolutions.note(OTHER, None, "dns_timeout")
    assert resolutions.warnings([QUERY, OTHER, OTHER]) == [f"warning: 1 name does not resolve: {OTHER.shown}"]
    resolutions.note(QUERY, None, "dns_timeout")
    assert resolutions.warnings([QUERY, OTHER]) == [
        f"warning: 2 names do not resolve: {QUERY.shown} (its last answer is used on), {OTHER.shown}"
    ]
    many = [Query(f"n{n}.example", 5060, ("udp",), ((4,),)) for n in range(12)]
    assert resolutions.warnings(many)[0].endswith(f"{many[9].shown} and 2 more")
