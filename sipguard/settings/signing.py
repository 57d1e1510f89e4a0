"""Signing in a configuration: the files of signers, and what a trunk's `sign` comes to.

Enters: a Config, the files that it names. Leaves: SignRules; the keys that a worker signs with; problems. Must not:
show a key or a passphrase, or keep one: a Ruleset holds paths, since Rulesets are kept on disk.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path as File
from typing import Final

from sipguard.screening.attestation import FULL, GATEWAY, PARTIAL, names_the_number
from sipguard.screening.policy.conditions import ConditionReader
from sipguard.screening.policy.errors import ERROR, WARNING, Path, Problem, meant
from sipguard.screening.policy.model import Vocabulary
from sipguard.screening.signingkey import SigningKey
from sipguard.screening.trunk import AttestRule, SignerFiles, SignRules, Trunk
from sipguard.settings import build, secret
from sipguard.settings.build import at
from sipguard.settings.model import Config, SignerShape, SignShape, TrunkShape
from sipguard.sip.secret import Secret
from sipguard.stir import identity, signer
from sipguard.stir.errors import BadIdentityInfo, NotSignable

OTHERWISE: Final = {  # by kind of trunk: who knows its customers, who only where a call came in
    "origination": "B",
    "telemarketing": "B",
    "gateway": "C",
    "interconnect": "C",
    "emergency": "",
}
UNSIGNED: Final = "calls go on unsigned"
_LONGEST: Final = 64 * 1024
_WHY: Final = {  # reason -> (key of the setting, what, hint)
    "key_mismatch": ("key", "is not the key of the certificate", "write those that belong together"),
    "key_malformed": ("key", "holds no private key in PEM", ""),
    "key_unsupported": ("key", "is no P-256 key, which ES256 takes", "sipguard certs csr makes one"),
    "passphrase_missing": ("key", "is encrypted", "write passphrase: FILE, or passphrase_env: NAME"),
    "passphrase_wrong": ("key", "cannot be opened with this passphrase", ""),
    "passphrase_needless": ("key", "is not encrypted", "leave the passphrase out"),
    "tnauthlist_missing": ("certificate", "has no TNAuthList: nobody accepts what it signs (RFC 8226 §9)", ""),
}


class Unusable(Exception):
    """Why the files of a signer cannot be used: (key of the setting, what, hint)."""

    def __init__(self, key: str, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.key, self.what, self.hint = key, what, hint


def read_key(name: str, files: SignerFiles, environment: Mapping[str, str] = os.environ) -> SigningKey:
    """The key of a signer as its files are now, checked against its certificate. Raises Unusable."""
    passphrase = None
    if files.passphrase_env:
        if files.passphrase_env not in environment:
            raise Unusable("passphrase_env", f"there is no ${files.passphrase_env} in the environment")
        passphrase = environment[files.passphrase_env].encode()
    elif files.passphrase_file:
        passphrase = _octets("passphrase", files.passphrase_file).rstrip(b"\r\n")
    chain, octets = _octets("certificate", files.certificate), _octets("key", files.key_file)
    try:
        made = signer.read(name, files.x5u, chain, octets, passphrase)
    except NotSignable as error:
        key, what, hint = _WHY.get(error.reason, ("certificate", f"cannot be used: {error.reason}", ""))
        if error.reason == "authority_first":
            what, hint = f"begins with {error.detail}, an authority", "put your own certificate first"
        raise Unusable(key, f"{files.key_file if key == 'key' else files.certificate} {what}", hint) from None
    return SigningKey(name, files.x5u, chain, Secret(signer.pem_of(made.key)), made.not_after_at, made.not_before_at)


def _octets(key: str, path: str) -> bytes:
    try:
        with File(path).open("rb") as file:
            return file.read(_LONGEST)
    except OSError as error:
        raise Unusable(key, f"{path} cannot be read: {error.strerror}") from None


# ------------------------------------------------------------------------------------------ signers


def files_of(config: Config, base: File) -> dict[str, SignerFiles]:
    """Where certificates and keys of the signers lie."""
    return {name: _files(shape, base) for name, shape in config.signers.items()}


def _files(shape: SignerShape, base: File) -> SignerFiles:
    places = []
    for each in (shape.key, shape.passphrase):
        try:
            places.append(str(secret.place(base, each)) if each is not None else "")
        except OSError:  # a credential outside of systemd: who only looks is warned of it, who runs is not let so far
            places.append(each.written if each is not None else "")
    return SignerFiles(str(at(base, shape.certificate)), places[0], shape.x5u, places[1], shape.passphrase_env)


def signer_problems(config: Config, base: File, known: set[Path], for_use: bool = False) -> Iterator[Problem]:
    """What is wrong with signers; `known` are paths that an error was found at.

    What is wrong with their files stops nobody who runs (`for_use`): a call that is not signed is better than none.
    """
    used = {trunk.sign.by for trunk in config.trunks.values() if trunk.sign is not None} | set(config.api.signers)
    for n, by in enumerate(config.api.signers):
        if by not in config.signers:
            yield Problem(("api", "signers", n), f"{by} is no signer", meant(by, config.signers))
    if config.api.signers and config.api.token is None:
        yield Problem(("api", "signers"), "nothing is served without a token", "write token: FILE")
    for name, shape in config.signers.items():
        path: Path = ("signers", name)
        try:
            identity.check_x5u(shape.x5u, tuple(config.identity.fetch.ports))
        except BadIdentityInfo:
            hint = "https, port 443 or 8443, without query, such as https://certs.provider.example/shaken.pem"
            yield Problem((*path, "x5u"), f"{shape.x5u} is no place that verifiers fetch from", hint)
        if shape.passphrase is not None and shape.passphrase_env:
            yield Problem((*path, "passphrase_env"), "stands beside passphrase", "write one of them")
        if name not in used:
            yield Problem(
                path,
                "nothing signs by it",
                "write sign: {by: NAME} on a trunk, or name it in api.signers",
                level=WARNING,
            )
        if not any(place[:2] == path for place in known):
            yield from _file_problems(name, shape, base, for_use)


def goes_on(hint: str) -> str:
    """The hint beside a file of a signer that cannot be used by who runs."""
    return f"{hint}; {UNSIGNED}" if hint else UNSIGNED


def _file_problems(name: str, shape: SignerShape, base: File, for_use: bool) -> Iterator[Problem]:
    path: Path = ("signers", name)
    for each in (shape.key, shape.passphrase):
        try:
            if each is not None:
                secret.place(base, each)
        except OSError:
            return  # a credential that only the service is given
    try:
        key = read_key(name, _files(shape, base))
    except Unusable as error:
        if for_use:
            yield Problem((*path, error.key), error.what, goes_on(error.hint), WARNING)
        else:
            yield Problem((*path, error.key), error.what, error.hint, ERROR)
        return
    if key.not_after_at < time.time():
        until = time.strftime("%Y-%m-%d", time.gmtime(key.not_after_at))
        what = f"expired on {until}: calls leave unsigned"
        yield Problem((*path, "certificate"), what, "replace it; it is taken up without a reload", WARNING)


# ------------------------------------------------------------------------------------------ trunks


def sign_rules(
    config: Config, vocabulary: Vocabulary, defined: object, problems: list[Problem]
) -> dict[str, SignRules]:
    """Name of a trunk -> how its calls are signed; conditions may use what the policy has defined. Adds problems."""
    found: dict[str, SignRules] = {}
    for name, trunk in config.trunks.items():
        if trunk.sign is not None:
            found[name] = _rules(name, trunk, trunk.sign, config, vocabulary, defined, problems)
    if found and not any(build.adds_identity(trunk) for trunk in config.trunks.values()):
        first = next(iter(found))
        what = "no trunk wants signatures: nothing is signed"
        problems.append(Problem(("trunks", first, "sign"), what, "write add_identity: true on those trunks", WARNING))
    return found


def _rules(
    name: str, trunk: TrunkShape, shape: SignShape, config: Config, vocabulary: Vocabulary, defined: object,
    problems: list[Problem],
) -> SignRules:  # fmt: skip
    path: Path = ("trunks", name, "sign")
    if shape.by not in config.signers:
        problems.append(Problem((*path, "by"), f"{shape.by} is no signer", meant(shape.by, config.signers)))
    reader = ConditionReader(vocabulary, [])  # what is wrong with definitions is said where they stand
    reader.define(defined)
    reader.problems = problems
    rules = []
    for n, each in enumerate(shape.attest):
        when = reader.read(each.when, (*path, "attest", n, "when"))
        rules.append(AttestRule(when, each.attest, each.origid))
        if each.attest == FULL and not names_the_number(when, _naming(trunk)):
            what = (
                "A says that the caller may use the number, but no list of numbers is asked for the one that is signed"
            )
            hint = f"write {', '.join(sorted(_naming(trunk)))}: LIST into the condition, or attest: B"
            problems.append(Problem((*path, "attest", n), what, hint))
        if trunk.kind == "gateway" and each.attest != GATEWAY:
            problems.append(_of_a_gateway((*path, "attest", n, "attest"), each.attest, "write C"))
    if trunk.kind == "gateway" and shape.otherwise == PARTIAL:
        problems.append(_of_a_gateway((*path, "otherwise"), PARTIAL, "write C or none"))
    otherwise = OTHERWISE[trunk.kind] if shape.otherwise is None else shape.otherwise.replace("none", "")
    if shape.replace == "if_invalid" and not trunk.verify:
        what = "nobody verifies what comes by this trunk, so nothing is found invalid"
        problems.append(Problem((*path, "replace"), what, "write verify: true on it"))
    for n, listed in enumerate(shape.divert_for):
        shape_of = config.lists.get(listed)
        if shape_of is None or shape_of.kind != "numbers" or shape_of.per_trunk:
            what = f"{listed} is no list of numbers" + (" for all trunks" if shape_of is not None else "")
            problems.append(Problem((*path, "divert_for", n), what, meant(listed, config.lists)))
    return SignRules(
        signer=shape.by,
        rules=tuple(rules),
        otherwise=otherwise,
        origid=_origid(shape.origid, config.site, name),
        per_caller=shape.origid == "caller",
        replaces=shape.replace == "if_invalid",
        divert_for=tuple(shape.divert_for),
    )


def _of_a_gateway(path: Path, attest: str, hint: str) -> Problem:
    what = f"{attest} says that the customer is known, which a gateway does not know (ATIS-1000074)"
    return Problem(path, what, hint, WARNING)


def _naming(trunk: TrunkShape) -> frozenset[str]:
    """Facts on lists that speak of the number that is signed."""
    return frozenset(("lists.caller", "lists.pair", "lists.asserted" if trunk.trust_pai else "lists.shown"))


def _origid(written: str, site: str, trunk: str) -> str:
    """The UUID that was written, or the one that stands for the trunk."""
    if written in ("trunk", "caller"):
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"sipguard:{site}/{trunk}"))
    return written


def with_rules(trunks: Mapping[str, Trunk], rules: Mapping[str, SignRules]) -> dict[str, Trunk]:
    """The trunks, each with its SignRules."""
    return {name: replace(trunk, sign=rules[name]) if name in rules else trunk for name, trunk in trunks.items()}
