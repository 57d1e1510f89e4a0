"""How a trunk writes the numbers it sends.

Enters: nothing, these are values of the configuration. Leaves: the same, also from one process to another.
Must not: read a number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class NumberRules:
    """How a trunk writes the numbers it sends.

    `default_cc` country code of numbers without one; `local_npa` area code of 7-digit numbers. Of dialled
    numbers, `tech_prefix`, a regular expression, is taken off the front, then `strip_prefix` where that
    leaves a number. Raises re.error for a pattern that is none.
    """

    default_cc: str = "1"
    strip_prefix: str = ""
    tech_prefix: str = ""
    local_npa: str = ""
    pattern: re.Pattern[str] | None = field(init=False, repr=False, compare=False, default=None)
    plain: bool = field(init=False, repr=False, compare=False, default=True)  # no prefix is taken off
    _bare: NumberRules | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if self.tech_prefix:
            object.__setattr__(self, "pattern", re.compile(self.tech_prefix))
        object.__setattr__(self, "plain", not (self.strip_prefix or self.tech_prefix))
        if not self.plain:
            object.__setattr__(self, "_bare", NumberRules(self.default_cc, local_npa=self.local_npa))

    @property
    def bare(self) -> NumberRules:
        """The same for numbers that nobody dialled (callers, claims of a token): no prefix is taken off."""
        return self._bare or self


READ_AS_NANP: Final = NumberRules()
