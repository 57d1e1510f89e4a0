"""What an INVITE is to screening, read from its header values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipguard.numbers.rules import NumberRules
from sipguard.screening.attempt import ASSERTED_MOST
from sipguard.screening.trunk import Trunk
from tests.screening.build import CARRIER, TRUSTED, attempt


@pytest.mark.parametrize(
    ("value", "tn", "form"),
    [
        ('"Alice" <sip:+12025550100@example.com;user=phone>;tag=1', "12025550100", "e164"),
        ("sip:2025550100@example.com;tag=1", "12025550100", "e164"),
        ("<tel:+1-202-555-0100>;tag=1", "12025550100", "e164"),
        ("<sips:+12025550100;npdi:secret@example.com>", "12025550100", "e164"),
        ("<sip:alice@example.com>;tag=1", "", "alpha"),
        ("<sip:anonymous@anonymous.invalid>;tag=1", "", "anonymous"),
        ("<sip:thisis@anonymous.invalid>;tag=1", "", "anonymous"),
        ("<sip:anonymous.invalid>;tag=1", "", "anonymous"),
        ("<sip:example.com>;tag=1", "", "none"),
        ("", "", "none"),
        ('"open <sip:+12025550100@example.com>', "", "none"),
        ("<sip:+12025550100@example.com", "", "none"),
        ("<http://example.com/+12025550100>", "", "none"),
    ],
)
def test_shown_is_the_number_in_from(value: str, tn: str, form: str) -> None:
    shown = attempt(shown=value).shown
    assert (shown.tn, shown.form) == (tn, form)


@pytest.mark.parametrize(
    ("values", "tn"),
    [
        (["<sip:+12025550111@example.com>"], "12025550111"),
        (['"A, B" <sip:alice@example.com>, <tel:+12025550111>'], "12025550111"),
        (["<sip:alice@example.com>", "<tel:+12025550111>"], "12025550111"),
        (["<tel:+12025550111>", "<tel:+12025550112>"], "12025550111"),
        (['"open, <tel:+12025550112>', "<tel:+12025550111>"], "12025550111"),
        (["<sip:alice@example.com>"], None),
        (["garbage"], None),
        ([], None),
    ],
)
def test_asserted_is_the_first_number_in_pai(values: list[str], tn: str | None) -> None:
    asserted = attempt(pai=values).asserted
    assert (asserted.tn if asserted is not None else None) == tn


@pytest.mark.parametrize(
    ("values", "tn"),
    [
        (["<sip:+12025550111@example.com>;reason=unconditional"], "12025550111"),
        (["<tel:+12025550111>;reason=no-answer, <tel:+12025550112>"], "12025550111"),
        (["<sip:alice@example.com>", "<tel:+12025550112>"], ""),
        (["garbage,"], ""),
        ([], None),
    ],
)
def test_diverting_is_the_top_diversion(values: list[str], tn: str | None) -> None:
    diverting = attempt(diversion=values).diverting
    assert (diverting.tn if diverting is not None else None) == tn


@pytest.mark.parametrize(
    ("uri", "tn", "form"),
    [
        ("sip:+12125550123@gw.example.com;user=phone", "12125550123", "e164"),
        ("tel:5550123;phone-context=+1212", "12125550123", "e164"),
        ("urn:service:sos", "", "urn"),
        ("URN:service:sos.fire", "", "urn"),
        ("sip:gw.example.com", "", "none"),
        ("nonsense", "", "none"),
        ("", "", "none"),
    ],
)
def test_callee_is_the_request_uri(uri: str, tn: str, form: str) -> None:
    callee = attempt(uri).callee
    assert (callee.tn, callee.form) == (tn, form)


def test_to_is_read_apart_from_the_request_uri() -> None:
    both = attempt("sip:+12125550123@a.example.com", to="<sip:+18005550100@example.com>;tag=9")
    assert (both.callee.tn, both.to.tn) == ("12125550123", "18005550100")
    neither = attempt("sip:gw.example.com", to="<sip:example.com>")
    assert (neither.callee.form, neither.to.form) == ("none", "none")


@pytest.mark.parametrize(
    ("trunk", "tn", "source"),
    [(TRUSTED, "12025550111", "pai"), (CARRIER, "12025550100", "from")],
    ids=["trusted", "not"],
)
def test_the_caller_is_asserted_only_where_the_trunk_is_trusted(trunk: Trunk, tn: str, source: str) -> None:
    call = attempt(pai=["<tel:+12025550111>"], trunk=trunk)
    assert (call.caller.tn, call.caller_source) == (tn, source)


def test_prefixes_are_taken_off_dialled_numbers_only() -> None:
    trunk = Trunk("pbx", "origination", read=NumberRules(tech_prefix=r"\d{4}", local_npa="202"))
    shown, pai = "<sip:2025550100@example.com>", ["<tel:5550111>"]
    call = attempt("sip:88882125550123@a.example.com", shown, trunk=trunk, pai=pai)
    assert (call.callee.tn, call.to.tn, call.shown.tn) == ("12125550123", "12125550123", "12025550100")
    assert call.asserted is not None and call.asserted.tn == "12025550111"


def test_values_are_kept_as_they_came() -> None:
    call = attempt(identity=["a", "b"], priority=" Emergency ")
    assert (call.identity, call.priority, call.call_id) == (("a", "b"), "emergency", "call-1@example.com")


ANYTHING = st.text(alphabet='<>";,:@+%0129sipteurn.# \t\\ü', max_size=30)


@given(ANYTHING, ANYTHING, ANYTHING, ANYTHING)
def test_nothing_in_a_header_raises(uri: str, shown: str, pai: str, diversion: str) -> None:
    call = attempt(uri, shown, shown, [pai, shown], [diversion], trunk=TRUSTED)
    assert call.caller in (call.shown, call.asserted)


def asserting(count: int) -> list[str]:
    """P-Asserted-Identity with so many numbers."""
    return [", ".join(f"<tel:+1202555{n:04d}>" for n in range(100, 100 + count))]


@pytest.mark.parametrize(
    ("values", "others", "beyond"),
    [
        ([], (), False),
        (asserting(1), (), False),
        (["<tel:+12025550100>", "<sip:2025550100@example.com>"], (), False),
        (asserting(3), ("12025550101", "12025550102"), False),
        ([*asserting(2), "<sip:alice@example.com>, <tel:911>"], ("12025550101", "911"), False),
        (asserting(ASSERTED_MOST), tuple(f"1202555{n:04d}" for n in range(101, 110)), False),
        (asserting(ASSERTED_MOST + 1), (), True),
        (asserting(1) * (ASSERTED_MOST + 1), (), True),
    ],
)
def test_each_number_asserted_is_read_up_to_a_bound(values: list[str], others: tuple[str, ...], beyond: bool) -> None:
    call = attempt(pai=values)
    assert (tuple([one.tn for one in call.asserted_also]), call.asserted_beyond) == (others, beyond)
