"""Which secrets a configuration names.

Enters: a configuration, or a part of it. Leaves: where each secret lies. Must not: read one.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from sipguard.screening.policy.errors import Path
from sipguard.settings.values import SecretPlace


def secrets_of(value: object, path: Path = ()) -> Iterator[tuple[Path, SecretPlace]]:
    """Every secret that a configuration names, with the path of its key."""
    if isinstance(value, SecretPlace):
        yield path, value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from secrets_of(getattr(value, name), (*path, name))
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from secrets_of(inner, (*path, key))
    elif isinstance(value, list | tuple):
        for at, inner in enumerate(value):
            yield from secrets_of(inner, (*path, at))
