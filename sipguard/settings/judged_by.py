"""What verdicts of a configuration are made of, as octets that later versions read too, and back.

Enters: what was loaded, or octets. Leaves: an JudgedBy. Must not: hold a secret, or what stands on a list.

Rules stand as they were written, not as objects: a key of the policy keeps its meaning (Compatibility, in
ARCHITECTURE.md).
"""

from __future__ import annotations

import json
from typing import Any, Final

from sipguard.records.judged_by import JudgedBy
from sipguard.screening.checks import ALL_FACTS
from sipguard.screening.listspec import ListSpec
from sipguard.screening.policy.model import Redress, Vocabulary
from sipguard.screening.policy.read import errors_of, read_policy
from sipguard.screening.trunk import Trunk, Upstream
from sipguard.settings.load import Loaded
from sipguard.settings.zones import MachineZones

FORMAT: Final = 1
_WORDS: Final = ("kind", "owner", "purpose", "source", "version")


def octets_of(loaded: Loaded) -> bytes:
    """A configuration without errors, as far as explanations need it."""
    text, words, made = loaded.text, loaded.vocabulary, loaded.judged_by
    assert text is not None and words is not None and made is not None
    redress = words.redress
    kept = {
        "format": FORMAT,
        "policy": text.plain,
        "trunks": {
            name: {"kind": each.kind, "block_location": each.block_location, "legal_name": each.upstream.legal_name}
            for name, each in made.trunks.items()
        },
        "routes": words.routes,
        "lists": {
            name: {"bind": spec.bind, **{word: getattr(spec, word) for word in _WORDS}}
            for name, spec in made.lists.items()
        },
        "redress": {"url": redress.url, "tel": redress.tel, "email": redress.email},
        "closed": sorted(made.closed),
    }
    return json.dumps(kept, default=str, ensure_ascii=False).encode()


def read(octets: bytes) -> JudgedBy | None:
    """What was kept; None where it is damaged, or this version does not understand its rules any more."""
    try:
        kept: dict[str, Any] = json.loads(octets)
        lists = {name: _list(name, each) for name, each in kept["lists"].items()}
        trunks = {name: _trunk(name, each) for name, each in kept["trunks"].items()}
        words = Vocabulary(
            facts=ALL_FACTS,
            lists={name: spec.bind for name, spec in lists.items()},
            trunks=tuple(trunks),
            routes=tuple(kept["routes"]),
            redress=Redress(**kept["redress"]),
            zones=MachineZones(),
        )
        policy, problems = read_policy(kept["policy"], words)
        if kept["format"] != FORMAT or errors_of(problems):
            return None
        return JudgedBy(policy, trunks, lists, frozenset(kept["closed"]))
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def _list(name: str, kept: dict[str, Any]) -> ListSpec:
    owner, purpose, source, version = (str(kept[word]) for word in _WORDS[1:])
    return ListSpec(
        name,
        kept["kind"],
        tuple(kept["bind"]),
        owner=owner,
        purpose=purpose,
        source=source,
        version=version,
    )


def _trunk(name: str, kept: dict[str, str]) -> Trunk:
    upstream = Upstream(legal_name=kept["legal_name"])
    return Trunk(name, kept["kind"], block_location=kept["block_location"], upstream=upstream)
