"""Which diversions are to be signed: from where tokens say that a call goes to where it is sent (RFC 8946 §4).

Enters: the Identity values of a call, the numbers that it was sent to in order, who says which numbers are ours.
Leaves: a Link for each div token. Must not: sign, or verify: the terminating side does both ends of a chain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from sipguard.numbers import canonical
from sipguard.numbers.rules import NumberRules
from sipguard.stir import identity
from sipguard.stir.errors import StirError
from sipguard.stir.passport import Passport
from sipguard.stir.passport import read as read_passport

MOST: Final = 5  # links of a chain; verifiers look no further (facts of RFC 8946 in the field)
_LEADING: Final = ("", "shaken", "div")  # types that say where a call goes


class Link:
    """A diversion: caller as its token has it, from which number to which, `iat` of the token."""

    __slots__ = ("dest", "diverting", "iat", "orig")

    def __init__(self, orig: str, diverting: str, dest: str, iat: int) -> None:
        self.orig = orig
        self.diverting = diverting
        self.dest = dest
        self.iat = iat


class _End:
    """Where a chain of tokens leads: a caller, and the numbers that its last token is for, each in all its readings."""

    __slots__ = ("dests", "iat", "length", "orig")

    def __init__(self, orig: str, dests: tuple[tuple[str, ...], ...], iat: int, length: int) -> None:
        self.orig = orig
        self.dests = dests
        self.iat = iat
        self.length = length


def links(
    values: Iterable[str],
    targets: Sequence[str],
    is_ours: Callable[[str], bool],
    rules: NumberRules,
    fresh_from: float,
    to: str = "",
) -> list[Link]:
    """The links that lead each chain of `values` through the canonical numbers `targets`, in their order.

    `to` is the number in To. Of the readings of a claim it says which is meant, as `targets` do; else the claim means
    what is written there, since a div that is written must not be a guess. A number that is not ours ends a chain:
    nobody but its holder may say that it was diverted from (§4.1). Tokens from before `fresh_from` (Unix seconds) are
    left alone; they may have been copied.
    """
    found: list[Link] = []
    ends = _ends([each for each in readable(values) if each.iat >= fresh_from], rules)
    for target in targets:
        further: list[_End] = []
        for end in ends:
            if not target:
                further.append(end)
                continue
            if any(target in readings for readings in end.dests):
                further.append(_End(end.orig, ((target,),), end.iat, end.length))
                continue
            meant = [to if to in readings else readings[0] for readings in end.dests]
            diverting = next((tn for tn in meant if is_ours(tn)), "")
            if diverting and end.length < MOST:
                if not any(_same(link, end.orig, diverting, target) for link in found):
                    found.append(Link(end.orig, diverting, target, end.iat))
                further.append(_End(end.orig, ((target,),), end.iat, end.length + 1))
        ends = further
    return found


def readable(values: Iterable[str]) -> list[Passport]:
    """The tokens among Identity values that say who calls whom."""
    found: list[Passport] = []
    for value in identity.split(values):
        try:
            passport = read_passport(identity.read(value).token)
        except StirError:
            continue
        if passport.ppt in _LEADING:
            found.append(passport)
    return found


def _ends(passports: list[Passport], rules: NumberRules) -> list[_End]:
    """The ends of the chains: tokens that no div token goes on from, or, where those go in circles, none."""
    claims = {each.div_tn for each in passports if each.ppt == "div" and each.div_tn}
    diverted = {tn for claim in claims for tn in canonical.readings(claim, rules)}
    length = len(claims)
    ends: list[_End] = []
    for each in passports:
        dests = tuple([one for one in (canonical.readings(dest, rules) for dest in each.dest_tns) if one])
        if dests and not any(tn in diverted for readings in dests for tn in readings):
            ends.append(_End(each.orig_tn or each.orig_uri, dests, each.iat, length))
    return ends


def _same(link: Link, orig: str, diverting: str, target: str) -> bool:
    return link.orig == orig and link.diverting == diverting and link.dest == target
