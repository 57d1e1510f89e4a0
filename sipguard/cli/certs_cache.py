"""The commands certs list, certs show and certs warm: the certificates that sipguard has fetched.

Enters: the folder of copies, counters and status of a sipguard that runs. Leaves: tables or JSON; copies.
Must not: ask the worker anything.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
from cryptography.x509 import Certificate
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from sipguard.cli.common import FAILED, WRONG, config_option, json_option, print_json, service_of, stop
from sipguard.cli.escaping import escaped, say
from sipguard.cli.identity_text import revocation_text
from sipguard.net.disk import Disk
from sipguard.screening.verification.offline import revocation
from sipguard.service import control, inventory
from sipguard.service.errors import NotRunning
from sipguard.service.inventory import chain_of, row
from sipguard.service.trusted import trusted_on_disk
from sipguard.service.under import under
from sipguard.service.warming import Warming, failed_hosts, urls_in
from sipguard.settings.service import Service
from sipguard.settings.units import seconds
from sipguard.stir.certificate import CertificateStore
from sipguard.stir.errors import StirError
from sipguard.stir.identity import canonical_x5u
from sipguard.stir.inspection import describe
from sipguard.stir.revocation import mark

INTERRUPTED: Final = 130


@click.command(name="list")
@click.option("--host", metavar="HOST", help="Only certificates of this host, each with a row.")
@click.option(
    "--expiring", metavar="TIME", help="Only certificates that end within this time, such as 7d, each with a row."
)
@config_option
@json_option
def list_command(host: str | None, expiring: str | None, config: Path, as_json: bool) -> None:
    """List the certificates that were fetched: hosts with their errors, or each certificate of some.

    \b
    Exit status:
      0  it was printed, were it nothing
      2  the command line or the configuration is wrong
    """
    service = service_of(config)
    now = time.time()
    try:
        within_s = seconds(expiring) if expiring is not None else None
    except ValueError as error:
        stop(f"--expiring: {str(error).replace('|', '; ')}", WRONG)
    rows = [row(copy, now) for copy in _disk(service).copies(now)]
    if host is not None or within_s is not None:
        chosen = [
            each
            for each in sorted(rows, key=lambda each: (each["host"], each["not_after_at"]))
            if (host is None or each["host"] == host.lower())
            and (within_s is None or each["not_after_at"] - now <= within_s)
        ]
        print_json(chosen) if as_json else _print_rows(chosen)
        return
    found = cache_summary(service, rows, now)
    not_had = failed_hosts(service.fetch.directory, now)
    found["not_warmed"] = [
        {"host": host, "urls": count, "reason": why} for host, (count, why) in sorted(not_had.items())
    ]
    print_json(found) if as_json else _print_hosts(found)


@click.command(name="show")
@click.argument("url")
@config_option
@json_option
def show_command(url: str, config: Path, as_json: bool) -> None:
    """Show what was fetched from URL: the copy, and each certificate in it.

    \b
    Exit status:
      0  it was printed
      1  nothing is kept from there
      2  the configuration is wrong
    """
    service, now, url = service_of(config), time.time(), canonical_x5u(url)
    copy = _disk(service).peek(url, now)
    if copy is None:
        stop(f"{url}: nothing is kept from there", FAILED)
    certificates = chain_of(copy)
    store = under(CertificateStore(), service.anchors, trusted_on_disk(service.trust))
    asked = revocation(store, now)
    chain = [
        {
            **describe(one, certificates, store.anchors, now),
            "revoked": _revoked(one, store) if asked["checked"] else None,
        }
        for one in certificates
    ]
    if as_json:
        print_json({**row(copy, now), "revocation": asked, "certificates": chain})
        return
    for key, value in row(copy, now).items():
        say(f"{key.removesuffix('_at'):12} {_written(value) if key.endswith('_at') else value}")
    say(revocation_text(store, now))
    for line in chain:
        say()
        for name, value in line.items():
            say(f"{name:12} {' '.join(map(str, value)) or '-' if isinstance(value, list) else _shown(value)}")


@click.command(name="warm")
@click.option(
    "--from",
    "source",
    type=click.File("r"),
    required=True,
    metavar="FILE",
    help="URLs, one a line; - for standard input.",
)
@click.option(
    "--rate", type=click.FloatRange(0.01, 100), default=1.0, show_default=True, help="Requests a second and host."
)
@click.option("--again", is_flag=True, help="Ask also for what failed within the last hour.")
@click.option("--refetch", is_flag=True, help="Ask also for what lies there and is fresh: a signer has replaced it.")
@config_option
@json_option
def warm_command(source: Any, rate: float, again: bool, refetch: bool, config: Path, as_json: bool) -> None:
    """Fetch the certificates of a list of URLs before calls need them, politely: one at a time from each host.

    Kept is what holds under the anchors of the configuration and the trust list that was fetched last, as for calls.
    Works beside a running sipguard and without one. Ctrl-C ends it; the next run goes on where it was: what lies there
    and is fresh is not asked for, nor what failed within the last hour. A host that fails five times in a row is left
    alone for 15 s at a time, and its other URLs wait: they have not failed. At most 20,000 URLs wait at a time, as many
    copies as are kept; what is beyond fails as list_too_long, and the next run takes it.

    \b
    Exit status:
      0    every certificate lies there
      1    some could not be had; the summary says why
      2    the command line or the configuration is wrong
      130  Ctrl-C; it says how far it was
    """
    service = service_of(config)
    try:
        anchors = under(CertificateStore(), service.anchors, trusted_on_disk(service.trust)).anchors
        warming = Warming(urls_in(source.read()), service.fetch, anchors, rate, again, refetch)
    except (OSError, StirError) as error:
        stop(f"{config}: {error}", WRONG)
    began_at = time.monotonic()
    interrupted = asyncio.run(_warm(warming))
    said = {
        "urls": len(warming.urls), "fetched": warming.kept, "present": warming.present,
        "failed": dict(warming.reasons().most_common()), "left": len(warming.urls) - warming.done,
        "left_alone": sorted(warming.waiting),
        "seconds": round(time.monotonic() - began_at, 1),
    }  # fmt: skip
    _tell_running(service)
    if as_json:
        print_json({**said, "failures": warming.failures})
    else:
        say(f"{said['urls']} URLs: {said['fetched']} fetched, {said['present']} there before, "
                   f"{len(warming.failures)} failed, {said['left']} left, in {said['seconds']} s")  # fmt: skip
        for reason, count in warming.reasons().most_common():
            example = next(url for url, why in warming.failures.items() if why == reason)
            say(f"  {count:6} {reason}, such as {example}")
        if warming.failures:
            say("  each URL with its reason: the same command with --json")
    if interrupted:
        stop(
            f"interrupted after {warming.done} of {len(warming.urls)}; the same command goes on from there", INTERRUPTED
        )
    raise SystemExit(FAILED if warming.failures else 0)


async def _warm(warming: Warming) -> bool:
    """Runs it under a progress bar; whether Ctrl-C ended it."""
    enough = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, enough.set)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[failed]} failed{task.fields[waits]}"),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("certificates", total=len(warming.urls), failed=0, waits="")

        def moved() -> None:
            failed = len(warming.failures)
            progress.update(task, completed=warming.done, failed=failed, waits=_waits(warming.waiting))

        await warming.run(moved, enough)
    return enough.is_set() and warming.done < len(warming.urls)


def _waits(hosts: set[str]) -> str:
    """What the progress bar says of hosts that are left alone for a while."""
    if not hosts:
        return ""
    more = f" and {len(hosts) - 1} more" if len(hosts) > 1 else ""
    return f"; {min(hosts)}{more} failed again and again: it waits before it asks for the rest"


def _revoked(one: Certificate, store: CertificateStore) -> bool:
    """Whether the CRL on disk names a certificate."""
    return store.revokes((mark(one.issuer, one.serial_number),))


def _shown(value: object) -> str:
    return "-" if value is None or value == "" else str(value).lower() if isinstance(value, bool) else str(value)


def _tell_running(service: Service) -> None:
    """A sipguard that runs takes what is new into memory; without one nothing is to be told."""
    try:
        asyncio.run(control.ask(service.run_directory / "control.sock", "certificates"))
    except NotRunning:
        return


def cache_summary(service: Service, rows: list[dict[str, Any]], unix_at: float) -> dict[str, Any]:
    """`inventory.summary` with the status of a sipguard that runs, if one does."""
    try:
        status = asyncio.run(control.ask(service.run_directory / "control.sock", "status"))
    except NotRunning:
        status = {}
    return inventory.summary(rows, status, service.run_directory, unix_at)


def _disk(service: Service) -> Disk:
    directory = Path(service.fetch.directory)
    if not directory.is_dir():
        stop(f"{directory}: nothing was fetched yet", 0)
    return Disk(directory)


def _written(unix_at: float) -> str:
    return datetime.fromtimestamp(unix_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _print_rows(rows: list[dict[str, Any]]) -> None:
    """A line each, in columns; the URL is never cut, since it is what others are asked with."""
    for each in rows:
        warning = f"  ({each['warning']})" if each["warning"] else ""
        say(f"{_written(each['not_after_at'])}  {each['state']:7}  {each['url']}  {each['subject']}{warning}")


def _print_hosts(found: dict[str, Any]) -> None:
    table = Table("host", "certificates", "end in 7 days", "failures", "last error", box=None)
    for at in found["hosts"]:
        counts = (at["certificates"], at["expiring_7d"], at["failures"])
        table.add_row(*[Text(escaped(str(each))) for each in (at["host"], *counts, trouble_of(at))])
    Console(soft_wrap=True).print(table)
    for line in in_words(found):
        say(line)
    for each in found["not_warmed"]:
        say(f"certs warm did not get {each['urls']} of {each['host']} within the last hour: {each['reason']}")


def trouble_of(at: dict[str, Any]) -> str:
    """The last error of a host."""
    return f"{at['last_error']}, left alone" if at["left_alone"] else str(at["last_error"])


def in_words(found: dict[str, Any]) -> Iterator[str]:
    """What the summary says of all hosts together."""
    yield f"{found['certificates']} certificates on disk, {found['expiring_7d']} end in 7 days"
    if found["in_memory"] is not None:
        rate = f"{100 * found['hit_rate']:.1f} %" if found["hit_rate"] is not None else "no call needed one yet"
        yield f"{found['in_memory']} in memory; found there: {rate}"
    if found["errors"]:
        errors = ", ".join(f"{reason} {count}" for reason, count in found["errors"].items())
        yield f"requests that failed since the start: {errors}"
