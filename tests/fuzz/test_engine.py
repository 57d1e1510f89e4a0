"""`received` never raises, whatever comes in whatever state; each well-formed request gets one final response."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.fuzz.scripts import ACTS, Ground, play
from tests.inprocess import FROM_A, FROM_B, invite

EXAMPLES = 150
SCRIPTS = st.binary(min_size=1, max_size=400)
CALL = bytes([1])  # an act of scripts: a call that goes on


def require_one_final(ground: Ground) -> None:
    """Exactly one final response to each well-formed request but ACK."""
    for request, finals in ground.finals():
        shown = [final.partition("\r\n")[0] for final in finals]
        assert len(finals) == 1, f"{request.partition(chr(13))[0]} got {shown}"


@settings(max_examples=EXAMPLES, deadline=None)
@given(SCRIPTS)
@example(CALL)
def test_nothing_spoiled_raises_or_stays(octets: bytes) -> None:
    assert play(octets, spoil=True).left() == []


@settings(max_examples=EXAMPLES, deadline=None)
@given(SCRIPTS)
@example(CALL)
def test_each_well_formed_request_gets_one_final_response(octets: bytes) -> None:
    ground = play(octets, spoil=False)
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


def test_the_scripts_reach_what_they_are_for() -> None:
    """A call is answered, acknowledged and ended by a script, so that it is not all noise."""
    act = {each.__name__: n for n, each in enumerate(ACTS)}
    kept = len(ACTS) - 2  # without spoiling
    assert max(act["_plain_call"], act["_answers"], act["_by_caller"]) < kept
    script = [act["_plain_call"], act["_answers"], 3, 0, 1, 0]  # 200 with SDP to the last request
    script += [act["_by_caller"], 0, 1, 0]  # ACK of the last response
    script += [act["_by_caller"], 0, 0, 0, 0]  # BYE
    script += [act["_answers"], 3, 0, 0, 0]  # 200 to the BYE
    ground = play(bytes(script), spoil=False)
    assert [text.partition(" ")[0] for text in ground.at_b] == ["INVITE", "ACK", "BYE"]
    require_one_final(ground)
