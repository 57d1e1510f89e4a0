"""A Config, whose shape is right, to the values that the rooms below work with.

Enters: a Config, the directory that its relative paths are relative to. Leaves: listeners, trunks, settings
of checks and of the service. Must not: open files or report problems; `fits` does.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path as File
from typing import Any

from sipguard.net.fetch import FetchSettings
from sipguard.numbers.rules import NumberRules
from sipguard.screening.checks import CHECKS
from sipguard.screening.policy.model import Redress
from sipguard.screening.ruleset import Overload
from sipguard.screening.trunk import Limits, Listener, Peer, Trunk, Upstream, WriteRules
from sipguard.settings.model import SET_ELSEWHERE, Config, TrunkShape


@dataclass(frozen=True)
class Service:
    """What the processes need besides the Ruleset. Paths are absolute, durations seconds."""

    site: str
    node: str
    run_directory: File
    state_directory: File
    journal_directory: File
    journal_segment_bytes: int
    journal_keep_s: float
    database: File
    records_interval_s: float
    records_keep_s: float
    metrics_host: str
    metrics_port: int
    logs_calls: str  # all | sampled | off
    logs_sample: float  # share of calls, 0 to 1
    logs_mask: bool
    drain_deadline_s: float
    fetch: FetchSettings


def service(config: Config, base: File) -> Service:
    """The settings of the processes."""
    fetch = config.identity.fetch
    state = at(base, config.state.directory)
    return Service(
        site=config.site,
        node=config.node,
        run_directory=at(base, config.run.directory),
        state_directory=state,
        journal_directory=at(base, config.journal.directory),
        journal_segment_bytes=config.journal.segment_size,
        journal_keep_s=config.journal.keep,
        database=at(base, config.records.database),
        records_interval_s=config.records.interval,
        records_keep_s=config.records.keep,
        metrics_host=config.metrics.address,
        metrics_port=config.metrics.port,
        logs_calls=config.logs.calls,
        logs_sample=config.logs.sample / 100.0,
        logs_mask=config.logs.mask,
        drain_deadline_s=config.drain.deadline,
        fetch=FetchSettings(
            ports=tuple(fetch.ports),
            allow_networks=tuple(fetch.allow_networks),
            ca_file=str(at(base, fetch.ca_file)) if fetch.ca_file else "",
            directory=str(at(base, fetch.cache) if fetch.cache else state / "certificates"),
            deadline_s=fetch.deadline,
            per_host=fetch.per_host,
        ),
    )


def at(base: File, path: str) -> File:
    """`path`, from `base` where it is relative."""
    return (base / path).resolve()


def listeners(config: Config) -> dict[str, Listener]:
    """The local sockets by name."""
    return {
        name: Listener(
            name=name,
            host=shape.address,
            port=shape.port,
            transport=shape.transport,
            advertised_host=shape.advertise.address or "",
            advertised_port=shape.advertise.port or 0,
        )
        for name, shape in config.listeners.items()
    }


def trunks(config: Config) -> dict[str, Trunk]:
    """The trunks by name."""
    only = next(iter(config.listeners))
    return {name: _trunk(name, shape, only) for name, shape in config.trunks.items()}


def _trunk(name: str, shape: TrunkShape, listener: str) -> Trunk:
    """One trunk."""
    headers = shape.attestation_headers
    return Trunk(
        name=name,
        kind=shape.kind,
        sources=tuple(shape.sources),
        listeners=(shape.listener or listener,),
        route=shape.route,
        peers=tuple(Peer(host, port) for host, port in shape.peers),
        try_timeout_s=shape.try_timeout,
        down_for_s=shape.down_for,
        limits=Limits(shape.limits.cps, shape.limits.calls),
        read=NumberRules(
            default_cc=shape.read.default_country,
            strip_prefix=shape.read.strip_prefix,
            tech_prefix=shape.read.tech_prefix,
            local_npa=shape.read.local_area,
        ),
        write=WriteRules(shape.write.form, shape.write.prefix),
        trust_pai=shape.trust_pai,
        emergency_marks_trusted=shape.emergency_marks == "trusted",
        verify=shape.verify,
        verstat=shape.verstat,
        attestation_headers=(headers.attestation, headers.origination) if headers is not None else None,
        block_location=shape.block_location,
        upstream=Upstream(**shape.upstream.model_dump()),
    )


def check_settings(config: Config) -> dict[str, object]:
    """Name of a check -> its Settings."""
    elsewhere: dict[str, Any] = {"identity.fetch.ports": tuple(config.identity.fetch.ports)}
    settings: dict[str, object] = {}
    for name, check in CHECKS.items():
        shape = getattr(config.screening.checks, name)
        values: dict[str, Any] = {}
        for field in fields(check.Settings):
            key = SET_ELSEWHERE.get((name, field.name))
            if key is not None:
                values[field.name] = elsewhere[key]
            else:
                values[field.name] = getattr(shape, field.name.removesuffix("_s"))
        settings[name] = check.Settings(**values)
    return settings


def on_failure(config: Config) -> dict[str, str]:
    """Name of a check -> open | closed."""
    return {name: getattr(config.screening.checks, name).on_failure for name in CHECKS}


def redress(config: Config) -> Redress:
    """Where blocked callers complain."""
    return Redress(config.redress.url, config.redress.tel, config.redress.email)


def overload(config: Config) -> Overload:
    """When work is shed."""
    shape = config.overload
    return Overload(shape.skip_verification_after, shape.refuse_after, shape.max_calls)
