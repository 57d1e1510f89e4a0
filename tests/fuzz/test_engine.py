"""`received` never raises, whatever comes in whatever state; each well-formed request gets one final response."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.fuzz.scripts import ANSWERED, CANCELLED, Ground, play
from tests.inprocess import FROM_A, FROM_B, invite

EXAMPLES = 150
SCRIPTS = st.binary(min_size=1, max_size=400)


def require_one_final(ground: Ground) -> None:
    """Exactly one final response to each well-formed request but ACK."""
    for request, finals in ground.finals():
        shown = [final.partition("\r\n")[0] for final in finals]
        assert len(finals) == 1, f"{request.partition(chr(13))[0]} got {shown}"


@settings(max_examples=EXAMPLES, deadline=None)
@given(SCRIPTS)
@example(ANSWERED)
@example(CANCELLED)
def test_nothing_spoiled_raises_or_stays(octets: bytes) -> None:
    assert play(octets, spoil=True).left() == []


@settings(max_examples=EXAMPLES, deadline=None)
@given(SCRIPTS)
@example(ANSWERED)
@example(CANCELLED)
def test_each_well_formed_request_gets_one_final_response(octets: bytes) -> None:
    ground = play(octets, spoil=False)
    require_one_final(ground)
    assert ground.left() == []


@settings(max_examples=EXAMPLES, deadline=None)
@given(SCRIPTS, st.booleans())
@example(ANSWERED, False)
@example(CANCELLED, False)
@example(ANSWERED, True)
def test_the_same_over_streams(octets: bytes, spoil: bool) -> None:
    ground = play(octets, spoil, streams=True)
    if not spoil:
        require_one_final(ground)
    assert ground.left() == []


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=600), st.booleans())
def test_any_octets(octets: bytes, by_callee: bool) -> None:
    ground = Ground()
    ground.put(FROM_B if by_callee else FROM_A, octets)
    ground.finish()
    assert ground.left() == []


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, 900), st.binary(max_size=40), st.integers(0, 60))
def test_an_invite_with_octets_put_in_or_taken_out(at: int, octets: bytes, taken: int) -> None:
    ground, message = Ground(), invite(1).encode()
    ground.put(FROM_A, message[:at] + octets + message[at + taken :])
    ground.finish()
    assert ground.left() == []


def test_a_broken_request_is_answered_alike_each_time() -> None:
    """Without a transaction the To tag must be the same for a repetition (RFC 3261 §8.2.7)."""
    ground, broken = Ground(), invite(1).replace("CSeq: 1", "CSeq: x").encode()
    for _ in range(2):
        ground.put(FROM_A, broken)
    assert [text.partition("\r\n")[0][:11] for text in ground.at_a] == ["SIP/2.0 400"] * 2
    assert len(set(ground.at_a)) == 1


def test_the_seeds_reach_what_they_are_for() -> None:
    """A script can answer, acknowledge and end a call, so that it is not all noise."""
    for streams in (False, True):
        answered, cancelled = (play(script, False, streams) for script in (ANSWERED, CANCELLED))
        assert [text.partition(" ")[0] for text in answered.at_b] == ["INVITE", "ACK", "BYE"]
        assert [text.partition(" ")[0] for text in cancelled.at_b][:2] == ["INVITE", "CANCEL"]
        for ground in (answered, cancelled):
            require_one_final(ground)
