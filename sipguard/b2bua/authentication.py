"""The authentication service on the path of a call: its Identity line, and div lines (RFC 8224 §4, RFC 8946 §4).

Enters: a call that is forwarded by a trunk that wants signatures, and what of its caller crosses. Leaves: header
lines; what was signed, or why nothing was, for the record. Must not: hold a call up or end it: what cannot be signed
goes on unsigned. Identity lines that came are never touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipguard.b2bua.counts import INDEX
from sipguard.b2bua.frames import WHY_UNSIGNED, Signed
from sipguard.b2bua.privacy import ANONYMOUS
from sipguard.numbers.canonical import E164, IMPOSSIBLE, SHORT_CODES, URN, Number, classify, read
from sipguard.screening.attestation import FULL, PARTIAL
from sipguard.screening.diverting import Link, links
from sipguard.screening.pipeline import attest
from sipguard.sip.date import instant_of
from sipguard.sip.uri import user_of
from sipguard.stir import identity, signing
from sipguard.stir.attestations import ATTESTATIONS
from sipguard.stir.errors import NotSignable, StirError, UnsupportedPassport
from sipguard.stir.passport import read as read_passport

if TYPE_CHECKING:
    from sipguard.b2bua.setup import Setup
    from sipguard.screening.attempt import CallAttempt
    from sipguard.screening.trunk import SignRules
    from sipguard.stir.signer import Signer

_SIGNED: Final = {attestation: INDEX[f"signed_{attestation}"] for attestation in ATTESTATIONS}
_DIVERTED: Final = INDEX["signed_div"]
_UNSIGNED: Final = {why: INDEX[f"unsigned_{why}"] for why in WHY_UNSIGNED}
_KEPT_TYPES: Final = ("", signing.SHAKEN, signing.DIV)
_FRESH_S: Final = 60.0  # RFC 8224 §4.1


def identity_lines(setup: Setup, rules: SignRules, kept: list[str], shown: str) -> list[str]:
    """The Identity lines of ours; `kept` and `shown` are the lines and the From value that leave by this trunk.

    A call has one signature, whichever trunks it is tried on. What was signed stands in `setup.signed`.
    """
    if not setup.identity:
        setup.signed = _signed(setup, rules, kept, shown)
        if setup.egress is not None:  # the verdict frame was written before
            setup.call.signed = setup.signed
    return [f"Identity: {value}" for value in setup.identity]


def unsign(setup: Setup) -> None:
    """Signing broke: the call goes on unsigned, and its record says so."""
    setup.identity = ()
    setup.signed = Signed(why="broken")
    setup.call.engine.counts[_UNSIGNED["broken"]] += 1
    if setup.egress is not None:
        setup.call.signed = setup.signed


def diversion_lines(setup: Setup, rules: SignRules) -> str:
    """The div lines for the number that a peer redirected the call to, each with its end; "" for none."""
    followed = setup.followed
    if followed is None or not rules.divert_for:
        return ""
    bare = setup.call.trunk.read.bare
    uris = [*followed.through.get(setup.target, ())[1:], setup.target]
    targets = [setup.attempt.callee.tn, *(read(user_of(uri), bare).tn for uri in uris)]
    made = _diversions(setup, rules, targets)
    return "".join([f"Identity: {value}\r\n" for value in made])


def _signed(setup: Setup, rules: SignRules, kept: list[str], shown: str) -> Signed:
    """What is signed for the call as it came; the values stand in `setup.identity`."""
    engine = setup.call.engine
    try:
        signed = _shaken(setup, rules, kept, shown)
        engine.counts[_SIGNED[signed.attest]] += 1
    except NotSignable as error:
        why = error.reason if error.reason in WHY_UNSIGNED else "unfit"
        engine.counts[_UNSIGNED[why]] += 1
        signed = Signed(why=why)
    setup.signed = signed
    if rules.divert_for and setup.attempt.identity:
        setup.identity += tuple(_diversions(setup, rules, [setup.attempt.callee.tn]))
    return signed


def _shaken(setup: Setup, rules: SignRules, kept: list[str], shown: str) -> Signed:
    """Signs who calls whom. Raises NotSignable with a reason of WHY_UNSIGNED, or of `signing`."""
    engine, attempt = setup.call.engine, setup.attempt
    screening = setup.screening
    if attempt.identity and _keeps(attempt.identity, rules, screening.facts.get("identity.result")):
        raise NotSignable("kept")
    if screening.attested is None:  # an emergency call, or one that only mode report let pass
        attest(screening, attempt, setup.call.ruleset, setup.context, may_wait=False)
    attested = screening.attested
    if attested is None or not attested.attest:
        raise NotSignable("no_rule")
    unix = engine.clock.unix
    if attempt.date and abs((instant_of(attempt.date) or unix) - unix) > _FRESH_S:
        raise NotSignable("stale_date")
    orig, is_caller = _orig(attempt)
    source = _source(attempt, orig, kept, shown)
    signer = _signer(setup, rules, orig)
    attestation, why = attested.attest, ""
    if attestation == FULL and not is_caller:
        attestation, why = PARTIAL, "caller_withheld"
    elif attestation == FULL and attempt.shown.tn not in ("", orig) and not attested.asks_shown:
        attestation, why = PARTIAL, "shown_differs"
    origid = signing.named_uuid(attested.origid, orig) if rules.per_caller else attested.origid
    dest, iat = _dest(setup), int(unix)
    setup.identity = (signing.shaken(signer, attestation, orig, dest, iat, origid),)
    sha256 = signer.certificate_sha256
    return Signed(signer.name, attestation, origid, orig, dest, source, iat, sha256, why=why)


def _keeps(values: tuple[str, ...], rules: SignRules, result: object) -> bool:
    """Whether a value that came says who calls, and ours shall not stand beside it; one of another type does not."""
    if rules.replaces and result == "failed":
        return False
    for value in identity.split(values):
        try:
            if read_passport(identity.read(value).token).ppt in _KEPT_TYPES:
                return True
        except UnsupportedPassport:
            continue
        except StirError:  # nobody can tell what it was
            return True
    return False


def _orig(attempt: CallAttempt) -> tuple[str, bool]:
    """The TN to sign, and whether it is the caller that facts speak of. Raises NotSignable.

    A caller that withholds its number in From is signed for by P-Asserted-Identity, where the trunk's crosses.
    """
    if _exists(attempt.caller):
        return attempt.caller.tn, True
    asserted = attempt.asserted
    if attempt.caller.tn or asserted is None or not _exists(asserted) or not attempt.trunk.accept_pai:
        raise NotSignable("no_number")
    return asserted.tn, False


def _source(attempt: CallAttempt, orig: str, kept: list[str], shown: str) -> str:
    """from | pai | both: where the INVITE that leaves still has `orig`. Raises NotSignable where it has not.

    Who receives it compares the two (RFC 8224 §6.2.4); and a token must not tell what Privacy withholds.
    """
    in_from = attempt.shown.tn == orig and not shown.startswith(ANONYMOUS)
    asserted = attempt.asserted
    in_pai = asserted is not None and asserted.tn == orig and any(_is_asserted(line) for line in kept)
    if not in_from and not in_pai:
        raise NotSignable("hidden")
    return "both" if in_from and in_pai else "from" if in_from else "pai"


def _is_asserted(line: str) -> bool:
    return line[:19].lower() == "p-asserted-identity"


def _signer(setup: Setup, rules: SignRules, tn: str) -> Signer:
    """The signer, who may sign for `tn` now. Raises NotSignable."""
    engine = setup.call.engine
    signer = engine.signers.get(rules.signer)
    if signer is None:
        raise NotSignable("no_signer")
    if not signer.valid_at(engine.clock.unix):
        raise NotSignable("expired")
    if not signer.authority.covers(tn):
        raise NotSignable("out_of_scope")
    return signer


def _dest(setup: Setup) -> str:
    """Whom the call is for: the number in To (RFC 8224 §4.1), that of the Request-URI where To has none.

    Raises NotSignable where neither is a number that may exist, or a service.
    """
    attempt = setup.attempt
    callee = attempt.callee
    if callee.form == URN:
        return attempt.request_uri.strip().lower()
    if _exists(attempt.to) and not setup.call.emergency:
        return attempt.to.tn
    if callee.tn not in SHORT_CODES and not _exists(callee) and not setup.call.emergency:
        raise NotSignable("no_number")
    return callee.tn


def _exists(number: Number) -> bool:
    """Whether it is complete, and of a class that somebody's number may have."""
    return number.form == E164 and classify(number) not in IMPOSSIBLE


def _diversions(setup: Setup, rules: SignRules, targets: list[str]) -> list[str]:
    """Values of div tokens that lead what the call carries through `targets`; each new one is noted as signed."""
    engine, signed = setup.call.engine, setup.signed
    if signed is None or setup.screening.facts.get("identity.signature_ok") is False:
        return []
    lists, names = setup.context.lists, rules.divert_for
    at = setup.attempt.received_at
    fresh_from = at - _FRESH_S
    values = [*setup.attempt.identity, *setup.identity]
    made: list[str] = []
    bare, to = setup.call.trunk.read.bare, setup.attempt.to.tn
    for link in links(values, targets, lambda tn: lists.any_has(names, tn, at), bare, fresh_from, to):
        try:
            made.append(_div(setup, rules, link))
        except NotSignable:
            break
        engine.counts[_DIVERTED] += 1
        if (link.diverting, link.dest) not in signed.diverted:
            signed.diverted = (*signed.diverted, (link.diverting, link.dest))
        signed.signer = signed.signer or rules.signer
        if setup.egress is not None:
            setup.call.signed = signed
    return made


def _div(setup: Setup, rules: SignRules, link: Link) -> str:
    """One div value; `iat` is that of the token that it goes on from, unless it has grown old (RFC 8946 §3).

    Raises NotSignable, also for a target that is no number.
    """
    if link.dest not in SHORT_CODES and not _exists(read(f"+{link.dest}")):
        raise NotSignable("no_number")
    signer = _signer(setup, rules, link.diverting)
    unix = setup.call.engine.clock.unix
    iat = link.iat if unix - link.iat <= _FRESH_S else int(unix)
    return signing.div(signer, link.orig, link.diverting, link.dest, iat)
