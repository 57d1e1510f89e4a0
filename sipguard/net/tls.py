"""TLS: the contexts of a listener and of who fetches, and the names that a certificate was verified for.

Enters: paths of PEM files. Leaves: contexts for those who connect and for those who are connected to; names.
Must not: keep a private key outside of a context, or show one.
"""

from __future__ import annotations

import ssl
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sipguard.screening.trunk import Tls

_ASKED: Final = {"ignored": ssl.CERT_NONE, "asked": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


class Contexts:
    """`server` for connections that come, `client` for those that are made; both show the listener's certificate."""

    __slots__ = ("client", "server")

    def __init__(self, tls: Tls) -> None:
        """Reads the files. Raises OSError (of which ssl.SSLError is one) where one cannot be used."""
        self.server = _context(ssl.PROTOCOL_TLS_SERVER, ssl.Purpose.CLIENT_AUTH, tls)
        self.server.verify_mode = _ASKED[tls.clients]
        self.server.num_tickets = 0  # connections live long: nobody resumes one
        self.client = _context(ssl.PROTOCOL_TLS_CLIENT, ssl.Purpose.SERVER_AUTH, tls)
        self.client.check_hostname = False  # of several names one must be there: Connection asks for them
        self.client.verify_mode = ssl.CERT_REQUIRED


def _context(protocol: int, purpose: ssl.Purpose, tls: Tls) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(tls.certificate, tls.key or None, password=_no_password)
    if tls.ca:
        context.load_verify_locations(tls.ca)
    else:
        context.load_default_certs(purpose)
    return context


def _no_password() -> str:
    """There is nobody to ask for the password of an encrypted key."""
    raise ssl.SSLError("the key is encrypted")


def trusting(ca_file: str) -> ssl.SSLContext:
    """For who fetches: roots of the system and those of `ca_file`; host names are verified (AST-2022-002).

    Raises OSError where the file cannot be used.
    """
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(cafile=ca_file)
    return context


def names_of(certificate: dict[str, Any] | None) -> tuple[str, ...]:
    """The names that a verified certificate stands for, lower case (RFC 5922 §7.1).

    Those of its SIP URIs, DNS names and addresses; its common name only where it has no subjectAltName.
    """
    if not certificate:
        return ()
    found: list[str] = []
    alternatives = certificate.get("subjectAltName", ())
    for kind, value in alternatives:
        if kind == "URI":
            scheme, _, host = value.partition(":")
            if scheme.lower() in ("sip", "sips") and "@" not in host:  # a user's name is not that of a domain
                found.append(host.partition(";")[0].partition("?")[0].lower())
        elif kind == "DNS":
            found.append(value.lower())
        elif kind == "IP Address":
            found.append(_address(value))
    if not alternatives:
        found += [
            value.lower() for part in certificate.get("subject", ()) for key, value in part if key == "commonName"
        ]
    return tuple(dict.fromkeys(found))


def server_name(name: str) -> str | None:
    """What is asked for by SNI: a DNS name, also one that begins with a digit, but no address (RFC 6066 §3)."""
    try:
        ip_address(name)
    except ValueError:
        return name
    return None


def _address(text: str) -> str:
    """An address as flows write it; OpenSSL writes IPv6 in upper case and without `::`."""
    try:
        return str(ip_address(text.strip()))
    except ValueError:
        return text.lower()
