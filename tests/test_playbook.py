"""The checker of scenarios sees what it is there for."""

from __future__ import annotations

import gc

import pytest

from sipguard.b2bua import frames
from sipguard.b2bua.leg import A, Leg
from sipguard.b2bua.place import Place
from sipguard.sip.flow import UDP, Flow
from tests.playbook import OUTSIDE, Playbook, require_complete, require_hidden, require_no_cycles
from tests.tables import require_complete_table


@pytest.fixture
def rung() -> Playbook:
    """A call that has come as far as ringing."""
    book = Playbook()
    book.a.invite()
    book.b.reply("180 Ringing")
    return book


@pytest.mark.parametrize("header", ["Subject: see 192.0.2.10", "X-Call: {call_id}", "X-Tag: {tag}"])
def test_secret_in_a_header(header: str) -> None:
    """An address, Call-ID or tag that crosses is found, on whichever line."""
    book = Playbook()
    book.a.invite("X-Later: 1")
    secret = header.format(call_id=book.a.call_id, tag=book.a.tag)
    book.b.got.append(book.b.got[-1].replace("X-Later: 1", secret))
    with pytest.raises(AssertionError, match="b sees a"):
        require_hidden(book.parties)


def test_exposed_header_and_body_may_tell(rung: Playbook) -> None:
    rung.b.got.append(
        rung.b.got[-1].replace("Content-Length", "User-Agent: at 192.0.2.10\r\nContent-Length") + "192.0.2.10"
    )
    require_hidden(rung.parties)


def test_what_is_left_in_the_tables(rung: Playbook) -> None:
    with pytest.raises(AssertionError, match="calls"):
        rung.require_empty()


def test_missing_end(rung: Playbook) -> None:
    with pytest.raises(AssertionError, match="VerdictFrame"):
        require_complete(rung.frames)


@pytest.mark.parametrize("kind", [frames.VerdictFrame, frames.EndFrame])
def test_frame_twice(rung: Playbook, kind: type[frames.Frame]) -> None:
    rung.b.reply("486 Busy Here")
    require_complete(rung.frames)
    with pytest.raises(AssertionError):
        require_complete([*rung.frames, *rung.of(kind)])


def test_cycle_is_found() -> None:
    gc.collect()
    leg = Leg(A, None, Place(OUTSIDE, "0"), Flow(0, UDP, "outside", ("198.51.100.1", 5060)))
    leg.routes.append(leg)  # type: ignore[arg-type]
    del leg
    with pytest.raises(AssertionError, match="Leg"):
        require_no_cycles()


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({("s", "e"): ("act", "s")}, "an event is missing"),
        ({("s", "e"): ("other", "s"), ("s", "f"): ("act", "s")}, "an action is unknown"),
        ({("s", "e"): ("act", "gone"), ("s", "f"): ("act", "s")}, "a state is unknown"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_incomplete_table(table: dict[tuple[str, str], tuple[str, str]], why: str) -> None:
    with pytest.raises(AssertionError):
        require_complete_table(table, ["s"], ["e", "f"], ["act"], start="s", ends=())
