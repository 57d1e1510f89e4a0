"""Secrets of the configuration: where they lie, whether they can be used, their octets.

Enters: a SecretPlace as it was written. Leaves: the path of its file, what is wrong with it, the Secret. Must not:
put a secret or a part of one into a problem. A Ruleset holds paths and never secrets, since Rulesets are kept on
disk: who needs a secret reads it when it is started or reloaded.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path as File
from typing import TYPE_CHECKING, Final

from sipguard.screening.policy.errors import ERROR, WARNING
from sipguard.sip.secret import Account, Secret

if TYPE_CHECKING:  # fetcher and desk read secrets too, and bring neither pydantic nor trunks along for it
    from sipguard.screening.trunk import Trunk
    from sipguard.settings.values import SecretPlace

CREDENTIAL: Final = "credential:"  # of systemd: a file below $CREDENTIALS_DIRECTORY
LONGEST: Final = 64 * 1024
TOKEN_SHORTEST: Final = 16  # characters
DIRECTORY: Final = "CREDENTIALS_DIRECTORY"  # systemd.exec(5): where LoadCredential= puts its files


def place(base: File, secret: SecretPlace, environment: Mapping[str, str] = os.environ) -> File:
    """The file of a secret; a relative path begins at `base`. Raises OSError for a credential outside of systemd."""
    if not secret.written.startswith(CREDENTIAL):
        return (base / secret.written).resolve()
    directory = environment.get(DIRECTORY)
    if not directory:
        raise OSError(0, f"there is no ${DIRECTORY}")
    return File(directory) / secret.written.removeprefix(CREDENTIAL)


def read(file: File) -> Secret:
    """The octets of a file without the line end behind them. Raises OSError."""
    with file.open("rb") as octets:
        return Secret(octets.read(LONGEST).removesuffix(b"\n").removesuffix(b"\r"))


def accounts(trunks: Mapping[str, Trunk]) -> tuple[dict[str, Account], list[str]]:
    """Name of a trunk -> the account for its challenges, with the password that its file holds now; and problems."""
    found, problems = {}, []
    for name, trunk in trunks.items():
        each = trunk.credentials
        if each is not None:
            try:
                found[name] = Account(each.username, each.realm, read(File(each.password_file)))
            except OSError as error:
                problems.append(f"trunks.{name}.credentials: {each.password_file} cannot be read: {error.strerror}")
    return found, problems


def flaws(
    base: File, secret: SecretPlace, for_use: bool, environment: Mapping[str, str] = os.environ
) -> Iterator[tuple[str, str, str]]:
    """(what, hint, level) of each thing that is wrong with a secret.

    Credentials are there only for the running service: who only looks (not `for_use`) is warned.
    """
    try:
        file = place(base, secret, environment)
    except OSError as error:
        hint = "write LoadCredential=NAME:FILE into the unit, or name a file here"
        yield f"{secret.written} cannot be read: {error.strerror}", hint, ERROR if for_use else WARNING
        return
    try:
        mode = file.stat().st_mode
        empty = not read(file).reveal()
    except OSError as error:
        yield f"{file} cannot be read: {error.strerror}", "", ERROR
        return
    if empty:
        yield f"{file} is empty", "write the secret into it", ERROR
    if mode & stat.S_IROTH:
        yield f"{file} can be read by everybody on this machine", f"chmod o= {file}", WARNING


def guessable(base: File, secret: SecretPlace) -> tuple[str, str] | None:
    """(what, hint) where a token is so short that it can be guessed; None where it is not, or cannot be read."""
    try:
        length = len(read(place(base, secret)).reveal())
    except OSError:
        return None
    if not 0 < length < TOKEN_SHORTEST:
        return None
    return f"the token has {length} characters, which can be guessed", "make one by openssl rand -hex 32"
