"""The demonstration: real calls over real sockets through sipguard on the shipped configuration, one row each.

    python -m tests.demo [--transport udp|tcp|tls]      exit status 0 where every row is as expected, 1 where one is not

Enters: nothing. Leaves: a table. Must not: leave processes or directories behind.

Of the configuration only addresses, ports, anchors, the guard on fetching, a list of revoked certificates and a signer
are changed, in a copy; lists and policy are used as they are. Verdict and rule are what `sipguard calls` says
afterwards; all else is seen on the sockets.
"""

from __future__ import annotations

import argparse
import base64
import json
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

from tests.e2e.product import ROOT, Product, free_port, wait_for
from tests.pki import CertificateServer, Holder, Pki, crl, identity_value, passport, revoked
from tests.standin import Caller, NextHop, Outcome, body, header
from tests.streamends import StreamCaller, StreamHop
from tests.tlsrelay import context

CALLER: Final = "+12025550101"
CALLEE: Final = "+12125550123"
VERIFIED_ONLY: Final = "+12025550181"  # of lists/verified_only.txt
CARRIER, CUSTOMER, DIALER, GATEWAY = "127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"
STRANGER: Final = "127.0.0.9"
HEAD: Final = ("what was sent", "verdict", "rule", "SIP answer", "what arrived at the next hop", "ms")
NOTHING: Final = "nothing"
TLS_FILES: Final = {"certificate": "edge.pem", "key": "edge.key", "ca": "ca.pem"}
EXPLAINED: Final = "tampered claim, callee wants verified callers"


@dataclass(frozen=True)
class Case:
    """One call, and what must come of it. `hop`: words of what arrives, () where nothing may arrive."""

    what: str
    verdict: str
    rule: str
    answer: str
    hop: tuple[str, ...] = ()
    caller: str = CALLER
    callee: str = CALLEE
    source: str = CARRIER
    token: Mapping[str, Any] | None = None  # how the PASSporT differs from a right one; None for no Identity
    chain: tuple[str, ...] = ()  # numbers that the call was for before, the first one first; each sent it on
    rph: str = ""  # a value of Resource-Priority that is asked for, and signed for
    signer: str = "709J"
    extra: tuple[str, ...] = ()
    display: str = "Alice"
    cancel: bool = False
    again: bool = False  # worth a second try: its certificate is fetched for the first time


def passes(what: str, *hop: str, **more: Any) -> Case:
    """A call that arrives with these words, since no rule decided."""
    return Case(what, "allow", more.pop("rule", "default"), more.pop("answer", "180 200"), hop, **more)


def labelled(what: str, rule: str, *hop: str, **more: Any) -> Case:
    """A call that arrives with these words because of a rule."""
    return Case(what, "label", rule, "180 200", hop, **more)


def refused(what: str, rule: str, status: str, **more: Any) -> Case:
    """A call that arrives nowhere."""
    return Case(what, "reject", rule, status, **more)


def unverified(what: str, status: str, **more: Any) -> Case:
    """A call refused by a callee who wants verified callers only."""
    return refused(what, "verified-callers-only", status, callee=VERIFIED_ONLY, **more)


def cases(now: int) -> tuple[Case, ...]:
    """All calls, in their order; `now` is Unix seconds."""
    passed, failed, none = "TN-Validation-Passed", "TN-Validation-Failed", "No-TN-Validation"
    signed: dict[str, Any] = {"token": {}}
    blocked: dict[str, Any] = {"caller": "+12025550121"}
    never: dict[str, Any] = {"caller": "+12025550111", "rph": "ets.0"}
    sent_on: dict[str, Any] = {"callee": VERIFIED_ONLY, "chain": ("+12125550125", "+12125550126")}
    own: dict[str, Any] = {"caller": "+12025550141", "source": DIALER}
    pai = (f"P-Asserted-Identity: <sip:{CALLER}@carrier.example>",)
    return (
        passes("signed A, its certificate is fetched", passed, "A", **signed, again=True),
        passes("signed A, certificate at hand", passed, "A", **signed),
        passes("signed B", passed, "B", token={"attest": "B"}),
        passes("signed C", passed, "C", token={"attest": "C"}),
        labelled("tampered claim", "failed-verification", failed, '"SPAM? Alice"', token={"tamper": True}),
        unverified(EXPLAINED, "438", token={"tamper": True}),
        unverified("... stale, 1 h old", "403", token={"iat": now - 3600}),
        unverified("... iat 1 h ahead", "403", token={"iat": now + 3600}),
        unverified("... token of another call", "438", token={"orig": "12025550199"}),
        unverified("... signed under an unknown CA", "437", **signed, signer="rogue", again=True),
        unverified("... no Identity", "428"),
        unverified("... its certificate is revoked", "437", **signed, signer="revoked", again=True),
        passes("... signed A", passed, "A", **signed, callee=VERIFIED_ONLY),
        passes("... diverted twice, each hop signed", passed, "A", **signed, **sent_on),
        refused(
            "... diverted twice, a hop is missing",
            "verified-callers-only",
            "438",
            token={"dest": "+12125550127"},
            **sent_on,
        ),
        passes("no Identity", none),
        refused("blocked caller", "blocked-caller", "607", **blocked, **signed),
        refused("do-not-originate in From, other PAI", "dno", "403", caller="+12025550111", extra=pai),
        passes("... its priority signed (ets)", "Resource-Priority", **never, rule="emergency"),
        refused("... its priority signed by a stranger", "dno", "403", **never, signer="rogue"),
        refused("impossible caller number", "impossible-caller", "404", caller="+11115550101"),
        refused("telemarketer to Do-Not-Call number", "telemarketing-dnc", "403", **own, callee="+12025550132"),
        passes("... the callee consented", none, **own, callee="+12025550131"),
        refused("customer with a number not his own", "not-their-number", "403", source=CUSTOMER),
        passes("... with his own, which we sign", "our Identity, A", caller="+12025550141", source=CUSTOMER),
        labelled("domestic number from abroad", "domestic-from-abroad", '"ABROAD? Alice"', source=GATEWAY),
        passes("911 from a blocked caller", "sip:911@", **blocked, callee="911", rule="emergency"),
        passes("988 from a blocked caller", "sip:988@", **blocked, callee="988", rule="emergency"),
        labelled("caller complained of", "reported-caller", '"SPAM? Alice"', "Call-Info", caller="+12025550171"),
        passes("cancelled while ringing", passed, **signed, callee="+12125550151", answer="180 487", cancel=True),
        passes("callee is busy", passed, **signed, callee="+12125550150", answer="486"),
        passes("early media", passed, **signed, callee="+12125550152", answer="183+SDP 200"),
        passes("next hop blocks it with 603+", passed, **signed, callee="+12125550153", answer="603+"),
        Case("from an address of no trunk", "", "", NOTHING, source=STRANGER),
    )


@dataclass
class Placed:
    """A case that was played: `answer` and `hop` as seen, the call's record afterwards."""

    case: Case
    answer: str
    hop: str
    added_ms: float
    began_at: float
    ended_at: float
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """Of the record, "" for none."""
        return str(self.record.get("action", ""))

    @property
    def rule(self) -> str:
        """The same."""
        return str(self.record["rule"] or "default") if self.record else ""

    @property
    def sockets_agree(self) -> bool:
        """Whether the answer and what arrived are as expected."""
        arrived = all(word in self.hop for word in self.case.hop) if self.case.hop else self.hop == NOTHING
        return arrived and self.answer == self.case.answer

    @property
    def as_expected(self) -> bool:
        """Whether the record agrees as well."""
        return self.sockets_agree and (self.verdict, self.rule) == (self.case.verdict, self.case.rule)

    def cells(self) -> tuple[str, ...]:
        """The row."""
        ms = f"{self.added_ms:.1f}" if self.added_ms else "-"
        mark = "" if self.as_expected else "   <-- NOT AS EXPECTED"
        return self.case.what, self.verdict or "-", self.rule or "-", self.answer, self.hop, ms + mark


class Scene:
    """Signers, the server of their certificates, the next hop, sipguard, and callers by source address."""

    def __init__(self, directory: Path, stack: ExitStack, transport: str) -> None:
        pki, rogue = Pki(), Pki("Example ROGUE ROOT")
        self.signers: dict[str, Holder] = {
            "709J": pki.leaf(spc="709J"),
            "rogue": rogue.leaf(spc="709J"),
            "revoked": pki.leaf(spc="709J"),
        }
        served = directory / "served"
        served.mkdir()
        for name, signer in self.signers.items():
            (served / f"{name}.pem").write_bytes(signer.pem)
        self.server = stack.enter_context(CertificateServer(served, tls=pki.web()))
        server = client = None
        if transport == "tls":
            pki.write_tls(directory, "edge", (CARRIER, "edge.example"))
            pki.write_tls(directory, "side", (CARRIER,))
            server, client = (context(directory, "side", server=server) for server in (True, False))
        self.hop = NextHop() if transport == "udp" else StreamHop(server=server)
        stack.callback(self.hop.close)
        config = shipped(directory, pki, self.server.port, self.hop.port)
        config["identity"]["crl"] = crl_of(directory / "config", pki, self.signers["revoked"])
        config["signers"] = {"own": signer_of(directory / "config", pki.leaf(spc="818H"))}
        config["trunks"]["customer-b"]["sign"] = {
            "by": "own",
            "attest": [{"when": {"lists.caller": "trunk_numbers"}, "attest": "A"}],
        }
        config["listeners"]["main"] |= listener_of(transport, directory)
        self.product = Product(directory / "config", config)
        stack.callback(self.product.stop)
        self.product.start()
        self.callers: dict[str, Caller] = {}
        for source in (CARRIER, CUSTOMER, DIALER, GATEWAY, STRANGER):
            target = self.product.address("main")
            caller = Caller(target, source) if transport == "udp" else StreamCaller(target, source, client, server)
            caller.name = "edge.example"
            self.callers[source] = caller
            stack.callback(caller.close)

    def place(self, case: Case) -> Placed:
        """Plays a call; a second time where its certificate may have come too late for the first."""
        placed = self._place(case)
        if case.again and not placed.sockets_agree:
            time.sleep(0.5)
            placed = self._place(case)
        return placed

    def _place(self, case: Case) -> Placed:
        invite = self.callers[case.source].invite(
            case.caller,
            case.callee,
            extra=(*self._identity(case), *case.extra),
            display=case.display,
            uri="" if case.callee[0] == "+" else f"sip:{case.callee}@sipguard.example",
        )
        before = len(self.hop.invites)
        began_at, began = time.time(), time.perf_counter()
        wait_s = 0.5 if case.source == STRANGER else 5.0
        outcome = Outcome()
        with suppress(OSError):  # a stranger's connection is cut off
            outcome = self.callers[case.source].call(invite, cancel=case.cancel, wait_s=wait_s)
        took = time.perf_counter() - began
        arrived = self.hop.invites[before:]
        hop = summary(arrived[0][0], signed=case.token is not None) if arrived else NOTHING
        added_s = arrived[0][1] - outcome.invite_at if arrived else took
        return Placed(case, answer(outcome), hop, added_s * 1e3 if outcome.status else 0.0, began_at, time.time())

    def _identity(self, case: Case) -> tuple[str, ...]:
        """The lines of Identity, and of Resource-Priority."""
        lines: list[str] = []
        first, *further = (*case.chain, case.callee)
        if case.token is not None:
            wanted = dict(case.token)
            orig, dest = wanted.pop("orig", case.caller), wanted.pop("dest", first)
            lines.append(self._signed(case, "shaken", orig, dest, **wanted))
        for before, target in zip(case.chain, further, strict=True):
            claims: dict[str, Any] = {"attest": None, "origid": None, "div": {"tn": before.removeprefix("+")}}
            lines.append(self._signed(case, "div", case.caller, target, extra=claims))
        if case.rph:
            claims = {"attest": None, "origid": None, "rph": {"auth": [case.rph]}}
            lines.append(self._signed(case, "rph", case.caller, case.callee, extra=claims))
            lines.append(f"Resource-Priority: {case.rph}")
        return tuple(lines)

    def _signed(self, case: Case, ppt: str, orig: str, dest: str, **knobs: Any) -> str:
        x5u = self.server.url(f"{case.signer}.pem")
        key = self.signers[case.signer].key
        token = passport(orig.removeprefix("+"), dest.removeprefix("+"), key, x5u, ppt=ppt, **knobs)
        return f"Identity: {identity_value(token, x5u, ppt)}"

    def find_records(self, placed: Sequence[Placed]) -> None:
        """Gives each call its record, out of sipguard's database."""
        recorded = [each for each in placed if each.case.verdict]

        def all_there() -> bool:
            rows = self.product.calls()
            for each in recorded:
                own = [row for row in rows if each.began_at <= row["at"] <= each.ended_at]
                each.record = own[0] if own else {}
            return all(each.record for each in recorded)

        try:
            wait_for(all_there, "a record of every call", 4.0)
        except AssertionError as error:
            print(error, file=sys.stderr)


def shipped(directory: Path, pki: Pki, certificate_port: int, hop_port: int) -> dict[str, Any]:
    """The shipped configuration, copied to `directory`, with addresses, anchors and the guard on fetching changed."""
    shutil.copytree(ROOT / "config", directory / "config")
    root = directory / "config" / "anchors" / "root.pem"
    root.write_bytes(pki.root.pem)
    config: dict[str, Any] = YAML(typ="safe").load(directory / "config" / "sipguard.yaml")
    config["listeners"]["main"]["port"] = free_port()
    config["trunks"]["core"]["peers"] = [f"127.0.0.1:{hop_port}"]
    config["metrics"]["port"] = free_port(kind=socket.SOCK_STREAM)
    config["identity"]["fetch"].update(
        allow_networks=["127.0.0.0/8"], ports=[443, certificate_port], ca_file="anchors/root.pem"
    )
    return config


def crl_of(directory: Path, pki: Pki, *holders: Holder) -> dict[str, Any]:
    """A list that revokes these certificates, and who signed it: the section `identity.crl`."""
    administrator = pki.administrator()
    (directory / "crl.der").write_bytes(crl(administrator, revoked(*holders)))
    (directory / "sti-pa.pem").write_bytes(administrator.pem)
    return {"file": "crl.der", "signers": ["sti-pa.pem"]}


def signer_of(directory: Path, holder: Holder) -> dict[str, str]:
    """Certificate and key of a signer, in files."""
    (directory / "shaken.pem").write_bytes(holder.pem)
    (directory / "shaken.key").touch(0o600)
    (directory / "shaken.key").write_bytes(holder.key_pem)
    return {"certificate": "shaken.pem", "key": "shaken.key", "x5u": "https://certs.provider.example/shaken.pem"}


def listener_of(transport: str, directory: Path) -> dict[str, Any]:
    """What of the listener is not as shipped."""
    files = {kind: str(directory / file) for kind, file in TLS_FILES.items()}
    return {"transport": transport} | ({"tls": files} if transport == "tls" else {})


def answer(outcome: Outcome) -> str:
    """What the caller was answered: `180 200`, `183+SDP 200`, `603+`; 100 is left out."""
    words = []
    for provisional in outcome.provisional:
        if provisional[8:11] != "100":
            words.append(provisional[8:11] + ("+SDP" if body(provisional).startswith("v=0") else ""))
    if outcome.status:
        reason = header(outcome.final, "Reason")
        plus = reason.startswith('Q.850;cause=21;text="v=analytics1;url=') and reason.endswith(";location=RLN")
        words.append(f"{outcome.status}{'+' * (plus and outcome.phrase == 'Network Blocked')}")
    return " ".join(words) or NOTHING


def summary(invite: str, signed: bool) -> str:
    """What is new in an INVITE at the next hop: Request-URI of an emergency call, name, verstat, headers.

    `signed`: whether it was before it came to sipguard.
    """
    words = []
    uri = invite.split(" ")[1]
    if not uri.startswith("sip:+"):
        words.append(f"{uri.partition('@')[0]}@")
    name = header(invite, "From").partition("<")[0].strip()
    if name and name != '"Alice"':
        words.append(name)
    words.append(header(invite, "From").partition(";verstat=")[2].partition("@")[0])
    words.append(header(invite, "Attestation-Info"))
    words += [name for name in ("Call-Info", "Resource-Priority") if header(invite, name)]
    if header(invite, "Identity") and not signed and not header(invite, "Resource-Priority"):
        words.append(f"our Identity, {attestation(header(invite, 'Identity'))}")
    return " ".join(word for word in words if word) or "as sent"


def attestation(value: str) -> str:
    """What an Identity value attests."""
    payload = value.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["attest"])


def show(rows: Sequence[tuple[str, ...]]) -> None:
    """Prints rows in columns."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(HEAD))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def play(directory: Path, transport: str) -> int:
    """Places all calls and prints what came of them; answers the exit status."""
    with ExitStack() as stack:
        print(f"sipguard starts on the shipped configuration, over {transport.upper()} ...", flush=True)
        scene = Scene(directory, stack, transport)
        placed = [scene.place(case) for case in cases(int(time.time()))]
        scene.find_records(placed)
        show([HEAD, *(each.cells() for each in placed)])
        explain(scene, placed)
    wrong = sum(not each.as_expected for each in placed)
    print(f"\n{len(placed)} calls, {f'{wrong} NOT as expected' if wrong else 'all as expected'}.")
    print(
        "ms: from the INVITE to its arrival at the next hop, or to its refusal; fetches included.\n"
        "Next: make run (sipguard on config/sipguard.yaml), README.md, docs/policy.md (the policy language)"
    )
    return 1 if wrong else 0


def explain(scene: Scene, placed: Sequence[Placed]) -> None:
    """Shows the steps of one decision."""
    found = next(each for each in placed if each.case.what == EXPLAINED)
    if found.record:
        decision_id = str(found.record["decision_id"])
        print(f"\nsipguard explain {decision_id}")
        print(scene.product.command("explain", decision_id).stdout.rstrip())


def main() -> int:
    """Plays the demonstration in a directory of its own, which is removed."""
    parser = argparse.ArgumentParser(prog="python -m tests.demo", description="real calls through sipguard")
    parser.add_argument("--transport", choices=("udp", "tcp", "tls"), default="udp", help="of both sides")
    transport = parser.parse_args().transport
    with tempfile.TemporaryDirectory(prefix="sipguard-demo-") as directory:
        try:
            return play(Path(directory), transport)
        except KeyboardInterrupt:
            print("\nstopped")
            return 130
        except AssertionError as error:
            print(error, file=sys.stderr)
            return 1


if __name__ == "__main__":
    sys.exit(main())
