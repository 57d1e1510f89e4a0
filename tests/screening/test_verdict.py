"""Verdicts as b2bua reads them: whether the call goes on, and the lines they write."""

from __future__ import annotations

import pytest

from sipguard.screening.verdict import ALLOW, REDIRECT, REJECT, Redirect, Verdict, filled

GOES_ON = [
    (Verdict(ALLOW, "default"), True),
    (Verdict(REJECT, "dno", status=403), False),
    (Verdict(REDIRECT, "mail", status=302, redirect=Redirect(contact="sip:mail@pbx.example")), False),
    (Verdict(REDIRECT, "away", redirect=Redirect(route="core")), True),
]


@pytest.mark.parametrize(("verdict", "goes_on"), GOES_ON, ids=[verdict.rule for verdict, _ in GOES_ON])
def test_a_call_goes_on_where_no_final_response_is_due(verdict: Verdict, goes_on: bool) -> None:
    assert verdict.goes_on is goes_on


def test_the_id_of_the_decision_is_filled_into_response_lines() -> None:
    verdict = Verdict(REJECT, "a", status=603, headers=("Reason: id={id}", "X: y"))
    assert verdict.header_lines("d-7") == ["Reason: id=d-7", "X: y"]


TEMPLATES = [
    ("plain", "plain"),
    ("{identity.attest}", "A"),
    ("<{call.none}>", "<>"),
    ("{lists.shown};{id}", "a,b;d-7"),
    ("{rate}/{flag}", "5/True"),
]


@pytest.mark.parametrize(("template", "text"), TEMPLATES, ids=[template for template, _ in TEMPLATES])
def test_templates(template: str, text: str) -> None:
    facts = {"identity.attest": "A", "call.none": None, "lists.shown": ("a", "b"), "rate": 5, "flag": True}
    assert filled(template, facts, "d-7") == text
