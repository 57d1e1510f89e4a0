"""The vocabulary and short cuts that the tests of the policy language share."""

from __future__ import annotations

from typing import Any

from ruamel.yaml import YAML

from sipguard.screening.finding import FactSpec
from sipguard.screening.policy.compile import CompiledPolicy, compile_policy
from sipguard.screening.policy.errors import Problem
from sipguard.screening.policy.model import Policy, Redress, Vocabulary
from sipguard.screening.policy.read import read_policy
from sipguard.screening.trunk import KINDS, Trunk

FACTS = (
    FactSpec("trunk.name", "text", "trunk"),
    FactSpec("trunk.kind", "choice", "kind of trunk", choices=KINDS),
    FactSpec("call.anonymous", "flag", "withheld"),
    FactSpec("number.shown.class", "choice", "class", choices=("ok", "n11", "invalid_npa", "invalid_format")),
    FactSpec("number.shown.npa", "text", "area code"),
    FactSpec("lists.shown", "set", "lists"),
    FactSpec("lists.caller", "set", "lists"),
    FactSpec("lists.callee", "set", "lists"),
    FactSpec("lists.diverting", "set", "lists"),
    FactSpec("lists.pair", "set", "lists"),
    FactSpec("lists.upstream", "set", "lists"),
    FactSpec("rate.caller.attempts_1h", "number", "attempts"),
    FactSpec("rate.caller.short_ratio_1h", "number", "share"),
    FactSpec("identity.result", "choice", "result", choices=("passed", "failed", "none", "unsupported")),
    FactSpec("identity.attest", "choice", "attestation", choices=("A", "B", "C")),
    FactSpec("identity.status", "number", "status", choices=("403", "428", "436", "437", "438")),
    FactSpec("identity.reasons", "set", "reasons", choices=("certificate_revoked", "x5u_dns", "x5u_tls")),
    FactSpec("identity.spc", "set", "codes"),
    FactSpec("identity.x5u_host", "text", "host"),
)
COSTS = {"number": 1, "lists": 2, "rate": 3, "identity": 9}
LISTS = {
    "dno": ("shown",),
    "blocked": ("caller",),
    "complaints_30d": ("caller",),
    "own_numbers": ("shown",),
    "trunk_numbers": ("caller", "diverting"),
    "dnc": ("callee",),
    "consent": ("pair",),
    "ebr": ("pair",),
    "subscriber_block": ("pair",),
    "fcc_orders": ("upstream",),
}
WORDS = Vocabulary(
    facts=FACTS,
    lists=LISTS,
    trunks=("carrier-a", "customer-b", "core"),
    routes=("core",),
    redress=Redress(url="https://provider.example/redress", tel="+12025550100"),
)
CARRIER = Trunk("carrier-a", "interconnect", block_location="RLN")
CUSTOMER = Trunk("customer-b", "origination")


def plain(text: str) -> Any:
    """YAML as plain values."""
    return YAML(typ="safe").load(text)


def read(text: str, words: Vocabulary = WORDS) -> tuple[Policy, list[Problem]]:
    """The policy in YAML, and its problems."""
    return read_policy(plain(text), words)


def good(text: str, words: Vocabulary = WORDS) -> Policy:
    """A policy that must have no problems."""
    policy, problems = read(text, words)
    assert problems == []
    return policy


def compiled(text: str, trunk: Trunk = CARRIER) -> CompiledPolicy:
    """A policy without problems, compiled for a trunk."""
    return compile_policy(good(text), trunk, COSTS)
