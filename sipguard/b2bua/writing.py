"""Request-URI, From and To as a trunk wants them written.

Enters: URIs as they were received, the rules of the egress trunk, the peer's host. Leaves: URIs. Must not: change a
digit of the caller.

A service code is never changed, whatever the rules say: 911 with a prefix is another number. A code that somebody
dialled for help leaves as that code, without what the caller's trunk puts before it. By default only hosts are
rewritten. User parameters such as rn, npdi and cic (RFC 4694) stay where they stand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipguard.numbers.canonical import SHORT_CODES, read
from sipguard.sip.uri import user_of, with_host

if TYPE_CHECKING:
    from sipguard.screening.trunk import WriteRules

_NUMBER: Final = frozenset("0123456789+-.()*#ABCDabcd")
_FIRST: Final = ("isub", "postd")  # RFC 3261 §19.1.6: isdn-subaddress and post-dial come first


def request_uri(uri: str, rules: WriteRules, host: str, code: str = "") -> str:
    """A Request-URI for a peer at `host`; `code` is the service code that was dialled for help, "" for none."""
    prefix = rules.prefix
    if code:
        uri, prefix = with_code(uri, code), ""
    if rules.usual:
        return with_host(uri, host) if uri[:3].lower() == "sip" else _from_tel(uri, host)
    if uri[:4].lower() == "tel:":
        if rules.tel == "keep":
            return f"tel:{_number(uri[4:], rules, prefix)}"
        uri = _from_tel(uri, host)
    if uri[:3].lower() != "sip":
        return uri
    uri = with_user(uri, _grouped(_number(user_of(uri), rules, prefix), rules))
    return _marked(with_host(uri, rules.uri_host or host), rules)


def to_uri(uri: str, rules: WriteRules, host: str) -> str:
    """The URI of To: whom the caller wanted, so a tel: stays one, and no prefix or trunk group is added."""
    if uri[:3].lower() != "sip":
        return uri
    if rules.usual:
        return with_host(uri, host)
    uri = with_user(uri, _number(user_of(uri), rules, ""))
    return _marked(with_host(uri, rules.to_host or host), rules)


def with_user(uri: str, user: str) -> str:
    """The same sip: URI with another user part, where it has one; its password is kept."""
    was = user_of(uri)
    start = uri.find(":") + 1
    return f"{uri[:start]}{user}{uri[start + len(was) :]}" if was else uri


def with_code(uri: str, code: str) -> str:
    """The same URI with a service code alone as its number, where that stands behind a prefix."""
    user = user_of(uri)
    if not user or read(user).tn == code:
        return uri
    _, semicolon, params = user.partition(";")
    return with_user(uri, f"{code}{semicolon}{params}")


def _number(user: str, rules: WriteRules, prefix: str) -> str:
    """A user part with its number as the trunk wants it; what is no number gets the prefix only."""
    if read(user).tn in SHORT_CODES:
        return user
    digits, semicolon, params = user.partition(";")
    plain = digits.lstrip("+")
    if rules.form != "received" and plain.isascii() and plain.isdigit():
        if rules.form == "national" and len(plain) == 11 and plain[0] == "1":
            digits = plain[1:]
        elif rules.form == "plain":
            digits = "1" + plain if len(plain) == 10 and digits == plain else plain
        elif rules.form == "e164":
            if digits == plain and len(plain) == 10:
                digits = "+1" + plain
            elif len(plain) > 10:
                digits = "+" + plain
    return f"{prefix if digits else ''}{digits}{semicolon}{params}"


def _grouped(user: str, rules: WriteRules) -> str:
    """A user part with the trunk group that the call shall leave by there (RFC 4904 §5); another one is taken out."""
    if not rules.trunk_group or not user:
        return user
    digits, *params = user.split(";")
    kept = [each for each in params if each.partition("=")[0].lower() not in ("tgrp", "trunk-context")]
    return ";".join([digits, *kept, f"tgrp={rules.trunk_group}", f"trunk-context={rules.trunk_context}"])


def _marked(uri: str, rules: WriteRules) -> str:
    """A sip: URI whose user part is said to be a telephone number, where it is one (RFC 3261 §19.1.1)."""
    digits = user_of(uri).partition(";")[0]
    if not rules.user_phone or not digits or not _NUMBER.issuperset(digits) or "user=" in uri[uri.rfind("@") :].lower():
        return uri
    return f"{uri};user=phone"


def _from_tel(uri: str, host: str) -> str:
    """A tel: URI as a sip: URI (RFC 3261 §19.1.6): lower case, parameters in order; other schemes as they are."""
    if uri[:4].lower() != "tel:":
        return uri
    digits, *params = uri[4:].split(";")
    params.sort(key=_rank)
    user = ";".join([digits.lower(), *(each.lower() for each in params)]).replace("#", "%23")
    return f"sip:{user}@{host};user=phone"


def _rank(parameter: str) -> tuple[int, str]:
    """The place of a parameter of a tel: URI in the user part of a sip: URI."""
    name = parameter.partition("=")[0].lower()
    return (_FIRST.index(name), "") if name in _FIRST else (len(_FIRST), name)
