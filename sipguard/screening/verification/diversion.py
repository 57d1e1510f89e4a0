"""Which tokens of a call lead to its target by way of `div` tokens (RFC 8946 §4.2, facts A4).

Enters: the values of a call, all read. Leaves: on each `div` token what it came to; on each other token that does not
name the target itself, the chain that carries it there, or why none does.
Must not: fetch, depend on the order of the headers, ask for a certificate that cannot help any more.

A chain runs from the target (the Request-URI) back: the outermost `div` names the target in `dest`, each `div` names
in `div` what the token before it has in `dest`, and the innermost token is of another type. All conditions of a chain
are conditions on single tokens or on two neighbours, so the shortest way through the tokens that hold is a chain that
holds if there is any; no way has to be tried twice, whatever the tokens say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from sipguard.numbers import canonical
from sipguard.numbers.rules import NumberRules
from sipguard.screening.attempt import CallAttempt
from sipguard.screening.verification.parties import called_named, caller_named, number_in
from sipguard.screening.verification.proof import prove
from sipguard.screening.verification.result import FAILED, PASSED, UNUSED, WAITING, Diversion, Result
from sipguard.sip.uri import canonical_uri
from sipguard.stir.certificate import CertificateStore, Credential
from sipguard.stir.errors import InvalidIdentity, StaleDate
from sipguard.stir.passport import Passport, freshness

DIV: Final = "div"
HOPS_LIMIT: Final = 5  # `div` tokens in one chain; as many were seen in the field
INCOMPLETE: Final = "div_incomplete"
LOOP: Final = "div_loop"
TOO_LONG: Final = "div_too_long"
ORIG_MISMATCH: Final = "div_orig_mismatch"
EXPIRED: Final = "iat_expired"
UNCHECKED: Final = "div_unchecked"  # nothing depends on the chain, so no certificate was asked for
_BROKEN: Final = (INCOMPLETE, LOOP, TOO_LONG)
REASONS: Final = (*_BROKEN, ORIG_MISMATCH, UNCHECKED)


class _Token:
    """A token as a link: who calls, whom it is for, and whom it was for before, all in canonical form.

    A number that can be read in several ways has all of them in `dests` and in `div`, of which those are left that its
    certificate covers, once that is known. `caller` is the one that the call has, where it has one.
    """

    __slots__ = ("age_s", "caller", "dests", "div", "passport", "result")

    def __init__(self, result: Result, passport: Passport, attempt: CallAttempt) -> None:
        rules = attempt.trunk.read.bare
        self.result = result
        self.passport = passport
        own = caller_named(passport, attempt)[1] or next(iter(canonical.readings(passport.orig_tn, rules)), "")
        self.caller = own or passport.orig_tn or _uri(passport.orig_uri, rules)
        named = [tn for claim in passport.dest_tns for tn in _numbers(claim, rules)]
        self.dests = frozenset([*named, *(_uri(uri, rules) for uri in passport.dest_uris)])
        self.div = _numbers(passport.div_tn, rules) or (_uri(passport.div_uri, rules),)
        self.age_s = attempt.received_at - passport.iat


_Steps = dict[_Token, tuple[int, _Token | None]]  # a token -> hops up to it, and the next one towards the target


def link(
    results: Sequence[Result], attempt: CallAttempt, window_s: float, future_s: float, certificates: CertificateStore
) -> None:
    """Judges the `div` tokens among `results`, and gives each other token that needs one its Diversion.

    `window_s` is that of freshness; the trunk may allow a longer one to all but the outermost token. A fresh token that
    names the party in To passes without its chain, which is then judged as far as certificates are at hand.
    """
    tokens = [_Token(r, r.passport, attempt) for r in results if r.passport is not None and not r.reason]
    tokens.sort(key=_content)
    target = attempt.callee.tn or _uri(attempt.request_uri, attempt.trunk.read.bare)
    divs = [token for token in tokens if token.passport.ppt == DIV]
    origins = [token for token in tokens if token.passport.ppt != DIV and target not in token.dests]
    longest_s = max(window_s, attempt.trunk.diverted_within_s)
    for token in divs:
        _hold_against_call(token, attempt, longest_s, future_s)
    outermost = [token for token in divs if target in token.dests]
    fresh = [token for token in outermost if token.age_s <= window_s]
    able = [one for one in origins if _may_pass(one, attempt, longest_s, future_s)]
    depending = [one for one in able if one.age_s > window_s or not called_named(one.passport, attempt)]
    _prove_between(fresh, divs, able, depending, attempt, certificates)
    for origin in origins:
        outcomes = (PASSED, WAITING) if origin in depending else (PASSED,)
        origin.result.diversion = _diversion(origin, fresh, outermost, divs, outcomes)
    direct = len(origins) + len(divs) < len(tokens)
    _conclude(divs, outermost, window_s, "" if direct else _why_all_broken(origins, outermost, divs))


def unasked(result: Result) -> list[Result]:
    """The hops of a chain that nothing depended on so far, which lack their certificates."""
    way = result.diversion
    if way is None or way.reason != UNCHECKED:
        return []
    return [hop for hop in way.hops if hop.credential is None]


def _hold_against_call(token: _Token, attempt: CallAttempt, longest_s: float, future_s: float) -> None:
    """What can be said of a `div` token without its certificate."""
    result, passport = token.result, token.passport
    result.step = 0  # how far it came does not matter: another token is the one reported
    result.source, _ = caller_named(passport, attempt)
    result.orig_ok = result.source != ""
    if not result.orig_ok:
        _fail(result, "orig_mismatch", InvalidIdentity.status)
    try:
        freshness(passport.iat, attempt.received_at, longest_s, future_s)
        result.fresh = True
    except StaleDate as error:
        result.fresh = False
        _fail(result, error.reason, error.status)


def _may_pass(origin: _Token, attempt: CallAttempt, longest_s: float, future_s: float) -> bool:
    """Whether a chain could help this token."""
    return -future_s <= origin.age_s <= longest_s and caller_named(origin.passport, attempt)[0] != ""


def _prove_between(
    fresh: Sequence[_Token],
    divs: Sequence[_Token],
    origins: Sequence[_Token],
    depending: Sequence[_Token],
    attempt: CallAttempt,
    certificates: CertificateStore,
) -> None:
    """Proves the `div` tokens that stand on a way from the target to one of `origins`, and no others.

    Only for `depending` ones a certificate is worth waiting for.
    """
    hopeful = [token for token in divs if not token.result.reason]
    wanted = _between(fresh, hopeful, depending)
    for token in _between(fresh, hopeful, origins):
        found = certificates.get(token.passport.x5u, attempt.received_at)
        if found is not None:
            if isinstance(found, Credential):
                token.div = tuple([tn for tn in token.div if found.authority.covers(tn)]) or token.div
            tn = token.div[0] if token.div[0].isdigit() else ""
            prove(token.result, token.passport, found, tn, attempt.received_at)
            if token.result.signature_ok is False:
                certificates.doubt(token.passport.x5u, attempt.received_at)
        elif token in wanted:
            token.result.outcome = WAITING


def _between(fresh: Sequence[_Token], divs: Sequence[_Token], origins: Sequence[_Token]) -> list[_Token]:
    """The tokens of `divs` that lie on a way, not too long, between the target and one of `origins`."""
    outward = _steps(fresh, divs)
    inward: dict[_Token, int] = {}
    ring = [token for token in outward if any(_joins(token, origin) for origin in origins)]
    distance = 0
    while ring:
        inward.update(dict.fromkeys(ring, distance))
        distance += 1
        ring = [token for token in outward if token not in inward and any(_joins(token, one) for one in ring)]
    return [token for token, distance in inward.items() if outward[token][0] + distance <= HOPS_LIMIT]


def _joins(token: _Token, before: _Token) -> bool:
    """Whether `token` leads to `before` and both are of the same caller (RFC 8946 §4.2 step 3)."""
    return _leads(token, before) and token.caller == before.caller


def _leads(token: _Token, before: _Token) -> bool:
    """Whether `token` leads to `before`, whoever calls."""
    return not before.dests.isdisjoint(token.div)


def _steps(
    starts: Iterable[_Token], divs: Sequence[_Token], joined: Callable[[_Token, _Token], bool] = _joins
) -> _Steps:
    """The `div` tokens that can be reached from the target by way of `starts`, each by its shortest way."""
    ring = [token for token in starts if token in divs]
    steps: _Steps = dict.fromkeys(ring, (1, None))
    while ring:
        further: list[_Token] = []
        for token in ring:
            for before in divs:
                if before not in steps and joined(token, before):
                    steps[before] = (steps[token][0] + 1, token)
                    further.append(before)
        ring = further
    return steps


def _way(origin: _Token, steps: _Steps, joined: Callable[[_Token, _Token], bool] = _joins) -> list[_Token]:
    """The shortest way to `origin`, the outermost token first, [] for none."""
    last: _Token | None = None
    for token in steps:  # in the order of their distance
        if joined(token, origin):
            last = token
            break
    way: list[_Token] = []
    while last is not None:
        way.append(last)
        last = steps[last][1]
    way.reverse()
    return way


def _diversion(
    origin: _Token,
    fresh: Sequence[_Token],
    outermost: Sequence[_Token],
    divs: Sequence[_Token],
    outcomes: tuple[str, ...],
) -> Diversion:
    """What carries `origin` to the target: tokens that were proven, else those of `outcomes` as well."""
    for allowed in (outcomes[:1], outcomes):
        way = _way(origin, _steps(fresh, [token for token in divs if token.result.outcome in allowed]))
        if way and len(way) <= HOPS_LIMIT:
            hops = _results(way)
            return Diversion(hops, "", next((hop for hop in hops if hop.outcome == WAITING), None))
    way = _way(origin, _steps(outermost, divs, _leads), _leads)
    return Diversion(_results(way), _why_not(origin, way, fresh, outermost, divs))


def _why_not(
    origin: _Token, way: Sequence[_Token], fresh: Sequence[_Token], outermost: Sequence[_Token], divs: Sequence[_Token]
) -> str:
    """Why `way`, the one that comes nearest, does not carry `origin`."""
    if not way:
        return _broken(outermost, divs)
    if len(way) > HOPS_LIMIT:
        return TOO_LONG
    if any(token.caller != origin.caller for token in way):
        return ORIG_MISMATCH
    if way[0] not in fresh:
        return way[0].result.reason or EXPIRED
    return next((r.reason for r in _results(way) if r.outcome == FAILED and r.reason), UNCHECKED)


def _broken(outermost: Sequence[_Token], divs: Sequence[_Token]) -> str:
    """What is wrong with `div` tokens that lead to no other token: they go in a circle, or one is missing."""
    left = list(_steps(outermost, divs, _leads))
    while left:
        kept = [token for token in left if any(_leads(token, one) for one in left)]
        if len(kept) == len(left):
            return LOOP
        left = kept
    return INCOMPLETE


def _why_all_broken(origins: Sequence[_Token], outermost: Sequence[_Token], divs: Sequence[_Token]) -> str:
    """The reason that no `div` token leads anywhere, "" where one does or another token serves."""
    if not origins:
        return _broken(outermost, divs)
    reasons = [one.result.diversion.reason for one in origins if one.result.diversion is not None]
    return reasons[0] if all(reason in _BROKEN for reason in reasons) else ""


def _conclude(divs: Iterable[_Token], outermost: Sequence[_Token], window_s: float, broken: str) -> None:
    """Says what became of `div` tokens that were not proven."""
    for token in divs:
        result = token.result
        if result.outcome != FAILED or result.reason:
            continue
        if token in outermost and token.age_s > window_s:
            result.fresh = False
            _fail(result, EXPIRED, StaleDate.status)
        elif broken:
            _fail(result, broken, InvalidIdentity.status)
        else:
            result.outcome, result.reason = UNUSED, UNCHECKED


def _fail(result: Result, reason: str, status: int) -> None:
    """Takes the first reason only."""
    if not result.reason:
        result.reason, result.status = reason, status


def _results(way: Iterable[_Token]) -> tuple[Result, ...]:
    return tuple([token.result for token in way])


def _content(token: _Token) -> tuple[bytes, bytes]:
    """What tokens are sorted by, so that the order of the headers tells nothing."""
    return token.passport.signing_input, token.passport.signature


def _numbers(claim: str, rules: NumberRules) -> tuple[str, ...]:
    """The readings of a claim, its text where it is no number, () where there is none."""
    return canonical.readings(claim, rules) or ((claim,) if claim else ())


def _uri(uri: str, rules: NumberRules) -> str:
    """A number where the URI holds a complete one, else the URI in canonical form (RFC 8224 §8.5)."""
    return number_in(uri, rules) or canonical_uri(uri)
