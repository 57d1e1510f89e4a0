"""Which trunks are alike for an emergency call: one of them is called from, for all of them.

Enters: a Ruleset. Leaves: its trunks, grouped. Must not: leave out what might make two trunks differ. Names, source
addresses and what a traceback says of the upstream do not, where no rule asks for them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network

from sipguard.screening.policy.compile import reduced
from sipguard.screening.ruleset import Ruleset
from sipguard.screening.trunk import Trunk, Upstream

_STANDS_FOR: dict[int, IPv4Network | IPv6Network] = {
    4: IPv4Network("192.0.2.0/24"),
    6: IPv6Network("2001:db8::/32"),
}


def alike(ruleset: Ruleset, trunks: Iterable[Trunk]) -> list[list[Trunk]]:
    """The trunks in groups of like ones, in the order of the configuration."""
    found: dict[Hashable, list[Trunk]] = {}
    for trunk in trunks:
        found.setdefault(_likeness(ruleset, trunk), []).append(trunk)
    return list(found.values())


def _likeness(ruleset: Ruleset, trunk: Trunk) -> Hashable:
    """What two trunks that are alike have in common.

    All settings but the name, the networks themselves (their IP versions stay), and the upstream; the rules as they
    stand for the trunk, with its name and kind put in; the lists of trunks that it is on.
    """
    versions = tuple(dict.fromkeys(_STANDS_FOR[each.version] for each in trunk.sources))
    plain = replace(trunk, name="", sources=versions, upstream=Upstream())
    return repr(plain), _rules(ruleset, trunk), ruleset.lists.of("upstream", trunk.name)


def _rules(ruleset: Ruleset, trunk: Trunk) -> tuple[str, ...]:
    """The rules that may act on calls from this trunk, and on which conditions."""
    kept = []
    for rule in ruleset.policy.rules:
        if rule.on and trunk.name not in rule.on:
            continue
        here = reduced(rule.when, {"trunk.name": trunk.name, "trunk.kind": trunk.kind})
        if here is not False:
            kept.append(f"{rule.name} {here!r}")
    return tuple(kept)
