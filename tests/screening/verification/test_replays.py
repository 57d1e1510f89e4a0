"""What is kept of tokens, and which second coming is a replay (RFC 8224 §12.1)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sipguard.screening.verification.replays import DIALOGS, Replays, key_of

KEY, OTHER = b"k" * 32, b"o" * 32
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def test_the_same_dialog_is_none_before_an_answer_however_often_it_comes() -> None:
    replays = Replays()
    said = [replays.note(KEY, "a", 0.0, 65.0) for _ in range(DIALOGS + 2)]
    assert said == [False] * (DIALOGS + 2)


def test_any_dialog_is_one_once_a_call_was_answered_and_says_so_again() -> None:
    replays = Replays()
    replays.note(KEY, "a", 0.0, 65.0)
    assert not replays.note(KEY, "b", 1.0, 65.0)
    replays.answered((KEY,))
    assert [replays.note(KEY, dialog, 2.0, 65.0) for dialog in "ccba"] == [True] * 4


def test_without_an_answer_so_many_dialogs_are_borne() -> None:
    replays = Replays()
    said = [replays.note(KEY, f"d{n}", 0.0, 65.0) for n in range(DIALOGS + 2)]
    assert said == [False] * DIALOGS + [True, True]


def test_tokens_are_forgotten_when_they_are_stale() -> None:
    replays = Replays()
    replays.note(KEY, "a", 0.0, 65.0)
    replays.answered((KEY,))
    assert replays.note(KEY, "b", 64.9, 65.0)
    assert not replays.note(KEY, "b", 65.0, 65.0)
    replays.note(OTHER, "c", 200.0, 65.0)
    assert len(replays) == 1


def test_the_oldest_goes_where_there_are_too_many() -> None:
    replays = Replays(most=10)
    for n in range(100):
        replays.note(bytes([n]) * 32, f"d{n}", 0.0, 65.0)
    assert len(replays) == 10
    replays.answered((bytes([5]) * 32,))  # forgotten, so nothing follows
    assert not replays.note(bytes([5]) * 32, "x", 1.0, 65.0)


def test_answers_to_calls_without_a_token_are_nothing() -> None:
    replays = Replays()
    replays.answered(())
    replays.answered((KEY,))
    assert not replays.note(KEY, "a", 0.0, 65.0)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6), st.booleans()), max_size=60), st.integers(1, 4))
def test_whatever_comes_no_more_than_most_are_kept_and_no_answer_raises(
    acts: list[tuple[int, int, bool]], most: int
) -> None:
    replays, now = Replays(most), 0.0
    for token, dialog, answered in acts:
        now += dialog * 10.0
        replays.note(bytes([token]) * 32, f"d{dialog}", now, 65.0)
        if answered:
            replays.answered((bytes([token]) * 32,))
        assert len(replays) <= most


@given(st.integers(1, 2**256 - 1), st.integers(1, ORDER - 1))
def test_a_signature_that_was_turned_over_is_the_same(r: int, s: int) -> None:
    one, turned = (r.to_bytes(32, "big") + each.to_bytes(32, "big") for each in (s, ORDER - s))
    assert key_of(one) == key_of(turned)
    assert key_of(one) != key_of((r ^ 1).to_bytes(32, "big") + s.to_bytes(32, "big"))
