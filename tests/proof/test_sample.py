"""A text that tech_prefix takes off, for patterns as operators write them."""

from __future__ import annotations

import re

import pytest

from sipguard.proof.sample import sample


@pytest.mark.parametrize(
    "pattern",
    [
        "^#?77[0-9]{2}",
        r"\d{4}",
        r"\d{1,2}",
        "9",
        "0+",
        "(00|11)5",
        "(?:1234|5678)#",
        "[*#]99[^0-4]",
        r"\*8[1-3]+\d?",
        "a?b?",
        "77.",
    ],
)
def test_it_is_taken_off_and_no_more(pattern: str) -> None:
    text = sample(pattern)
    found = re.match(pattern, f"{text}911")
    assert found is not None and found.group() == text
    assert text or pattern == "a?b?"


@pytest.mark.parametrize("pattern", ["(", "^$", "(?=9)x", ""])
def test_where_there_is_none(pattern: str) -> None:
    assert sample(pattern) == ""
