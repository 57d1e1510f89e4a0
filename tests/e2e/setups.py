"""What scenarios need besides their files: changes of the configuration, and checks that SIPp cannot make.

Enters: a Run. Leaves: assertions. Must not: start anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from sipguard.stir import identity, passport
from tests.e2e.product import Product, wait_for
from tests.e2e.sipp import Message

PASSWORD_FILE: Final = "trunk.password"
PASSWORD: Final = "open sesame"
SHAKEN_URL: Final = "https://certs.example/709J.pem"
NOTHING: Final = "nothing"  # asserted at B: no message arrives


@dataclass
class Run:
    """What came of one scenario. `a` and `b` are the messages of both sides."""

    name: str
    product: Product
    statuses: tuple[int, int]
    complaints: str
    a: list[Message]
    b: list[Message]
    places: tuple[list[str], list[str]]
    failover: list[str] = field(default_factory=list)  # what arrived at the peer before B

    def count(self, side: str, kind: str, sent: bool = False) -> int:
        """How often SIPp on this side received (or sent) a message of this kind, such as `200 INVITE`."""
        return sum(1 for each in getattr(self, side) if each.sent is sent and each.kind == kind)


# ------------------------------------------------------------------ what a scenario cannot say itself


def _first_peer_was_asked(run: Run) -> None:
    assert run.failover[0].startswith("INVITE ")
    assert not any(each.kind.startswith("503") for each in run.a)
    (first,) = {line for text in run.failover for line in text.split("\r\n") if line.startswith("Call-ID:")}
    assert all(line != first for each in run.b for line in each.lines), "each try has a Call-ID of its own"


def _stopped_at_the_eleventh(run: Run) -> None:
    """The refusal is the last, and its record says what the rule saw."""
    finals = [each.kind for each in run.a if each.kind in ("200 INVITE", "403 INVITE")]
    assert finals == ["200 INVITE"] * 10 + ["403 INVITE"]
    wait_for(lambda: bool(run.product.calls("--rule", "short-calls")), "its record")
    (call,) = run.product.calls("--rule", "short-calls")
    said = run.product.command("explain", call["decision_id"]).stdout
    assert re.search(r"rate\.caller\.short_ratio_1h = 1\.0", said), said


def _screened_once(run: Run) -> None:
    assert run.count("b", "INVITE") == 1
    assert run.count("a", "INVITE", sent=True) == 3
    assert run.count("a", "200 INVITE") == 1
    number = run.name[:3]
    wait_for(lambda: len(run.product.calls("--trunk", f"from-{number}")) == 1, "one record")


def _repeated_until_the_end(run: Run) -> None:
    assert run.count("a", "200 INVITE") >= 10  # T1, 2*T1, 4*T1, then every T2 (RFC 3261 §13.3.1.4)
    assert run.count("b", "ACK") >= 1


def _repeated_by_us(run: Run) -> None:
    assert run.count("a", "200 INVITE") == 3
    assert run.count("b", "200 INVITE", sent=True) > 1
    assert run.count("b", "ACK") == 1


def _answered_once(run: Run) -> None:
    assert run.count("a", "200 INVITE") == 1


def _acknowledged_again(run: Run) -> None:
    assert run.count("a", "200 INVITE") == 1
    acks = [each.text for each in run.b if each.kind == "ACK"]
    assert len(acks) == 2
    assert acks[0] == acks[1]


def _cancel_waited(run: Run) -> None:
    kinds = [each.kind for each in run.b]
    assert kinds.index("180 INVITE") < kinds.index("CANCEL")
    assert run.count("b", "CANCEL") == 1


def _dismissed(run: Run) -> None:
    kinds = [text.partition(" ")[0] for text in run.failover]
    assert kinds[-2:] == ["ACK", "BYE"]
    assert run.count("a", "BYE") == 0


def _asked_again(run: Run) -> None:
    """B gets two calls: of each only the caller knows that it belongs to the other."""
    asked = [(each.values("Session-Expires"), each.values("Min-SE")) for each in run.b if each.kind == "INVITE"]
    assert asked == [(["90"], []), (["1800"], ["1800"])]


def _redirected(run: Run) -> None:
    assert [text.partition(" ")[0] for text in run.failover] == ["INVITE", "ACK"]


def _named_for_each_side(run: Run) -> None:
    """Refer-To names the one dialog there is: by its identifiers on the caller's leg, then by those on the callee's."""
    (arrived,) = [each for each in run.b if each.kind == "REFER"]
    headers = arrived.values("Refer-To")[0].partition("?")[2].rstrip(">")
    own, theirs = (arrived.values(name)[0].partition(";tag=")[2] for name in ("From", "To"))
    call_id = arrived.values("Call-ID")[0]
    assert unquote(headers) == f"Replaces={call_id};to-tag={theirs};from-tag={own}"
    assert arrived.values("Refer-To")[0].partition("@")[2].startswith(run.places[1][1])


def _isup(run: Run) -> None:
    (arrived,) = [each for each in run.b if each.kind == "INVITE"]
    assert "\x01\x10\x48\x0b\x03\x02\x09\x07\x83\x90!RU\x102\xff\xfe\x80\x7f\xc3(" in arrived.body


def _octets(run: Run) -> None:
    (arrived,) = [each for each in run.b if each.kind == "INVITE"]
    assert len(arrived.body) > 60_000


def _signed(attest: str, orig: str = "12025550101") -> Callable[[Run], None]:
    """The one Identity value that arrives is ours, with this attestation for this number."""

    def check(run: Run) -> None:
        (arrived,) = [each for each in run.b if each.kind == "INVITE"]
        (value,) = arrived.values("Identity")
        token = passport.read(identity.read(value).token)
        assert (token.attest, token.orig_tn, token.x5u) == (attest, orig, SHAKEN_URL)
        assert token.deviations == ()

    return check


def _kept(run: Run) -> None:
    (arrived,) = [each for each in run.b if each.kind == "INVITE"]
    (value,) = arrived.values("Identity")
    assert value == "garbage;info=<https://certs.example/other.pem>;alg=ES256;ppt=shaken"


def _diverted(run: Run) -> None:
    """The INVITE of the diverted call carries what came and our div token, and both hold for its new target."""
    _redirected(run)
    (sent,) = [each for each in run.a if each.kind == "INVITE"]
    (arrived,) = [each for each in run.b if each.kind == "INVITE"]
    first, second = arrived.values("Identity")
    assert [first] == sent.values("Identity")
    token = passport.read(identity.read(second).token)
    assert (token.ppt, token.orig_tn, token.div_tn, token.dest_tns) == (
        "div", "12025550101", "12025550131", ("12025550177",),
    )  # fmt: skip
    assert token.iat == passport.read(identity.read(first).token).iat
    files = run.product.directory.parent
    invite = files / "diverted.sip"
    invite.write_bytes(arrived.text.encode("latin-1"))
    known = ("--certificate", str(files / "shaken.pem"), "--anchors", str(files / "root.pem"), "--json")
    known += ("--to", "+12025550177")  # the chain alone leads there, whatever To says
    said = run.product.command("identity", "verify", "--identity", str(invite), *known)
    assert said.returncode == 0, said.stdout + said.stderr
    found = json.loads(said.stdout)
    assert (found["verdict"], [each["signature_ok"] for each in found["results"]]) == ("passed", [True, True])
    invite.write_bytes(arrived.text.replace(f"Identity: {second}\r\n", "").encode("latin-1"))
    assert run.product.command("identity", "verify", "--identity", str(invite), *known).returncode == 1


SIGN: Final = {"by": "own", "attest": [{"when": {"lists.caller": "customers"}, "attest": "A"}]}
CUSTOMER: Final[dict[str, Any]] = {"kind": "origination", "sign": SIGN}
USUAL: Final = {("outer", "inner"), ("asked", "inner"), ("asked404", "inner")}


@dataclass(frozen=True)
class Setup:
    """What of the template a scenario needs otherwise. `first_peer`: silent, busy, late or moved; tried before B."""

    trunk: dict[str, Any] = field(default_factory=dict)
    egress: dict[str, Any] = field(default_factory=dict)
    peer: dict[str, Any] = field(default_factory=dict)
    listeners: tuple[str, str] = ("outer", "inner")
    first_peer: str = ""
    first_trunk: bool = False  # the first peer has a trunk of its own, from which the route goes on
    draining: bool = False
    over: tuple[str, str] = ("udp", "udp")  # what each side speaks; see SPOKEN in tests/e2e/sipp.py
    uac: tuple[str, ...] = ()  # options of SIPp; -nr: it does not judge what is a retransmission
    uas: tuple[str, ...] = ()
    identity: bool = False  # SIPp is given a valid value of now as key `identity`
    check: Callable[[Run], None] | None = None
    long: bool = False

    @property
    def usual(self) -> bool:
        """Whether the template does as it is, with a redirect listener where it is asked."""
        changed = self.trunk or self.egress or self.first_peer or self.draining
        return not changed and self.listeners in USUAL and self.over == ("udp", "udp")


SETUPS: Final = {
    "160_attested_in_full": Setup(trunk=CUSTOMER, check=_signed("A")),
    "161_attested_in_part": Setup(trunk=CUSTOMER, check=_signed("B", "12025550102")),
    "162_attested_as_gateway": Setup(
        trunk={"kind": "gateway", "sign": {"by": "own"}}, check=_signed("C", "442079460123")
    ),
    "163_withheld_and_signed": Setup(trunk=CUSTOMER, check=_signed("A")),
    "164_signature_kept": Setup(trunk=CUSTOMER, check=_kept),
    "165_diverted_by_redirection": Setup(
        trunk={"kind": "origination", "verify": False, "sign": {"by": "own", "divert_for": ["ours"]}},
        egress={"redirects": "follow"},
        first_peer="moved",
        identity=True,
        check=_diverted,
    ),
    "180_short_calls": Setup(uac=("-m", "11", "-l", "1"), uas=("-m", "10"), check=_stopped_at_the_eleventh),
    "005_cancelled_before_any_response": Setup(check=_cancel_waited),
    "006_no_ack_ends_both_legs": Setup(check=_repeated_until_the_end, long=True),
    "014_failover_on_silence": Setup(first_peer="silent", egress={"try_timeout": "1s"}, check=_first_peer_was_asked),
    "015_failover_on_503": Setup(first_peer="busy", check=_first_peer_was_asked),
    "016_retransmitted_invite": Setup(uac=("-nr",), check=_screened_once),
    "017_lost_ack": Setup(uas=("-nr",), check=_acknowledged_again),
    "018_answer_repeated_until_ack": Setup(check=_repeated_by_us),
    "019_answered_twice": Setup(uas=("-nr",), check=_answered_once),
    "031_mark_of_trusted_trunk": Setup(trunk={"emergency_marks": "trusted"}),
    "038_ipv6": Setup(listeners=("outer6", "inner6")),
    "039_ipv6_to_ipv4": Setup(listeners=("outer6to4", "inner")),
    "040_body_of_60_kib": Setup(check=_octets),
    "041_draining": Setup(draining=True),
    "059_refer_with_replaces": Setup(check=_named_for_each_side),
    "070_call_over_a_crash": Setup(long=True),
    "072_session_interval_too_small": Setup(uas=("-m", "2"), check=_asked_again),
    "073_trunk_asks_for_session_timer": Setup(trunk={"session_timer": {"want": "600s", "min": "90s"}}),
    "074_longest_duration": Setup(trunk={"max_duration": "1s"}),
    "075_dead_call": Setup(trunk={"dead_call_check": "1s"}, egress={"dead_call_check": "1s"}),
    "046_late_answer_after_failover": Setup(first_peer="late", egress={"try_timeout": "1s"}, check=_dismissed),
    "105_long_invite_by_tcp": Setup(over=("udp", "tcp"), egress={"listeners": ["inner", "inner-tcp"], "udp_max": 1300}),
    "106_lost_connection": Setup(listeners=("outer-tcp", "inner"), over=("tcp", "udp"), uac=("-t", "tn")),
    "120_next_trunk": Setup(first_peer="busy", first_trunk=True, check=_first_peer_was_asked),
    "085_trunk_challenges": Setup(egress={"credentials": {"username": "sipguard", "password": PASSWORD_FILE}}),
    "086_redirection_followed": Setup(first_peer="moved", egress={"redirects": "follow"}, check=_redirected),
    "087_isup_multipart": Setup(check=_isup),
    "088_privacy_outside": Setup(egress={"send_pai": "unless_private"}),
    "091_best_of_two_failures": Setup(first_peer="busy", check=_first_peer_was_asked),
    "092_last_503": Setup(trunk={"last_503": 480}),
    "100_tcp": Setup(listeners=("outer-tcp", "inner-tcp"), over=("tcp", "tcp")),
    "101_tcp_to_udp": Setup(listeners=("outer-tcp", "inner"), over=("tcp", "udp")),
    "103_udp_to_tls": Setup(listeners=("outer", "inner-tls"), over=("udp", "tls"), peer={"names": ["hop.example"]}),
    "104_tls_by_name": Setup(listeners=("outer-tls", "inner"), over=("tls", "udp"), trunk={"tls_names": ["a.example"]}),
    "102_ipv6_tcp": Setup(listeners=("outer6-tcp", "inner6-tcp"), over=("tcp", "tcp")),
    "199_emergency_behind_a_prefix": Setup(trunk={"read": {"strip_prefix": "9"}}, egress={"write": {"prefix": "88"}}),
    "172_signer_told_beside_603_plus": Setup(trunk={"reason_stir": "compact"}),
    "173_signer_told_once": Setup(trunk={"reason_stir": "compact"}),
    "121_given_back_by_302": Setup(listeners=("asked", "inner")),
    "122_given_back_by_404": Setup(listeners=("asked404", "inner")),
    "123_asked_and_blocked": Setup(listeners=("asked", "inner")),
    "124_asked_about_an_emergency": Setup(listeners=("asked", "inner")),
}
