"""Errors of the service room.

ServiceError
+-- NotRunning        no sipguard answers at the control socket
+-- AlreadyRunning    another sipguard has the run directory
+-- BackupError       a backup that cannot be made, read or restored
+-- ImportRefused     an import that would do harm, or cannot be done now
+-- BadRequest        a request over HTTP that has not the shape of one
"""

from __future__ import annotations

from pathlib import Path


class ServiceError(Exception):
    """Root of the tree."""


class NotRunning(ServiceError):
    """Where it was looked for, and what to do."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(
            f"no sipguard answers at {path} ({error.strerror or error}); "
            "is it running, and does -c name the configuration it was started with?"
        )


class AlreadyRunning(ServiceError):
    """Which directory is taken."""

    def __init__(self, directory: Path) -> None:
        super().__init__(f"another sipguard runs with the run directory {directory}; stop it, or set run.directory")


class BackupError(ServiceError):
    """What is in the way, and what to do."""


class ImportRefused(ServiceError):
    """Which list, why, and what to do; nothing was changed."""


class BadRequest(ServiceError):
    """What is wrong with a request, for who sent it."""
