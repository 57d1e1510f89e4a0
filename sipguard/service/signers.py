"""The keys that calls are signed with: read at start and reload, and again when their files change.

Enters: where the files lie. Leaves: keys for worker and desk, what is wrong with files. Must not: give a key to
anybody else, or log one. A key that was good stays in force while its files are not: a half-written pair ends no
signing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sipguard.screening.trunk import SignerFiles
from sipguard.settings.signing import SigningKey, Unusable, read_key

LOOKED_AT_EVERY_S: Final = 3.0

Stamp = tuple[tuple[int, int, int], ...]


class Signers:
    """Keys by name of their signer, as they are in force."""

    def __init__(self) -> None:
        self.keys: dict[str, SigningKey] = {}
        self._files: Mapping[str, SignerFiles] = {}
        self._seen: dict[str, Stamp] = {}  # as they were when they were read
        self._changed: dict[str, Stamp] = {}  # as they were when they were found changed

    def take(self, files: Mapping[str, SignerFiles]) -> list[str]:
        """Reads the keys of a Ruleset; problems. One that cannot be read stays as it was, if it was of these files."""
        problems = []
        keys: dict[str, SigningKey] = {}
        for name, each in files.items():
            self._seen[name] = _stamp(each)
            try:
                keys[name] = read_key(name, each)
            except Unusable as error:
                problems.append(f"signers.{name}.{error.key}: {error.what}")
                if name in self.keys and self._files.get(name) == each:
                    keys[name] = self.keys[name]
        self._files, self.keys, self._changed = files, keys, {}
        return problems

    def look(self) -> tuple[list[str], list[str]]:
        """(signers whose key is another one now, problems). Files must stand still from one look to the next, since
        certificate and key are not written at once."""
        taken, problems = [], []
        for name, each in self._files.items():
            stamp = _stamp(each)
            if stamp == self._seen.get(name):
                self._changed.pop(name, None)
            elif self._changed.get(name) != stamp:
                self._changed[name] = stamp
            else:
                self._seen[name] = stamp
                try:
                    self.keys = {**self.keys, name: read_key(name, each)}
                    taken.append(name)
                except Unusable as error:
                    problems.append(f"signers.{name}.{error.key}: {error.what}")
        return taken, problems


def _stamp(files: SignerFiles) -> Stamp:
    """What changes when a file is written or replaced; zeros for one that is not there."""
    stamp = []
    for path in (files.certificate, files.key_file, files.passphrase_file):
        try:
            found = Path(path).stat() if path else None
        except OSError:
            found = None
        stamp.append((found.st_mtime_ns, found.st_size, found.st_ino) if found is not None else (0, 0, 0))
    return tuple(stamp)
