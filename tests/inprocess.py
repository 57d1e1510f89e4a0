"""The engine on the shipped configuration within one process, and the messages of both ends of its calls.

Enters: a directory for the built lists. Leaves: Rulesets, engines, signed Identity lines, messages as text.
Must not: open a socket or wait; benchmarks, soak and fuzzing bring their own time.

The caller is on trunk carrier-a, at A_AT; the peer of trunk core at B_AT, as the shipped configuration has them.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from sipguard.b2bua.engine import Engine
from sipguard.screening.ruleset import PlainRuleset, Ruleset
from sipguard.settings.load import load
from sipguard.sip.flow import Flow
from sipguard.stir.certificate import CertificateStore
from tests.pki import Pki, identity_value, passport
from tests.standin import SDP, header, uri_in

CONFIG: Final = Path(__file__).parent.parent / "config"
X5U: Final = "https://certs.example/709J.pem"
A_AT, B_AT, C_AT = ("127.0.0.1", 5080), ("127.0.0.1", 5070), ("127.0.0.1", 5071)
FROM_A, FROM_B, FROM_C = (Flow(0, "udp", "main", at) for at in (A_AT, B_AT, C_AT))
CALLER, CALLEE = "+12025550101", "+12125550123"


class Shipped:
    """The shipped configuration, loaded once, with a signer that it trusts."""

    def __init__(self, directory: Path) -> None:
        self.pki = Pki()
        self.leaf = self.pki.leaf(spc="709J")
        config = directory / "config"
        shutil.copytree(CONFIG, config)
        (config / "anchors" / "root.pem").write_bytes(self.pki.root.pem)
        loaded = load(config / "sipguard.yaml")
        assert loaded.ruleset is not None, loaded.problems
        self.plain: PlainRuleset = loaded.ruleset

    def with_peers(self, **changed: object) -> PlainRuleset:
        """It, with fields of the trunk `core` changed."""
        trunks = dict(self.plain.trunks)
        trunks["core"] = replace(trunks["core"], **changed)  # type: ignore[arg-type]
        return replace(self.plain, trunks=trunks)

    def engine(self, plain: PlainRuleset | None = None, capacity: int = 20_000) -> Engine:
        """An engine; no certificate is at hand yet."""
        ruleset = Ruleset.open(plain or self.plain)
        return Engine(ruleset, CertificateStore(capacity=capacity), os.urandom, time.monotonic)

    def identity(
        self, caller: str = CALLER, callee: str = CALLEE, x5u: str = X5U, claims: Mapping[str, Any] | None = None
    ) -> str:
        """An Identity line; `claims` changes the token as `tests.pki.passport` has it."""
        token = passport(caller.lstrip("+"), callee.lstrip("+"), self.leaf.key, x5u, **(claims or {}))
        return f"Identity: {identity_value(token, x5u)}"


def invite(n: int, *lines: str, caller: str = CALLER, callee: str = CALLEE) -> str:
    """The INVITE of call `n`, with further header lines."""
    where = f"{A_AT[0]}:{A_AT[1]}"
    return "\r\n".join(
        [
            f"INVITE sip:{callee}@127.0.0.1:5060;user=phone SIP/2.0",
            f"Via: SIP/2.0/UDP {where};branch=z9hG4bKa{n};rport",
            "Max-Forwards: 70",
            f'From: "Alice" <sip:{caller}@{where};user=phone>;tag=a{n}',
            f"To: <sip:{callee}@127.0.0.1:5060;user=phone>",
            f"Call-ID: call-{n}",
            "CSeq: 1 INVITE",
            f"Contact: <sip:{caller}@{where}>",
            f"P-Asserted-Identity: <sip:{caller}@127.0.0.1;user=phone>",
            *lines,
            "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, PRACK",
            "User-Agent: example-sbc/1.0",
            "Content-Type: application/sdp",
            f"Content-Length: {len(SDP)}",
            "",
            SDP,
        ]
    )


def companion(request: str, method: str, to: str = "") -> str:
    """CANCEL, or the ACK of a failure, of an INVITE (RFC 3261 §9.1, §17.1.1.3)."""
    return "\r\n".join(
        [
            request.partition("\r\n")[0].replace("INVITE", method, 1),
            f"Via: {header(request, 'Via')}",
            "Max-Forwards: 70",
            f"From: {header(request, 'From')}",
            f"To: {to or header(request, 'To')}",
            f"Call-ID: {header(request, 'Call-ID')}",
            f"CSeq: {header(request, 'CSeq').partition(' ')[0]} {method}",
            "Content-Length: 0",
            "",
            "",
        ]
    )


def by_caller(request: str, final: str, method: str, cseq: int, branch: str, content: str = "") -> str:
    """A request of the caller in the dialog that `final` made of the INVITE `request`."""
    at = (A_AT, header(request, "Contact"), header(request, "From"), header(final, "To"))
    return _in_dialog(uri_in(header(final, "Contact")), header(request, "Call-ID"), at, method, cseq, branch, content)


def by_callee(request: str, final: str, method: str, cseq: int, branch: str, content: str = "") -> str:
    """A request of the callee, who answered the INVITE `request` with `final`."""
    at = (B_AT, header(final, "Contact"), header(final, "To"), header(request, "From"))
    return _in_dialog(uri_in(header(request, "Contact")), header(request, "Call-ID"), at, method, cseq, branch, content)


def _in_dialog(
    target: str,
    call_id: str,
    at: tuple[tuple[str, int], str, str, str],
    method: str,
    cseq: int,
    branch: str,
    content: str,
) -> str:
    """A request within a dialog; `at` is address, Contact, local and remote of its sender."""
    (host, port), contact, local, remote = at
    return "\r\n".join(
        [
            f"{method} {target} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{branch};rport",
            "Max-Forwards: 70",
            f"From: {local}",
            f"To: {remote}",
            f"Call-ID: {call_id}",
            f"CSeq: {cseq} {method}",
            f"Contact: {contact}",
            *(["Content-Type: application/sdp"] if content else []),
            f"Content-Length: {len(content)}",
            "",
            content,
        ]
    )
