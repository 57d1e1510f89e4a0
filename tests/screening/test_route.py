"""Called prefix to trunks."""

from __future__ import annotations

import pytest

from sipguard.screening.route import RouteTable
from sipguard.screening.trunk import Peer, Route, Trunk

TRUNKS = {name: Trunk(name, "interconnect", peers=(Peer("198.51.100.20"),)) for name in ("east", "west", "abroad")}
FROM = Trunk(
    "carrier",
    "interconnect",
    routes=(
        Route(("east",), ("1212", "1646")),
        Route(("west", "east"), ("1",)),
        Route(("west",), ("12125550199",)),
        Route(("abroad",)),
    ),
)


@pytest.mark.parametrize(
    ("tn", "names"),
    [
        ("12125550123", ["east"]),
        ("16465550123", ["east"]),
        ("13105550123", ["west", "east"]),
        ("12125550199", ["west"]),
        ("442079460123", ["abroad"]),
        ("1", ["west", "east"]),
        ("12", ["west", "east"]),
        ("", ["abroad"]),
    ],
)
def test_longest_prefix(tn: str, names: list[str]) -> None:
    way = RouteTable(FROM, TRUNKS).find(tn)
    assert way is not None
    assert [trunk.name for trunk in way.trunks] == names


def test_no_route_for_others() -> None:
    table = RouteTable(Trunk("carrier", "interconnect", routes=(Route(("east",), ("1",)),)), TRUNKS)
    assert table.find("442079460123") is None
    assert [trunk.name for trunk in table.every] == ["east"]


def test_one_trunk_for_all() -> None:
    way = RouteTable(Trunk("carrier", "interconnect", route="west"), TRUNKS).find("12125550123")
    assert way is not None
    assert way.hops == ((TRUNKS["west"], Peer("198.51.100.20")),)
