"""The shape of the configuration: every key, its type, its default, what it is for.

Enters: plain values. Leaves: models; the JSON Schema for editors comes from them. Must not: open files, or
know what fits to what; `build` does.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, create_model, model_validator
from pydantic_core import CoreSchema

from sipguard.numbers.formats import FORMATS
from sipguard.screening.checks import CHECKS
from sipguard.settings.meanings import meanings
from sipguard.settings.units import Duration, Percent, Size
from sipguard.settings.values import (
    ORIGID,
    ROUTES,
    UUID,
    Address,
    FileOrMap,
    FileOrNumbers,
    HostOrAddress,
    HostPort,
    HttpsUrl,
    Name,
    NetworkText,
    NumberText,
    Port,
    Prefixes,
    RedressEmail,
    RedressTel,
    RedressUrl,
    SecretFile,
    ServerText,
    TlsName,
    TrunkNames,
    peer_map,
)


class Shape(BaseModel):
    """A map of the configuration: unknown keys are errors, texts are not read as numbers."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler(core)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, meaning in meanings(cls).items():
            properties[name]["description"] = meaning
        return schema


# ------------------------------------------------------------------------------------------ sockets


class Advertise(Shape):
    """What peers are told instead of the bound address, behind a translating router."""

    address: Address | None = None
    """Address written into Via and Contact; the bound one if left out."""
    port: Port | None = None
    """Port written into Via and Contact; the bound one if left out."""


class TlsShape(Shape):
    """Certificates of a listener; the files are read again at each reload."""

    certificate: str
    """PEM file with its certificate and those between it and an authority."""
    key: SecretFile | None = None
    """PEM file with its private key, or credential:NAME; in the file of the certificate if left out."""
    ca: str = ""
    """PEM file with the authorities of those who connect and are connected to; those of the system if left out."""
    clients: Literal["ignored", "asked", "required"] = "asked"
    """What of certificates of those who connect; one that is shown must be valid."""


class ConnectionsShape(Shape):
    """Bounds on the connections of a listener, TCP and TLS."""

    most: Annotated[int, Field(ge=1)] = 10_000
    """Open at a time; more wait in the kernel."""
    unverified: Annotated[int, Field(ge=1)] = 20
    """From one address that only a certificate lets in, until it was shown."""
    connect: Duration = 2.0
    """Longest time for a connection to a peer, TLS handshake included."""
    handshake: Duration = 5.0
    """Longest time for the TLS handshake of who connects."""
    message: Duration = 10.0
    """Longest time from the first octet of a message to its last."""
    idle: Duration = 1800.0
    """A connection on which nothing comes or goes for so long is closed."""
    keepalive: Duration = 30.0
    """Silence after which the kernel asks whether the far end is still there; 0 for never."""
    unread: Size = 2**20
    """Octets that may wait for a far end that does not read; then the connection is closed."""


class RedirectShape(Shape):
    """Screening for those who keep their calls: each INVITE is answered, none is forwarded."""

    go_on: Literal[302, 404, 503] = 302
    """Answer to a call that may go on, with what was verified; a 302 says where to go too."""
    contact: HostPort = ""
    """Host of the Contact in a 302, such as that of the switch behind; the peers of the call's route if left out."""


class ListenerShape(Shape):
    """A local socket."""

    address: Address
    """IPv4 or IPv6 address to bind."""
    port: Port = 5060
    """Port to bind."""
    transport: Literal["udp", "tcp", "tls"] = "udp"
    """Transport of what comes by it, and of what leaves by it."""
    advertise: Advertise = Advertise()
    """What peers are told instead."""
    tls: TlsShape | None = None
    """Certificates, where the transport is tls."""
    redirect: RedirectShape | None = None
    """Its calls are screened and given back to who asked, by a 302, 404 or 503; left out, they are forwarded."""
    dscp: Annotated[int, Field(ge=0, le=63)] = 0
    """Class of its packets (RFC 2474); 24 is CS3, usual for signalling."""
    connections: ConnectionsShape = ConnectionsShape()
    """Bounds on its connections, TCP and TLS."""


# ------------------------------------------------------------------------------------------ trunks


class LimitsShape(Shape):
    """Bounds on the calls that come in by a trunk. Emergency calls do not count."""

    cps: Annotated[float, Field(ge=0)] = 0
    """New calls a second; 0 for no bound."""
    calls: Annotated[int, Field(ge=0)] = 0
    """Calls at a time; 0 for no bound."""


class TimerShape(Shape):
    """A session timer (RFC 4028), asked for as a proxy does; the ends refresh."""

    want: Duration = 1800.0
    """Interval that is asked for where a request names none; whole seconds, not less than `min`."""
    min: Duration = 90.0
    """Shortest interval that is taken; a shorter one is answered 422. At least 90s."""


class ReadShape(Shape):
    """How numbers that come from this trunk are read."""

    default_country: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,2}$")] = "1"
    """Country code of numbers that carry none; what is dialled there before national ones is taken off."""
    strip_prefix: Annotated[str, Field(pattern=r"^[0-9#*]*$")] = ""
    """Digits taken off the front of a number."""
    tech_prefix: str = ""
    """Regular expression taken off the front of a number."""
    local_area: Annotated[str, Field(pattern=r"^([2-9][0-9]{2})?$")] = ""
    """Area code of seven-digit numbers."""


HostText = Annotated[str, Field(pattern=r"^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])?(:[0-9]{1,5})?$")]


class WriteShape(Shape):
    """How called numbers are written to this trunk. Digits of the caller are never changed."""

    form: Literal["received", "e164", "national", "plain"] = "received"
    """received: as they came; e164: +12025550123; national: 2025550123; plain: 12025550123."""
    prefix: Annotated[str, Field(pattern=r"^[0-9A-D#*+]*$")] = ""
    """Written before the number in the Request-URI."""
    uri_host: HostText = ""
    """Host of the Request-URI; the peer's if left out."""
    from_host: HostText = ""
    """Host of From; the address of the listener if left out. An anonymous From keeps its host."""
    to_host: HostText = ""
    """Host of To; the peer's if left out."""
    user_phone: bool = False
    """Whether user=phone is added to numbers in Request-URI and To."""
    trunk_group: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]*$")] = ""
    """Trunk group that the Request-URI names (RFC 4904); needs trunk_context."""
    trunk_context: HostText = ""
    """Where trunk_group is known: a domain."""
    tel: Literal["sip", "keep"] = "sip"
    """A tel: Request-URI becomes a sip: URI at the peer, or stays as it is."""


class AttestationHeaders(Shape):
    """Names of the headers that tell this trunk what was verified."""

    attestation: str = "Attestation-Info"
    """Header for the attestation A, B or C."""
    origination: str = "Origination-ID"
    """Header for the origination identifier."""


class CredentialsShape(Shape):
    """User name and password for a trunk that challenges by 401 or 407."""

    username: Annotated[str, Field(pattern=r"^[^\x00-\x1f:]+$")]
    """User name."""
    realm: str = ""
    """The only realm that is answered; if left out, the first one that challenges a call."""
    password: SecretFile
    """File with the password, or credential:NAME."""


UuidText = Annotated[str, Field(pattern=UUID)]
OrigidText = Annotated[str, Field(pattern=ORIGID)]


class SignerShape(Shape):
    """A certificate of ours with its key; changed files are taken up without a reload."""

    certificate: str
    """PEM file that verifiers find at x5u: the certificate first, then those between it and an authority."""
    key: SecretFile
    """PEM file with its private key (P-256), or credential:NAME."""
    passphrase: SecretFile | None = None
    """File with the passphrase of an encrypted key, or credential:NAME."""
    passphrase_env: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]*$")] = ""
    """The same from a variable of the environment, by its name."""
    x5u: str
    """https URL where verifiers find the certificate."""


class AttestShape(Shape):
    """One rule of attestation."""

    when: dict[str, Any]
    """Condition over facts, as in the policy."""
    attest: Literal["A", "B", "C"]
    """A: the customer is known and may use the number; B: the customer is known; C: only where the call came in."""
    origid: UuidText = ""
    """Origination identifier of these calls, a UUID; that of the trunk if left out."""


class SignShape(Shape):
    """How calls that come in by a trunk are signed (RFC 8224 §4, RFC 8588)."""

    by: str
    """Name of the signer."""
    attest: list[AttestShape] = []
    """Rules of attestation; the first that holds counts."""
    otherwise: Literal["B", "C", "none"] | None = None
    """Attestation where no rule holds, or none; if left out B for customers, C for gateways and other providers."""
    origid: OrigidText = "trunk"
    """Origination identifier: a UUID; trunk: one that stands for the trunk; caller: another one for each number."""
    replace: Literal["never", "if_invalid"] = "never"
    """Whether a signature is added where the one that came is not valid; what came is always kept."""
    divert_for: list[Name] = []
    """Lists of numbers of ours: a call for them that is sent elsewhere gets a div token (RFC 8946)."""


class UpstreamShape(Shape):
    """Who sends on this trunk, as a traceback answer names it."""

    legal_name: str = ""
    """Registered name of the provider."""
    ocn: str = ""
    """Operating company number."""
    rmd_id: str = ""
    """Number in the Robocall Mitigation Database."""
    contact: str = ""
    """Mail address or number for traceback."""


class PeerShape(Shape):
    """One next hop; as a text it is HOST[:PORT]."""

    host: HostOrAddress
    """IP address, or a host name, which is resolved away from calls (RFC 3263)."""
    port: Port | None = None
    """5060 if left out, 5061 for TLS; of a host name, that of its SRV records."""
    transport: Literal["udp", "tcp", "tls"] | None = None
    """Transport of requests to it; that of its listener if left out, of a host name what its NAPTR records prefer."""
    listener: str = ""
    """Listener that requests leave by; the trunk's first one with that transport if left out."""
    names: list[TlsName] = []
    """Its certificate must have one of these; the first is asked for (SNI). Its address if left out."""
    priority: Annotated[int, Field(ge=0, le=65535)] = 0
    """Peers with a smaller one are tried before."""
    weight: Annotated[int, Field(ge=0, le=65535)] = 0
    """Share of calls that try it first among peers of its priority (RFC 2782); all 0: as they are written."""

    @property
    def is_name(self) -> bool:
        """Whether it must be resolved."""
        return not (":" in self.host or self.host.replace(".", "").isdigit())

    @model_validator(mode="before")
    @classmethod
    def _of_text(cls, value: object) -> object:
        return peer_map(value)

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler.resolve_ref_schema(super().__get_pydantic_json_schema__(core, handler))
        return {"anyOf": [{"type": "string"}, schema]}


class RouteShape(Shape):
    """Where calls to some numbers leave."""

    prefix: Prefixes = []
    """First digits of the called numbers in canonical form, such as "+1202"; for all others if left out."""
    to: TrunkNames
    """Trunk that they leave by, or a list of trunks that are tried in order."""


class ProbeShape(Shape):
    """Asking peers by OPTIONS whether they are there."""

    interval: Duration = 0.0
    """How often each peer is asked; 0 for never. Some peers do not answer OPTIONS, and would be taken for down."""
    timeout: Annotated[Duration, Field(gt=0)] = 4.0
    """How long it may take to answer. Anything but 408 and 503 is a sign of life."""
    down_after: Annotated[int, Field(ge=1)] = 3
    """Failures in a row after which a peer is passed over."""
    up_after: Annotated[int, Field(ge=1)] = 1
    """Answers in a row after which it is tried again."""


class TrunkShape(Shape):
    """A relation to a carrier or customer."""

    kind: Literal["interconnect", "origination", "telemarketing", "gateway", "emergency"]
    """What kind of relation it is; policy asks it as trunk.kind."""
    listener: str = ""
    """Listener it uses; may be left out where there is only one."""
    listeners: list[str] = []
    """Listeners it uses, instead of one."""
    sources: list[NetworkText] = []
    """Addresses and networks that may send on it. Nobody else gets an answer."""
    tls_names: list[TlsName] = []
    """Who sends must have shown a certificate for one of these names; none asks for no certificate."""
    route: Annotated[list[RouteShape], *ROUTES] = []
    """Trunk that calls from here leave by; or a list by called number, of which the longest prefix counts."""
    peers: list[PeerShape] = []
    """Where calls to this trunk are sent, in order of preference."""
    udp_max: Annotated[int, Field(ge=0)] = 0
    """Longer INVITEs to peers over UDP go by TCP (RFC 3261 §18.1.1: 1300); 0 stays on UDP, as carriers do."""
    try_timeout: Duration = 4.0
    """How long a peer may stay silent before the next one is tried."""
    down_for: Duration = 30.0
    """How long a silent peer is passed over."""
    probe: ProbeShape = ProbeShape()
    """Asking its peers by OPTIONS whether they are there."""
    retry_after_limit: Duration = 60.0
    """Longest time for which the Retry-After of a peer's 503 is honoured; 0 for not at all."""
    limits: LimitsShape = LimitsShape()
    """Bounds on its calls."""
    max_duration: Duration = 14_400.0
    """Longest duration of calls that come in by it, then both sides get a BYE; 0 for no bound. Emergency calls have
    none."""
    session_timer: TimerShape | None = None
    """Session timer that is asked for in its calls where the caller asks for none; left to the ends if left out."""
    dead_call_check: Duration = 900.0
    """How often its side of a call without session timer is asked by OPTIONS whether it knows the call; 0 for never."""
    read: ReadShape = ReadShape()
    """How its numbers are read."""
    write: WriteShape = WriteShape()
    """How called numbers are written to it."""
    trust_pai: bool = False
    """Whether its P-Asserted-Identity says who calls (RFC 3325)."""
    accept_pai: bool = True
    """Whether P-Asserted-Identity, P-Preferred-Identity and Remote-Party-ID that it sends cross."""
    accept_marks: bool = False
    """Whether what it says of verification crosses: Attestation-Info and its like, headers that labels write, verified
    and integrity in Call-Info, and verstat where we write none."""
    send_pai: Literal["always", "unless_private", "never"] = "always"
    """Whether those headers are sent to it: also where the caller asks Privacy: id, not then, or never."""
    emergency_marks: Literal["ignored", "trusted"] = "ignored"
    """Whether its unsigned Priority: emergency or psap-callback admits a call."""
    verify: bool = True
    """Whether Identity headers of its calls are verified."""
    diverted_within: Annotated[Duration, Field(le=10_800.0)] = 0.0
    """How old tokens of its diverted calls may be, but for the last div token: longer than others where it transfers
    calls that are up (RFC 8946 §4.2), 3h at most; 0 for the freshness of others."""
    verstat: Literal["off", "plain", "suffix_all", "suffix_bc"] = "plain"
    """Spelling of verstat written to it: TN-Validation-Passed, with -A -B -C, or with -B -C only."""
    attestation_headers: AttestationHeaders | None = None
    """Headers with the verified attestation written to it; none if left out."""
    block_location: Annotated[str, Field(pattern=r"^[A-Z0-9-]{1,8}$")] = "LN"
    """Location in the Reason of a 603+ sent to it (RFC 8606): LN, TN or RLN."""
    reason_stir: Literal["off", "compact", "full"] = "off"
    """Whether responses to its calls name each Identity value that failed (RFC 9410): by its signature, or in full.

    Off keeps away from it, too, what the other side says by Reason: STIR.
    """
    last_503: Literal[480, 500, 502, 503, 504] = 500
    """Answer to its calls where the last peer has said 503; 503 lets that pass, with its Retry-After."""
    redirects: Literal["pass", "follow"] = "pass"
    """What is done with its 3xx: pass to the caller, or follow, to configured peers only and three at most."""
    redirect_trunks: list[Name] = []
    """Trunks whose peers it may redirect to, besides its own."""
    credentials: CredentialsShape | None = None
    """What its 401 and 407 are answered with (RFC 7616, RFC 8760); if left out they cross to the other side."""
    sign: SignShape | None = None
    """How its calls are signed; not at all if left out."""
    add_identity: bool | None = None
    """Whether calls that leave by it carry our signature; if left out, those to kind interconnect do."""
    upstream: UpstreamShape = UpstreamShape()
    """Who sends on it."""


# ------------------------------------------------------------------------------------------ screening


class FetchShape(Shape):
    """The guard on fetching certificates from where strangers say (facts of ATIS-1000080)."""

    allow_networks: list[NetworkText] = []
    """Special-purpose networks that certificates may come from, for laboratories."""
    ports: list[Port] = [443, 8443]
    """Ports that an x5u may name."""
    ca_file: str = ""
    """PEM file of a further authority for the servers' TLS certificates."""
    deadline: Duration = 2.0
    """Longest time for one certificate, name resolution included."""
    per_host: Annotated[int, Field(ge=1)] = 4
    """Fetches from one host at a time."""
    renewals: Annotated[float, Field(gt=0, le=100)] = 2.0
    """Certificates a second that are renewed in the background from one host, at most."""
    keep_unused: Duration = 30 * 24 * 3600.0
    """How long a certificate that no call needs is renewed before it is forgotten."""
    cache: str = ""
    """Directory where certificates are kept over a restart; in the state directory if left out."""


class LoginShape(Shape):
    """An account at the API of the policy administrator (STI-PA)."""

    url: HttpsUrl
    """What stands before /api/v1, such as https://authenticate-api.example."""
    user: str
    """Name of the account."""
    password: SecretFile
    """File with its password, or credential:NAME; read at each login."""


class TrustListShape(Shape):
    """The authorities that the policy administrator approves, trusted beside `anchors`. One of file, url, api."""

    file: str = ""
    """A file with it: PEM, or a signed JWS where there are signers."""
    url: HttpsUrl = ""
    """Where it is fetched, https."""
    api: LoginShape | None = None
    """The account that it is fetched with."""
    signers: list[str] = []
    """PEM files with the certificates that sign it; read again at each refresh."""
    refresh: Annotated[Duration, Field(ge=1)] = 6 * 3600.0
    """How often it is fetched or read."""
    stale_after: Annotated[Duration, Field(ge=1)] = 48 * 3600.0
    """How old it may be where it does not say itself until when it is good."""
    when_stale: Literal["keep", "refuse"] = "keep"
    """keep: it is trusted on, with an alarm; refuse: its authorities are trusted no longer."""
    largest_loss: Percent = 50.0
    """A new list that lacks more of the authorities in force is not taken."""


class CrlShape(Shape):
    """The policy administrator's list of revoked certificates, of all authorities. One of file, url."""

    file: str = ""
    """A file with it, DER or PEM."""
    url: HttpsUrl = ""
    """Where it is fetched, https."""
    signers: list[str] = []
    """PEM files with the certificates that sign it; read again at each refresh."""
    refresh: Annotated[Duration, Field(ge=1)] = 24 * 3600.0
    """How often it is fetched or read; sooner where its own next issue is due."""
    stale_after: Annotated[Duration, Field(ge=1)] = 48 * 3600.0
    """How old it may be where it does not say when the next one is issued."""
    when_stale: Literal["keep", "refuse"] = "keep"
    """keep: what it revokes stays revoked, with an alarm; refuse: nobody is trusted until there is a new one."""


class IdentityShape(Shape):
    """What vouches for Identity headers."""

    anchors: list[str] = []
    """PEM files, or directories of .pem files, with the certificates that are trusted."""
    trust_list: TrustListShape | None = None
    """The authorities that the policy administrator approves."""
    crl: CrlShape | None = None
    """Certificates that are revoked."""
    fetch: FetchShape = FetchShape()
    """The guard on fetching certificates."""


class ListShape(Shape):
    """A named list."""

    file: str = ""
    """Text file with one entry a line. A list with neither file nor members is made by `sipguard lists import`."""
    members: list[NumberText] = []
    """The entries themselves, instead of a file."""
    kind: Literal["numbers", "pairs", "networks", "texts", "trunks"] = "numbers"
    """numbers: numbers, prefixes, ranges; pairs: caller,callee; networks: IP networks; texts; trunks: their names."""
    format: str = Field(default="plain", json_schema_extra={"enum": list(FORMATS)})
    """plain, or ftc for the files of the Do-Not-Call registry."""
    bind: list[Literal["shown", "asserted", "caller", "diverting", "callee", "pair", "upstream", "signer"]]
    """What the list is asked about: lists.WHICH in a policy."""
    per_trunk: bool = False
    """Whether a line is trunk,number: a customer's own numbers, asked about calls of that trunk only."""
    owner: str = ""
    """Who answers for the list."""
    purpose: str = ""
    """What it is for."""
    source: str = ""
    """Where it comes from."""
    version: str = ""
    """Which issue of it this is."""
    max_age: Duration = 0.0
    """The list is stale when its file is older; 0s for never."""


class EmergencyShape(Shape):
    """Calls that nothing may stop, besides 911, 112, 988 and urn:service:sos."""

    numbers: list[NumberText] = []
    """Further numbers that always pass, such as 933 for tests."""
    psap_callers: FileOrNumbers = []
    """Numbers of those who answer emergency calls and call back: a list, or a file."""
    route: str = ""
    """Trunk that emergency calls leave by; the route of their own trunk if left out."""
    signed_priority: list[Annotated[str, Field(pattern=r"^[a-z0-9!%*_+`'~-]+$")]] = ["ets", "wps", "esnet"]
    """Namespaces of Resource-Priority that lift a call where a trusted signer vouches for them (RFC 8443, RFC 9027)."""
    priority_signers: list[str] = []
    """Service provider codes of who may sign such priority; any signer that is trusted if empty."""


class RedressShape(Shape):
    """Where a caller complains who was blocked by analytics; at least one is needed for that."""

    url: RedressUrl = ""
    """An https page."""
    tel: RedressTel = ""
    """A number, with + and country code."""
    email: RedressEmail = ""
    """A mail address."""


# fields of a check that another key sets as well
SET_ELSEWHERE: Final = {("identity", "x5u_ports"): "identity.fetch.ports"}


def _check_shape(name: str) -> Any:
    """The model of one check: `on_failure`, and the fields of its Settings (`_s` is a duration)."""
    shape: dict[str, Any] = {"on_failure": (Literal["open", "closed"], "open")}
    for field in fields(CHECKS[name].Settings):
        if (name, field.name) in SET_ELSEWHERE:
            continue
        if field.name.endswith("_s"):
            shape[field.name[:-2]] = (Duration, field.default)
        elif isinstance(field.default, tuple):
            shape[field.name] = (list[str], list(field.default))
        else:
            shape[field.name] = (type(field.default), field.default)
    return create_model(f"Check_{name}", __base__=Shape, __doc__=f"Settings of the check {name}.", **shape)


_CHECK_SHAPES: Final = {name: _check_shape(name) for name in CHECKS}
_CHECK_FIELDS: Final[dict[str, Any]] = {name: (shape, shape()) for name, shape in _CHECK_SHAPES.items()}
ChecksShape: Final[Any] = create_model(
    "Checks",
    __base__=Shape,
    __doc__="What each check is set to; on_failure: closed rejects calls when it fails.",
    **_CHECK_FIELDS,
)


class ScreeningShape(Shape):
    """How calls are screened."""

    complete: Percent = 0.0
    """Share of calls that run all checks, so that other policies can be tried on them later."""
    checks: ChecksShape = ChecksShape()
    """What each check is set to."""


# ------------------------------------------------------------------------------------------ operation


class DnsShape(Shape):
    """How host names of peers are resolved, away from calls."""

    servers: list[ServerText] = []
    """Addresses of the servers that are asked; those of the system if left out."""
    deadline: Annotated[Duration, Field(gt=0)] = 5.0
    """Longest time for one name, all its questions included."""
    shortest_ttl: Annotated[Duration, Field(ge=1)] = 30.0
    """A shorter TTL counts as this."""
    longest_ttl: Annotated[Duration, Field(ge=1)] = 3600.0
    """A longer TTL counts as this."""
    stale_for: Duration = 86_400.0
    """How long an answer is used beyond its TTL while there is no new one."""
    allow_networks: list[NetworkText] = []
    """Special-purpose networks, such as loopback, that peers may be in all the same, for laboratories."""


class OverloadShape(Shape):
    """When work is shed; the measure is for how long the socket was never empty."""

    skip_verification_after: Duration = 0.1
    """Identity headers are no longer verified."""
    refuse_after: Duration = 0.4
    """New calls are answered 503; established ones are served."""
    max_calls: Annotated[int, Field(ge=1)] = 20_000
    """More calls at a time are answered 503."""


class DrainShape(Shape):
    """Stopping without dropping calls."""

    deadline: Duration = 60.0
    """How long calls may go on before they are ended."""
    notice: Duration = 0.0
    """How long it answers 503 at least, so that a load balancer that probes it has noticed before it ends."""


class JournalShape(Shape):
    """What happened, as it happened, before it is loaded into the database."""

    directory: str = "/var/lib/sipguard/journal"
    """Where segments lie."""
    segment_size: Size = 64 * 2**20
    """Size of one segment; two are allocated ahead."""
    keep: Duration = 7 * 86_400.0
    """How long loaded segments are kept; `explain` reads them."""


class RecordsShape(Shape):
    """The database of calls."""

    database: str = "/var/lib/sipguard/records.sqlite"
    """SQLite file."""
    interval: Duration = 0.5
    """How often the journal is loaded."""
    keep: Duration = 90 * 86_400.0
    """How long records are kept."""
    zone: str = "UTC"
    """Time zone in which commands show and read times, by its IANA name; what is stored is UTC."""


class MetricsShape(Shape):
    """Prometheus metrics and health."""

    address: Address = "127.0.0.1"
    """Address to serve on."""
    port: Port = 9464
    """Port to serve on."""


class ApiShape(Shape):
    """Verification and signing over HTTP for those who ask off the call path (ATIS-1000082)."""

    token: SecretFile | None = None
    """File with the token that who asks must bear, or credential:NAME; nothing is served if left out."""
    address: Address = "127.0.0.1"
    """Address to serve on. It is HTTP without TLS: put a proxy before it where others than this machine ask."""
    port: Port = 9470
    """Port to serve on."""
    signers: list[Name] = []
    """Signers that sign for who bears the token; nothing is signed over HTTP if left out."""
    attest_at_most: Literal["A", "B", "C"] = "B"
    """The most that is attested over HTTP; who asks for more gets this."""


class HepShape(Shape):
    """Copies of messages and verdicts for a capture server such as Homer: HEP3 over UDP."""

    address: Address | None = None
    """Address of the collector; nothing is copied if left out."""
    port: Port = 9060
    """Port of the collector."""
    capture_id: Annotated[int, Field(ge=0, lt=2**32)] = 1
    """Capture agent id that stands in each packet."""
    node: str = ""
    """Name of the capture node; `node` if left out."""
    password: SecretFile | None = None
    """File with the password that the collector wants, or credential:NAME."""
    what: list[Literal["sip", "verdict"]] = ["sip", "verdict"]
    """sip: every message; verdict: each verdict with its facts, as JSON (protocol type 100)."""


class LogsShape(Shape):
    """Log lines, JSON on standard output."""

    calls: Literal["all", "sampled", "off"] = "all"
    """One line at the end of each call."""
    sample: Percent = 1.0
    """Share of calls with a line where calls is sampled."""
    mask: bool = True
    """Whether the last digits of numbers are hidden."""


class RunShape(Shape):
    """What exists only while sipguard runs."""

    directory: str = "/run/sipguard"
    """Control socket, lock, metrics."""


class StateShape(Shape):
    """What must survive a restart."""

    directory: str = "/var/lib/sipguard"
    """Built lists, earlier Rulesets, modes, cached certificates."""


class NumberingShape(Shape):
    """What is known of the world's numbers besides the plan that sipguard brings along."""

    plan: str | None = None
    """A plan that `sipguard numbers --compile FILE` made elsewhere; that of the installed library if left out."""
    npa_report: str | None = None
    """The report of area codes of NANPA (CSV): those in service; those of the plan if left out."""
    max_age: Duration = 92 * 86_400.0
    """How old plan and report may be before `sipguard check`, a start and an alert warn."""


class Config(Shape):
    """The configuration of sipguard."""

    site: Name
    """Name of the place; stands in every record."""
    node: Name
    """Name of this machine; stands in every record."""
    mode: Literal["enforce", "report", "bypass"] = "enforce"
    """report: decide and record, let pass; bypass: forward untouched. `sipguard mode` overrides it."""
    listeners: Annotated[dict[Name, ListenerShape], Field(min_length=1)]
    """Local sockets."""
    trunks: Annotated[dict[Name, TrunkShape], Field(min_length=1)]
    """Relations to carriers and customers."""
    identity: IdentityShape = IdentityShape()
    """What vouches for Identity headers."""
    signers: dict[Name, SignerShape] = {}
    """Certificates of ours, by which calls are signed."""
    lists: dict[Name, ListShape] = {}
    """Named lists."""
    numbering: NumberingShape = NumberingShape()
    """What is known of the world's numbers."""
    emergency: EmergencyShape = EmergencyShape()
    """Calls that nothing may stop."""
    policy: FileOrMap
    """A file with the policy, or the policy itself."""
    redress: RedressShape = RedressShape()
    """Where blocked callers complain."""
    screening: ScreeningShape = ScreeningShape()
    """How calls are screened."""
    dns: DnsShape = DnsShape()
    """How host names of peers are resolved."""
    overload: OverloadShape = OverloadShape()
    """When work is shed."""
    drain: DrainShape = DrainShape()
    """Stopping without dropping calls."""
    journal: JournalShape = JournalShape()
    """What happened, as it happened."""
    records: RecordsShape = RecordsShape()
    """The database of calls."""
    metrics: MetricsShape = MetricsShape()
    """Prometheus metrics and health."""
    api: ApiShape = ApiShape()
    """Verification and signing over HTTP."""
    hep: HepShape = HepShape()
    """Copies for a capture server."""
    logs: LogsShape = LogsShape()
    """Log lines."""
    run: RunShape = RunShape()
    """What exists only while sipguard runs."""
    state: StateShape = StateShape()
    """What must survive a restart."""
