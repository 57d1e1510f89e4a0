"""Which facts of shapes a Ruleset asks for.

Enters: facts by kind of key. Leaves: the same with what must be counted for them. Must not: know what they say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sipguard.screening.counters import Wanted
from sipguard.screening.shape import Shape

CALLER: Final = "caller"
CALLEE: Final = "callee"
TRUNK: Final = "trunk"
SIGNER: Final = "signer"
PREFIX: Final = "prefix"
KINDS: Final = (CALLER, CALLEE, PREFIX, TRUNK, SIGNER)

Value = int | float | None
Read = Callable[[Shape, int], Value]  # at milliseconds; None where there are too few


class ShapeFact:
    """One fact of one kind of key: what must be counted for it, how it is read."""

    __slots__ = ("asks", "name", "read")

    def __init__(self, name: str, asks: int, read: Read) -> None:
        self.name = name
        self.asks = asks
        self.read = read


class ShapesAsked:
    """The facts of shapes that a Ruleset asks for, by kind of key, and what must be counted for them."""

    __slots__ = ("callee", "caller", "prefix", "signer", "trunk", "wanted")

    def __init__(self, by_kind: dict[str, tuple[ShapeFact, ...]], do_not_call: tuple[str, ...]) -> None:
        self.caller = by_kind.get(CALLER, ())
        self.callee = by_kind.get(CALLEE, ())
        self.prefix = by_kind.get(PREFIX, ())
        self.trunk = by_kind.get(TRUNK, ())
        self.signer = by_kind.get(SIGNER, ())
        bits = dict.fromkeys(KINDS, 0)
        for kind, facts in by_kind.items():
            for fact in facts:
                bits[kind] |= fact.asks
        self.wanted = Wanted(bits[CALLER], bits[CALLEE], bits[TRUNK], bits[SIGNER], do_not_call, bits[PREFIX])


NO_SHAPES: Final = ShapesAsked({}, ())
