"""The files of TLS listeners, looked at before a worker opens them.

Enters: paths. Leaves: what is wrong with them; what of them is public. Must not: keep or show a private key.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path as File

from sipguard.screening.trunk import Tls


def tls_problems(tls: Tls) -> Iterator[tuple[str, str, str]]:
    """(key of the setting, file, what is wrong) of each problem."""
    missing = False
    for key, path in (("certificate", tls.certificate), ("key", tls.key), ("ca", tls.ca)):
        if path and not File(path).is_file():
            missing = True
            yield key, path, "is not there"
    if missing:
        return
    key, path = ("key", tls.key) if tls.key else ("certificate", tls.certificate)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.certificate, tls.key or None, password=_no_password)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        yield key, path, f"cannot be used with the certificate: {_why(error)}"
    try:
        if tls.ca:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(tls.ca)
    except (OSError, ValueError) as error:
        yield "ca", tls.ca, f"holds no certificates that can be read: {_why(error)}"


def public_part(file: File) -> bytes:
    """The certificates of a PEM file, without what else stands in it; b"" where it cannot be read."""
    try:
        octets = file.read_bytes()
    except OSError:
        return b""
    begin, end = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
    return b"".join(piece.partition(end)[0] for piece in octets.split(begin)[1:])


def _no_password() -> str:
    """There is nobody to ask for the password of an encrypted key."""
    raise ValueError("the key is encrypted; write it without a password, readable by its owner only")


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "no PEM").lower().replace("_", " ")
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
