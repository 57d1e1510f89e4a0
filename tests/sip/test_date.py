"""The Date header (RFC 3261 §20.17)."""

import pytest

from sipguard.sip.date import instant_of


@pytest.mark.parametrize(
    ("value", "instant"),
    [
        ("Sat, 13 Nov 2010 23:29:00 GMT", 1289690940.0),
        ("Thu, 01 Jan 1970 00:00:01 GMT", 1.0),
        ("sat, 13 nov 2010 23:29:00 gmt", 1289690940.0),
        ("Sat, 13 Nov 2010 23:29:00 CET", 0.0),
        ("Sat, 31 Feb 2010 23:29:00 GMT", 0.0),
        ("Sat, 13 Nov 2010 25:29:00 GMT", 0.0),
        ("Sat, 13 Nov 2010 23:29 GMT", 0.0),
        ("Sat, 13 Nov 99999 23:29:00 GMT", 0.0),
        ("1289690940", 0.0),
        ("", 0.0),
    ],
)
def test_instant(value: str, instant: float) -> None:
    assert instant_of(value) == instant
