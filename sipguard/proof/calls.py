"""One call through the real engine: its INVITE as octets, and what the engine sent.

Enters: an engine, a trunk, a form, a state. Leaves: Outcome. Must not: judge.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address
from itertools import islice
from typing import TYPE_CHECKING, Final

from sipguard.b2bua import frames
from sipguard.b2bua.commands import Clock, Command, Record, Trouble
from sipguard.proof.forms import CALLER, Form
from sipguard.screening.trunk import Listener, Trunk
from sipguard.sip.flow import Flow, Send

if TYPE_CHECKING:
    from sipguard.b2bua.engine import Engine
    from sipguard.sip.flow import Address

HOSTS_TRIED: Final = 300  # addresses of a network, until one is found that no narrower network of another trunk holds
X5U: Final = "https://certificates.example/none.pem"


class Entry:
    """Where calls of a trunk come in: the flow of one sender, the listener that hears it."""

    __slots__ = ("flow", "listener", "trunk")

    def __init__(self, trunk: Trunk, listener: Listener, flow: Flow) -> None:
        self.trunk = trunk
        self.listener = listener
        self.flow = flow


class Outcome:
    """What came of one INVITE. `invites`: (flow, message) of each that left; `answer`: the final one to the caller."""

    __slots__ = ("answer", "awaited", "invites", "later", "message", "rule", "trouble", "trunk_left", "verdict")

    def __init__(self, message: str) -> None:
        self.message = message
        self.invites: list[tuple[Flow, str]] = []
        self.answer = ""  # the whole response, "" for none
        self.later = ""  # the final answer after the next hop has answered
        self.rule = ""
        self.verdict = ""
        self.trunk_left = ""  # name of the trunk that it left by
        self.trouble = ""  # what broke
        self.awaited: set[Address] = set()  # where it had to be sent to, one after the other, as all refuse

    def take(self, commands: list[Command]) -> None:
        """Notes what the engine returned."""
        for command in commands:
            if isinstance(command, Send):
                text = command.octets.decode("latin-1")
                if text.startswith("INVITE "):
                    self.invites.append((command.flow, text))
                elif text.startswith("SIP/2.0 ") and text[8:9] != "1" and not self.answer:
                    self.answer = text
            elif isinstance(command, Record) and isinstance(command.frame, frames.VerdictFrame):
                frame = command.frame
                self.rule, self.verdict, self.trunk_left = frame.rule, frame.action, frame.route
            elif isinstance(command, Trouble):
                self.trouble = self.trouble or command.what

    @property
    def status(self) -> str:
        """Status and phrase of the answer, "" for none."""
        return self.answer.partition("\r\n")[0][8:]


def entries_of(engine: Engine, trunk: Trunk) -> tuple[list[Entry], list[str]]:
    """Where calls of a trunk come in, one for each of its listeners and IP versions; and the sources that none fits."""
    found: dict[tuple[str, int], Entry] = {}
    left_out: list[str] = []
    for name in trunk.listeners:
        listener = engine.ruleset.listeners.get(name)
        if listener is None:
            continue
        for network in trunk.sources:
            if network.version != ip_address(listener.host).version or (name, network.version) in found:
                continue
            flow = _flow_from(engine, trunk, listener, network)
            if flow is not None:
                found[name, network.version] = Entry(trunk, listener, flow)
            else:
                left_out.append(f"{trunk.name}: no address of {network} is its own at listener {name}")
    versions = {version for _, version in found}
    return list(found.values()), [] if versions else left_out


def _flow_from(engine: Engine, trunk: Trunk, listener: Listener, network: IPv4Network | IPv6Network) -> Flow | None:
    """A flow from the network that the engine takes for this trunk's."""
    for address in _addresses(network):
        flow = Flow(1 if listener.transport != "udp" else 0, listener.transport, listener.name, (address, 5060))
        if trunk.tls_names:
            flow.tls_names = trunk.tls_names[:1]
        found = engine.sources.trunk_of(flow)
        if found is not None and found.name == trunk.name:
            return flow
    return None


def _addresses(network: IPv4Network | IPv6Network) -> Iterator[str]:
    """Addresses of a network, some from its beginning, then spread over it."""
    yield from (str(each) for each in islice(network, HOSTS_TRIED // 2))
    step = max(1, network.num_addresses // (HOSTS_TRIED // 2))
    for n in range(0, network.num_addresses, step):
        yield str(network[n])


def place(engine: Engine, entry: Entry, form: Form, clock: Clock, n: int, identity: str = "") -> Outcome:
    """Has one INVITE received; what the engine did about it in this same turn."""
    message = invite(entry, form, n, identity)
    outcome = Outcome(message)
    outcome.take(engine.received(entry.flow, message.encode("latin-1"), clock))
    return outcome


def answer(engine: Engine, outcome: Outcome, clock: Clock) -> None:
    """The next hop answers the last INVITE; what the caller hears of that is the outcome's `later`."""
    back = _responded(engine, outcome, clock, "200 OK")
    outcome.later = back.status


def refuse(engine: Engine, outcome: Outcome, clock: Clock, status: str, most: int) -> None:
    """The next hops refuse INVITEs one after the other, `most` at most; those that follow become the outcome's, too."""
    for n in range(most):
        if len(outcome.invites) != n + 1:
            return
        back = _responded(engine, outcome, clock, status)
        outcome.invites += back.invites
        outcome.later = back.status


def _responded(engine: Engine, outcome: Outcome, clock: Clock, status: str) -> Outcome:
    """The next hop responds to the last INVITE; what the engine did about it."""
    flow, message = outcome.invites[-1]
    kept = [line for line in message.split("\r\n")[1:] if line.partition(":")[0] in ("Via", "From", "Call-ID", "CSeq")]
    to = next(line for line in message.split("\r\n") if line.startswith("To:"))
    host = f"[{flow.remote[0]}]" if ":" in flow.remote[0] else flow.remote[0]
    lines = [f"SIP/2.0 {status}", *kept, f"{to};tag=psap", f"Contact: <sip:psap@{host}>", "Content-Length: 0", "", ""]
    back = Outcome(message)
    back.take(engine.received(flow, "\r\n".join(lines).encode("latin-1"), clock))
    return back


def invite(entry: Entry, form: Form, n: int, identity: str = "") -> str:
    """The INVITE of a form, as it comes by that entry."""
    listener, flow = entry.listener, entry.flow
    host = f"[{flow.remote[0]}]" if ":" in flow.remote[0] else flow.remote[0]
    ours = f"{listener.public_host}:{listener.public_port}"
    uri = form.uri.replace("{host}", ours)
    lines = [
        f"INVITE {uri} SIP/2.0",
        f"Via: SIP/2.0/{flow.transport.upper()} {host}:{flow.remote[1]};branch=z9hG4bKproof{n};rport",
        "Max-Forwards: 70",
        f"From: <sip:{form.caller}@{host}>;tag=proof{n}",
        f"To: <{uri}>",
        f"Call-ID: proof-{n}@proof.example",
        "CSeq: 1 INVITE",
        f"Contact: <sip:caller@{host}:{flow.remote[1]}>",
        *(line.replace("{host}", host) for line in form.headers),
        *([f"Identity: {identity}"] if identity else []),
        "Content-Length: 0",
        "",
        "",
    ]
    return "\r\n".join(lines)


def unknown_identity(at: float) -> str:
    """An Identity value whose certificate nobody has (RFC 8224 §4, RFC 8588 §5)."""
    head = {"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": X5U}
    claims = {
        "attest": "A",
        "dest": {"tn": ["911"]},
        "iat": int(at),
        "orig": {"tn": CALLER.lstrip("+")},
        "origid": "00000000-0000-4000-8000-000000000000",
    }
    token = ".".join(
        urlsafe_b64encode(each).rstrip(b"=").decode()
        for each in (*(json.dumps(each, separators=(",", ":")).encode() for each in (head, claims)), b"\x01" * 64)
    )
    return f"{token};info=<{X5U}>;alg=ES256;ppt=shaken"
