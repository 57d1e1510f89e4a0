"""The table of who was refused: what it keeps, and what a flood leaves of it."""

from __future__ import annotations

from sipguard.b2bua.refusals import DETAIL_CHARS, KEPT, NEW_A_SECOND, NO_CERTIFICATE, STRANGER, Refusals


def test_rows() -> None:
    refusals = Refusals()
    assert refusals.second() is None
    refusals.note("192.0.2.1", "outside", STRANGER, "", 1.0)
    refusals.note("192.0.2.2", "outside-tls", NO_CERTIFICATE, "", 2.0)
    refusals.note("192.0.2.1", "outside", STRANGER, "x" * 1000, 3.0)
    assert refusals.second() == [
        ("192.0.2.1", "outside", STRANGER, "x" * DETAIL_CHARS, 2, 3.0),
        ("192.0.2.2", "outside-tls", NO_CERTIFICATE, "", 1, 2.0),
    ]
    assert refusals.second() is None


def test_flood_takes_no_more_than_a_few_rows_a_second() -> None:
    refusals = Refusals()
    refusals.note("203.0.113.1", "outside", STRANGER, "", 0.0)
    for n in range(5000):
        refusals.note(f"198.51.{n // 250}.{n % 250}", "outside", STRANGER, "", 1.0)
    refusals.note("203.0.113.1", "outside", STRANGER, "", 2.0)
    rows = refusals.second()
    assert rows is not None
    assert len(rows) == NEW_A_SECOND
    assert rows[0] == ("203.0.113.1", "outside", STRANGER, "", 2, 2.0)


def test_the_oldest_goes() -> None:
    refusals = Refusals()
    for n in range(KEPT + 1):
        refusals.note(f"192.0.2.{n}", "outside", STRANGER, "", float(n))
        rows = refusals.second()
    assert rows is not None
    assert len(rows) == KEPT
    assert (rows[0][0], rows[-1][0]) == ("192.0.2.20", "192.0.2.1")
