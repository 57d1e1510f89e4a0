"""What is configured of a relation with a carrier: a trunk, its peers, its number rules.

Enters: nothing, these are values; `settings` builds them from YAML, screening and b2bua read them.
Must not: change after they were built. All durations are seconds, all numbers canonical TNs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from sipguard.numbers.rules import READ_AS_NANP, NumberRules
from sipguard.screening.policy.model import Condition
from sipguard.sip.locate import Query

KINDS: Final = ("interconnect", "origination", "telemarketing", "gateway", "emergency")


@dataclass(frozen=True, slots=True)
class Tls:
    """Files of a TLS listener, absolute paths.

    "" stands for a key in the file of the certificate, and for the authorities of the system. `clients`: ignored |
    asked | required: what of certificates of those who connect.
    """

    certificate: str
    key: str = ""
    ca: str = ""
    clients: str = "asked"


@dataclass(frozen=True, slots=True)
class Connections:
    """Bounds on the connections of a listener; durations in seconds, 0.0 for no keep-alive."""

    most: int = 10_000
    unverified: int = 20  # of one address that only a certificate lets in
    connect_s: float = 2.0
    handshake_s: float = 5.0
    message_s: float = 10.0  # from the first octet of a message to its last
    idle_s: float = 1800.0
    keepalive_s: float = 30.0
    unread: int = 2**20  # octets that wait for the far end


@dataclass(frozen=True, slots=True)
class RedirectRules:
    """How calls of a redirect listener are given back: 302, 404 or 503; and the host of Contact in a 302.

    `contact` is host[:port], "" for the peers of the call's route.
    """

    status: int = 302
    contact: str = ""


@dataclass(frozen=True, slots=True)
class Listener:
    """A local socket: where it is bound, and the address that peers are told (Via, Contact)."""

    name: str
    host: str
    port: int
    transport: str = "udp"
    advertised_host: str = ""
    advertised_port: int = 0
    dscp: int = 0
    redirect: RedirectRules | None = None  # its calls are screened and given back, not forwarded
    tls: Tls | None = None
    connections: Connections = Connections()

    @property
    def public_host(self) -> str:
        """Host for Via and Contact, an IPv6 literal in brackets (RFC 3261 §25.1 `host`)."""
        host = self.advertised_host or self.host
        return f"[{host}]" if ":" in host else host

    @property
    def public_port(self) -> int:
        """Port for Via and Contact."""
        return self.advertised_port or self.port


@dataclass(frozen=True, slots=True)
class Peer:
    """One next hop of a trunk: an IP literal and a port.

    `listener`: local socket that requests leave by, the trunk's first where it is "". `tls_names`: one of them must
    stand in its certificate; the host where there is none.
    """

    host: str
    port: int = 5060
    transport: str = "udp"
    listener: str = ""
    tls_names: tuple[str, ...] = ()
    priority: int = 0  # smaller ones are tried first
    weight: int = 0  # share among those of the same priority (RFC 2782); 0 for all: in the order written
    rank: int = field(compare=False, default=0)  # place in the order written
    name: str = ""  # host[:port] in URIs where it was found by a name
    key: str = field(init=False, repr=False, compare=False, default="")  # what is known of it is kept under this
    uri_host: str = field(init=False, repr=False, compare=False, default="")  # as in a SIP URI, without the port 5060

    def __post_init__(self) -> None:
        host = f"[{self.host}]" if ":" in self.host else self.host
        shown = self.name or (host if self.port == 5060 else f"{host}:{self.port}")
        object.__setattr__(self, "uri_host", shown)
        by = f"@{self.listener}" if self.listener else ""
        object.__setattr__(self, "key", f"{host}:{self.port}/{self.transport}{by}")


@dataclass(frozen=True, slots=True)
class NamedPeer:
    """Next hops of a trunk under a host name, which is resolved away from calls (RFC 3263).

    `listeners`: for each transport of the query and each of its IP versions, the local socket to send from.
    `tls_names`: as of a Peer; the host name where there is none (RFC 5922).
    """

    query: Query
    listeners: tuple[tuple[tuple[int, str], ...], ...]
    tls_names: tuple[str, ...] = ()
    priority: int = 0
    weight: int = 0
    rank: int = field(compare=False, default=0)
    key: str = field(init=False, repr=False, compare=False, default="")  # what it was resolved to is kept under this

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", f"{self.query} {self.listeners} {self.tls_names}")


@dataclass(frozen=True, slots=True)
class Route:
    """Where calls to numbers that begin so leave: names of trunks, tried in order.

    `prefixes` are the first digits of canonical TNs; () is for all numbers that no other prefix fits.
    """

    to: tuple[str, ...]
    prefixes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProbeRules:
    """How peers are asked by OPTIONS whether they are there; an interval of 0 asks nobody."""

    interval_s: float = 0.0
    timeout_s: float = 4.0
    down_after: int = 3  # failures in a row
    up_after: int = 1  # answers in a row


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on a trunk's calls; 0 means none. Emergency calls do not count against them."""

    cps: float = 0.0
    calls: int = 0


@dataclass(frozen=True, slots=True)
class RefreshTimer:
    """A session timer (RFC 4028) that is asked for where the ends do not: seconds, and the shortest that is taken."""

    want_s: int = 1800
    min_s: int = 90


@dataclass(frozen=True, slots=True)
class WriteRules:
    """How numbers are written to this trunk, in Request-URI and To; caller digits are never changed.

    `form`: received (digits untouched) | e164 (+1...) | national (10 digits for +1 numbers) | plain (1...).
    `prefix` is put before the written number of the Request-URI; hosts are the peer's, in From ours, where they are "".
    `trunk_group` and `trunk_context` go into the Request-URI (RFC 4904). `tel`: sip (a tel: Request-URI becomes a sip:
    URI at the peer) | keep.
    """

    form: str = "received"
    prefix: str = ""
    uri_host: str = ""
    from_host: str = ""
    to_host: str = ""
    user_phone: bool = False  # ;user=phone is added to numbers in Request-URI and To
    trunk_group: str = ""
    trunk_context: str = ""
    tel: str = "sip"
    usual: bool = field(init=False, repr=False, compare=False, default=True)  # only hosts change in Request-URI and To

    def __post_init__(self) -> None:
        other = self.prefix or self.uri_host or self.to_host or self.user_phone or self.trunk_group
        usual = not other and self.form == "received" and self.tel == "sip"
        object.__setattr__(self, "usual", usual)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a trunk's challenges are answered with; the password stands in a file. `realm` "": the first that asks."""

    username: str
    realm: str
    password_file: str


@dataclass(frozen=True, slots=True)
class SignerFiles:
    """Where a signer's certificate and key lie, and where verifiers find the certificate.

    The passphrase of the key stands in a file, or in a variable of the environment; both "" where it has none.
    """

    certificate: str
    key_file: str
    x5u: str
    passphrase_file: str = ""
    passphrase_env: str = ""


@dataclass(frozen=True, slots=True)
class AttestRule:
    """Calls that `when` holds for are signed with this attestation (RFC 8588 §4); `origid` "" is the trunk's."""

    when: Condition
    attest: str
    origid: str = ""


@dataclass(frozen=True, slots=True)
class SignRules:
    """How calls that come in by a trunk are signed: by which signer, with which attestation; the first rule counts.

    `otherwise`: attestation where no rule matches, "" for none. `origid`: UUID of the trunk; with `per_caller` each
    number has one derived from it. `replaces`: one is added where those that came all failed. `divert_for`: lists of
    numbers that we may say were diverted from (RFC 8946 §4.1).
    """

    signer: str
    rules: tuple[AttestRule, ...]
    otherwise: str
    origid: str
    per_caller: bool = False
    replaces: bool = False
    divert_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Upstream:
    """Who sends on this trunk, as a traceback answer names it."""

    legal_name: str = ""
    ocn: str = ""
    rmd_id: str = ""
    contact: str = ""


@dataclass(frozen=True, slots=True)
class Trunk:
    """A configured relation to a carrier."""

    name: str
    kind: str
    sources: tuple[IPv4Network | IPv6Network, ...] = ()
    listeners: tuple[str, ...] = ("main",)  # it is heard on all of them
    route: str = ""  # name of the trunk that calls from here leave by where `routes` say nothing else
    peers: tuple[Peer, ...] = ()
    named: tuple[NamedPeer, ...] = ()
    try_timeout_s: float = 4.0
    down_for_s: float = 30.0
    limits: Limits = Limits()
    read: NumberRules = READ_AS_NANP
    write: WriteRules = WriteRules()
    trust_pai: bool = False
    accept_pai: bool = True  # P-Asserted-Identity from it crosses
    accept_marks: bool = False  # what it says of verification crosses, see `marks`
    send_pai: str = "always"  # P-Asserted-Identity to it: always | unless_private (Privacy: id) | never
    emergency_marks_trusted: bool = False
    verify: bool = True
    diverted_within_s: float = 0.0  # how old tokens behind the last `div` may be, if more than the others
    verstat: str = "plain"  # written TO this trunk: off | plain | suffix_all | suffix_bc
    attestation_headers: tuple[str, str] | None = None  # names written TO this trunk
    block_location: str = "LN"  # RFC 8606 location in the Reason of a 603+ we send to this trunk
    reason_stir: str = ""  # how its failed Identity values are reported back to it: "" not at all | compact | full
    last_503: int = 500  # the answer to this trunk where the last peer has said 503
    follows_redirects: bool = False  # its 3xx are followed to configured peers, else they cross to the caller
    redirect_trunks: tuple[str, ...] = ()  # trunks besides this one whose peers it may redirect to
    credentials: Credentials | None = None  # for its 401 and 407; without them they cross to the other side
    upstream: Upstream = field(default_factory=Upstream)
    routes: tuple[Route, ...] = ()  # by called number; the longest prefix counts
    probe: ProbeRules = ProbeRules()
    retry_after_limit_s: float = 60.0  # longest time for which a Retry-After in a 503 of a peer is honoured
    tls_names: tuple[str, ...] = ()  # who sends must show a certificate for one of them; () asks for no certificate
    session_timer: RefreshTimer | None = None  # asked for in calls that come in by it, both ways
    max_duration_s: float = 14_400.0  # of calls that come in by it, 0 for no bound; emergency calls have none
    dead_call_check_s: float = 900.0  # how often this side of a call is asked whether it knows it, 0 for never
    sign: SignRules | None = None  # its calls are signed
    add_identity: bool = False  # calls that leave by it carry our signature, where the trunk they came by has `sign`
    udp_max: int = 0  # octets; longer INVITEs to peers over UDP go by TCP (RFC 3261 §18.1.1), 0 for never
