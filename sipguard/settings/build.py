"""A Config, whose shape is right, to the values that the rooms below work with.

Enters: a Config, the directory that its relative paths are relative to. Leaves: listeners, trunks, settings
of checks and of the service. Must not: open files or report problems; `fits` does.
"""

from __future__ import annotations

from dataclasses import fields, replace
from ipaddress import ip_address
from pathlib import Path as File
from typing import Any

from sipguard.net.hep import HepSettings
from sipguard.net.nameservers import DnsSettings
from sipguard.net.sources import FetchSettings, Guard, Login, SourceSettings, TrustSettings
from sipguard.numbers.rules import NumberRules
from sipguard.screening.checks import CHECKS
from sipguard.screening.policy.model import Redress
from sipguard.screening.ruleset import Overload
from sipguard.screening.trunk import (
    Connections,
    Credentials,
    Limits,
    Listener,
    NamedPeer,
    Peer,
    ProbeRules,
    RedirectRules,
    RefreshTimer,
    Route,
    Tls,
    Trunk,
    Upstream,
    WriteRules,
)
from sipguard.screening.verification.settings import Settings as VerificationSettings
from sipguard.settings import secret
from sipguard.settings.model import (
    SET_ELSEWHERE,
    Config,
    ConnectionsShape,
    CredentialsShape,
    CrlShape,
    LoginShape,
    PeerShape,
    RedirectShape,
    TimerShape,
    TlsShape,
    TrunkShape,
    TrustListShape,
)
from sipguard.settings.service import Service
from sipguard.settings.values import SecretPlace
from sipguard.sip.locate import Query


def service(config: Config, base: File, anchors: tuple[bytes, ...] = ()) -> Service:
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
        records_zone=config.records.zone,
        metrics_host=config.metrics.address,
        metrics_port=config.metrics.port,
        api_host=config.api.address,
        api_port=config.api.port,
        api_token_file=_file_of(base, config.api.token),
        api_signers=tuple(config.api.signers),
        api_attest_at_most=config.api.attest_at_most,
        logs_calls=config.logs.calls,
        logs_sample=config.logs.sample / 100.0,
        logs_mask=config.logs.mask,
        drain_deadline_s=config.drain.deadline,
        drain_notice_s=config.drain.notice,
        fetch=FetchSettings(
            ports=tuple(fetch.ports),
            allow_networks=tuple(fetch.allow_networks),
            ca_file=str(at(base, fetch.ca_file)) if fetch.ca_file else "",
            directory=str(at(base, fetch.cache) if fetch.cache else state / "certificates"),
            deadline_s=fetch.deadline,
            per_host=fetch.per_host,
            background_rate=fetch.renewals,
            keep_unused_s=fetch.keep_unused,
        ),
        anchors=anchors,
        verification=_verification(config),
        dns=DnsSettings(
            servers=tuple(config.dns.servers),
            deadline_s=config.dns.deadline,
            shortest_ttl_s=config.dns.shortest_ttl,
            longest_ttl_s=config.dns.longest_ttl,
            allow_networks=tuple(config.dns.allow_networks),
        ),
        hep=_hep(config, base),
        trust=_trust(config, base, state),
    )


def _trust(config: Config, base: File, state: File) -> TrustSettings:
    """Where trust list and CRL come from."""
    shape, fetch = config.identity, config.identity.fetch
    guard = Guard(tuple(fetch.allow_networks), str(at(base, fetch.ca_file)) if fetch.ca_file else "")
    sources = []
    if shape.trust_list is not None:
        listed = _source(shape.trust_list, "trust_list", base)
        login = _login(shape.trust_list.api, base) if shape.trust_list.api is not None else None
        sources.append(replace(listed, login=login, largest_loss=shape.trust_list.largest_loss / 100.0))
    if shape.crl is not None:
        sources.append(_source(shape.crl, "crl", base))
    return TrustSettings(tuple(sources), str(state / "trust"), guard)


def _source(shape: TrustListShape | CrlShape, name: str, base: File) -> SourceSettings:
    return SourceSettings(
        name=name,
        file=str(at(base, shape.file)) if shape.file else "",
        url=shape.url,
        signers=tuple(str(at(base, each)) for each in shape.signers),
        refresh_s=shape.refresh,
        stale_after_s=shape.stale_after,
        refuse_stale=shape.when_stale == "refuse",
    )


def _login(shape: LoginShape, base: File) -> Login:
    """An account; a credential outside of systemd stays as it was written."""
    try:
        file = str(secret.place(base, shape.password))
    except OSError:
        file = shape.password.written
    return Login(shape.url.rstrip("/"), shape.user, file)


def _verification(config: Config) -> VerificationSettings:
    settings = check_settings(config)["identity"]
    assert isinstance(settings, VerificationSettings)
    return settings


def _file_of(base: File, place: SecretPlace | None) -> str:
    """Where a secret lies, "" for nowhere and for a credential outside of systemd."""
    try:
        return str(secret.place(base, place)) if place is not None else ""
    except OSError:
        return ""


def _hep(config: Config, base: File) -> HepSettings | None:
    """Where copies for a capture server go. A password that is out of reach here is nobody's here."""
    shape = config.hep
    if shape.address is None:
        return None
    return HepSettings(
        address=shape.address,
        port=shape.port,
        capture_id=shape.capture_id,
        node=shape.node or config.node,
        sip="sip" in shape.what,
        verdicts="verdict" in shape.what,
        password_file=_file_of(base, shape.password),
    )


def at(base: File, path: str) -> File:
    """`path`, from `base` where it is relative."""
    return (base / path).resolve()


def listeners(config: Config, base: File) -> dict[str, Listener]:
    """The local sockets by name."""
    return {
        name: Listener(
            name=name,
            host=shape.address,
            port=shape.port,
            transport=shape.transport,
            advertised_host=shape.advertise.address or "",
            advertised_port=shape.advertise.port or 0,
            dscp=shape.dscp,
            redirect=_redirect(shape.redirect),
            tls=tls(shape.tls, base) if shape.tls is not None else None,
            connections=_connections(shape.connections),
        )
        for name, shape in config.listeners.items()
    }


def _redirect(shape: RedirectShape | None) -> RedirectRules | None:
    return RedirectRules(shape.go_on, shape.contact) if shape is not None else None


def tls(shape: TlsShape, base: File) -> Tls:
    """The files of a TLS listener. Raises OSError where its key is a credential and there are none."""
    key = str(secret.place(base, shape.key)) if shape.key is not None else ""
    return Tls(str(at(base, shape.certificate)), key, str(at(base, shape.ca)) if shape.ca else "", shape.clients)


def _connections(shape: ConnectionsShape) -> Connections:
    return Connections(
        most=shape.most,
        unverified=shape.unverified,
        connect_s=shape.connect,
        handshake_s=shape.handshake,
        message_s=shape.message,
        idle_s=shape.idle,
        keepalive_s=shape.keepalive,
        unread=shape.unread,
    )


def trunks(config: Config, base: File) -> dict[str, Trunk]:
    """The trunks by name."""
    return {name: _trunk(name, shape, config, base) for name, shape in config.trunks.items()}


def listeners_of(shape: TrunkShape, config: Config) -> tuple[str, ...]:
    """Names of the listeners that a trunk uses, those that exist; the only one where it names none."""
    named = shape.listeners or ([shape.listener] if shape.listener else [next(iter(config.listeners))])
    return tuple(name for name in named if name in config.listeners)


def way_to(peer: PeerShape, names: tuple[str, ...], config: Config) -> tuple[str, str]:
    """(transport, listener) by which requests go to a peer of a trunk that uses these listeners; "" for no listener."""
    mine = [peer.listener] if peer.listener else list(names)
    version = ip_address(peer.host).version
    fit = [name for name in mine if ip_address(config.listeners[name].address).version == version]
    transport = peer.transport or config.listeners[(fit or mine)[0]].transport
    return transport, next((name for name in fit if config.listeners[name].transport == transport), "")


def _peer(shape: PeerShape, names: tuple[str, ...], config: Config, rank: int) -> Peer:
    transport, listener = way_to(shape, names, config)
    return Peer(
        host=shape.host,
        port=shape.port or (5061 if transport == "tls" else 5060),
        transport=transport,
        listener="" if listener == names[0] else listener,
        tls_names=tuple(shape.names),
        priority=shape.priority,
        weight=shape.weight,
        rank=rank,
    )


def _timer(shape: TimerShape | None) -> RefreshTimer | None:
    return RefreshTimer(int(shape.want), int(shape.min)) if shape is not None else None


def _trunk(name: str, shape: TrunkShape, config: Config, base: File) -> Trunk:
    """One trunk."""
    headers = shape.attestation_headers
    names = listeners_of(shape, config)
    return Trunk(
        name=name,
        kind=shape.kind,
        sources=tuple(shape.sources),
        listeners=names,
        **_routes(shape),
        peers=tuple(_peer(each, names, config, n) for n, each in enumerate(shape.peers) if not each.is_name),
        named=tuple(_named(each, names, config, n) for n, each in enumerate(shape.peers) if each.is_name),
        try_timeout_s=shape.try_timeout,
        down_for_s=shape.down_for,
        probe=ProbeRules(shape.probe.interval, shape.probe.timeout, shape.probe.down_after, shape.probe.up_after),
        retry_after_limit_s=shape.retry_after_limit,
        limits=Limits(shape.limits.cps, shape.limits.calls),
        session_timer=_timer(shape.session_timer),
        max_duration_s=shape.max_duration,
        dead_call_check_s=shape.dead_call_check,
        read=NumberRules(
            default_cc=shape.read.default_country,
            strip_prefix=shape.read.strip_prefix,
            tech_prefix=shape.read.tech_prefix,
            local_npa=shape.read.local_area,
        ),
        write=WriteRules(**shape.write.model_dump()),
        trust_pai=shape.trust_pai,
        accept_pai=shape.accept_pai,
        accept_marks=shape.accept_marks,
        send_pai=shape.send_pai,
        emergency_marks_trusted=shape.emergency_marks == "trusted",
        verify=shape.verify,
        diverted_within_s=shape.diverted_within,
        verstat=shape.verstat,
        attestation_headers=(headers.attestation, headers.origination) if headers is not None else None,
        block_location=shape.block_location,
        reason_stir="" if shape.reason_stir == "off" else shape.reason_stir,
        last_503=shape.last_503,
        follows_redirects=shape.redirects == "follow",
        redirect_trunks=tuple(shape.redirect_trunks),
        credentials=_credentials(shape.credentials, base) if shape.credentials is not None else None,
        add_identity=adds_identity(shape),
        upstream=Upstream(**shape.upstream.model_dump()),
        tls_names=tuple(shape.tls_names),
        udp_max=shape.udp_max,
    )


def adds_identity(trunk: TrunkShape) -> bool:
    """Whether calls that leave by a trunk carry our signature: those to other providers, unless it says otherwise."""
    return trunk.kind == "interconnect" if trunk.add_identity is None else trunk.add_identity


def _credentials(shape: CredentialsShape, base: File) -> Credentials:
    """Where a trunk's password lies; a credential outside of systemd as it was written."""
    try:
        file = str(secret.place(base, shape.password))
    except OSError:  # who only looks is warned of it, who runs is not let so far
        file = shape.password.written
    return Credentials(shape.username, shape.realm, file)


def _named(shape: PeerShape, names: tuple[str, ...], config: Config, rank: int) -> NamedPeer:
    """A peer under a host name, with the listeners by which each transport and family can be reached."""
    ways: dict[str, dict[int, str]] = {}
    for name in [shape.listener] if shape.listener else names:
        listener = config.listeners[name]
        if shape.transport in (None, listener.transport):
            ways.setdefault(listener.transport, {}).setdefault(ip_address(listener.address).version, name)
    return NamedPeer(
        query=Query(
            name=shape.host,
            port=shape.port or 0,
            transports=tuple(ways),
            families=tuple(tuple(by_family) for by_family in ways.values()),
            explicit=shape.transport is not None,
        ),
        listeners=tuple(tuple(by_family.items()) for by_family in ways.values()),
        tls_names=tuple(shape.names),
        priority=shape.priority,
        weight=shape.weight,
        rank=rank,
    )


def _routes(shape: TrunkShape) -> dict[str, Any]:
    """Fields of a Trunk that say where its calls leave."""
    routes = tuple(Route(tuple(each.to), tuple(each.prefix)) for each in shape.route)
    if len(routes) == 1 and not routes[0].prefixes and len(routes[0].to) == 1:
        return {"route": routes[0].to[0]}
    return {"routes": routes}


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
                value = getattr(shape, field.name.removesuffix("_s"))
                values[field.name] = tuple(value) if isinstance(value, list) else value
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
