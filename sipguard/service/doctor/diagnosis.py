"""One thing that was looked at, and how it is.

Enters and leaves: values. Must not: look at anything itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sipguard.settings.load import Loaded
from sipguard.settings.model import Config
from sipguard.settings.service import Service

OK: Final = "ok"
WARNING: Final = "warning"  # it works, but not for ever, or not well
PROBLEM: Final = "problem"  # it does not work
UNKNOWN: Final = "unknown"  # it could not be told


@dataclass(frozen=True)
class Diagnosis:
    """`subject` is what was looked at, `advice` what to do; "" where there is nothing to do."""

    subject: str
    level: str
    what: str
    advice: str = ""

    def __str__(self) -> str:
        """One line."""
        return f"{self.level:8} {self.subject}: {self.what}" + (f"; {self.advice}" if self.advice else "")


@dataclass(frozen=True)
class Case:
    """What is looked at. `status` is the answer of the running sipguard, empty where none runs."""

    path: Path
    config: Config | None
    loaded: Loaded
    status: dict[str, Any] = field(default_factory=dict)

    @property
    def service(self) -> Service | None:
        """The settings of the processes, None where they cannot be read."""
        return self.loaded.service

    @property
    def base(self) -> Path:
        """Where relative paths of the configuration begin."""
        return self.path.resolve().parent

    @property
    def pids(self) -> set[int]:
        """The processes of the running sipguard, the supervisor among them."""
        children = {int(process["pid"]) for process in self.status.get("processes", {}).values() if process["pid"]}
        return children | {parent for pid in children if (parent := parent_of(pid))}


def parent_of(pid: int) -> int:
    """The process that started `pid`, 0 where it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0
