"""What is counted of calls that were on lists."""

from __future__ import annotations

import pytest

from sipguard.b2bua.frames import VerdictFrame, decode_lists, encode
from sipguard.records.list_tally import Counted, Tally, of_rows

AT = 1_800_000_000.0  # 8:00:00
DNC = {"lists.callee": ("dnc", "?missing"), "lists.shown": ()}


def tally(*frames: VerdictFrame) -> Tally:
    found = Tally({"dnc": [AT - 100, AT + 5]})
    for frame in frames:
        read = decode_lists(encode(frame))
        assert read is not None
        found.take(read)
    return found


@pytest.mark.parametrize(
    ("frame", "outcomes"),
    [
        ({"action": "reject", "rule": "r", "basis": "contract", "status": 403}, [("r", "contract", "rejected")]),
        ({"action": "reject", "rule": "r", "basis": "dno", "mode": "report"}, [("r", "dno", "reported")]),
        ({"action": "label", "rule": "l"}, [("l", "", "labelled")]),
        ({"action": "redirect", "rule": "m", "status": 302}, [("m", "", "redirected")]),
        ({"action": "allow"}, [("", "", "passed")]),
        ({"action": "allow", "reported": ("x", "y")}, [("x", "", "reported"), ("y", "", "reported")]),
        (
            {"action": "label", "rule": "l", "reported": ("x",)},
            [("l", "", "labelled"), ("x", "", "reported")],
        ),
        ({"action": "allow", "emergency": "911"}, []),
    ],
)
def test_each_outcome_is_counted(frame: dict[str, str], outcomes: list[tuple[str, str, str]]) -> None:
    found = tally(VerdictFrame("d", AT, trunk="t", facts=dict(DNC), **frame))  # type: ignore[arg-type]
    assert sorted(found.rows()) == [[int(AT), "dnc", AT - 100, "t", *outcome, 1] for outcome in outcomes]
    assert found.calls == 1


def test_calls_are_counted_by_hour_and_by_the_state_of_the_list() -> None:
    found = tally(*(VerdictFrame("d", AT + at, trunk="t", facts=dict(DNC)) for at in (-200, 0, 1, 5, 3600)))
    told = {(key.hour_at - int(AT), key.since - AT if key.since else None): n for key, n in found.counted.items()}
    assert told == {(-3600, None): 1, (0, -100.0): 2, (0, 5.0): 1, (3600, 5.0): 1}
    assert dict(of_rows(found.rows())) == found.counted


def test_a_call_that_was_on_no_list_counts_as_a_call_only() -> None:
    found = tally(VerdictFrame("d", AT, facts={"lists.callee": (), "lists.pair": ("?consent",)}))
    assert (found.calls, found.rows()) == (1, [])


def test_rows_that_are_none_are_refused() -> None:
    with pytest.raises((TypeError, ValueError)):
        list(of_rows([["x"]]))
    assert list(of_rows([[1, "dnc", 0, "t", "", "", "passed", 2]])) == [
        (Counted(1, "dnc", 0.0, "t", "", "", "passed"), 2)
    ]
