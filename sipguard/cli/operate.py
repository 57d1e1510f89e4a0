"""Commands that run sipguard and steer a running one: run, status, reload, rollback, mode, drain,
hangup.

Enters: options. Leaves: what the service answers. Must not: touch its files behind its back.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from sipguard.cli.common import FAILED, ask, config_option, json_option, loaded, print_json, stop
from sipguard.cli.escaping import say
from sipguard.screening.verdict import MODES
from sipguard.service.refused import line as refused_line


@click.command()
@config_option
def run(config: Path) -> None:
    """Start sipguard and stay in the foreground.

    SIGTERM or Ctrl-C drains: no new calls, until the last has ended or drain.deadline has passed; once more hangs up
    at once. SIGHUP reloads.
    """
    from sipguard.service import supervisor  # the other commands start faster without it
    from sipguard.service.logs import configure

    result = loaded(config, at_start=True)
    configure()
    sys.exit(supervisor.run(config, result))


@click.command()
@config_option
@json_option
def status(config: Path, as_json: bool) -> None:
    """Show what runs: version, Ruleset, listeners, modes, peers, signers, calls, processes, traces."""
    from sipguard.service import list_ages, list_edits, overview, signers  # other commands start faster without them

    answer = ask(config, "status")
    if as_json:
        print_json(answer)
        return
    say(f"version   {answer['version']}")
    say(f"revision  {answer['revision']}")
    for each in answer["listeners"]:
        say(f"listener  {_listener(each)}")
    for trunk, mode in answer["modes"].items():
        say(f"mode      {mode} ({trunk or 'all trunks'})")
    for peer in answer["peers"]:
        say(f"peer      {_peer(peer)}")
    for signer in answer["signers"]:
        say(f"signer    {signers.line(signer)}")
    for line in list_edits.lines(answer["edits"]):
        say(f"edits     {line}")
    for name, why in sorted(answer["missing_lists"].items()):
        say(f"list      {name} MISSING: {why}; no condition on it holds")
    say(f"calls     {answer['calls']} up")
    if answer["records"]["away"]:
        behind = f"{answer['records']['behind_s']:.0f} s behind"
        say(f"records   {behind}: {overview.NOT_STORED}; sipguard doctor and the log (database_away) say why")
    say(f"up        {answer['up_s']} s{', draining' if answer['draining'] else ''}")
    for name, process in answer["processes"].items():
        say(f"{name:9} pid {process['pid']}, started {process['starts']} time(s)")
    for line in list_ages.stale_lines(answer["lists"]):
        say(f"list      {line}")
    for row in answer["refused"]:
        say(f"refused   {refused_line(row)}")
    for trace in answer["traces"]:
        say(f"trace     {trace['tn'] or 'any number'} from {trace['trunk'] or 'all trunks'}, {trace['left_s']} s left")


def _listener(each: dict[str, Any]) -> str:
    host = f"[{each['address']}]" if ":" in each["address"] else each["address"]
    text = f"{each['listener']}: {each['transport']} {host}:{each['port']}"
    if each["advertised"]:
        text += f", advertised as {each['advertised']}"
    return f"{text}, redirect" if each["redirect"] else text


def _peer(each: dict[str, Any]) -> str:
    names = f" ({', '.join(each['names'])})" if each["names"] else ""
    order = f"priority {each['priority']}, weight {each['weight']}: " if each["priority"] is not None else ""
    passed_over = "passed over, " if each["passed_over"] else ""
    return f"{each['trunk']}: {each['peer']}{names}, {order}{passed_over}{each['state']}"


@click.command()
@click.option("--force", is_flag=True, help="Take up even what harms emergency calls.")
@config_option
@json_option
def reload(force: bool, config: Path, as_json: bool) -> None:
    """Take up the changed configuration; a broken one changes nothing.

    It is proved first that it harms no emergency call, as `sipguard policy prove` does; one that does is refused, with
    what harms which call.

    \b
    Exit status:
      0  the Ruleset is in force; problems on standard error are warnings
      1  it was refused: it has errors, or harms emergency calls; nothing has changed
      3  no sipguard is running with this configuration
    """
    _swapped(ask(config, "reload", force=force), as_json)


@click.command()
@config_option
@json_option
def rollback(config: Path, as_json: bool) -> None:
    """Go back to the Ruleset before the present one.

    Done again, it goes back one further; the last 20 are kept. Files are not changed: mend them before the next reload
    or restart.
    """
    _swapped(ask(config, "rollback"), as_json)


def _swapped(answer: dict[str, Any], as_json: bool) -> None:
    """Shows the outcome of a reload or rollback and ends with it."""
    if as_json:
        print_json(answer)
    if "problems" not in answer:  # nothing was looked at: the request itself broke
        stop(answer.get("error", "refused"), FAILED)
    for problem in answer["problems"]:
        say(problem, err=True)
    if not answer["ok"]:
        say(f"refused; revision {answer['revision']} stays in force", err=True)
        sys.exit(FAILED)
    if not as_json:
        say(f"revision {answer['before']} -> {answer['revision']}")


@click.command()
@click.argument("mode", type=click.Choice(MODES))
@click.option("--trunk", default="", metavar="NAME", help="Only for calls from this trunk; for all if left out.")
@config_option
@json_option
def mode(mode: str, trunk: str, config: Path, as_json: bool) -> None:
    """Set what verdicts do: enforce them, report only, or bypass screening.

    It acts on the next call, survives a restart, and is recorded. Emergency calls pass in every mode.

    \b
    Examples:
      sipguard mode report
      sipguard mode bypass --trunk carrier-a
    """
    answer = ask(config, "mode", mode=mode, trunk=trunk)
    if as_json:
        print_json(answer)
    if not answer["ok"]:
        say(answer["error"], err=True)
        sys.exit(FAILED)
    if answer.get("warning"):
        say(answer["warning"], err=True)
    if not as_json:
        for name, each in answer["modes"].items():
            say(f"{each} ({name or 'all trunks'})")


@click.command()
@config_option
def drain(config: Path) -> None:
    """Stop after the last call has ended, as SIGTERM does."""
    ask(config, "drain")
    say("draining")


@click.command()
@click.argument("decision_id")
@config_option
@json_option
def hangup(decision_id: str, config: Path, as_json: bool) -> None:
    """Hang up one call; the whole id as it stands in `sipguard calls`.

    Both sides get a BYE, or before the answer a 480 and a CANCEL; its disposition is `admin`.

    \b
    Exit status:
      0  it was up, and is ended
      1  no call with this id is up
      2  the command line or the configuration is wrong
      3  no sipguard is running with this configuration
    """
    answer = ask(config, "hangup", decision_id=decision_id)
    if as_json:
        print_json(answer)
    if not answer["ok"]:
        say(answer["error"], err=True)
        sys.exit(FAILED)
    if not as_json:
        say(f"{decision_id} was up; hung up")
