"""What fits to what in a configuration whose shape is right: trunks, listeners, routes, lists.

Enters: a Config and its Document. Leaves: problems. Must not: open files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from itertools import combinations
from typing import Final

from sipguard.numbers.formats import FORMATS
from sipguard.screening.listspec import BINDINGS
from sipguard.screening.policy.errors import WARNING, Path, dotted, meant
from sipguard.settings.bases import IMPORTED, is_imported
from sipguard.settings.build import listeners_of, way_to
from sipguard.settings.document import Document
from sipguard.settings.model import Config, ListShape, TimerShape, TrunkShape
from sipguard.settings.problems import Problem

KEYS_MOST: Final = 1_000_000
SHORTEST_TIMER_S: Final = 90  # RFC 4028 §4, §5


def misfits(config: Config, document: Document) -> Iterator[Problem]:
    """Every pair of settings that cannot work together."""
    yield from _listeners(config, document)
    for name, trunk in config.trunks.items():
        yield from _trunk(name, trunk, config, document)
    yield from _overlaps(config, document)
    for name, shape in config.lists.items():
        yield from _list(name, shape, config, document)
    if config.emergency.route:
        yield from _route(config.emergency.route, ("emergency", "route"), config, document)
    if config.overload.refuse_after < config.overload.skip_verification_after:
        yield document.problem(
            ("overload", "refuse_after"),
            "comes before skip_verification_after",
            "write the longer duration here",
        )
    yield from _kept_too_short(config, document)
    yield from _sources(config, document)
    yield from _counted(config, document)
    if config.drain.notice > config.drain.deadline:
        yield document.problem(("drain", "notice"), "is longer than deadline", "write a longer deadline")


def _sources(config: Config, document: Document) -> Iterator[Problem]:
    """A trust list and a CRL each come from one place, and somebody signs them."""
    listed, crl = config.identity.trust_list, config.identity.crl
    if listed is not None:
        path: Path = ("identity", "trust_list")
        if (bool(listed.file) + bool(listed.url) + (listed.api is not None)) != 1:
            yield document.problem(path, "must come from one place", "write one of file, url, api")
        if listed.api is not None and not listed.signers:
            yield document.problem(path, "what the API answers is signed, but there are no signers", "write signers")
    if crl is not None:
        path = ("identity", "crl")
        if bool(crl.file) is bool(crl.url):
            yield document.problem(path, "must come from one place", "write one of file, url")
        if not crl.signers:
            hint = "write signers: [FILE], the administrator's certificate"
            yield document.problem(path, "has no signers: no signature could be checked", hint)


def _counted(config: Config, document: Document) -> Iterator[Problem]:
    """How many keys are counted, and which lists calls are counted by."""
    rate = config.screening.checks.rate
    path: Path = ("screening", "checks", "rate", "keys")
    if not 1 <= rate.keys <= KEYS_MOST:
        yield document.problem(path, f"{rate.keys} is not between 1 and {KEYS_MOST}", "each key takes up to 1.6 kB")
    path = ("screening", "checks", "rate", "do_not_call")
    for at, name in enumerate(rate.do_not_call):
        if document.depth((*path, at)) <= len(path):  # not written: the list that is asked by default may be missing
            return
        shape = config.lists.get(name)
        if shape is None:
            yield document.problem((*path, at), f"there is no list {name}", meant(name, config.lists))
        elif shape.kind != "numbers" or shape.per_trunk or not shape.bind:
            yield document.problem((*path, at), f"{name} is no list of numbers", "write one that is bound to callee")


def _kept_too_short(config: Config, document: Document) -> Iterator[Problem]:
    """A journal whose segments are deleted before the calls in them may end: a crash would lose those."""
    for name, trunk in config.trunks.items():
        if trunk.max_duration > config.journal.keep:
            what = f"is shorter than max_duration of trunk {name}: calls that outlast it do not survive a crash"
            yield document.problem(("journal", "keep"), what, "write the longer duration here", WARNING)
            return


def _listeners(config: Config, document: Document) -> Iterator[Problem]:
    """Sockets that collide, or tell peers no address."""
    places: dict[tuple[str, int, bool], str] = {}
    for name, listener in config.listeners.items():
        place = (listener.address, listener.port, listener.transport == "udp")
        if place in places:
            yield document.problem(("listeners", name), f"has the address and port of {places[place]}")
        places.setdefault(place, name)
        if ip_address(listener.address).is_unspecified and listener.advertise.address is None:
            what = f"{listener.address} cannot stand in Via and Contact"
            yield document.problem(("listeners", name, "address"), what, "write advertise: {address: ...}")
        if listener.transport == "tls" and listener.tls is None:
            yield document.problem(("listeners", name), "has no certificate", "write tls: {certificate: ..., key: ...}")
        elif listener.transport != "tls" and listener.tls is not None:
            yield document.problem(("listeners", name, "tls"), f"is not for transport {listener.transport}")


def _trunk(name: str, trunk: TrunkShape, config: Config, document: Document) -> Iterator[Problem]:
    """What is wrong with one trunk among the others."""
    path: Path = ("trunks", name)
    yield from _trunk_listeners(name, trunk, config, document)
    if trunk.session_timer is not None:
        yield from _timer(name, trunk.session_timer, document)
    if trunk.route:
        yield from _routes(trunk, (*path, "route"), config, document)
    elif trunk.sources and not _given_back(trunk, config):
        yield document.problem(path, "calls from here have no route", "write route: TRUNK")
    if bool(trunk.write.trunk_group) is not bool(trunk.write.trunk_context):
        what = "trunk_group and trunk_context go together (RFC 4904 §5)"
        yield document.problem((*path, "write"), what, "write both")
    for at, each in enumerate(trunk.redirect_trunks):
        yield from _route(each, (*path, "redirect_trunks", at), config, document)
    if not trunk.sources and not trunk.peers:
        yield document.problem(path, "has no sources and no peers: no call can use it", level=WARNING)
    for at, network in enumerate(trunk.sources):
        if not network.prefixlen:
            yield document.problem((*path, "sources", at), f"{network} lets everybody in", level=WARNING)
    try:
        re.compile(trunk.read.tech_prefix)
    except re.error as error:
        yield document.problem((*path, "read", "tech_prefix"), f"is no regular expression: {error}")


def _given_back(trunk: TrunkShape, config: Config) -> bool:
    """Whether no call of a trunk needs a route: its listeners give all back, and know where to."""
    shapes = [config.listeners[each].redirect for each in listeners_of(trunk, config)]
    return all(shape is not None and (shape.go_on != 302 or bool(shape.contact)) for shape in shapes)


def _timer(name: str, timer: TimerShape, document: Document) -> Iterator[Problem]:
    """A session timer within the bounds of RFC 4028 §4 and §5."""
    path: Path = ("trunks", name, "session_timer")
    if timer.min < SHORTEST_TIMER_S:
        yield document.problem((*path, "min"), "is shorter than RFC 4028 allows", "write 90s or more")
    if timer.want < timer.min:
        yield document.problem((*path, "want"), "is shorter than min", "write the longer duration here")
    for key, value in (("want", timer.want), ("min", timer.min)):
        if value != int(value):
            yield document.problem((*path, key), "is no number of whole seconds", "write it without a fraction")


def _trunk_listeners(name: str, trunk: TrunkShape, config: Config, document: Document) -> Iterator[Problem]:
    """Whether the listeners of a trunk exist and fit to it."""
    path: Path = ("trunks", name)
    if trunk.listener and trunk.listeners:
        yield document.problem((*path, "listeners"), "stands beside listener", "write one of them")
    named: list[tuple[Path, str]] = [((*path, "listeners", at), each) for at, each in enumerate(trunk.listeners)]
    if trunk.listener:
        named.append(((*path, "listener"), trunk.listener))
    named += [((*path, "peers", at, "listener"), peer.listener) for at, peer in enumerate(trunk.peers) if peer.listener]
    unknown = [(where, each) for where, each in named if each not in config.listeners]
    for where, each in unknown:
        yield document.problem(where, f"{each} is no listener", meant(each, config.listeners))
    if not trunk.listener and not trunk.listeners and len(config.listeners) > 1:
        yield document.problem(path, "does not say which listener it uses", _write_one(config.listeners))
    elif not unknown:
        yield from _families(name, trunk, config, document)
        yield from _names(name, trunk, config, document)


def _write_one(listeners: Iterable[str]) -> str:
    """What a trunk has to say where there are several listeners."""
    return f"write listener: NAME, one of {', '.join(listeners)}"


def _families(name: str, trunk: TrunkShape, config: Config, document: Document) -> Iterator[Problem]:
    """Peers and sources that no listener of the trunk can reach: IPv4 and IPv6 do not mix on a socket."""
    names = listeners_of(trunk, config)
    addresses = [config.listeners[each].address for each in names]
    versions = {ip_address(each).version for each in addresses}
    for at, peer in enumerate(trunk.peers):
        if peer.is_name:
            own = [peer.listener] if peer.listener else list(names)
            if peer.transport and all(config.listeners[each].transport != peer.transport for each in own):
                what = f"no listener of this trunk speaks {peer.transport}"
                yield document.problem(("trunks", name, "peers", at), what, "write its listener")
            continue
        transport, listener = way_to(peer, names, config)
        own = [config.listeners[peer.listener].address] if peer.listener else addresses
        if ip_address(peer.host).version not in {ip_address(each).version for each in own}:
            what = f"{peer.host} cannot be reached from {own[0]}"
            yield document.problem(("trunks", name, "peers", at), what, "write another listener for it")
        elif not listener:
            what = f"no listener of this trunk speaks {transport}"
            yield document.problem(("trunks", name, "peers", at), what, "write its listener")
    for at, network in enumerate(trunk.sources):
        if network.version not in versions:
            what = f"nobody of {network} can send to {addresses[0]}"
            yield document.problem(("trunks", name, "sources", at), what, "write another listener for it")


def _names(name: str, trunk: TrunkShape, config: Config, document: Document) -> Iterator[Problem]:
    """Names that nobody is asked to show."""
    if not trunk.tls_names:
        return
    shapes = [config.listeners[each] for each in listeners_of(trunk, config)]
    if not any(shape.tls is not None and shape.tls.clients != "ignored" for shape in shapes):
        what = "no listener of this trunk asks for certificates: nobody can send"
        yield document.problem(("trunks", name, "tls_names"), what, "write a TLS listener with clients: asked")


def _routes(trunk: TrunkShape, path: Path, config: Config, document: Document) -> Iterator[Problem]:
    """Routes must lead to trunks that have peers, and no number may have two."""
    written = document.plain["trunks"][path[1]]["route"]
    seen: dict[str, int] = {}
    for n, route in enumerate(trunk.route):
        at: Path = path if isinstance(written, str) else (*path, n)
        for m, name in enumerate(route.to):
            where: Path = at if isinstance(written, str) else (*at, "to")
            if not isinstance(written, str) and isinstance(written[n]["to"], list):
                where = (*where, m)
            yield from _route(name, where, config, document)
        for prefix in route.prefix or [""]:
            if prefix in seen:
                what = f"+{prefix} has a route already" if prefix else "is a second route for all other numbers"
                yield document.problem(at, what, f"one of them is {dotted((*path, seen[prefix]))}")
            seen.setdefault(prefix, n)
    if "" not in seen:
        hint = "write {to: TRUNK} at the end, or those calls are answered 404"
        yield document.problem(path, "has no route for all other numbers", hint, WARNING)


def _route(route: str, path: Path, config: Config, document: Document) -> Iterator[Problem]:
    """A route must be a trunk that has peers."""
    trunk = config.trunks.get(route)
    if trunk is None:
        yield document.problem(path, f"{route} is no trunk", meant(route, config.trunks))
    elif not trunk.peers:
        yield document.problem(path, f"trunk {route} has no peers, no call can go there", "write its peers")


def _overlaps(config: Config, document: Document) -> Iterator[Problem]:
    """Sources of two trunks on one listener: the same is an error, one inside the other a warning.

    Where names are asked for, they tell the trunks apart.
    """
    sources = [
        (place, network, name, at)
        for name, trunk in config.trunks.items()
        if not trunk.tls_names
        for at, network in enumerate(trunk.sources)
        for place in listeners_of(trunk, config)
    ]
    for (place, first, name, _), (other_place, second, other, at) in combinations(sources, 2):
        if place != other_place or name == other or first.version != second.version:
            continue
        path = ("trunks", other, "sources", at)
        if first == second:
            yield document.problem(path, f"{second} is a source of trunk {name} too")
        elif first.overlaps(second):
            narrow = other if second.prefixlen > first.prefixlen else name
            what = f"{second} overlaps {first} of trunk {name}"
            yield document.problem(path, what, f"the narrower one counts: {narrow}", WARNING)


def _list(name: str, shape: ListShape, config: Config, document: Document) -> Iterator[Problem]:
    """What is wrong with the declaration of one list."""
    path: Path = ("lists", name)
    if shape.file and shape.members:
        yield document.problem(path, "has a file and members", "write one of them")
    if is_imported(shape) and shape.kind not in IMPORTED:
        hint = "write one of them, or members: [] for one that is only edited"
        yield document.problem(path, f"has neither file nor members, and {shape.kind} are not imported", hint)
    if shape.format not in FORMATS:
        hint = "write plain, which is CSV below a header too" if shape.format == "csv" else meant(shape.format, FORMATS)
        yield document.problem((*path, "format"), f"must not be {shape.format}", hint)
    if shape.format == "ftc" and shape.kind != "numbers":
        yield document.problem((*path, "format"), "ftc is for lists of numbers")
    for at, which in enumerate(shape.bind):
        if which not in BINDINGS[shape.kind]:
            what = f"a list of {shape.kind} is not asked about {which}"
            yield document.problem((*path, "bind", at), what, "known are " + ", ".join(BINDINGS[shape.kind]))
    if shape.per_trunk and is_imported(shape):
        yield document.problem((*path, "per_trunk"), "such a list is not imported", "write its file")
    if shape.per_trunk and shape.kind != "numbers":
        yield document.problem((*path, "per_trunk"), "is for lists of numbers")
    if not shape.bind:
        yield document.problem((*path, "bind"), "nothing is asked of this list", level=WARNING)
    if shape.kind == "trunks":
        for at, member in enumerate(shape.members):
            if member not in config.trunks:
                yield document.problem((*path, "members", at), f"{member} is no trunk", meant(member, config.trunks))
