"""A SHAKEN test PKI, PASSporTs with knobs, and an HTTPS server for certificates.

    pki = Pki()                                     root STI-CA; nothing touches the disk
    leaf = pki.leaf(spc="709J")                     a signer: certificate and key, profile of ATIS-1000080
    middle = pki.authority(); pki.leaf(issuer=middle)
    provider = pki.provider("709J")                 may delegate (RFC 9060); numbers of a customer below it:
    delegate = pki.delegate(provider, tnauthlist(ranges=[("12025550100", 50)]))
    limited = pki.delegate(provider, ..., extensions=[constrained(claim_constraints(values={"attest": ["B"]}))])
    token = passport("12025550101", "12125550123", leaf.key, "https://certs.example/709J.pem")
    header = identity_value(token, "https://certs.example/709J.pem")

    with CertificateServer(directory, tls=pki.web()) as server:   every file in `directory`, by name
        server.url("709J.pem")                      https://127.0.0.1:PORT/709J.pem
        server.asked                                paths asked for, in order

Needs cryptography and the standard library only, so that the demo can use it; never part of the product.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import ssl
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

TNAUTHLIST = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.26")
CONSTRAINTS = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.27")  # RFC 8226 §8
ENHANCED_CONSTRAINTS = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.33")  # RFC 9118
TNAUTHLIST_BY_REFERENCE = x509.ObjectIdentifier("1.3.6.1.5.5.7.48.14")  # RFC 8226 §10.1
IA5, UTF8, PRINTABLE = 0x16, 0x0C, 0x13  # tags of strings
SHAKEN_POLICY = x509.ObjectIdentifier("2.16.840.1.114569.1.1.4")
CRL_URL = "https://sti-pa.example/crl"
DAY = timedelta(days=1)

Extension = tuple[x509.ExtensionType, bool]  # and whether it is critical


@dataclass(frozen=True)
class Holder:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        """The certificate as PEM."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The private key as PEM (PKCS 8)."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def new_key() -> ec.EllipticCurvePrivateKey:
    """A fresh P-256 key; also the rogue one that no certificate names."""
    return ec.generate_private_key(ec.SECP256R1())


def name(common: str, organisation: str = "Example Voice") -> x509.Name:
    """A subject with C, O and CN."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def tnauthlist(
    spcs: Iterable[str] = (),
    ones: Iterable[str] = (),
    ranges: Iterable[tuple[str, int]] = (),
    string: int = IA5,
    tagged: bool = True,
) -> bytes:
    """DER of a TNAuthorizationList (RFC 8226 §9): explicit tags 0 SPC, 1 range, 2 one number.

    `string` is the tag of every string, IA5 by the standard; without `tagged` an SPC lacks its tag 0.
    """
    texts = [_der(string, spc.encode()) for spc in spcs]
    body = b"".join(_der(0xA0, text) if tagged else text for text in texts)
    for start, count in ranges:
        number = count.to_bytes(count.bit_length() // 8 + 1, "big")
        body += _der(0xA1, _der(0x30, _der(string, start.encode()) + _der(0x02, number)))
    body += b"".join(_der(0xA2, _der(string, one.encode())) for one in ones)
    return _der(0x30, body)


def claim_constraints(
    required: Iterable[str] = (), values: Mapping[str, Iterable[str]] | None = None, excluded: Iterable[str] = ()
) -> bytes:
    """DER of JWTClaimConstraints (RFC 8226 §8); with `excluded` that of the enhanced ones (RFC 9118 §3)."""

    def names(tag: int, claims: Iterable[str]) -> bytes:
        listed = b"".join(_der(IA5, claim.encode()) for claim in claims)
        return _der(tag, _der(0x30, listed)) if listed else b""

    permitted = b"".join(
        _der(0x30, _der(IA5, claim.encode()) + _der(0x30, b"".join(_der(UTF8, one.encode()) for one in listed)))
        for claim, listed in (values or {}).items()
    )
    body = names(0xA0, required)
    body += _der(0xA1, _der(0x30, permitted)) if permitted else b""
    return _der(0x30, body + names(0xA2, excluded))


def _der(tag: int, value: bytes) -> bytes:
    if len(value) < 0x80:
        return bytes((tag, len(value))) + value
    return bytes((tag, 0x82)) + len(value).to_bytes(2, "big") + value


class Pki:
    """A root STI-CA and what it issues; `now` lies inside the validity of everything."""

    def __init__(self, common: str = "Example SHAKEN ROOT", now: datetime | None = None) -> None:
        self.now = now or datetime.now(UTC)
        key = new_key()
        self.root = self.issue(
            None, name(common, "Example STI-CA"), key, authority_extensions(), self.now - 365 * DAY, 3650
        )

    def issue(
        self,
        issuer: Holder | None,
        subject: x509.Name,
        key: Any,
        extensions: Iterable[Extension],
        opens: datetime,
        days: float,
    ) -> Holder:
        """A certificate for `key`, signed by `issuer` or by itself; SKI and AKI are added."""
        by_key = issuer.key if issuer else key
        by_name = issuer.certificate.subject if issuer else subject
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(by_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(opens)
            .not_valid_after(opens + timedelta(days=days))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        )
        if issuer:
            aki = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
            builder = builder.add_extension(aki, False)
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return Holder(builder.sign(by_key, hashes.SHA256()), key)

    def authority(
        self,
        common: str = "Example SHAKEN CA 1",
        issuer: Holder | None = None,
        path_length: int | None = None,
        opens: datetime | None = None,
        days: float = 1000,
        extensions: Iterable[Extension] | None = None,
    ) -> Holder:
        """An intermediate CA under the root, or under `issuer`."""
        chosen = authority_extensions(path_length) if extensions is None else extensions
        subject = name(common, "Example STI-CA")
        return self.issue(issuer or self.root, subject, new_key(), chosen, opens or self.now - 30 * DAY, days)

    def leaf(
        self,
        spc: str = "709J",
        issuer: Holder | None = None,
        opens: datetime | None = None,
        days: float = 90,
        extensions: Iterable[Extension] | None = None,
        key: Any = None,
        organisation: str = "Example Voice",
    ) -> Holder:
        """A SHAKEN end-entity certificate with all that the profile asks for, or with `extensions` alone."""
        chosen = leaf_extensions(tnauthlist([spc])) if extensions is None else extensions
        subject = name(f"SHAKEN {spc}", organisation)
        return self.issue(issuer or self.root, subject, key or new_key(), chosen, opens or self.now - 10 * DAY, days)

    def provider(
        self,
        spc: str = "709J",
        authority: bytes | None = None,
        issuer: Holder | None = None,
        path_length: int | None = None,
        opens: datetime | None = None,
        days: float = 300,
        extensions: Iterable[Extension] = (),
    ) -> Holder:
        """A provider's certificate that issues delegates (RFC 9060): CA:TRUE with a TNAuthList, here its SPC alone."""
        scope = tnauthlist([spc]) if authority is None else authority
        chosen = [*authority_extensions(path_length), (x509.UnrecognizedExtension(TNAUTHLIST, scope), False)]
        subject = name(f"SHAKEN {spc}", "Example Voice")
        opened = opens or self.now - 20 * DAY
        return self.issue(issuer or self.root, subject, new_key(), [*chosen, *extensions], opened, days)

    def delegate(
        self,
        issuer: Holder,
        authority: bytes,
        ca: bool = False,
        extensions: Iterable[Extension] = (),
        organisation: str = "Example Bakery",
        opens: datetime | None = None,
        days: float = 60,
    ) -> Holder:
        """A delegate certificate (RFC 9060) for the TNAuthList `authority`; with `ca` it issues others in turn."""
        if ca:
            chosen = [*authority_extensions(), (x509.UnrecognizedExtension(TNAUTHLIST, authority), False)]
        else:
            chosen = leaf_extensions(authority)
        subject = name("SHAKEN delegate", organisation)
        return self.issue(issuer, subject, new_key(), [*chosen, *extensions], opens or self.now - 5 * DAY, days)

    def write_tls(self, directory: Path, name: str, hosts: Iterable[str]) -> None:
        """NAME.pem, NAME.key and ca.pem in a directory: a certificate for these hosts, and who issued it."""
        holder = self.web(hosts)
        (directory / f"{name}.pem").write_bytes(holder.pem)
        (directory / "ca.pem").write_bytes(self.root.pem)
        key = directory / f"{name}.key"
        key.touch(0o600)
        key.write_bytes(holder.key_pem)

    def administrator(self, days: float = 1000) -> Holder:
        """The STI-PA: signs CRLs and trust lists; it is no authority and stands under no root."""
        extensions: list[Extension] = [
            (x509.BasicConstraints(False, None), True),
            (usage(digital_signature=True, crl_sign=True), True),
        ]
        return self.issue(None, CRL_ISSUER, new_key(), extensions, self.now - 30 * DAY, days)

    def web(self, hosts: Iterable[str] = ("127.0.0.1", "localhost")) -> Holder:
        """A TLS certificate for these addresses, names and sip: URIs, issued by the root."""
        names: list[x509.GeneralName] = []
        for host in hosts:
            try:
                names.append(x509.IPAddress(ipaddress.ip_address(host)))
            except ValueError:
                names.append(x509.UniformResourceIdentifier(host) if ":" in host else x509.DNSName(host))
        extensions: list[Extension] = [
            (x509.BasicConstraints(False, None), True),
            (usage(digital_signature=True), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), False),
            (x509.SubjectAlternativeName(names), False),
        ]
        return self.issue(self.root, name("certs.example"), new_key(), extensions, self.now - DAY, 30)


def usage(**on: bool) -> x509.KeyUsage:
    """A KeyUsage with the named bits set."""
    bits = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement"
        " key_cert_sign crl_sign encipher_only decipher_only"
    )
    return x509.KeyUsage(**{bit: on.get(bit, False) for bit in bits.split()})


def authority_extensions(path_length: int | None = None) -> list[Extension]:
    """What a CA certificate carries."""
    return [
        (x509.BasicConstraints(True, path_length), True),
        (usage(key_cert_sign=True, crl_sign=True), True),
        (x509.CertificatePolicies([x509.PolicyInformation(SHAKEN_POLICY, None)]), False),
    ]


def leaf_extensions(authority: bytes | None) -> list[Extension]:
    """What a SHAKEN leaf carries; `authority` is the DER of its TNAuthList, None for a leaf without."""
    point = x509.DistributionPoint(
        [x509.UniformResourceIdentifier(CRL_URL)],
        None,
        None,
        [x509.DirectoryName(name("STI-PA CRL", "Example STI-PA"))],
    )
    extensions: list[Extension] = [
        (x509.BasicConstraints(False, None), True),
        (usage(digital_signature=True), True),
        (x509.CertificatePolicies([x509.PolicyInformation(SHAKEN_POLICY, None)]), False),
        (x509.CRLDistributionPoints([point]), False),
    ]
    if authority is not None:
        extensions.append((x509.UnrecognizedExtension(TNAUTHLIST, authority), False))
    return extensions


CRL_ISSUER = name("STI-PA CRL", "Example STI-PA")
Revoked = tuple[x509.Name | None, int]  # who issued the certificate, None for who did that of the entry before


def crl(
    signer: Holder,
    revoked: Iterable[Revoked] = (),
    *,
    issued: datetime | None = None,
    lasts: timedelta = DAY,
    number: int | None = 1,
    indirect: bool = True,
    name: x509.Name | None = None,
    extensions: Iterable[Extension] = (),
) -> bytes:
    """DER of an indirect CRL; `lasts` is the time until nextUpdate."""
    issued = issued or datetime.now(UTC) - timedelta(minutes=5)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(name or signer.certificate.subject)
        .last_update(issued)
        .next_update(issued + lasts)
    )
    if number is not None:
        builder = builder.add_extension(x509.CRLNumber(number), False)
    if indirect:
        point = x509.IssuingDistributionPoint(None, None, False, False, None, True, False)
        builder = builder.add_extension(point, True)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    for issuer, serial in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(issued)
        if issuer is not None:
            entry = entry.add_extension(x509.CertificateIssuer([x509.DirectoryName(issuer)]), True)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(signer.key, hashes.SHA256()).public_bytes(Encoding.DER)


def revoked(*holders: Holder) -> list[Revoked]:
    """Entries for these certificates."""
    return [(one.certificate.issuer, one.certificate.serial_number) for one in holders]


def trust_list(signer: Holder, authorities: Iterable[Holder], **claims: object) -> bytes:
    """A signed trust list in compact form, its certificates as base64 of DER; `claims` are added."""
    members = [base64.b64encode(one.certificate.public_bytes(Encoding.DER)).decode() for one in authorities]
    return sign(_json({"alg": "ES256"}), _json({"trustList": members, **claims}), signer.key).encode()


def constrained(der: bytes, enhanced: bool = False) -> Extension:
    """The extension that limits claims, out of what `claim_constraints` makes."""
    return (x509.UnrecognizedExtension(ENHANCED_CONSTRAINTS if enhanced else CONSTRAINTS, der), False)


def by_reference(url: str = "https://certs.example/tnauthlist") -> Extension:
    """The extension that says where the TNAuthList lies (RFC 8226 §10.1)."""
    where = x509.UniformResourceIdentifier(url)
    return (x509.AuthorityInformationAccess([x509.AccessDescription(TNAUTHLIST_BY_REFERENCE, where)]), False)


def b64url(octets: bytes) -> str:
    """base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def sign(header: bytes, claims: bytes, key: ec.EllipticCurvePrivateKey) -> str:
    """A compact JWS over exactly these octets, ES256 (RFC 7518 §3.4)."""
    signed = f"{b64url(header)}.{b64url(claims)}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{b64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def passport(
    orig: str,
    dest: str,
    key: ec.EllipticCurvePrivateKey,
    x5u: str,
    *,
    iat: object = None,
    attest: str = "A",
    origid: str | None = None,
    ppt: str = "shaken",
    header: Mapping[str, object] | None = None,
    extra: Mapping[str, object] | None = None,
    tamper: bool = False,
) -> str:
    """A signed PASSporT. `header` and `extra` replace or add members, a value of None removes one.

    `iat` is now unless given. `tamper` changes origid after signing, so every claim still fits the call.
    """
    head: dict[str, object] = {"alg": "ES256", "ppt": ppt, "typ": "passport", "x5u": x5u, **(header or {})}
    claims: dict[str, object] = {
        "attest": attest,
        "dest": {"tn": [dest]},
        "iat": int(time.time()) if iat is None else iat,
        "orig": {"tn": orig},
        "origid": str(uuid.uuid4()) if origid is None else origid,
        **(extra or {}),
    }
    token = sign(_json(head), _json(claims), key)
    if tamper:
        before, _, signature = token.rpartition(".")
        claims["origid"] = str(uuid.uuid4())
        token = f"{before.partition('.')[0]}.{b64url(_json(claims))}.{signature}"
    return token


def _json(members: Mapping[str, object]) -> bytes:
    kept = {name: value for name, value in members.items() if value is not None}
    return json.dumps(kept, separators=(",", ":"), sort_keys=True).encode()


def identity_value(token: str, x5u: str, ppt: str = "shaken") -> str:
    """An Identity header value as carriers write it."""
    return f'{token};info=<{x5u}>;alg=ES256;ppt="{ppt}"'


class CertificateServer:
    """Serves the files of `directory` on `host` from threads, over TLS where `tls` is given.

    `odd` are answers of another kind, by path.
    """

    def __init__(
        self,
        directory: Path,
        tls: Holder | None = None,
        port: int = 0,
        host: str = "127.0.0.1",
        odd: Mapping[str, Callable[[SimpleHTTPRequestHandler], None]] | None = None,
    ) -> None:
        self.asked: list[str] = []
        self.host = host
        self._scheme = "https" if tls else "http"
        self._server = ThreadingHTTPServer((host, port), self._answers(directory, odd or {}))
        self._server.daemon_threads = True
        if tls:
            self._server.socket = server_context(tls).wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def _answers(
        self, directory: Path, odd: Mapping[str, Callable[[SimpleHTTPRequestHandler], None]]
    ) -> type[SimpleHTTPRequestHandler]:
        asked = self.asked

        class Answers(SimpleHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            extensions_map = {".pem": "application/pem-certificate-chain"}  # noqa: RUF012 - of the base class

            def __init__(self, *arguments: Any, **named: Any) -> None:
                super().__init__(*arguments, directory=str(directory), **named)

            def do_GET(self) -> None:
                asked.append(self.path)
                if self.path in odd:
                    odd[self.path](self)
                else:
                    super().do_GET()

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: tests and demo print their own lines."""

        return Answers

    def url(self, file: str) -> str:
        """Where `file` of the directory is served."""
        return f"{self._scheme}://{self.host}:{self.port}/{file}"

    def start(self) -> CertificateServer:
        """Begins to serve; returns itself."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Ends the thread and closes the socket."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> CertificateServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def server_context(tls: Holder) -> ssl.SSLContext:
    """A TLS server context with this certificate and key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:  # the ssl module reads keys from files only
        file.write(tls.pem + tls.key_pem)
        file.flush()
        context.load_cert_chain(file.name)
    return context
