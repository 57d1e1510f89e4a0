"""Which answer a basis may have: the law and the protocol as a table."""

from __future__ import annotations

import pytest

from sipguard.screening.policy.errors import Problem
from sipguard.screening.policy.model import BASES, DEFAULT_RESPONSES, Response
from sipguard.screening.policy.responses import read_responses

LAWFUL = [
    ("order", 403, Response(403, "Forbidden")),
    ("dno", 404, Response(404, "Not Found")),
    ("dno", 603, Response(603, "Decline")),
    ("invalid", "404 No Such Caller", Response(404, "No Such Caller")),
    ("contract", 433, Response(433, "Anonymity Disallowed")),
    ("subscriber", 607, Response(607, "Unwanted")),
    ("subscriber", 603, Response(603, "Decline")),
    ("analytics", "603+", Response(603, "Network Blocked", plus=True)),
    ("identity", "auto", Response(0)),
    ("identity", 438, Response(438, "Invalid Identity Header")),
    ("unscreened", 480, Response(480, "Temporarily Unavailable")),
]
UNLAWFUL = [
    ("analytics", 603),
    ("analytics", 607),
    ("analytics", 403),
    ("analytics", "auto"),
    ("dno", "603+"),
    ("subscriber", "603+"),
    ("dno", 607),
    ("identity", 607),
    ("dno", "auto"),
    ("dno", 408),
    ("contract", 500),
    ("unscreened", 503),
    ("contract", 599),
    ("order", 200),
    ("order", 180),
    ("order", 302),
    ("order", 700),
    ("contract", 401),
    ("contract", 407),
    ("contract", 608),
    ("contract", "busy"),
    ("contract", True),
    ("contract", None),
    ("contract", "403 a\r\nb"),
]


@pytest.mark.parametrize(("basis", "written", "response"), LAWFUL, ids=[f"{b}-{w}" for b, w, _ in LAWFUL])
def test_a_lawful_answer_is_taken(basis: str, written: object, response: Response) -> None:
    problems: list[Problem] = []
    assert read_responses({basis: written}, problems)[basis] == response
    assert problems == []


@pytest.mark.parametrize(("basis", "written"), UNLAWFUL, ids=[f"{b}-{w}" for b, w in UNLAWFUL])
def test_an_unlawful_answer_is_refused(basis: str, written: object) -> None:
    problems: list[Problem] = []
    assert read_responses({basis: written}, problems)[basis] == DEFAULT_RESPONSES[basis]
    assert [problem.path for problem in problems] == [("responses", basis)]
    assert problems[0].hint


def test_every_basis_has_a_lawful_default() -> None:
    assert DEFAULT_RESPONSES.keys() == BASES.keys()
    for basis, response in DEFAULT_RESPONSES.items():
        written = "603+" if response.plus else (response.status or "auto")
        problems: list[Problem] = []
        assert read_responses({basis: written}, problems)[basis] == response
        assert problems == []


def test_an_unknown_basis_is_named() -> None:
    problems: list[Problem] = []
    read_responses({"dnoo": 403}, problems)
    assert problems[0].hint == "did you mean dno?"
