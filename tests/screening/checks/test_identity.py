"""The identity check: which caller a token vouches for, and what becomes a fact (facts A1.3, A2.5)."""

import gc
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sipguard.numbers.canonical import read
from sipguard.numbers.rules import NumberRules
from sipguard.screening.attempt import CallAttempt
from sipguard.screening.checks import identity
from sipguard.screening.checks.identity import FACTS, Settings, check
from sipguard.screening.counters import Counters
from sipguard.screening.finding import CLEAR, HIT, Context, Finding, Waiting
from sipguard.screening.lists import Lists
from sipguard.screening.listspec import ListSpec
from sipguard.screening.policy.predicates import check_of
from sipguard.screening.trunk import Trunk
from sipguard.screening.verification.replays import Replays
from sipguard.stir.certificate import Anchors, CertificateStore
from sipguard.stir.errors import BadIdentityInfo
from sipguard.stir.revocation import read_crl
from tests import pki

PKI = pki.Pki()
LEAF = PKI.leaf(organisation="Example Voice")
NOW = float(int(PKI.now.timestamp()))
URL = "https://certs.example/709J.pem"
CALLER, CALLEE = "12025550101", "12125550123"
TRUNK = Trunk("carrier", "interconnect")
SETTINGS = Settings()


def token(orig: str = CALLER, dest: str = CALLEE, x5u: str = URL, key: Any = None, **knobs: Any) -> str:
    """An Identity value for the call of these tests, five seconds old."""
    text = pki.passport(orig, dest, key or LEAF.key, x5u, **{"iat": int(NOW) - 5, **knobs})
    return pki.identity_value(text, x5u, knobs.get("ppt", "shaken"))


def attempt(
    *values: str,
    shown: str = "+" + CALLER,
    asserted: str | None = None,
    to: str = "+" + CALLEE,
    callee: str = "+" + CALLEE,
    trunk: Trunk = TRUNK,
    uri: str = "",
) -> CallAttempt:
    """A call with these Identity values; numbers as a trunk would write them."""
    rules = trunk.read
    return CallAttempt(
        trunk,
        NOW,
        uri or f"sip:{callee}@192.0.2.1;user=phone",
        read(callee, rules),
        read(to, rules),
        read(shown, rules),
        read(asserted, rules) if asserted is not None else None,
        None,
        values,
        "",
        "",
        "call-1",
    )


def store() -> CertificateStore:
    """A store that holds the certificate at URL."""
    certificates = CertificateStore(Anchors([PKI.root.certificate]))
    certificates.put(URL, LEAF.pem, 0.0, NOW)
    return certificates


def run(call: CallAttempt, settings: Settings = SETTINGS, certificates: CertificateStore | None = None) -> Finding:
    """The finding of a check that need not wait."""
    found = check(call, settings, context(certificates))
    assert isinstance(found, Finding)
    assert set(found.facts) <= {spec.name for spec in FACTS}
    return found


def context(certificates: CertificateStore | None = None) -> Context:
    """A context with nothing but certificates."""
    return Context(Lists({}), Counters(), store() if certificates is None else certificates, Replays())


def test_all_facts_of_a_call_that_passes() -> None:
    found = run(attempt(token(origid="0b1e6f2c-0001-4000-8000-000000000001")))
    assert (found.status, found.reason) == (CLEAR, "passed")
    assert dict(found.facts) == {
        "identity.result": "passed",
        "identity.reason": "passed",
        "identity.attest": "A",
        "identity.origid": "0b1e6f2c-0001-4000-8000-000000000001",
        "identity.orig_source": "from",
        "identity.orig_tn": CALLER,
        "identity.spc": ("709J",),
        "identity.signer": "Example Voice",
        "identity.delegate": False,
        "identity.certificate_sha256": found.facts["identity.certificate_sha256"],
        "identity.x5u": URL,
        "identity.x5u_host": "certs.example",
        "identity.deviations": (),
        "identity.certificate_deviations": (),
        "identity.count": 1,
        "identity.orig_ok": True,
        "identity.dest_ok": True,
        "identity.dest_source": "both",
        "identity.fresh": True,
        "identity.chain_ok": True,
        "identity.signature_ok": True,
        "identity.replay": False,
        "identity.iat_age_s": 5.0,
    }
    assert len(str(found.facts["identity.certificate_sha256"])) == 64


ELSEWHERE = "https://elsewhere.example/a.pem"
NOT_HAD = token(x5u=ELSEWHERE)

PASSES: dict[str, tuple[CallAttempt, str]] = {
    "From with +": (attempt(token()), "from"),
    "From of 11 digits": (attempt(token(), shown=CALLER), "from"),
    "From of 10 digits": (attempt(token(), shown=CALLER[1:]), "from"),
    "From with dashes": (attempt(token(), shown="+1-202-555-0101"), "from"),
    "token with +": (attempt(token(orig="+" + CALLER, dest="+" + CALLEE)), "from"),
    "token of 10 digits": (attempt(token(orig=CALLER[1:], dest=CALLEE[1:])), "from"),
    "PAI alone": (attempt(token(), shown="+13125550199", asserted="+" + CALLER), "pai"),
    "From anonymous": (attempt(token(), shown="anonymous", asserted="+" + CALLER), "pai"),
    "From and PAI": (attempt(token(), asserted=CALLER), "both"),
    "PAI another": (attempt(token(), asserted="+13125550199"), "from"),
    "To another, Request-URI fits": (attempt(token(), to="+18005550199"), "from"),
    "Request-URI another, To fits": (attempt(token(), callee="+18005550199"), "from"),
    "one of several dest": (attempt(token(extra={"dest": {"tn": ["13125550199", CALLEE]}})), "from"),
    "dest 911": (attempt(token(dest="911"), to="911", callee="911"), "from"),
    "dest a URI": (
        attempt(token(extra={"dest": {"uri": ["sip:alice@Example.com"]}}), uri="sip:alice@example.com:5060;x=y"),
        "from",
    ),
    "dest a URN": (
        attempt(token(extra={"dest": {"uri": ["urn:service:sos"]}}), uri="urn:service:sos"),
        "from",
    ),
    "a bad value before it": (attempt("garbage", token()), "from"),
    "a bad value behind it": (attempt(token(), "garbage"), "from"),
    "an unsupported value before it": (attempt(token(ppt="msg"), token()), "from"),
    "a comma list": (attempt(f"{token(ppt='msg')}, {token()}"), "from"),
    "trunk with a prefix": (
        attempt(token(), callee="77#" + CALLEE, trunk=replace(TRUNK, read=NumberRules(tech_prefix="77#"))),
        "from",
    ),
    "a prefix that the number in the token begins with": (
        attempt(token(), shown="120" + CALLER, trunk=replace(TRUNK, read=NumberRules(tech_prefix="120"))),
        "from",
    ),
    "base PASSporT": (attempt(token(header={"ppt": None}).replace(';ppt="shaken"', "")), "from"),
}


@pytest.mark.parametrize(("call", "source"), PASSES.values(), ids=PASSES)
def test_a_token_passes_for_the_caller_it_names(call: CallAttempt, source: str) -> None:
    facts = run(call).facts
    assert (facts["identity.result"], facts["identity.orig_source"]) == ("passed", source)


ROGUE = pki.new_key()
HITS: dict[str, tuple[CallAttempt, str, str, int]] = {
    "no Identity": (attempt(), "none", "identity_missing", 428),
    "an empty list": (attempt(","), "none", "identity_missing", 428),
    "not verified": (attempt(token(), trunk=replace(TRUNK, verify=False)), "none", "not_verified", 428),
    "garbage": (attempt("garbage"), "failed", "info_missing", 438),
    "ppt unknown": (attempt(token(ppt="msg")), "unsupported", "unsupported_ppt", 428),
    "ppt unknown twice": (attempt(token(ppt="msg"), token(ppt="sph")), "unsupported", "unsupported_ppt", 428),
    "div alone": (
        attempt(token(ppt="div", extra={"div": {"tn": CALLEE}})),
        "failed",
        "div_loop",
        438,
    ),
    "ppt unknown and garbage": (attempt(token(ppt="msg"), "garbage"), "failed", "info_missing", 438),
    "compact": (attempt(pki.identity_value(".." + "A" * 86, URL)), "failed", "compact_not_allowed", 438),
    "alg": (attempt(token(header={"alg": "none"})), "failed", "unsupported_alg", 437),
    "info another": (
        attempt(token().replace("info=<https://certs", "info=<https://other")),
        "failed",
        "info_mismatch",
        438,
    ),
    "x5u over http": (attempt(token(x5u="http://certs.example/a")), "failed", "x5u_refused", 436),
    "x5u at an odd port": (attempt(token(x5u="https://certs.example:444/a")), "failed", "x5u_refused", 436),
    "caller another": (attempt(token(), shown="+13125550199"), "failed", "orig_mismatch", 438),
    "caller and PAI others": (
        attempt(token(), shown="+13125550199", asserted="+13125550198"),
        "failed",
        "orig_mismatch",
        438,
    ),
    "caller anonymous": (attempt(token(), shown="anonymous"), "failed", "orig_mismatch", 438),
    "caller nobody, orig nothing": (attempt(token(orig="+-"), shown=""), "failed", "orig_mismatch", 438),
    "orig a URI": (
        attempt(token(extra={"orig": {"uri": "sip:a@b.example"}})),
        "failed",
        "orig_mismatch",
        438,
    ),
    "callee another": (
        attempt(token(), to="+13125550199", callee="+13125550198"),
        "failed",
        "dest_mismatch",
        438,
    ),
    "dest another URI": (
        attempt(token(extra={"dest": {"uri": ["sip:a@b.example"]}})),
        "failed",
        "dest_mismatch",
        438,
    ),
    "stale": (attempt(token(iat=int(NOW) - 61)), "failed", "iat_expired", 403),
    "from the future": (attempt(token(iat=int(NOW) + 6)), "failed", "iat_future", 403),
    "changed after signing": (attempt(token(tamper=True)), "failed", "signature", 438),
    "signed by another key": (attempt(token(key=ROGUE)), "failed", "signature", 438),
    "the furthest failure is told": (
        attempt("garbage", token(tamper=True), token(iat=1)),
        "failed",
        "signature",
        438,
    ),
}


@pytest.mark.parametrize(("call", "result", "reason", "status"), HITS.values(), ids=HITS)
def test_what_does_not_verify_is_a_hit_and_vouches_for_nothing(
    call: CallAttempt, result: str, reason: str, status: int
) -> None:
    found = run(call)
    assert (found.status, found.reason) == (HIT, reason)
    facts = found.facts
    assert (facts["identity.result"], facts["identity.reason"]) == (result, reason)
    assert facts["identity.status"] == status
    for name in ("attest", "origid", "orig_source", "orig_tn", "spc", "signer", "certificate_sha256"):
        assert f"identity.{name}" not in facts
    assert None not in facts.values(), "what is absent does not stand there"


def test_of_several_values_each_says_why_and_how_far() -> None:
    facts = run(attempt("garbage", token(tamper=True), token(iat=int(NOW) - 61), token(ppt="msg"), token())).facts
    assert facts["identity.result"] == "passed"
    assert facts["identity.reasons"] == ("info_missing", "signature", "iat_expired", "unsupported_ppt")
    assert facts["identity.each"] == (
        "- failed info_missing -",
        "shaken failed signature certs.example orig+ dest+ fresh+ chain+ signature-",
        "shaken failed iat_expired certs.example orig+ dest+ fresh- chain+ signature+",
        "msg unsupported unsupported_ppt -",
        "shaken passed passed certs.example orig+ dest+ fresh+ chain+ signature+",
    )


def test_the_case_of_scheme_and_host_is_no_other_place() -> None:
    """RFC 3986 §3.1: it is read, and the certificate is at hand; `info` must be as `x5u` is, letter by letter."""
    loud = token(x5u="HTTPS://Certs.example/709J.pem")
    facts = run(attempt(loud)).facts
    assert (facts["identity.result"], facts["identity.x5u"], facts["identity.x5u_host"]) == (
        "passed", URL, "certs.example",
    )  # fmt: skip
    assert run(attempt(loud.replace("info=<HTTPS", "info=<https"))).reason == "info_mismatch"
    waits = check(attempt(loud), SETTINGS, context(CertificateStore(Anchors([PKI.root.certificate]))))
    assert isinstance(waits, Waiting)
    assert [need.key for need in waits.needs] == [URL]


NATIONAL: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "caller": (CALLER[1:], CALLEE, ("tn_national",)),
    "called": (CALLER, CALLEE[1:], ("tn_national",)),
    "both, one with dashes": ("202-555-0101", CALLEE[1:], ("tn_form", "tn_national")),
    "neither": (CALLER, CALLEE, ()),
    "with a plus": (f"+{CALLER}", CALLEE, ("tn_plus",)),
}


@pytest.mark.parametrize(("orig", "dest", "said"), NATIONAL.values(), ids=NATIONAL)
def test_a_number_without_its_country_code_is_a_deviation(orig: str, dest: str, said: tuple[str, ...]) -> None:
    call = attempt(token(orig, dest))
    assert (run(call).reason, run(call).facts["identity.deviations"]) == ("passed", said)
    assert run(call, Settings(strict=True)).reason == ("deviations" if said else "passed")


def test_ten_digits_of_a_number_abroad_are_none() -> None:
    """RFC 8224 §8.3: with its country code it is canonical, whatever the same digits are in the NANP."""
    call = attempt(token("4722123456"), shown="+4722123456")
    found = run(call, Settings(strict=True))
    assert (found.reason, found.facts["identity.deviations"]) == ("passed", ())


OLD_FORM = PKI.leaf(extensions=pki.leaf_extensions(pki.tnauthlist(["709J"], string=pki.UTF8, tagged=False)))
OLD_URL = "https://certs.example/old.pem"
ODD = ("spc_untagged", "tnauthlist_string")


def of_old_form(**knobs: Any) -> str:
    """An Identity value by a certificate whose TNAuthList is not as the standard has it."""
    return token(x5u=OLD_URL, key=OLD_FORM.key, **knobs)


def with_old_form() -> CertificateStore:
    """A store that holds the certificate of such values too."""
    certificates = store()
    certificates.put(OLD_URL, OLD_FORM.pem, 0.0, NOW)
    return certificates


@pytest.mark.parametrize("tamper", [False, True])
def test_deviations_of_the_certificate_are_a_fact_and_no_failure(tamper: bool) -> None:
    for strict in (False, True):
        found = run(attempt(of_old_form(tamper=tamper)), Settings(strict=strict), with_old_form())
        assert sorted(found.facts["identity.certificate_deviations"]) == sorted(ODD)  # type: ignore[arg-type]
        assert found.facts["identity.result"] == ("failed" if tamper else "passed")
    assert run(attempt(token())).facts["identity.certificate_deviations"] == ()
    assert run(attempt("garbage")).facts.get("identity.certificate_deviations") is None


def test_of_several_values_each_says_its_deviations() -> None:
    odd = of_old_form(iat=str(int(NOW) - 5), extra={"orig": {"tn": "2025550101"}})
    facts = run(attempt(token(), odd, "garbage"), SETTINGS, with_old_form()).facts
    assert (facts["identity.deviations"], facts["identity.certificate_deviations"]) == ((), ())
    said = facts["identity.each"]
    assert isinstance(said, tuple)
    assert said[0] == "shaken passed passed certs.example orig+ dest+ fresh+ chain+ signature+"
    steps, _, rest = said[1].partition(" deviations:")
    assert steps == said[0]
    names, _, certificate = rest.partition(" certificate:")
    assert (names.split(","), sorted(certificate.split(","))) == (["iat_string", "tn_national"], sorted(ODD))


def test_a_single_value_that_fails_has_its_reason_among_the_reasons() -> None:
    assert run(attempt(token(iat=1))).facts["identity.reasons"] == ("iat_expired",)
    assert run(attempt(token(), token())).facts.get("identity.reasons") is None


def test_the_token_judged_is_described_even_where_it_fails() -> None:
    facts = run(attempt(token(iat=str(int(NOW) - 100)))).facts
    assert facts["identity.x5u"] == URL
    assert facts["identity.x5u_host"] == "certs.example"
    assert facts["identity.iat_age_s"] == 100.0
    assert facts["identity.deviations"] == ("iat_string",)


def test_a_list_with_commas_and_a_missing_ppt_are_deviations() -> None:
    assert run(attempt(f"{token(ppt='x')}, {token()}")).facts["identity.deviations"] == ("comma_list",)
    assert run(attempt(f"{token()},")).facts["identity.deviations"] == ("comma_list",)
    assert run(attempt(token(), token())).facts["identity.deviations"] == ()
    call = attempt(token().replace(';ppt="shaken"', ""))
    assert run(call).facts["identity.deviations"] == ("ppt_missing",)
    assert run(call, Settings(strict=True)).reason == "deviations"


@pytest.mark.parametrize(("offset_s", "differs"), [(0, False), (60, False), (-70, True), (90, True)])
def test_a_date_that_somebody_changed_is_a_fact_and_no_failure(offset_s: int, differs: bool) -> None:
    call = attempt(token())
    call.date = datetime.fromtimestamp(NOW - 5 + offset_s, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    facts = run(call).facts
    assert (facts["identity.result"], facts["identity.date_differs"]) == ("passed", differs)


def test_deviations_pass_unless_strict() -> None:
    call = attempt(token(iat=str(int(NOW))))
    assert run(call).facts["identity.deviations"] == ("iat_string",)
    found = run(call, Settings(strict=True))
    assert (found.facts["identity.result"], found.reason) == ("failed", "deviations")


def test_windows_and_ports_are_settings() -> None:
    old, ahead = attempt(token(iat=int(NOW) - 200)), attempt(token(iat=int(NOW) + 20))
    assert run(old, Settings(freshness_s=300.0)).status == CLEAR
    assert run(ahead, Settings(future_s=30.0)).status == CLEAR
    url = "https://127.0.0.1:18443/709J.pem"
    found = check(attempt(token(x5u=url)), Settings(x5u_ports=(18443,)), context())
    assert isinstance(found, Waiting)


def test_only_so_many_values_are_looked_at() -> None:
    call = attempt("garbage", "garbage", token())
    assert run(call, Settings(max_headers=2)).facts["identity.result"] == "failed"
    assert run(call, Settings(max_headers=3)).facts["identity.result"] == "passed"


@pytest.mark.parametrize(
    ("values", "count", "beyond"),
    [(("garbage", token(), "more"), 3, 1), ((token(), "garbage, more, still"), 4, 2), ((token(), "more"), 2, None)],
)
def test_values_beyond_the_limit_are_counted_and_told(values: tuple[str, ...], count: int, beyond: int | None) -> None:
    facts = run(attempt(*values), Settings(max_headers=2)).facts
    assert (facts["identity.count"], facts.get("identity.not_looked_at")) == (count, beyond)
    assert facts["identity.result"] == "passed"


@pytest.mark.parametrize(
    ("values", "reason", "status"),
    [
        ((NOT_HAD, NOT_HAD), "x5u_connect", 436),
        ((NOT_HAD, token(ppt="x-other")), "x5u_connect", 436),
        ((NOT_HAD, token(tamper=True)), "signature", 438),
        ((token(tamper=True), NOT_HAD), "signature", 438),
        ((NOT_HAD, token(iat=1)), "iat_expired", 403),
        (("garbage", NOT_HAD), "info_missing", 438),
        ((NOT_HAD, "garbage", token(iat=1)), "iat_expired", 403),
        ((token(x5u="http://certs.example/a"), NOT_HAD), "x5u_connect", 436),
    ],
)
def test_436_is_the_status_of_the_whole_only_where_no_certificate_could_be_had(
    values: tuple[str, ...], reason: str, status: int
) -> None:
    """RFC 8224 §6.2.2."""
    certificates = CertificateStore(Anchors([PKI.root.certificate]))
    certificates.put(URL, LEAF.pem, 0.0, NOW)
    certificates.put_failure(ELSEWHERE, BadIdentityInfo("x5u_connect"), NOW)
    facts = run(attempt(*values), certificates=certificates).facts
    assert (facts["identity.reason"], facts["identity.status"]) == (reason, status)


def test_an_unknown_certificate_is_waited_for() -> None:
    certificates = CertificateStore(Anchors([PKI.root.certificate]))
    call = attempt(token())
    found = check(call, Settings(budget_s=0.2), context(certificates))
    assert isinstance(found, Waiting)
    assert [(need.kind, need.key, need.budget_s) for need in found.needs] == [("certificate", URL, 0.2)]
    certificates.put(URL, LEAF.pem, 0.0, NOW + 0.1)
    assert run(call, certificates=certificates).reason == "passed"


def test_another_value_that_verifies_saves_the_wait() -> None:
    unknown = token(x5u="https://elsewhere.example/a.pem")
    assert run(attempt(unknown, token())).reason == "passed"
    assert isinstance(check(attempt(unknown, token(tamper=True)), SETTINGS, context()), Waiting)


def test_a_call_that_cannot_fit_waits_for_nothing() -> None:
    empty = CertificateStore()
    for call in (attempt(token(), shown="+13125550199"), attempt(token(iat=1))):
        assert run(call, certificates=empty).status == HIT


def test_a_failed_fetch_is_436_and_an_untrusted_chain_437() -> None:
    certificates = CertificateStore()
    certificates.put_failure(URL, BadIdentityInfo("x5u_connect"), NOW)
    found = run(attempt(token()), certificates=certificates)
    assert (found.reason, found.facts["identity.status"]) == ("x5u_connect", 436)
    certificates = CertificateStore()
    certificates.put(URL, LEAF.pem, 0.0, NOW)
    found = run(attempt(token()), certificates=certificates)
    assert (found.reason, found.facts["identity.status"]) == ("chain_untrusted", 437)


def test_a_certificate_for_other_numbers_is_out_of_scope() -> None:
    leaf = PKI.leaf(extensions=pki.leaf_extensions(pki.tnauthlist(ranges=[("13125550100", 100)])))
    certificates = CertificateStore(Anchors([PKI.root.certificate]))
    certificates.put(URL, leaf.pem, 0.0, NOW)
    found = run(attempt(token(key=leaf.key)), certificates=certificates)
    assert (found.reason, found.facts["identity.status"]) == ("out_of_scope", 437)
    inside = attempt(token(orig="13125550150", key=leaf.key), shown="+13125550150")
    assert run(inside, certificates=certificates).reason == "passed"


PROVIDER = PKI.provider("709J")
DELEGATED = pki.tnauthlist(ranges=[("12025550100", 50)])


def by_delegate(leaf: pki.Holder, *above: pki.Holder, **knobs: Any) -> Finding:
    """What a call from 12025550101 comes to that a delegate has signed."""
    certificates = CertificateStore(Anchors([PKI.root.certificate]))
    certificates.put(URL, b"".join(one.pem for one in (leaf, *above)), 0.0, NOW)
    shown = f"+{knobs.pop('shown', CALLER)}"
    return run(attempt(token(orig=shown[1:], key=leaf.key, **knobs), shown=shown), certificates=certificates)


def test_a_delegate_passes_within_its_numbers_and_its_provider_is_named() -> None:
    delegate = PKI.delegate(PROVIDER, DELEGATED)
    found = by_delegate(delegate, PROVIDER)
    told = {name: found.facts[f"identity.{name}"] for name in ("delegate", "delegated_by", "provider_spc", "signer")}
    assert found.reason == "passed"
    assert told == {
        "delegate": True,
        "delegated_by": "Example Voice",
        "provider_spc": ("709J",),
        "signer": "Example Bakery",
    }
    outside = by_delegate(delegate, PROVIDER, shown="12025550150")
    assert (outside.reason, outside.facts["identity.status"]) == ("out_of_scope", 437)
    assert outside.facts.get("identity.delegate") is None


@pytest.mark.parametrize(
    ("limits", "extra", "reason"),
    [
        (pki.claim_constraints(values={"attest": ["A", "B"]}), {}, "passed"),
        (pki.claim_constraints(["rcd"]), {"rcd": {"nam": "Example"}}, "passed"),
        (pki.claim_constraints(["rcd"]), {}, "constraint_missing"),
        (pki.claim_constraints(values={"attest": ["B"]}), {}, "constraint_value"),
        (pki.claim_constraints(excluded=["rcd"]), {"rcd": {"nam": "Example"}}, "constraint_excluded"),
    ],
)
def test_claims_beyond_the_constraints_of_the_certificate_are_438(
    limits: bytes, extra: dict[str, Any], reason: str
) -> None:
    delegate = PKI.delegate(PROVIDER, DELEGATED, extensions=[pki.constrained(limits, enhanced=True)])
    found = by_delegate(delegate, PROVIDER, extra=extra)
    assert (found.reason, found.facts.get("identity.status")) == (reason, None if reason == "passed" else 438)
    assert (found.facts["identity.chain_ok"], found.facts["identity.signature_ok"]) == (True, True)


def test_what_is_kept_of_a_failure_collects_no_frames() -> None:
    certificates = CertificateStore()
    certificates.put_failure(URL, BadIdentityInfo("x5u_connect"), NOW)
    run(attempt(token()), certificates=certificates)
    kept = certificates.get(URL, NOW)
    assert isinstance(kept, BadIdentityInfo)
    assert kept.__traceback__ is None


def test_facts_are_those_documented() -> None:
    assert identity.COST == 9
    others = ("identity.", "lists.signer", "lists.brand", "rate.signer.")
    assert all(spec.name.startswith(others) for spec in FACTS)


@pytest.mark.parametrize("call", [attempt(token())] + [call for call, *_ in HITS.values()])
def test_the_check_leaves_nothing_to_the_garbage_collector(call: CallAttempt) -> None:
    certificates = context()
    check(call, SETTINGS, certificates)
    gc.collect()
    gc.disable()
    try:
        for _ in range(5):
            check(call, SETTINGS, certificates)
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_what_is_revoked_fails_and_the_version_of_the_trust_is_a_fact() -> None:
    sti_pa, certificates = PKI.administrator(), store()
    issuers = (sti_pa.certificate,)
    assert run(attempt(token()), certificates=certificates).facts.get("identity.crl_stale") is None
    certificates.use_crl(read_crl(pki.crl(sti_pa), issuers, NOW), version="crl 1")
    passed = run(attempt(token()), certificates=certificates).facts
    assert passed["identity.result"] == "passed" and passed["identity.trust_version"] == "crl 1"
    assert passed["identity.crl_stale"] is False
    old = pki.crl(sti_pa, pki.revoked(LEAF), issued=PKI.now - 2 * pki.DAY)
    certificates.use_crl(read_crl(old, issuers, NOW), version="crl 2")
    failed = run(attempt(token()), certificates=certificates).facts
    assert (failed["identity.result"], failed["identity.reason"]) == ("failed", "certificate_revoked")
    assert (failed["identity.status"], failed["identity.chain_ok"]) == (437, False)
    assert (failed["identity.crl_stale"], failed["identity.trust_version"]) == (True, "crl 2")
    assert run(attempt(), certificates=certificates).facts.get("identity.trust_version") is None


# ------------------------------------------------------------------------------------------ lists of signers

ORIGID = "0b1e6f2c-0001-4000-8000-000000000001"


@pytest.mark.parametrize("member", ["709j", ORIGID.upper(), "example*"], ids=["spc", "origid", "organisation"])
def test_a_signer_is_looked_up_by_what_the_proven_token_says(member: str) -> None:
    signers = Lists.open([ListSpec("bad_signers", "texts", ("signer",), members=(member,))])
    asked = Context(signers, Counters(), store(), Replays())
    call = attempt(token(origid=ORIGID))
    found = check(call, SETTINGS, asked)
    assert isinstance(found, Finding) and found.facts["lists.signer"] == ("bad_signers",)
    other = Lists.open([ListSpec("bad_signers", "texts", ("signer",), members=("999X",))])
    found = check(attempt(token(origid=ORIGID)), SETTINGS, Context(other, Counters(), store(), Replays()))
    assert isinstance(found, Finding) and found.facts["lists.signer"] == ()


def test_nothing_is_said_of_a_signer_whose_signature_does_not_hold() -> None:
    signers = Lists.open([ListSpec("bad_signers", "texts", ("signer",), members=("*",))])
    head, _, rest = token(origid=ORIGID).partition(";")
    forged = f"{head[:-8]}AAAAAAAA;{rest}"
    found = check(attempt(forged), SETTINGS, Context(signers, Counters(), store(), Replays()))
    assert isinstance(found, Finding) and found.facts["identity.result"] == "failed"
    assert "lists.signer" not in found.facts


def consent(entry: str) -> Context:
    """A list of pairs with one entry, and what else the check may ask."""
    spec = ListSpec("consent", "pairs", ("pair",), members=(entry,))
    return Context(Lists.open([spec]), Counters(), store(), Replays())


def test_a_pair_by_name_is_looked_up_by_the_name_that_a_token_vouches_for() -> None:
    ours, others = consent(f"example bank,{CALLEE}"), consent("example bank,12125550199")
    named = attempt(token(extra={"rcd": {"nam": "Example Bank"}}))
    found = check(named, SETTINGS, ours)
    assert isinstance(found, Finding) and found.facts["lists.brand"] == ("consent",)
    found = check(named, SETTINGS, others)
    assert isinstance(found, Finding) and found.facts["lists.brand"] == ()
    found = check(attempt(token()), SETTINGS, ours)
    assert isinstance(found, Finding) and "lists.brand" not in found.facts, "a token without a name"
    head, _, rest = token(extra={"rcd": {"nam": "Example Bank"}}).partition(";")
    found = check(attempt(f"{head[:-8]}AAAAAAAA;{rest}"), SETTINGS, ours)
    assert isinstance(found, Finding) and "lists.brand" not in found.facts, "a name that nobody vouches for"


def test_the_facts_on_signers_and_names_are_found_by_this_check() -> None:
    assert check_of("lists.signer") == check_of("lists.brand") == "identity"
    assert check_of("lists.upstream") == "lists"
