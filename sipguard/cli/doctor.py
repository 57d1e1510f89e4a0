"""The command doctor: whether machine and configuration are fit to take calls.

Enters: a configuration, options. Leaves: one line for each thing that was looked at; a bundle for support.
Must not: change anything, hang, or show a secret.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from sipguard.cli.common import FAILED, config_option, json_option, print_json, stop
from sipguard.cli.escaping import say
from sipguard.service import control
from sipguard.service.doctor import bundle as bundles
from sipguard.service.doctor.diagnosis import PROBLEM, Case
from sipguard.service.doctor.examination import case_of, examine
from sipguard.service.errors import NotRunning

_STATUS_WITHIN_S = 3.0


@click.command()
@click.option(
    "--ntp",
    default="",
    envvar="SIPGUARD_NTP",
    metavar="SERVER",
    help="A server to ask for the time: HOST or HOST:PORT.",
)
@click.option(
    "--bundle", type=click.Path(dir_okay=False, path_type=Path), help="Write an archive for support, such as s.tar.gz."
)
@click.option(
    "--log",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Log file whose end the bundle holds; the journal of systemd if left out.",
)
@config_option
@json_option
def doctor(ntp: str, bundle: Path | None, log: Path | None, config: Path, as_json: bool) -> None:
    """Look at clock, ports, DNS, certificates, lists, disks, limits, permissions and the configuration.

    One line each: ok, warning (it works, but not for ever or not well), problem (it does not work) or unknown, and
    what to do. The bundle holds the diagnoses, the configuration, status, metrics, versions and the end of the log,
    without secrets and with numbers cut after three digits; members of lists and comments are left out.

    \b
    Exit status:
      0  there is no problem
      1  there is a problem, or the bundle could not be written
      2  the command line is wrong
    """
    case = case_of(config, {})
    case = replace(case, status=_status(case))
    diagnoses = []
    for each in examine(case, ntp):
        diagnoses.append(each)
        if not as_json:
            say(str(each))
    if as_json:
        print_json([asdict(each) for each in diagnoses])
    if bundle is not None:
        try:
            names = bundles.write(bundle, case, diagnoses, log)
        except OSError as error:
            stop(f"{bundle}: {error.strerror}", FAILED)
        say(f"{bundle}: {', '.join(names)}; look into it before you send it", err=True)
    sys.exit(FAILED if any(each.level == PROBLEM for each in diagnoses) else 0)


def _status(case: Case) -> dict[str, Any]:
    """The status of the running sipguard, empty where none answers."""
    if case.service is None:
        return {}
    socket = case.service.run_directory / "control.sock"
    try:
        return asyncio.run(asyncio.wait_for(control.ask(socket, "status"), _STATUS_WITHIN_S))
    except (NotRunning, TimeoutError):
        return {}
