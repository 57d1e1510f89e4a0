"""Whatever stands in Identity headers: documented reasons only, the same each time; nothing changed passes."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sipguard.screening.checks.identity import Settings
from sipguard.screening.verification.evaluate import evaluate
from sipguard.screening.verification.result import PASSED, Result
from sipguard.stir import identity, passport
from sipguard.stir.certificate import Anchors, CertificateStore
from sipguard.stir.errors import StirError
from sipguard.stir.reasons import DEVIATIONS, REASONS
from tests import pki
from tests.screening.build import attempt

EXAMPLES = 200
URL = "https://certs.example/709J.pem"
PKI = pki.Pki()
LEAF = PKI.leaf()
NOW = float(int(PKI.now.timestamp()))
TOKEN = pki.passport("12025550100", "12125550123", LEAF.key, URL, iat=int(NOW))
VALUE = pki.identity_value(TOKEN, URL)
STORE = CertificateStore(Anchors([PKI.root.certificate]))
STORE.put(URL, LEAF.pem, 0.0, NOW)
WIRE = st.text(st.characters(max_codepoint=255), max_size=300)  # octets of a message as the parser hands them on
MARKS = st.text(alphabet='AZaz09-_.+/=;,"<>\\ \té', max_size=120)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
PARTY = st.fixed_dictionaries({}, optional={"tn": JSON, "uri": JSON}) | JSON
CLAIMS = st.fixed_dictionaries(
    {},
    optional={
        "attest": st.sampled_from(["A", "B", "C", "D", ""]) | JSON,
        "dest": st.just({"tn": ["12125550123"]}) | PARTY,
        "div": PARTY,
        "iat": st.just(int(NOW)) | st.just(str(int(NOW))) | JSON,
        "orig": st.just({"tn": "12025550100"}) | PARTY,
        "origid": JSON,
        "rcd": JSON,
        "rcdi": JSON,
        "crn": JSON,
        "rph": JSON,
        "sph": JSON,
        "opt": JSON,
    },
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "alg": st.just("ES256") | JSON,
        "typ": st.just("passport") | JSON,
        "ppt": st.sampled_from(["shaken", "div", "rcd", "rph", "sph", "div-o", ""]) | JSON,
        "x5u": st.just(URL) | JSON,
        "crit": JSON,
    },
)


def judged(*values: str, strict: bool = False) -> list[Result]:
    """The results of a call with these values, each with a documented reason and status."""
    call = attempt(identity=values, received_at=NOW)
    results = evaluate(call, Settings(strict=strict), STORE)
    assert len(results) <= Settings().max_headers
    for result in results:
        if result.reason:
            assert result.reason in REASONS
            assert result.status == REASONS[result.reason][0]
        if result.passport is not None:
            assert set(result.passport.deviations) <= set(DEVIATIONS)
        if result.outcome == PASSED:
            assert result.orig_ok and result.dest_ok and result.fresh and result.chain_ok and result.signature_ok
    return results


def flags(results: list[Result]) -> list[tuple[object, ...]]:
    """What results came to, to be compared."""
    return [
        (r.outcome, r.reason, r.status, r.orig_ok, r.dest_ok, r.fresh, r.chain_ok, r.signature_ok, r.step)
        for r in results
    ]


def test_the_value_that_is_changed_here_passes() -> None:
    assert [result.outcome for result in judged(VALUE)] == [PASSED]


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(WIRE | MARKS, max_size=12), st.booleans())
def test_any_octets_as_values(values: list[str], strict: bool) -> None:
    results = judged(*values, strict=strict)
    assert all(result.outcome != PASSED for result in results)
    assert flags(results) == flags(judged(*values, strict=strict))


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, len(VALUE)), MARKS, st.integers(0, 60))
def test_a_good_value_with_characters_put_in_or_taken_out(at: int, text: str, taken: int) -> None:
    """It passes only where the token itself was left alone."""
    for result in judged(VALUE[:at] + text + VALUE[at + taken :]):
        if result.outcome == PASSED:
            assert result.value.partition(";")[0].strip() == TOKEN


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, len(TOKEN) - 1), st.sampled_from("ABCDwxyz0189-_"))
def test_no_other_character_in_a_token_is_as_good(at: int, character: str) -> None:
    """base64url has one spelling only; a lenient decoder would let several tokens pass for one (replays.key_of)."""
    changed = TOKEN[:at] + character + TOKEN[at + 1 :]
    (result,) = judged(pki.identity_value(changed, URL))
    assert (result.outcome == PASSED) == (changed == TOKEN)


@settings(max_examples=EXAMPLES, deadline=None)
@given(HEADERS, CLAIMS, st.booleans())
@example({"alg": "ES256", "typ": "passport", "ppt": "shaken", "x5u": URL}, {"iat": 1e999}, False)
@example({"alg": "ES256", "typ": "passport", "ppt": "shaken", "x5u": URL}, {"orig": [], "dest": {"tn": [None]}}, False)
def test_a_valid_signature_over_any_json(header: dict[str, Any], claims: dict[str, Any], strict: bool) -> None:
    """What is malformed is 438 though it was signed; what passes names this call."""
    octets = [json.dumps(each, separators=(",", ":"), ensure_ascii=False) for each in (header, claims)]
    token = pki.sign(octets[0].encode("utf-8", "replace"), octets[1].encode("utf-8", "replace"), LEAF.key)
    (result,) = judged(f"{token};info=<{URL}>", strict=strict)
    if result.outcome == PASSED:
        assert result.tn == "12025550100"
        assert int(claims["iat"]) == int(NOW)
    elif result.passport is None:
        assert result.status in (428, 437, 438)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=200), st.binary(max_size=200))
def test_a_valid_signature_over_any_octets(header: bytes, claims: bytes) -> None:
    judged(f"{pki.sign(header, claims, LEAF.key)};info=<{URL}>")
    judged(f"{pki.sign(b'{}', claims, LEAF.key)};info=<{URL}>")


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.text(max_size=400))
def test_reading_raises_documented_errors_only(text: str) -> None:
    for read in (identity.read, passport.read, passport.read_signature):
        try:
            read(text)
        except StirError as error:
            assert error.reason in REASONS


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(MARKS, max_size=6))
def test_a_comma_list_of_good_values_is_those_values_and_any_text_can_be_split(values: list[str]) -> None:
    identity.split(values)
    good = [VALUE] * (len(values) + 1)
    assert identity.split([", ".join(good)]) == good


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.permutations([f"info=<{URL}>", "alg=ES256", 'ppt="shaken"', 'x="a;b"', "y"]), st.sampled_from(["", " ", "\t "])
)
def test_parameters_in_any_order_and_spacing_mean_the_same(parameters: list[str], space: str) -> None:
    read = identity.read(";".join([TOKEN, *(space + each + space for each in parameters)]))
    assert (read.token, read.info, read.alg, read.ppt) == (TOKEN, URL, "ES256", "shaken")
