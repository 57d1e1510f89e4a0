"""Walks a state table completely."""

from __future__ import annotations

from collections.abc import Collection, Mapping


def require_complete_table(
    table: Mapping[tuple[str, str], tuple[str, str]],
    states: Collection[str],
    events: Collection[str],
    actions: Collection[str],
    start: str,
    ends: Collection[str],
) -> None:
    """Each state answers each event with a known action and state; all states are reached; ends are left by none."""
    assert set(table) == {(state, event) for state in states for event in events}
    assert {action for action, _ in table.values()} == set(actions)
    assert {state for _, state in table.values()} <= set(states)
    reached, new = {start}, {start}
    while new:
        new = {table[state, event][1] for state in new for event in events} - reached
        reached |= new
    assert reached == set(states)
    for end in ends:
        assert {table[end, event][1] for event in events} == {end}
