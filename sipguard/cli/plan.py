"""The command plan: what a load takes, before the machine is bought.

Enters: a load. Leaves: disk, memory, cores, network, with formulas and where their figures come from. Must not: look
at this machine.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from sipguard.cli.common import WRONG, config_option, json_option, print_json, stop
from sipguard.service.capacity import DAY_S, FIGURES, TCP, TLS, UDP, Amount, Load, caveats, plan
from sipguard.settings.load import load
from sipguard.settings.service import Service
from sipguard.settings.sources import SKIP
from sipguard.settings.units import percent, seconds


@click.command(name="plan")
@click.option("--cps", type=click.FloatRange(0, min_open=True), required=True, help="New calls a second at the peak.")
@click.option(
    "--retention",
    metavar="TIME",
    help="How long records are kept, such as 90d; records.keep, or 90d without a configuration.",
)
@click.option(
    "--journal",
    metavar="TIME",
    help="How long the journal is kept, such as 7d; journal.keep, or 7d without a configuration.",
)
@click.option(
    "--duration", default="180s", show_default=True, metavar="TIME", help="How long a call is up, on average."
)
@click.option("--rejected", default="0%", show_default=True, metavar="SHARE", help="Share of calls that are rejected.")
@click.option(
    "--mean", default="100%", show_default=True, metavar="SHARE", help="Average rate over a day, as a share of --cps."
)
@click.option("--transport", type=click.Choice([UDP, TCP, TLS]), default=UDP, show_default=True, help="Of both legs.")
@click.option("--lists", default=0, type=click.IntRange(0), show_default=True, help="Numbers in all lists together.")
@click.option("--compiled", is_flag=True, help="For the core compiled by mypyc.")
@config_option
@json_option
def plan_command(
    cps: float,
    retention: str | None,
    journal: str | None,
    duration: str,
    rejected: str,
    mean: str,
    transport: str,
    lists: int,
    compiled: bool,
    config: Path,
    as_json: bool,
) -> None:
    """Print what a load takes: disk, memory, cores, network, each with its formula.

    The figures in the formulas were measured; they are listed with their source below the amounts. A configuration
    is read for its retention if there is one, and nothing of this machine is looked at.

    \b
    Example:
      sipguard plan --cps 300 --duration 180s --retention 90d --lists 250000000

    \b
    Exit status:
      0  done
      2  the command line is wrong
    """
    kept = load(config, SKIP).service if config.is_file() else None
    try:
        wanted = Load(
            cps=cps,
            records_keep_s=_span(retention, kept.records_keep_s if kept is not None else 90 * DAY_S),
            journal_keep_s=_span(journal, kept.journal_keep_s if kept is not None else 7 * DAY_S),
            duration_s=seconds(duration),
            rejected=percent(rejected) / 100,
            mean=percent(mean) / 100,
            transport=transport,
            members=lists,
            segment_bytes=_segment(kept),
            compiled=compiled,
        )
    except ValueError as error:
        stop(str(error).replace("|", "; "), WRONG)
    amounts, said = plan(wanted), caveats(wanted)
    if as_json:
        figures = {name: asdict(figure) for name, figure in FIGURES.items()}
        print_json({"amounts": [asdict(each) for each in amounts], "figures": figures, "caveats": said})
        return
    for each in amounts:
        click.echo(f"{each.key:15}{_shown(each):>12}   {each.formula}")
    click.echo("\nMeasured:")
    for figure in FIGURES.values():
        click.echo(f"{_number(figure.value):>15} {figure.unit:3} {figure.what} ({figure.source})")
    click.echo()
    for line in said:
        click.echo(line)


def _span(written: str | None, otherwise: float) -> float:
    return seconds(written) if written is not None else otherwise


def _segment(kept: Service | None) -> int:
    return kept.journal_segment_bytes if kept is not None else 64 * 2**20


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"


def _shown(amount: Amount) -> str:
    """An amount as people read it."""
    if amount.unit != "B":
        return f"{amount.value:,.2f} {amount.unit}" if amount.value < 100 else f"{amount.value:,.0f} {amount.unit}"
    value, unit = amount.value, "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.1f} {unit}"
