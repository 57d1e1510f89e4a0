"""The command certs csr: a key, and the request for a certificate that names a service provider code.

Enters: the code and the name of the provider. Leaves: two new files. Must not: overwrite anything, show the key.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import click
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from sipguard.cli.exits import FAILED, WRONG, stop
from sipguard.stir import tnauthlist
from sipguard.stir.signer import pem_of

KEY: Final = "shaken.key"
REQUEST: Final = "shaken.csr"
_TNAUTHLIST: Final = x509.ObjectIdentifier(tnauthlist.OID)


@click.command(name="csr")
@click.option("--spc", required=True, metavar="CODE", help="Service provider code, such as an OCN: 709J.")
@click.option("--organisation", required=True, metavar="NAME", help="Legal name of the provider, O of the subject.")
@click.option(
    "--country", default="US", show_default=True, metavar="CODE", help="Country of the provider, C of the subject."
)
@click.option(
    "-o",
    "--output",
    "directory",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where both are put.",
)
def csr_command(spc: str, organisation: str, country: str, directory: Path) -> None:
    """Make a P-256 key and a certificate request with TNAuthList in DIR: shaken.key (mode 0600) and shaken.csr.

    \b
    Example:
      sipguard certs csr --spc 709J --organisation "Provider Example Inc." -o /etc/sipguard/signer

    \b
    What comes then:
      1  a service provider code token from the policy administrator for the fingerprint of your ACME account
      2  an order by ACME with that token (RFC 9447, RFC 9448) and shaken.csr at an approved authority, by its
         own client; stir-shaken-toolkit asks for tokens, and orders at one of them, with a key of its own (README.md)
      3  the certificate on your https server, and `signers` in the configuration
    """
    if not (1 <= len(spc) <= 64 and spc.isascii() and spc.isalnum()) or spc != spc.upper():
        stop(f"{spc} is no service provider code: digits and capital letters, such as 709J", WRONG)
    if not (len(country) == 2 and country.isascii() and country.isupper()):
        stop(f"{country} is no country: write two capital letters, such as US", WRONG)
    if not organisation.strip():
        stop("--organisation is empty: write the legal name of the provider", WRONG)
    key = ec.generate_private_key(ec.SECP256R1())
    try:
        request = request_for(key, spc, organisation, country)
    except ValueError as error:
        stop(f"{organisation!r} cannot stand in a subject: {error}", WRONG)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name in (KEY, REQUEST):
            if (directory / name).exists():
                stop(f"{directory / name} exists; nothing is overwritten, name another directory", FAILED)
        _write(directory / KEY, pem_of(key), 0o600)
        _write(directory / REQUEST, request.public_bytes(Encoding.PEM), 0o644)
    except OSError as error:
        stop(f"{error.filename or directory}: {error.strerror}", FAILED)
    click.echo(f"{directory / KEY}: the private key; it never leaves this machine")
    click.echo(f"{directory / REQUEST}: the request for SHAKEN {spc}, {organisation}, {country}")


def request_for(
    key: ec.EllipticCurvePrivateKey, spc: str, organisation: str, country: str
) -> x509.CertificateSigningRequest:
    """The request (RFC 2986) as ATIS-1000080 has subjects, with the TNAuthList of RFC 8226 §9. Raises ValueError."""
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, country),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, f"SHAKEN {spc}"),
        ]
    )
    authority = x509.UnrecognizedExtension(_TNAUTHLIST, of_code(spc))
    return (
        x509.CertificateSigningRequestBuilder()
        .subject_name(subject)
        .add_extension(authority, False)
        .sign(key, SHA256())
    )


def of_code(spc: str) -> bytes:
    """DER of a TNAuthorizationList with one service provider code: a sequence, [0] explicit, IA5String."""
    text = bytes((0x16, len(spc))) + spc.encode("ascii")
    entry = bytes((0xA0, len(text))) + text
    return bytes((0x30, len(entry))) + entry


def _write(path: Path, octets: bytes, mode: int) -> None:
    """A new file; the mode stands before the first octet does."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(octets)
