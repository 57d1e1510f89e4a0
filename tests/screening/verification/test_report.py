"""What the signer is told of Identity values that failed (RFC 9410)."""

from __future__ import annotations

import pytest

from sipguard.screening.verification.report import COMPACT, FULL, SIGNATURE_LIMIT, told
from sipguard.screening.verification.result import FAILED, PASSED, UNSUPPORTED, WAITING, Result
from sipguard.stir.errors import PHRASES

VALUE = 'aaa.bbb.ccc-_9;info=<https://certs.example/709J.pem>;alg=ES256;ppt="shaken"'


def result(value: str = VALUE, outcome: str = FAILED, status: int = 438) -> Result:
    """What one value came to."""
    found = Result(value)
    found.outcome, found.status = outcome, status
    return found


@pytest.mark.parametrize(
    ("form", "value", "ppi"),
    [
        (COMPACT, VALUE, ';ppi="..ccc-_9"'),
        (FULL, VALUE, ';ppi="aaa.bbb.ccc-_9"'),
        (COMPACT, "..ccc;info=<https://certs.example/1>", ';ppi="..ccc"'),
        (FULL, " ..ccc ;info=<https://certs.example/1>", ';ppi="..ccc"'),
        (COMPACT, "garbage", ';ppi="..garbage"'),
        (COMPACT, 'a.b."c', ""),
        (FULL, "a.b\\.c", ""),
        (FULL, "a b.c", ""),
        (COMPACT, "a.b.", ""),
        (FULL, "", ""),
        (COMPACT, "a.b." + "c" * SIGNATURE_LIMIT, f';ppi="..{"c" * SIGNATURE_LIMIT}"'),
        (COMPACT, "a.b." + "c" * (SIGNATURE_LIMIT + 1), ""),
        (COMPACT, "a.b.\xe9", ""),
    ],
)
def test_ppi_names_the_token_and_never_breaks_its_quotes(form: str, value: str, ppi: str) -> None:
    assert told([result(value)], form) == f'Reason: STIR;cause=438;text="Invalid Identity Header"{ppi}'


@pytest.mark.parametrize(("status", "phrase"), PHRASES.items())
def test_cause_and_text_are_those_of_a_rejection(status: int, phrase: str) -> None:
    assert told([result(status=status)], COMPACT).startswith(f'Reason: STIR;cause={status};text="{phrase}";')


def test_one_line_for_each_value_that_failed() -> None:
    """Not for one that passed, waits, or is of a type that is not verified here (RFC 8224 §6.2 step 1)."""
    results = [
        result("a.b.first", status=436),
        result("a.b.good", PASSED, 0),
        result("a.b.other", UNSUPPORTED, 428),
        result("a.b.slow", WAITING, 0),
        result("a.b.second", status=403),
    ]
    assert told(results, COMPACT).split("\r\n") == [
        'Reason: STIR;cause=436;text="Bad Identity Info";ppi="..first"',
        'Reason: STIR;cause=403;text="Stale Date";ppi="..second"',
    ]
    assert told(results[1:4], COMPACT) == ""
