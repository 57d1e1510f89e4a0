"""The keys that calls are signed with: read at start and reload, and again when their files change.

Enters: where the files lie. Leaves: keys for worker and desk, what is wrong with files. Must not: give a key to
anybody else, or log one. A key that was good stays in force while its files are not: a half-written pair ends no
signing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sipguard.screening.signingkey import SigningKey
from sipguard.screening.trunk import SignerFiles
from sipguard.settings.signing import Unusable, read_key
from sipguard.stir.certificate import read_chain
from sipguard.stir.revocation import Crl, mark

LOOKED_AT_EVERY_S: Final = 3.0

Stamp = tuple[tuple[int, int, int], ...]


class Signers:
    """Keys by name of their signer, as they are in force."""

    def __init__(self) -> None:
        self.keys: dict[str, SigningKey] = {}
        self.refused: dict[str, str] = {}  # by name: what is wrong with its files as they were read last
        self._files: Mapping[str, SignerFiles] = {}
        self._seen: dict[str, Stamp] = {}  # as they were when they were read
        self._changed: dict[str, Stamp] = {}  # as they were when they were found changed

    def take(self, files: Mapping[str, SignerFiles]) -> list[str]:
        """Reads the keys of a Ruleset; problems. One that cannot be read stays as it was, if it was of these files."""
        problems = []
        keys: dict[str, SigningKey] = {}
        refused: dict[str, str] = {}
        for name, each in files.items():
            self._seen[name] = _stamp(each)
            try:
                keys[name] = read_key(name, each)
            except Unusable as error:
                problems.append(f"signers.{name}.{error.key}: {error.what}")
                refused[name] = error.what
                if name in self.keys and self._files.get(name) == each:
                    keys[name] = self.keys[name]
        self._files, self.keys, self._changed, self.refused = files, keys, {}, refused
        return problems

    def lost_by(self, files: Mapping[str, SignerFiles]) -> list[str]:
        """Problems of signers that are new, or lie elsewhere, and cannot be read: a Ruleset with them is not taken up.

        One that could not be read before, or whose key of before stays, keeps no other change from being taken up.
        """
        problems = []
        for name, each in files.items():
            if self._files.get(name) != each:
                try:
                    read_key(name, each)
                except Unusable as error:
                    problems.append(f"signers.{name}.{error.key}: {error.what}")
        return problems

    def rows(self, crl: Crl | None, now_at: float) -> list[dict[str, Any]]:
        """How it stands with each signer, for commands."""
        return [row(name, self.keys.get(name), self.refused.get(name, ""), crl, now_at) for name in self._files]

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
                    self.refused.pop(name, None)
                    taken.append(name)
                except Unusable as error:
                    self.refused[name] = error.what
                    problems.append(f"signers.{name}.{error.key}: {error.what}")
        return taken, problems


def row(name: str, key: SigningKey | None, refused: str, crl: Crl | None, now_at: float) -> dict[str, Any]:
    """One signer for people and programs. Instants are Unix seconds; `why` it cannot sign or is refused, "" for good.

    A certificate that is revoked goes on to sign: whether to stop is the operator's to say.
    """
    why, revoked_by = refused, ""
    if key is not None:
        why = ""
        if not key.not_before_at <= now_at <= key.not_after_at:
            why = "its certificate has expired" if now_at > key.not_after_at else "its certificate is not valid yet"
        if crl is not None and crl.names_any(marks_of(key.chain)):
            revoked_by = f"CRL {crl.number or _day(crl.issued_at)}"
    return {
        "signer": name,
        "usable": not why,
        "why": why,
        "valid_until": key.not_after_at if key is not None else None,
        "refused": refused if key is not None else "",
        "revoked_by": revoked_by,
    }


def line(each: Mapping[str, Any]) -> str:
    """That row in words."""
    if each["why"]:
        text = f"{each['signer']}: unusable: {each['why']}; calls go on unsigned"
    else:
        text = f"{each['signer']}: valid until {_day(each['valid_until'])}"
    if each["revoked_by"]:
        text += f", revoked by {each['revoked_by']}; others refuse it with 437"
    if each["refused"]:
        text += f"; what lies on disk now is refused: {each['refused']}"
    return text


def marks_of(chain: bytes) -> list[bytes]:
    """What a CRL knows the certificates in a PEM file by."""
    return [mark(one.issuer, one.serial_number) for one in read_chain(chain)]


def _day(unix_at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(unix_at))


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
