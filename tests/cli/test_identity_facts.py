"""The desk tool shows all that is found: whatever is a fact of a call stands in its JSON, and in its text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sipguard.cli.main import main
from sipguard.screening.checks.identity import FACTS
from tests import pki

PKI = pki.Pki()
LEAF = PKI.leaf()
PROVIDER = PKI.provider("709J")
DELEGATE = PKI.delegate(PROVIDER, pki.tnauthlist(ranges=[("12025550100", 50)]))
NOW = int(PKI.now.timestamp())
URL, BELOW = "https://certs.example/709J.pem", "https://certs.example/bakery.pem"
CALLER, CALLEE, DIVERTING = "12025550101", "12125550123", "12125550124"

# fact -> where it stands: in the value judged, or (with a dot at its beginning) in the document
PLACES = {
    "identity.result": ".verdict",
    "identity.reason": "reason",
    "identity.status": "status",
    "identity.attest": "token.attest",
    "identity.origid": "token.origid",
    "identity.orig_source": "orig_source",
    "identity.orig_tn": "orig_tn",
    "identity.spc": "certificate.spc",
    "identity.signer": "certificate.organisation",
    "identity.delegate": "certificate.delegate",
    "identity.delegated_by": "certificate.delegated_by",
    "identity.provider_spc": "certificate.provider_spc",
    "identity.certificate_sha256": "certificate.sha256",
    "identity.certificate_deviations": "certificate.deviations",
    "identity.x5u": "token.x5u",
    "identity.x5u_host": "x5u_host",
    "identity.deviations": "deviations",
    "identity.count": ".results",
    "identity.not_looked_at": ".results",  # here all are looked at
    "identity.reasons": ".results",
    "identity.each": ".results",
    "identity.orig_ok": "orig_ok",
    "identity.dest_ok": "dest_ok",
    "identity.dest_source": "dest_source",
    "identity.fresh": "fresh",
    "identity.date_differs": "date_differs",
    "identity.chain_ok": "chain_ok",
    "identity.signature_ok": "signature_ok",
    "identity.crl_stale": ".revocation.checked",
    "identity.trust_version": ".trust_version",
    "identity.iat_age_s": "token.age_s",
    "identity.div_result": "diversion.holds",
    "identity.div_reason": "diversion.reason",
    "identity.div_hops": "diversion.hops",
    "identity.div_numbers": "diversion.numbers",
    "identity.div_signers": "diversion.signers",
    "identity.rph": "token.rph",
    "identity.rph_signer": "certificate.organisation",
    "identity.rph_spc": "certificate.spc",
    "identity.sph": "token.sph",
    "identity.rcd_name": "token.rcd_name",
    "identity.rcd_reason": "token.rcd_reason",
    "identity.rcd_integrity": "token.rcd_integrity",
}
NOT_KNOWN = {"identity.replay"}  # a file has no calls before


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory with the certificates, where there is no configuration."""
    monkeypatch.setenv("SIPGUARD_CONFIG", "")
    (tmp_path / "root.pem").write_bytes(PKI.root.pem)
    (tmp_path / "leaf.pem").write_bytes(LEAF.pem)
    (tmp_path / "delegate.pem").write_bytes(DELEGATE.pem + PROVIDER.pem)
    monkeypatch.chdir(tmp_path)


def signed(*, dest: str = CALLEE, x5u: str = URL, ppt: str = "shaken", shown: str | None = None, **claims: Any) -> str:
    """An Identity value; `shown` is the `ppt` of its header, that of the token where it is None."""
    key = LEAF.key if x5u == URL else DELEGATE.key
    token = pki.passport(CALLER, dest, key, x5u, iat=NOW - 5, ppt=ppt, extra=claims)
    written = pki.identity_value(token, x5u, ppt if shown is None else shown)
    return written.replace(';ppt=""', "")


def verify(text: str, *arguments: str) -> Result:
    """`identity verify` of a pasted text."""
    line = ["identity", "verify", "--identity", "-", "--at", str(NOW), "--anchors", "root.pem"]
    given = ["--certificate", "leaf.pem", "--certificate", "delegate.pem"]
    return CliRunner().invoke(main, [*line, *given, *arguments], input=text)


def invite(identity: str, *lines: str) -> str:
    """An INVITE with further header lines."""
    head = [f"INVITE sip:+{CALLEE}@192.0.2.1 SIP/2.0", f"From: <sip:+{CALLER}@a.example>;tag=1"]
    return "\n".join([*head, f"To: <sip:+{CALLEE}@192.0.2.1>", f"Identity: {identity}", *lines, "", ""])


def found(text: str, *arguments: str) -> dict[str, Any]:
    """The document; None is what JSON has no word for."""

    def refused(word: str) -> None:
        raise ValueError(word)

    document: dict[str, Any] = json.loads(verify(text, *arguments, "--json").stdout, parse_constant=refused)
    return document


def test_every_fact_of_a_call_has_its_place() -> None:
    own = {spec.name for spec in FACTS if spec.name.startswith("identity.")}  # lists and counters are of calls
    assert own <= PLACES.keys() | NOT_KNOWN
    hop = signed(ppt="div", div={"tn": DIVERTING}, attest=None, origid=None)
    document = found(invite(signed(dest=DIVERTING), f"Identity: {hop}"))
    for place in PLACES.values():
        at: Any = document if place.startswith(".") else document["results"][0]
        for step in place.lstrip(".").split("."):
            assert step in at, place
            at = at[step]


LINES = {
    "no ppt in the header": (signed(shown=""), (), "deviations", ["ppt_missing"], "ppt_missing"),
    "a list with commas": (f"{signed()}, {signed(ppt='rph')}", (), "deviations", ["comma_list"], "comma_list"),
    "another Date": (
        signed(), ("--date", "Thu, 26 Nov 2020 11:00:00 GMT"), "date_differs", True, "Date is another time",
    ),
    "a delegate": (signed(x5u=BELOW), (), "certificate.delegated_by", "Example Voice", "a delegate of Example Voice"),
    "its provider": (signed(x5u=BELOW), (), "certificate.provider_spc", ["709J"], "SPC 709J"),
    "a name": (signed(rcd={"nam": "Bakery"}), (), "token.rcd_name", "Bakery", "Bakery"),
    "a reason": (signed(crn="Your order"), (), "token.rcd_reason", "Your order", "reason: Your order"),
    "its digests": (
        signed(rcd={"nam": "Bakery"}, rcdi={"/nam": "sha256-AAAA"}), (), "token.rcd_integrity", "broken", "broken",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("value", "arguments", "place", "wanted", "words"), LINES.values(), ids=LINES)
def test_what_is_found_stands_in_both_forms(
    value: str, arguments: tuple[str, ...], place: str, wanted: object, words: str
) -> None:
    at: Any = found(invite(value), *arguments)["results"][0]
    for step in place.split("."):
        at = at[step]
    assert at == wanted
    assert words in verify(invite(value), *arguments).stdout


@pytest.mark.parametrize(("value", "name"), [(signed(shown=""), "ppt_missing"), (f"{signed()},", "comma_list")])
def test_strict_names_what_it_refuses(value: str, name: str) -> None:
    (one,) = found(invite(value), "--strict")["results"]
    assert (one["reason"], one["deviations"]) == ("deviations", [name])
    text = verify(invite(value), "--strict").stdout
    assert "deviations (438)" in text
    assert f"deviations   {name}" in text


def test_a_chain_says_who_diverted_and_who_signed_it() -> None:
    hop = signed(ppt="div", div={"tn": DIVERTING}, attest=None, origid=None)
    text = invite(signed(dest=DIVERTING), f"Identity: {hop}").replace(f"To: <sip:+{CALLEE}", f"To: <sip:+{DIVERTING}")
    first, second = found(text)["results"]
    wanted = {"holds": True, "reason": "", "hops": 1, "numbers": [DIVERTING], "signers": ["Example Voice"]}
    assert (first["outcome"], first["diversion"]) == ("passed", wanted)
    assert (second["token"]["div_tn"], second["ppt"]) == (DIVERTING, "div")
    assert f"by {DIVERTING} (signed by Example Voice)" in verify(text).stdout
    alone = verify(invite(signed(dest=DIVERTING), f"Identity: {hop.replace(';info', 'x;info')}")).stdout
    assert "dest_mismatch" in alone


URGENT = signed(ppt="rph", attest=None, origid=None, rph={"auth": ["ETS.0", "wps.1"]})
CALLBACK = signed(ppt="rph", attest=None, origid=None, rph={"auth": ["esnet.0"]}, sph="psap-callback")


@pytest.mark.parametrize(
    ("value", "lines", "arguments", "outcome"),
    [
        (URGENT, (), (), "rph_mismatch"),
        (URGENT, ("Resource-Priority: ets.0",), (), "rph_mismatch"),
        (URGENT, ("Resource-Priority: ets.0, WPS.1",), (), "passed"),
        (URGENT, ("resource-priority : ets.0", "Resource-Priority: wps.1"), (), "passed"),
        (URGENT, (), ("--resource-priority", "ets.0", "--resource-priority", "wps.1"), "passed"),
        (CALLBACK, ("Resource-Priority: esnet.0",), (), "sph_mismatch"),
        (CALLBACK, ("Resource-Priority: esnet.0", "Priority: psap-callback"), (), "passed"),
        (CALLBACK, (), ("--resource-priority", "esnet.0", "--priority", "PSAP-Callback"), "passed"),
    ],
)
def test_signed_priority_is_held_against_the_headers(
    value: str, lines: tuple[str, ...], arguments: tuple[str, ...], outcome: str
) -> None:
    (one,) = found(invite(value, *lines), *arguments)["results"]
    assert one["reason"] == outcome
    assert one["token"]["rph"] == (["ets.0", "wps.1"] if value is URGENT else ["esnet.0"])
    assert one["token"]["sph"] == (None if value is URGENT else "psap-callback")
    assert one["token"]["rph"][0] in verify(invite(value, *lines), *arguments).stdout


@pytest.mark.parametrize("at", ["nan", "inf", "-inf", "1e400", "@nan", "1e15", "-1e15", "10000-01-01T00:00:00Z"])
def test_a_time_that_no_calendar_has_is_refused(at: str) -> None:
    done = verify(invite(signed()), "--at", at, "--json")
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    assert f"--at {at}: " in done.stderr
