"""Errors of the numbers room.

    NumbersError
    ├── NumberSetError    a set file that cannot be built, or is not what its header says
    └── PlanError         a file that holds no numbering plan

Reading a number never raises: whatever stands in a header becomes a Number of some form.
"""

from __future__ import annotations


class NumbersError(Exception):
    """Anything this room raises."""


class NumberSetError(NumbersError):
    """`where` names the file and the place in it, `what` what is wrong there."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}")
        self.where = where
        self.what = what


class PlanError(NumbersError):
    """A file that holds no numbering plan."""
