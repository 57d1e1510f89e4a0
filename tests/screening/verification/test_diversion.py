"""Chains of div tokens, RFC 8946 §4.2: as written down here, and against a search that tries every way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipguard.screening.attempt import CallAttempt
from sipguard.screening.verification.diversion import HOPS_LIMIT
from sipguard.screening.verification.evaluate import evaluate
from sipguard.screening.verification.result import FAILED, PASSED, WAITING, Result
from sipguard.screening.verification.settings import Settings
from sipguard.stir.certificate import Anchors, CertificateStore
from sipguard.stir.errors import BadIdentityInfo
from tests import pki
from tests.screening import build

PKI = pki.Pki()
NOW = float(int(PKI.now.timestamp()))
URL, OTHER = "https://certs.example/709J.pem", "https://certs.example/812K.pem"
LEAF, ROGUE = PKI.leaf(), pki.new_key()
NARROW = PKI.leaf(spc="812K", extensions=pki.leaf_extensions(pki.tnauthlist(ones=["12125550102"])))
CALLER, ASSERTED, STRANGER = "12025550101", "12025550102", "12025550103"
TARGET = "12125550100"
FIRST, SECOND, THIRD = "12125550101", "12125550102", "12125550103"
NORWAY, SINGAPORE = "4722123456", "6561234567"  # canonical, with as many digits as NANP numbers without their 1
TRUNK = build.CARRIER
WINDOW_S, LONG_S = 60.0, 3 * 3600.0


def store(*urls: str) -> CertificateStore:
    """The certificate at URL, and those of `urls`."""
    certificates = CertificateStore(Anchors([PKI.root.certificate]))
    certificates.put(URL, LEAF.pem, 0.0, NOW)
    if OTHER in urls:
        certificates.put(OTHER, NARROW.pem, 0.0, NOW)
    return certificates


CERTIFICATES = store()


def shaken(dest: str | Sequence[str], *, orig: str = CALLER, age: int = 5, x5u: str = URL, tamper: bool = False) -> str:
    """An Identity value of the one who calls."""
    dests = [dest] if isinstance(dest, str) else list(dest)
    text = pki.passport(orig, "", LEAF.key, x5u, iat=int(NOW) - age, extra={"dest": {"tn": dests}}, tamper=tamper)
    return pki.identity_value(text, x5u)


def div(
    diverting: str,
    dest: str | Sequence[str],
    *,
    orig: str = CALLER,
    age: int = 5,
    x5u: str = URL,
    tamper: bool = False,
) -> str:
    """An Identity value of one who diverts."""
    key = ROGUE if tamper else (LEAF if x5u == URL else NARROW).key
    dests = [dest] if isinstance(dest, str) else list(dest)
    claims = {"attest": None, "origid": None, "div": {"tn": diverting}, "dest": {"tn": dests}}
    text = pki.passport(orig, "", key, x5u, iat=int(NOW) - age, ppt="div", extra=claims)
    return pki.identity_value(text, x5u, "div")


def attempt(*values: str, to: str = TARGET, within_s: float = 0.0, target: str = TARGET) -> CallAttempt:
    """A call to TARGET; To says so too, unless a test wants another."""
    return build.attempt(
        f"sip:+{target}@gw.example.com",
        shown=f"<sip:+{CALLER}@example.com>;tag=1",
        to=f"<sip:+{to}@gw.example.com>",
        pai=(f"<sip:+{ASSERTED}@example.com>",),
        identity=values,
        trunk=replace(TRUNK, diverted_within_s=within_s),
        received_at=NOW,
    )


def came_to(call: CallAttempt, certificates: CertificateStore = CERTIFICATES) -> list[Result]:
    return evaluate(call, Settings(), certificates)


def of(results: Sequence[Result], ppt: str = "shaken") -> Result:
    """The one token of a type."""
    (found,) = [one for one in results if one.passport is not None and one.passport.ppt == ppt]
    return found


def chain(length: int) -> list[str]:
    """A shaken token and `length` div tokens that carry it to TARGET."""
    stops = [f"1312555{100 + n:04d}" for n in range(length)] + [TARGET]
    return [shaken(stops[0]), *(div(stops[n], stops[n + 1]) for n in range(length))]


def told(results: Sequence[Result]) -> tuple[str, str, str]:
    """Outcome and reason of the shaken token, and the reason of its diversion, "-" for none."""
    found = of(results)
    return found.outcome, found.reason, "-" if found.diversion is None else found.diversion.reason


@pytest.mark.parametrize("length", range(1, HOPS_LIMIT + 1))
def test_up_to_five_div_tokens_carry_a_token_to_the_target(length: int) -> None:
    results = came_to(attempt(*chain(length)))
    assert told(results) == (PASSED, PASSED, "")
    found = of(results)
    assert found.dest_ok and found.diversion is not None and found.diversion.holds
    assert len(found.diversion.hops) == length
    assert [one.outcome for one in results] == [PASSED] * (length + 1)
    outermost = found.diversion.hops[0].passport
    assert outermost is not None and outermost.dest_tns == (TARGET,)


CASES: dict[str, tuple[list[str], tuple[str, str, str]]] = {
    "six are too many": (chain(6), (FAILED, "dest_mismatch", "div_too_long")),
    "none names the target": ([shaken(FIRST), div(FIRST, SECOND)], (FAILED, "dest_mismatch", "div_incomplete")),
    "a gap": (
        [shaken(FIRST), div(SECOND, THIRD), div(THIRD, TARGET)],
        (FAILED, "dest_mismatch", "div_incomplete"),
    ),
    "a loop": (
        [shaken(FIRST), div(SECOND, THIRD), div(THIRD, SECOND), div(THIRD, TARGET)],
        (FAILED, "dest_mismatch", "div_loop"),
    ),
    "a token that leads to itself": ([shaken(FIRST), div(TARGET, TARGET)], (FAILED, "dest_mismatch", "div_loop")),
    "a loop beside a way that holds": (
        [shaken(FIRST), div(FIRST, TARGET), div(SECOND, FIRST), div(FIRST, SECOND)],
        (PASSED, PASSED, ""),
    ),
    "called back and diverted again": (
        [shaken(FIRST), div(FIRST, SECOND), div(SECOND, FIRST), div(FIRST, TARGET)],
        (PASSED, PASSED, ""),
    ),
    "a hop signed by a stranger": (
        [shaken(FIRST), div(FIRST, SECOND, tamper=True), div(SECOND, TARGET)],
        (FAILED, "dest_mismatch", "signature"),
    ),
    "the outermost signed by a stranger": (
        [shaken(FIRST), div(FIRST, TARGET, tamper=True)],
        (FAILED, "dest_mismatch", "signature"),
    ),
    "a second way that holds": (
        [shaken([FIRST, SECOND]), div(FIRST, TARGET, tamper=True), div(SECOND, TARGET)],
        (PASSED, PASSED, ""),
    ),
    "the innermost altered": ([shaken(FIRST, tamper=True), div(FIRST, TARGET)], (FAILED, "signature", "")),
    "a hop names another caller": (
        [shaken(FIRST), div(FIRST, TARGET, orig=STRANGER)],
        (FAILED, "dest_mismatch", "div_orig_mismatch"),
    ),
    "From in one, P-Asserted-Identity in the other": (
        [shaken(FIRST), div(FIRST, TARGET, orig=ASSERTED)],
        (FAILED, "dest_mismatch", "div_orig_mismatch"),
    ),
    "P-Asserted-Identity in both": (
        [shaken(FIRST, orig=ASSERTED), div(FIRST, TARGET, orig=ASSERTED)],
        (PASSED, PASSED, ""),
    ),
    "all name another caller": (
        [shaken(FIRST, orig=STRANGER), div(FIRST, TARGET, orig=STRANGER)],
        (FAILED, "orig_mismatch", "orig_mismatch"),
    ),
    "the outermost is stale": (
        [shaken(FIRST), div(FIRST, TARGET, age=61)],
        (FAILED, "dest_mismatch", "iat_expired"),
    ),
    "the outermost lies ahead": (
        [shaken(FIRST), div(FIRST, TARGET, age=-6)],
        (FAILED, "dest_mismatch", "iat_future"),
    ),
    "the innermost is stale": (
        [shaken(FIRST, age=61), div(FIRST, TARGET)],
        (FAILED, "dest_mismatch", "div_unchecked"),
    ),
    "one between is stale": (
        [shaken(FIRST), div(FIRST, SECOND, age=61), div(SECOND, TARGET)],
        (FAILED, "dest_mismatch", "iat_expired"),
    ),
    "+ and ten digits": ([shaken("+" + FIRST), div(FIRST[1:], "+" + TARGET)], (PASSED, PASSED, "")),
    "several numbers in dest": (
        [shaken([SECOND, FIRST]), div(FIRST, [THIRD, TARGET])],
        (PASSED, PASSED, ""),
    ),
    "the token itself names the target": ([shaken(TARGET), div(FIRST, SECOND)], (PASSED, PASSED, "-")),
}


@pytest.mark.parametrize(("values", "expected"), CASES.values(), ids=CASES)
def test_a_chain_holds_if_every_link_does(values: list[str], expected: tuple[str, str, str]) -> None:
    assert told(came_to(attempt(*values))) == expected
    assert told(came_to(attempt(*reversed(values)))) == expected


@pytest.mark.parametrize(("age", "outcome"), [(61, PASSED), (3 * 3600, PASSED), (3 * 3600 + 1, FAILED)])
def test_a_trunk_that_transfers_calls_may_bring_older_tokens(age: int, outcome: str) -> None:
    aged = attempt(shaken(FIRST, age=age), div(FIRST, SECOND, age=age), div(SECOND, TARGET), within_s=LONG_S)
    assert of(came_to(aged)).outcome == outcome
    assert of(came_to(attempt(shaken(TARGET, age=61), within_s=LONG_S))).reason == "iat_expired", "none diverted it"


@pytest.mark.parametrize("to", [FIRST, TARGET], ids=["To as it was", "To rewritten"])
@pytest.mark.parametrize("within_s", [0.0, LONG_S])
def test_it_may_do_so_whatever_becomes_of_to(to: str, within_s: float) -> None:
    aged = attempt(shaken(FIRST, age=600), div(FIRST, TARGET), to=to, within_s=within_s)
    found = of(came_to(aged))
    assert found.outcome == (PASSED if within_s else FAILED)
    assert found.fresh == bool(within_s)


def test_an_old_token_that_names_the_party_in_to_depends_on_its_chain() -> None:
    """Its hop is waited for, and without it the token is stale."""
    values = [shaken(SECOND, age=600), div(SECOND, TARGET, x5u=OTHER)]
    call = attempt(*values, to=SECOND, within_s=LONG_S)
    assert [one.outcome for one in came_to(call)] == [WAITING, WAITING]
    assert told(came_to(call, store(OTHER))) == (PASSED, PASSED, "")
    without = store()
    without.put_failure(OTHER, BadIdentityInfo("x5u_dns"), NOW)
    assert told(came_to(call, without)) == (FAILED, "iat_expired", "x5u_dns")
    assert all(one.outcome != WAITING for one in came_to(attempt(*values, to=SECOND))), "no chain could help"


def test_the_outermost_must_be_fresh_on_such_a_trunk_too() -> None:
    assert of(came_to(attempt(shaken(FIRST), div(FIRST, TARGET, age=61), within_s=LONG_S))).reason == "dest_mismatch"


def test_one_div_carries_several_tokens() -> None:
    results = came_to(attempt(shaken(FIRST), shaken(FIRST, tamper=True), div(FIRST, TARGET)))
    assert [one.reason for one in results] == [PASSED, "signature", PASSED]


def test_who_diverts_must_have_authority_over_the_number() -> None:
    certificates = store(OTHER)
    covered = [shaken(SECOND), div(SECOND, TARGET, x5u=OTHER)]
    assert told(came_to(attempt(*covered), certificates)) == (PASSED, PASSED, "")
    foreign = came_to(attempt(shaken(FIRST), div(FIRST, TARGET, x5u=OTHER)), certificates)
    assert told(foreign) == (FAILED, "dest_mismatch", "out_of_scope")
    assert (of(foreign, "div").reason, of(foreign, "div").status) == ("out_of_scope", 437)


@pytest.mark.parametrize(
    ("innermost", "diverting", "reason"),
    [
        (NORWAY, NORWAY, PASSED),
        ("+" + NORWAY, NORWAY, PASSED),
        (NORWAY, "+" + NORWAY, PASSED),
        ("1" + NORWAY, NORWAY, "dest_mismatch"),
        ("1" + NORWAY, "1" + NORWAY, "dest_mismatch"),
        ("1" + NORWAY, "+" + NORWAY, "dest_mismatch"),
    ],
)
def test_a_certificate_for_one_reading_of_ten_digits_diverts_no_other(
    innermost: str, diverting: str, reason: str
) -> None:
    leaf = PKI.leaf(spc="813L", extensions=pki.leaf_extensions(pki.tnauthlist(ones=[NORWAY])))
    certificates = store()
    certificates.put(OTHER, leaf.pem, 0.0, NOW)
    claims = {"attest": None, "origid": None, "div": {"tn": diverting}, "dest": {"tn": [TARGET]}}
    text = pki.passport(CALLER, "", leaf.key, OTHER, iat=int(NOW) - 5, ppt="div", extra=claims)
    results = came_to(attempt(shaken(innermost), pki.identity_value(text, OTHER, "div")), certificates)
    assert of(results).reason == reason


@pytest.mark.parametrize("number", [NORWAY, SINGAPORE])
def test_ten_digits_abroad_are_diverted_to_and_from(number: str) -> None:
    to_it = attempt(shaken(FIRST), div(FIRST, number), target=number)
    assert told(came_to(to_it)) == (PASSED, PASSED, "")
    through_it = attempt(shaken(FIRST), div(FIRST, number), div(number, TARGET))
    assert told(came_to(through_it)) == (PASSED, PASSED, "")


def test_who_drops_the_1_and_who_does_not_speak_of_one_caller() -> None:
    values = [shaken(FIRST, orig=CALLER[1:]), div(FIRST[1:], SECOND), div(SECOND, TARGET[1:], orig=CALLER[1:])]
    assert told(came_to(attempt(*values))) == (PASSED, PASSED, "")


def test_div_tokens_alone_vouch_for_nobody() -> None:
    assert [one.reason for one in came_to(attempt(div(FIRST, TARGET)))] == ["div_incomplete"]


def test_the_compact_form_is_refused() -> None:
    value = pki.identity_value(".." + "A" * 86, URL, "div")
    assert [one.reason for one in came_to(attempt(value))] == ["compact_not_allowed"]


def test_a_token_that_names_the_party_in_to_passes_by_itself() -> None:
    results = came_to(attempt(shaken(FIRST), div(FIRST, TARGET, tamper=True), to=FIRST))
    assert told(results) == (PASSED, PASSED, "signature")


def test_a_hop_whose_certificate_is_not_here_is_waited_for() -> None:
    values = [shaken(SECOND), div(SECOND, TARGET, x5u=OTHER)]
    results = came_to(attempt(*values))
    assert [one.outcome for one in results] == [WAITING, WAITING]
    assert [one.credential is None for one in results] == [False, True], "so the one of the hop is asked for"


def test_no_certificate_is_asked_for_that_cannot_help() -> None:
    hop = div(SECOND, TARGET, x5u=OTHER)
    for values in (
        [shaken(SECOND, age=61), hop],
        [shaken(SECOND, orig=STRANGER), hop],
        [shaken(FIRST), hop],
        [shaken(FIRST), div(FIRST, SECOND, orig=STRANGER), hop],
        [shaken(TARGET), hop],
        [hop],
    ):
        assert all(one.outcome != WAITING for one in came_to(attempt(*values)))
    to_names_it = came_to(attempt(shaken(SECOND), hop, to=SECOND))
    assert told(to_names_it) == (PASSED, PASSED, "div_unchecked")


def test_a_hop_whose_certificate_cannot_be_had_fails_the_chain() -> None:
    certificates = store()
    certificates.put_failure(OTHER, BadIdentityInfo("x5u_dns"), NOW)
    results = came_to(attempt(shaken(SECOND), div(SECOND, TARGET, x5u=OTHER)), certificates)
    assert told(results) == (FAILED, "dest_mismatch", "x5u_dns")


def test_a_div_may_divert_a_uri() -> None:
    def to_uri(value: str) -> dict[str, object]:
        return {"dest": {"uri": [value]}}

    inner = pki.passport(CALLER, "", LEAF.key, URL, iat=int(NOW), extra=to_uri("sip:alice@Example.com"))
    claims = {"attest": None, "origid": None, "div": {"uri": "sip:alice@example.com;x=y"}, "dest": {"tn": [TARGET]}}
    outer = pki.passport(CALLER, "", LEAF.key, URL, iat=int(NOW), ppt="div", extra=claims)
    results = came_to(attempt(pki.identity_value(inner, URL), pki.identity_value(outer, URL, "div")))
    assert told(results) == (PASSED, PASSED, "")


# ---------------------------------------------------------------- against a search that tries every way


@dataclass(frozen=True)
class Link:
    """One token of a random call; `div` "" for a shaken one."""

    div: str
    dests: tuple[str, ...]
    orig: str
    age: int
    tamper: bool

    def value(self) -> str:
        if self.div:
            return div(self.div, self.dests, orig=self.orig, age=self.age, tamper=self.tamper)
        return shaken(self.dests, orig=self.orig, age=self.age, tamper=self.tamper)


PARTIES = [TARGET, FIRST, SECOND, THIRD, "12125550104", NORWAY, "+" + NORWAY, "1" + NORWAY, SINGAPORE]
dests = st.lists(st.sampled_from(PARTIES), min_size=1, max_size=2, unique=True).map(tuple)
callers = st.sampled_from([CALLER] * 6 + [ASSERTED, STRANGER])
ages = st.sampled_from([5] * 6 + [61, 600, -6])
divs = st.builds(Link, st.sampled_from(PARTIES), dests, callers, ages, st.sampled_from([False] * 7 + [True]))
origins = st.builds(Link, st.just(""), dests, callers, ages, st.booleans())
calls = st.tuples(st.lists(divs, max_size=7), st.lists(origins, min_size=1, max_size=2))
targets = st.sampled_from([TARGET] * 3 + [NORWAY, "1" + NORWAY, SINGAPORE])


def meant(claim: str) -> set[str]:
    """The numbers that a claim of PARTIES may mean."""
    return {claim, "1" + claim} if len(claim) == 10 else {claim.removeprefix("+")}


def leads(claim: str, dests: Sequence[str]) -> bool:
    """Whether a number in `div` is one of those in `dest`."""
    return any(meant(claim) & meant(dest) for dest in dests)


def ways(links: Sequence[Link], origin: Link, target: str) -> Iterator[tuple[Link, ...]]:
    """Every way from `target` to `origin`, the outermost first, written down without a thought for speed."""
    diverting = [link for link in links if link.div]
    for length in range(1, HOPS_LIMIT + 1):
        for way in permutations(diverting, length):
            steps = zip(way, [*way[1:], origin], strict=True)
            named = any(target in meant(dest) for dest in way[0].dests)
            if named and all(leads(later.div, earlier.dests) for later, earlier in steps):
                yield way


def holds(way: Sequence[Link], origin: Link, window_s: float) -> bool:
    """RFC 8946 §4.2 steps 2 to 5 for a way."""
    tokens = [*way, origin]
    return (
        all(not link.tamper for link in tokens)
        and all(link.orig == origin.orig for link in tokens)
        and origin.orig in (CALLER, ASSERTED)
        and all(-5 <= link.age <= window_s for link in tokens)
        and way[0].age <= WINDOW_S
    )


@settings(max_examples=300, deadline=None)
@given(calls, targets, st.booleans(), st.randoms(use_true_random=False))
def test_the_same_as_trying_every_way_in_any_order_of_the_headers(
    call: tuple[list[Link], list[Link]], target: str, trusted: bool, random: object
) -> None:
    links = list(dict.fromkeys(call[0] + call[1]))
    values = {link: link.value() for link in links}
    within_s = LONG_S if trusted else 0.0
    asked = partial(attempt, to=target, target=target, within_s=within_s)
    results = came_to(asked(*values.values()))
    for link, result in zip(links, results, strict=True):
        if not link.div and not any(target in meant(dest) for dest in link.dests):
            expected = any(holds(way, link, max(WINDOW_S, within_s)) for way in ways(links, link, target))
            assert (result.outcome == PASSED) == expected, link
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    again = came_to(asked(*[values[link] for link in shuffled]))
    assert {one.value: seen(one) for one in again} == {one.value: seen(one) for one in results}


def seen(result: Result) -> tuple[object, ...]:
    """All that a Result says, hops by their values."""
    way = result.diversion
    hops = None if way is None else ([hop.value for hop in way.hops], way.reason)
    flags = (result.orig_ok, result.dest_ok, result.fresh, result.chain_ok, result.signature_ok)
    return result.outcome, result.reason, result.status, flags, hops
