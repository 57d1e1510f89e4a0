"""The ways of writing an emergency call that are placed, by what a trunk's peers dial."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sipguard.proof.forms import PSAPS_MOST, Form, Forms
from sipguard.screening.guard import Settings
from sipguard.screening.trunk import Route, Trunk


def forms(settings: Settings = Settings(), **fields: Any) -> list[Form]:  # noqa: B008
    return list(Forms(replace(Trunk("carrier", "interconnect"), **fields), settings).all)


def uris(found: list[Form]) -> set[str]:
    return {each.uri for each in found}


READ = Trunk("", "").read


def test_the_usual_ways() -> None:
    found = uris(forms())
    for user in ("911", "9-1-1", "+911", "911;phone-context=+1", "112", "988", "+18002738255", "8002738255"):
        assert f"sip:{user}@{{host}}" in found
    assert {"tel:911;phone-context=+1", "sips:911@{host}", "urn:service:sos", "URN:service:sos.fire"} <= found


@pytest.mark.parametrize(
    ("read", "wanted"),
    [
        (replace(READ, strip_prefix="9"), {"9911", "9112", "918002738255"}),
        (replace(READ, tech_prefix="^#?77[0-9]{2}"), {"7700911", "770018002738255"}),
        (replace(READ, tech_prefix=r"\d{2}#"), {"00%23911"}),
        (replace(READ, tech_prefix="77", strip_prefix="9"), {"77911", "9911", "779911"}),
    ],
    ids=["strip", "tech", "escaped", "both"],
)
def test_behind_what_its_peers_dial(read: Any, wanted: set[str]) -> None:
    assert {f"sip:{user}@{{host}}" for user in wanted} <= uris(forms(read=read))


def test_a_pattern_that_nothing_is_found_for_is_told() -> None:
    made = Forms(Trunk("carrier", "interconnect", read=replace(READ, tech_prefix="(?=9)x")), Settings())
    assert made.left_out == ["carrier: no prefix was found that tech_prefix (?=9)x matches"]


def test_numbers_of_the_operator_and_who_calls_back() -> None:
    settings = Settings(frozenset({"933", "15125550100"}), frozenset({"12025550190"}))
    routes = (Route(("east",), ("1212",)), Route(("west",)))
    found = forms(settings, trust_pai=True, emergency_marks_trusted=True, routes=routes)
    assert {"sip:933@{host}", "tel:933", "sip:+15125550100@{host}"} <= uris(found)
    back = [each for each in found if each.caller == "+12025550190"]
    assert back and all(each.headers == ("P-Asserted-Identity: <sip:+12025550190@{host}>",) for each in back)
    assert {line for each in found for line in each.headers} >= {"Priority: psap-callback", "Priority: emergency"}
    assert not any("Priority" in line for each in forms(settings) for line in each.headers)


def test_of_very_many_psaps_some_are_called_from_which_is_told() -> None:
    settings = Settings(frozenset(), frozenset(str(12025550000 + n) for n in range(1000)))
    made = Forms(Trunk("carrier", "interconnect"), settings)
    assert 0 < len([each for each in made.all if each.name.startswith("PSAP")]) <= PSAPS_MOST
    assert made.left_out == [f"of 1000 numbers of PSAPs, {PSAPS_MOST} were called from"]
