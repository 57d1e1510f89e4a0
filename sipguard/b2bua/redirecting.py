"""A call that came by a redirect listener: screened as any other, and given back to who asked (RFC 3261 §8.3).

Enters: a call whose verdict lets it go on. Leaves: a 302 with the verified facts, or the 404 or 503 that its sender
reads as "go on". Must not: make a second leg, or keep anything beyond the server transaction.

    Contact                one for each peer of the route, q falling, or the one host that is configured; ;verstat=...
    P-Asserted-Identity    of the INVITE, or made of its From: verstat, prefix of a label
    Attestation-Info,      under the names of `attestation_headers` of the trunk that asked, where a signature
    Origination-ID         was verified
    headers of a label     as the rule writes them
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipguard.b2bua.forwarding import code_dialled, marked_lines
from sipguard.b2bua.writing import request_uri, with_code
from sipguard.sip.uri import name_addr, with_host

if TYPE_CHECKING:
    from sipguard.b2bua.peers import Hop
    from sipguard.b2bua.setup import Setup
    from sipguard.screening.trunk import RedirectRules

PHRASES: Final = {302: "Moved Temporarily", 404: "Not Found", 503: "Service Unavailable"}
ASSERTED: Final = "p-asserted-identity"


def given_back(setup: Setup, rules: RedirectRules, hops: list[Hop]) -> tuple[int, str, tuple[str, ...]]:
    """(status, phrase, header lines) that let the sender go on; sets `verstat`.

    `hops` are for Contact where no host is configured, or a rule names another trunk.
    """
    status = rules.status
    lines = _facts(setup)
    if status == 302:
        verstat = f";verstat={setup.verstat}" if setup.verstat else ""
        lines = [*_contacts(setup, rules.contact if not setup.elsewhere else "", hops, verstat), *lines]
    setup.wrote = lines
    return status, PHRASES[status], tuple(lines)


def _facts(setup: Setup) -> list[str]:
    """Lines with what was verified, spelled as the trunk wants it that the call came from."""
    if setup.untouched:
        return []
    kept, shown, first_added = marked_lines(setup, setup.call.trunk)
    lines = [line for line in kept[:first_added] if line.partition(":")[0].strip().lower() == ASSERTED]
    if setup.verstat and not lines:
        display, uri, _ = name_addr(shown)
        lines = [f"P-Asserted-Identity: {display} <{uri}>" if display else f"P-Asserted-Identity: <{uri}>"]
    return lines + kept[first_added:]


def _contacts(setup: Setup, host: str, hops: list[Hop], verstat: str) -> list[str]:
    uri = setup.request.uri
    if uri[:4].lower() == "urn:":  # it names no host; who asked knows where such calls go
        return [f"Contact: <{uri}>{verstat}"]
    code = code_dialled(setup)
    if code:
        uri = with_code(uri, code)
    if uri[:4].lower() == "tel:":
        uri = f"sip:{uri[4:]}@{host or 'host'};user=phone"  # RFC 3261 §19.1.6
    if host:
        return [f"Contact: <{with_host(uri, host)}>{verstat}"]
    lines = []
    for n, (egress, peer) in enumerate(hops):
        over = "" if peer.transport == "udp" else f";transport={peer.transport}"
        target = request_uri(uri, egress.write, peer.uri_host, code)
        lines.append(f"Contact: <{target}{over}>;q={max(10 - n, 1) / 10:.1f}{verstat}")
    return lines
