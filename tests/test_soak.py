"""A short soak; `make soak` is the long one, and judges memory too."""

from __future__ import annotations

from pathlib import Path

from tests.soak import KINDS, soak

CALLS = 2_000


def test_every_table_is_empty_after_mixed_calls(tmp_path: Path) -> None:
    left, memory, seen = soak(tmp_path, CALLS)
    assert left == {}
    assert len(memory) == 5
    assert seen["reloads"] >= 10
    assert seen["ack_lost"] == CALLS // 10
    assert seen["unreachable"] + seen["busy"] > 0
    assert seen["cancelled"] > CALLS // 10, "some are cancelled after the answer"
    assert seen["fetches"] >= CALLS // 20


def test_the_shares_are_those_that_the_soak_promises() -> None:
    assert sum(KINDS.values()) == 100
    promised = {"cancelled": 20, "ack_lost": 10, "silent": 5, "bad_certificate": 5}
    assert {kind: KINDS[kind] for kind in promised} == promised
