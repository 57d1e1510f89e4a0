"""The command group identity: Identity headers offline, verify and decode.

Enters: what people paste, numbers, files, a time. Leaves: each result with its facts. Must not: verify by itself
(`sipguard.screening.verification` does, as for calls), fetch unless asked.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

import click
from click.core import ParameterSource

from sipguard.cli.common import FAILED, WRONG, config_option, json_option, print_json, service_of, stop
from sipguard.cli.escaping import say
from sipguard.cli.identity_text import decoded_text, verified_text
from sipguard.cli.instants import instant
from sipguard.cli.lazy import WholeGroup
from sipguard.net.fetch import CertificateFetcher, FetchError
from sipguard.net.sources import FetchSettings, SourceSettings
from sipguard.screening.question import ASKED_FROM, Question, attempt_of
from sipguard.screening.trunk import Trunk
from sipguard.screening.verification.evaluate import evaluate
from sipguard.screening.verification.offline import document, fitting, verdict
from sipguard.screening.verification.result import PASSED, Result
from sipguard.screening.verification.settings import Settings
from sipguard.service import pasted
from sipguard.service.trials import kept
from sipguard.service.trust import examine
from sipguard.service.trusted import trusted_on_disk
from sipguard.service.trusting import CRL, Trusted
from sipguard.service.under import under
from sipguard.settings.load import load
from sipguard.settings.service import Service
from sipguard.settings.sources import READ, read_anchors
from sipguard.stir.certificate import CertificateStore
from sipguard.stir.decoded import decoded
from sipguard.stir.errors import BadIdentityInfo, StirError, TrustError
from sipguard.stir.identity import split
from sipguard.stir.revocation import CRL_LIMIT, Crl, together

STDIN: Final = "-"
FILE_LIMIT: Final = 4 * 2**20  # octets read of one file
NO_VALUE: Final = "{}: holds no Identity value (a token, an Identity: line, or an INVITE)"


@click.group(name="identity", cls=WholeGroup)
def identity() -> None:
    """Identity headers: what they say, and whether they hold."""


@identity.command()
@click.option("--identity", "file", required=True, metavar="FILE", help="Identity values, header lines or an INVITE.")
@click.option("--from", "caller", metavar="NUMBER", help="The caller: a number, a URI, or a From value.")
@click.option("--to", "called", metavar="NUMBER", help="The called party, in the same forms.")
@click.option("--pai", "asserted", multiple=True, metavar="NUMBER", help="P-Asserted-Identity, in the same forms.")
@click.option("--ruri", "request_uri", metavar="URI", help="Request-URI, if it is another than --to.")
@click.option("--at", metavar="TIME", help="When the call was made, as 2026-11-26T12:00:00Z; now if left out.")
@click.option("--date", metavar="DATE", help="The Date header.")
@click.option(
    "--resource-priority", multiple=True, metavar="VALUES", help="Resource-Priority, such as ets.0; repeatable."
)
@click.option("--priority", metavar="VALUE", help="The Priority header, such as psap-callback.")
@click.option("--certificate", "certificates", multiple=True, metavar="FILE", help="PEM chain of a signer; repeatable.")
@click.option(
    "--anchors", multiple=True, metavar="FILE", help="PEM of trusted authorities, or a directory of it; repeatable."
)
@click.option(
    "--crl",
    "crls",
    multiple=True,
    metavar="FILE",
    help="Indirect CRL, DER or PEM, instead of the one configured; repeatable.",
)
@click.option(
    "--crl-signers",
    multiple=True,
    metavar="FILE",
    help="PEM of who may sign the CRL; those of identity.crl if left out; repeatable.",
)
@click.option(
    "--strict", is_flag=True, help="A token that leaves the standard fails, where it would pass with a remark."
)
@click.option("--trunk", "trunk_name", metavar="NAME", help="Read numbers by the rules of this trunk.")
@click.option(
    "--fetch", is_flag=True, help="Fetch certificates that are not at hand, under the guard of identity.fetch."
)
@config_option
@json_option
@click.pass_context
def verify(
    context: click.Context,
    file: str,
    caller: str | None,
    called: str | None,
    asserted: tuple[str, ...],
    request_uri: str | None,
    at: str | None,
    date: str | None,
    resource_priority: tuple[str, ...],
    priority: str | None,
    certificates: tuple[str, ...],
    anchors: tuple[str, ...],
    crls: tuple[str, ...],
    crl_signers: tuple[str, ...],
    strict: bool,
    trunk_name: str | None,
    fetch: bool,
    config: Path,
    as_json: bool,
) -> None:
    """Say whether Identity values hold for a call, as of any time, each with all that was found.

    FILE holds raw Identity values, header lines, bare tokens or a whole INVITE, which also says who calls whom; - is
    standard input. Anchors, freshness, kept certificates, trust list and CRL in force come from the configuration where
    there is one; --anchors stands for its anchors and trust list, --crl for its CRL. Where no CRL is asked, the output
    says that revocation was not checked. With --trunk numbers are read, and older tokens of diverted calls taken, as on
    that trunk.

    \b
    Exit status:
      0  one value passes
      1  none passes
      2  the command line, a file or the configuration is wrong
    """
    given = pasted.read(text_of(file))
    values = tuple(pasted.with_parameters(each) for each in given.identity)
    count = len(split(values))
    if not count:
        stop(NO_VALUE.format(file), WRONG)
    caller, called = caller or given.caller, called or given.called or given.request_uri
    if not caller or not called:
        stop("--from and --to are needed: FILE holds no INVITE that says them", WRONG)
    service = _service(context, config)
    settings = service.verification if service is not None else Settings()
    settings = _of_all(settings, strict, count)
    trunk = _trunk(config, trunk_name) if trunk_name is not None else ASKED_FROM
    question = Question(
        caller, called, values, instant(at, "@") if at is not None else time.time(),
        asserted or tuple(given.asserted), request_uri or given.request_uri, date or given.date,
        priority=priority or given.priority, resource_priority=resource_priority or tuple(given.resource_priority),
    )  # fmt: skip
    pem = [octets for each in anchors for octets in _anchors(each)] or list(
        service.anchors if service is not None else ()
    )
    trusted = trusted_on_disk(service.trust) if service is not None else Trusted()
    if anchors:
        trusted = replace(trusted, pem=b"")
    if crls or crl_signers:
        trusted = replace(trusted, crl=_crl(crls, crl_signers, service))
    try:
        store = under(CertificateStore(), tuple(pem), trusted)
    except StirError as error:
        stop(f"--anchors: {error}", WRONG)
    chains = [octets_of(each) for each in certificates]
    results = _evaluated(question, trunk, settings, store, chains, service, fetch)
    if as_json:
        print_json(document(results, question.at, store))
    else:
        say(verified_text(results, question, settings, store))
    sys.exit(0 if verdict(results) == PASSED else FAILED)


def _of_all(settings: Settings, strict: bool, count: int) -> Settings:
    """`settings` for somebody who wants to see every value."""
    return replace(settings, strict=strict or settings.strict, max_headers=max(count, settings.max_headers))


def _evaluated(
    question: Question,
    trunk: Trunk,
    settings: Settings,
    store: CertificateStore,
    chains: list[bytes],
    service: Service | None,
    fetch: bool,
) -> list[Result]:
    """The results, with certificates from files, from those that are kept, and by the network where that is wanted."""
    attempt = attempt_of(question, trunk)
    results = evaluate(attempt, settings, store)
    # also of those that fail before: a whole answer wants their chain and signature too
    directory = service.fetch.directory if service is not None else ""
    wanted = {one.passport.x5u: one.passport for one in results if one.passport is not None and one.host}
    for url, passport in wanted.items():
        octets = fitting(passport, chains) or kept(directory, url, time.time())
        if octets:
            store.put(url, octets, 0.0, question.at)
    if fetch:
        missing = [url for url in wanted if store.get(url, question.at) is None]
        asyncio.run(_fetch(service, missing, store, question.at))
    return evaluate(attempt, settings, store)


async def _fetch(service: Service | None, urls: Iterable[str], store: CertificateStore, at: float) -> None:
    """Fetches into `store`, without keeping anything on disk."""
    settings = service.fetch if service is not None else FetchSettings()
    fetcher = CertificateFetcher(replace(settings, directory=""))
    try:
        for url in urls:
            try:
                fetched = await fetcher.fetch(url)
                store.put(url, fetched.octets, fetched.lifetime_s, at)
            except FetchError as error:
                store.put_failure(url, BadIdentityInfo(error.reason), at)
    finally:
        await fetcher.close()


@identity.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@json_option
def decode(files: tuple[str, ...], as_json: bool) -> None:
    """Show what stands in Identity values: parameters, header, claims, signature. Nothing is verified.

    Each FILE holds Identity values, header lines, bare tokens or an INVITE, as many as you like; - is standard input.

    \b
    Exit status:
      0  every value can be read
      1  one cannot; its problem is shown
      2  a file cannot be read, or holds no value
    """
    found: list[dict[str, object]] = []
    for file in files:
        values = split(pasted.read(text_of(file)).identity)
        if not values:
            stop(NO_VALUE.format(file), WRONG)
        found += [{"file": file, "number": n, **decoded(each)} for n, each in enumerate(values, 1)]
    if as_json:
        print_json(found)
    else:
        say("\n\n".join(decoded_text(each) for each in found))
    sys.exit(FAILED if any(each["problem"] for each in found) else 0)


def _service(context: click.Context, config: Path) -> Service | None:
    """The settings of the configuration; None where nobody named one and there is none in its usual place."""
    usual = context.get_parameter_source("config") == ParameterSource.DEFAULT
    return None if usual and not config.exists() else service_of(config)


def _trunk(config: Path, name: str) -> Trunk:
    """The trunk of this name; ends where the configuration has none."""
    found = load(config, READ)
    if found.ruleset is None:
        for problem in found.errors:
            say(str(problem), err=True)
        stop(f"{config}: {len(found.errors)} error(s); no trunk can be read", WRONG)
    ruleset = found.ruleset
    if name not in ruleset.trunks:
        stop(f"--trunk {name}: there is none; there are {', '.join(ruleset.trunks) or 'none at all'}", WRONG)
    return ruleset.trunks[name]


def text_of(file: str) -> str:
    """What a file holds, as text."""
    return octets_of(file).decode("utf-8", "replace")


def _anchors(given: str) -> list[bytes]:
    """PEM of authorities: of a file, of the .pem files of a directory, or from standard input."""
    if given == STDIN:
        return [octets_of(given)]
    found, _, flaws = read_anchors(Path(given))
    for what, _ in flaws:
        stop(f"--anchors: {what}", WRONG)
    if not found:
        stop(f"--anchors: {given} holds no .pem files", WRONG)
    return found


def _crl(files: tuple[str, ...], signers: tuple[str, ...], service: Service | None) -> Crl:
    """The CRLs in `files` together, each verified as the one of a configuration is; ends where one cannot be used."""
    if not files:
        stop("--crl-signers: say by --crl which CRL they signed", WRONG)
    sources = service.trust.sources if service is not None else ()
    configured = next((one for one in sources if one.name == CRL), SourceSettings(CRL))
    settings = replace(configured, signers=signers or configured.signers)
    if not settings.signers:
        stop("--crl: say by --crl-signers FILE whose signature it must have; identity.crl names nobody", WRONG)
    found = []
    for file in files:
        try:
            material = examine(settings, octets_of(file, CRL_LIMIT + 1), time.time())
        except TrustError as error:
            stop(f"--crl: {file}: {error}", WRONG)
        assert isinstance(material, Crl)
        found.append(material)
    return together(found)


def octets_of(file: str, limit: int = FILE_LIMIT) -> bytes:
    """What a file holds; ends where it cannot be read."""
    if file == STDIN:
        return sys.stdin.buffer.read(limit)
    try:
        with Path(file).open("rb") as opened:
            return opened.read(limit)
    except OSError as error:
        stop(f"{file}: {error.strerror}", WRONG)
