"""Numbers and instants as people write them."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from sipguard.records import filter as filters
from sipguard.records.errors import BadFilter
from tests.records.samples import AT


@pytest.mark.parametrize(
    "text",
    ["+12025550101", "12025550101", "2025550101", "(202) 555-0101", "tel:+1-202-555-0101",
     "sip:+12025550101@example.com;user=phone", " +1 202 555 0101 "],
)  # fmt: skip
def test_a_number_in_any_form(text: str) -> None:
    assert filters.number(text) == "12025550101"


@pytest.mark.parametrize("text", ["", "alice", "sip:alice@example.com", "anonymous"])
def test_no_number(text: str) -> None:
    with pytest.raises(BadFilter, match="number"):
        filters.number(text)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("90s", AT - 90), ("15m", AT - 900), ("2h", AT - 7200), ("7d", AT - 604800), ("1w", AT - 604800),
        ("1.5h", AT - 5400), ("@1767225600", AT), ("2026-01-01", AT), ("2026-01-01T01:00", AT + 3600),
        ("2026-01-01T01:00:00+01:00", AT), ("2026-01-01T00:00:00Z", AT),
    ],
)  # fmt: skip
def test_an_instant(text: str, at: float) -> None:
    assert filters.instant(text, AT) == at


NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("text", "late", "utc"),
    [
        ("2026-01-01", False, "2026-01-01T05:00Z"),
        ("2026-07-01T12:00", False, "2026-07-01T16:00Z"),
        ("2026-07-01T12:00Z", False, "2026-07-01T12:00Z"),
        ("2026-11-01T01:30", False, "2026-11-01T05:30Z"),
        ("2026-11-01T01:30", True, "2026-11-01T06:30Z"),
        ("2026-11-01T02:30", True, "2026-11-01T07:30Z"),
    ],
    ids=["winter", "summer", "own zone", "twice, first", "twice, second", "after"],
)
def test_an_instant_of_a_zone(text: str, late: bool, utc: str) -> None:
    assert filters.instant(text, AT, NEW_YORK, late) == filters.instant(utc, AT)


def test_a_time_that_never_came() -> None:
    with pytest.raises(BadFilter, match="never came in America/New_York"):
        filters.instant("2026-03-08T02:30", AT, NEW_YORK)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "h", "2026-13-01", "@x", "5y", "@nan", "@inf", "1e400d", "0001-01-01"]
)
def test_no_instant(text: str) -> None:
    with pytest.raises(BadFilter, match="time"):
        filters.instant(text, AT, ZoneInfo("Asia/Tokyo"))


@pytest.mark.parametrize("limit", [0, -1, filters.MAX_LIMIT + 1])
def test_a_limit_has_bounds(limit: int) -> None:
    with pytest.raises(BadFilter, match="limit"):
        filters.Filter(limit=limit)
