"""The checks. Each module of this folder is one; there is no list of them to keep.

A check is a module with

    Settings   a frozen dataclass whose fields all have defaults: the YAML under `checks: <name>:`
    FACTS      what it can find; names begin with the module's name, but for facts that another must leave to it
    COST       how dear it is; the cheap ones run first
    check      (attempt, settings, context) -> Finding | Waiting

Enters: the modules. Leaves: CHECKS in the order they run, ALL_FACTS. Must not: know any of them by name.
"""

from __future__ import annotations

import copyreg
from collections.abc import Mapping
from dataclasses import fields
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType
from typing import Any, Final, Protocol, cast

from sipguard.screening.attempt import CallAttempt
from sipguard.screening.facts import BASE_FACTS
from sipguard.screening.finding import Context, FactSpec, Finding, Waiting


class CheckModule(Protocol):
    """What a module of this folder offers."""

    Settings: type[Any]
    FACTS: tuple[FactSpec, ...]
    COST: int

    def check(self, attempt: CallAttempt, settings: Any, context: Context) -> Finding | Waiting:
        """What the check finds in one attempt."""


def _discovered() -> Mapping[str, CheckModule]:
    """Name -> module of every check here, in the order they run: by COST, then by name."""
    names = [module.name for module in iter_modules(__path__)]
    found = {name: cast(CheckModule, import_module(f"{__name__}.{name}")) for name in names}
    return MappingProxyType(dict(sorted(found.items(), key=lambda item: (item[1].COST, item[0]))))


def _by_fields(settings: Any) -> tuple[type[Any], tuple[Any, ...]]:
    """How the Settings of a check are pickled: by their fields, which holds for a compiled check too."""
    return type(settings), tuple(getattr(settings, field.name) for field in fields(settings))


CHECKS: Final = _discovered()
for _module in CHECKS.values():
    copyreg.pickle(_module.Settings, _by_fields)
FOUND_BY: Final[Mapping[str, str]] = {  # full name of a fact -> the check that finds it
    spec.name: name for name, module in CHECKS.items() for spec in module.FACTS
}
ALL_FACTS: Final[tuple[FactSpec, ...]] = (
    *BASE_FACTS,
    *(spec for module in CHECKS.values() for spec in module.FACTS),
)
