"""Who signs, whose certificates are at fault, and what their servers do: the makings of Identity values.

Enters: a directory. Leaves: Identity values with knobs, the section `identity` of a configuration. Must not: know what
a value should come to.
"""

from __future__ import annotations

import time
from datetime import timedelta
from http.server import SimpleHTTPRequestHandler
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from tests.pki import (
    DAY,
    CertificateServer,
    Holder,
    Pki,
    claim_constraints,
    constrained,
    crl,
    leaf_extensions,
    name,
    new_key,
    passport,
    revoked,
    tnauthlist,
)

CALLER: Final = "12025550101"
HANG_S: Final = 4.0  # how long a server keeps silent; longer than the deadline of a fetch
DEADLINE: Final = "2500ms"
LATE_S: Final = 0.45  # how long a server lets calls wait that are in a hurry; shorter than the deadline


class Signers:
    """A PKI with certificates of every kind, served as `x5u(name)`."""

    def __init__(self, directory: Path) -> None:
        self.pki = pki = Pki()
        self.leaf = pki.leaf()
        self.middle = pki.authority()
        self.under = pki.leaf(issuer=self.middle)
        self.keys: dict[str, Any] = {}
        self._served = directory / "served"
        self._served.mkdir()
        self.anchors = directory / "root.pem"
        self.anchors.write_bytes(pki.root.pem)
        self._revoke(directory)
        self._serve_all()
        odd = {
            "/redirect.pem": _redirect,
            "/hang.pem": _hang,
            "/silent.pem": _hang,
            "/late.pem": self._late,
            "/error.pem": lambda answer: answer.send_error(500),
            "/page.html": _page,
            "/endless.pem": _endless,
        }
        self.server = CertificateServer(self._served, tls=pki.web(), odd=odd).start()
        # Faults of a server are counted by host; each has one of its own, or good ones would be left alone as well.
        self._faulty = {
            name: CertificateServer(self._served, tls=pki.web([host]), host=host, odd=odd).start()
            for name, host in (
                ("hang.pem", "127.0.0.5"),
                ("error.pem", "127.0.0.6"),
                ("endless.pem", "127.0.0.7"),
                ("silent.pem", "127.0.0.9"),
            )
        }
        self._at_8443 = _server_at_8443(self._served, pki)

    def _revoke(self, directory: Path) -> None:
        """A CRL of the policy administrator. Its second entry has the issuer of the first (RFC 5280 §5.3.3)."""
        pki = self.pki
        self.revoked, self.also_revoked = pki.leaf(), pki.leaf()
        self.revoked_middle = pki.authority("Example SHAKEN CA 3")
        sti_pa = pki.administrator()
        entries = revoked(self.revoked, self.revoked_middle)
        entries.insert(1, (None, self.also_revoked.certificate.serial_number))
        entries.append((self.middle.certificate.subject, self.leaf.certificate.serial_number))
        self.crl, self.sti_pa = directory / "crl.der", directory / "sti-pa.pem"
        self.crl.write_bytes(crl(sti_pa, entries))
        self.sti_pa.write_bytes(sti_pa.pem)

    def _serve_all(self) -> None:
        pki, now = self.pki, self.pki.now
        rogue = Pki("Another ROOT")
        old = pki.authority("Example SHAKEN CA 2", opens=now - 60 * DAY, days=30)
        no_authority = pki.leaf("710J")
        provider = pki.provider()
        numbers = tnauthlist(ranges=[("12025550100", 50)])
        reseller = pki.delegate(provider, numbers, ca=True, organisation="Example Reseller")
        delegate = pki.delegate(provider, numbers)
        below = pki.delegate(reseller, tnauthlist(ones=[CALLER]))
        beyond = pki.delegate(reseller, tnauthlist(ones=["13125550101"]))
        holders: dict[str, tuple[Holder, bytes]] = {
            "leaf": (self.leaf, self.leaf.pem),
            "another copy": (self.leaf, self.leaf.pem),
            "long path": (self.under, self.under.pem + self.middle.pem),
            "turned": (self.under, self.middle.pem + self.under.pem),
            "with root": (self.under, self.under.pem + self.middle.pem + pki.root.pem),
            "with text": (self.leaf, b"subject=SHAKEN 709J\r\n\r\n" + self.leaf.pem.replace(b"\n", b"\r\n") + b"\n\n"),
            "incomplete": (self.under, self.under.pem),
            "revoked": (self.revoked, self.revoked.pem),
            "also revoked": (self.also_revoked, self.also_revoked.pem),
            "under revoked": (leaf := pki.leaf(issuer=self.revoked_middle), leaf.pem + self.revoked_middle.pem),
            "rogue": (leaf := rogue.leaf(), leaf.pem),
            "rogue with root": (leaf, leaf.pem + rogue.root.pem),
            "expired": (leaf := pki.leaf(opens=now - 30 * DAY, days=29), leaf.pem),
            "future": (leaf := pki.leaf(opens=now + DAY), leaf.pem),
            "under expired": (leaf := pki.leaf(issuer=old), leaf.pem + old.pem),
            "under leaf": (leaf := pki.leaf(issuer=no_authority), leaf.pem + no_authority.pem),
            "self signed": (leaf := _self_signed(pki), leaf.pem),
            "root as leaf": (pki.root, pki.root.pem),
            "without tnauthlist": (leaf := pki.leaf(extensions=leaf_extensions(None)), leaf.pem),
            "bad tnauthlist": (leaf := pki.leaf(extensions=leaf_extensions(b"\x30\x05junk")), leaf.pem),
            "own number": (leaf := pki.leaf(extensions=leaf_extensions(tnauthlist(ones=[CALLER]))), leaf.pem),
            "own range": (leaf := pki.leaf(extensions=_range("12025550100", 100)), leaf.pem),
            "others' range": (leaf := pki.leaf(extensions=_range("13125550100", 100)), leaf.pem),
            "p-384": (leaf := pki.leaf(key=ec.generate_private_key(ec.SECP384R1())), leaf.pem),
            "delegate": (delegate, delegate.pem + provider.pem),
            "delegate of a reseller": (below, below.pem + reseller.pem + provider.pem),
            "delegate beyond its reseller": (beyond, beyond.pem + reseller.pem + provider.pem),
            "delegate alone": (delegate, delegate.pem),
            "wants B": (leaf := _wants_b(pki), leaf.pem),
            "garbage": (self.leaf, b"\x00\xff" * 500),
            "empty": (self.leaf, b""),
            "garbage in pem": (self.leaf, b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            "der": (self.leaf, self.leaf.certificate.public_bytes(Encoding.DER)),
            "many": (self.leaf, self.leaf.pem * 40),
            "asked for by one call": (self.leaf, self.leaf.pem),
        }
        for certificate, (holder, octets) in holders.items():
            self.keys[certificate] = holder.key
            (self._served / _file(certificate)).write_bytes(octets)

    def x5u(self, name: str = "leaf") -> str:
        """Where the certificate of that name is served, or the file of that name; a URL is answered as it is."""
        if "://" in name:
            return name
        if name == "8443":
            return self._at_8443.url("leaf.pem")
        if "." in name:
            return self._faulty.get(name, self.server).url(name)
        return self.server.url(_file(name))

    def identity(self) -> dict[str, Any]:
        """The section `identity` of a configuration that trusts this authority."""
        ports = [443, 8443, self.server.port, *(server.port for server in self._faulty.values())]
        return {
            "anchors": [str(self.anchors)],
            "crl": {"file": str(self.crl), "signers": [str(self.sti_pa)]},
            "fetch": {
                "allow_networks": ["127.0.0.0/8"],
                "ports": ports,
                "ca_file": str(self.anchors),
                "deadline": DEADLINE,
            },
        }

    def close(self) -> None:
        """Stops the servers."""
        for server in (self.server, self._at_8443, *self._faulty.values()):
            server.stop()

    def _late(self, answer: SimpleHTTPRequestHandler) -> None:
        time.sleep(LATE_S)
        _send(answer, "application/pem-certificate-chain", self.leaf.pem)

    def token(self, callee: str, certificate: str = "leaf", orig: str = CALLER, key: Any = None, **knobs: Any) -> str:
        """A token of `tests.pki.passport`, signed by the key of the certificate unless said otherwise."""
        signed_by = key if key is not None else self.keys.get(certificate, self.leaf.key)
        if certificate == "p-384":
            signed_by = self.leaf.key  # an ES256 signature all the same
        return passport(orig, callee, signed_by, self.x5u(certificate), **knobs)

    def value(
        self, callee: str, certificate: str = "leaf", tail: str = ';info=<{x5u}>;alg=ES256;ppt="shaken"', **knobs: Any
    ) -> str:
        """An Identity value: a token and its parameters."""
        return self.token(callee, certificate, **knobs) + tail.replace("{x5u}", self.x5u(certificate))


def diverted(signers: Signers, *stops: str, **last: Any) -> list[str]:
    """A token for the first of `stops`, and `div` tokens that carry it to the last; `last` are knobs of the last."""
    values = [signers.value(stops[0])]
    for n, (diverting, target) in enumerate(pairwise(stops), 2):
        values.append(sent_on(signers, diverting, target, **(last if n == len(stops) else {})))
    return values


def sent_on(signers: Signers, diverting: str, target: str, **knobs: Any) -> str:
    """A `div` token of who sent the call on."""
    return other(signers, "div", target, {"div": {"tn": diverting}}, **knobs)


def other(signers: Signers, ppt: str, callee: str, claims: dict[str, Any], **knobs: Any) -> str:
    """A token of another type than `shaken`, with these claims instead of attestation and origid."""
    extra = {"attest": None, "origid": None, **claims}
    return signers.value(callee, tail=f";info=<{{x5u}}>;alg=ES256;ppt={ppt}", ppt=ppt, extra=extra, **knobs)


def rogue_key() -> Any:
    """A key that no certificate names."""
    return new_key()


def ago(seconds: float) -> int:
    """An `iat` so old."""
    return int(time.time() - seconds)


def _file(name: str) -> str:
    return name.replace(" ", "-").replace("'", "") + ".pem"


def _range(start: str, count: int) -> Any:
    return leaf_extensions(tnauthlist(ranges=[(start, count)]))


def _wants_b(pki: Pki) -> Holder:
    """Whose tokens may claim attestation B only (RFC 8226 §8)."""
    only = constrained(claim_constraints(values={"attest": ["B"]}))
    return pki.leaf(extensions=[*leaf_extensions(tnauthlist(["709J"])), only])


def _self_signed(pki: Pki) -> Holder:
    return pki.issue(
        None, name("SHAKEN 709J"), new_key(), leaf_extensions(tnauthlist(["709J"])), pki.now - timedelta(1), 90
    )


def _server_at_8443(served: Path, pki: Pki) -> CertificateServer:
    """One on port 8443 of an address of this machine where nobody else listens."""
    for last in range(20, 250):
        host = f"127.0.0.{last}"
        try:
            return CertificateServer(served, tls=pki.web([host]), port=8443, host=host).start()
        except OSError:
            continue
    raise AssertionError("port 8443 is taken on every address")


def _redirect(answer: SimpleHTTPRequestHandler) -> None:
    answer.send_response(302)
    answer.send_header("Location", "/leaf.pem")
    answer.send_header("Content-Length", "0")
    answer.end_headers()


def _hang(answer: SimpleHTTPRequestHandler) -> None:
    time.sleep(HANG_S)
    answer.close_connection = True


def _page(answer: SimpleHTTPRequestHandler) -> None:
    _send(answer, "text/html", b"<html>Not here, but with status 200</html>")


def _send(answer: SimpleHTTPRequestHandler, kind: str, body: bytes) -> None:
    answer.send_response(200)
    answer.send_header("Content-Type", kind)
    answer.send_header("Content-Length", str(len(body)))
    answer.end_headers()
    answer.wfile.write(body)


def _endless(answer: SimpleHTTPRequestHandler) -> None:
    answer.send_response(200)
    answer.send_header("Content-Type", "application/pem-certificate-chain")
    answer.end_headers()
    try:
        for _ in range(200):
            answer.wfile.write(b"-----BEGIN CERTIFICATE-----\n" + b"A" * 4096 + b"\n")
    except OSError:
        pass
    answer.close_connection = True
