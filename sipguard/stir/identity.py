"""The Identity header: from raw values to token and parameters (RFC 8224 §4).

Enters: raw header values as received. Leaves: IdentityHeader, checked for size and syntax.
Must not: look into the token (passport.read is strict about its alphabet), fetch, change a character.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from sipguard.stir.errors import BadIdentityInfo, InvalidIdentity

VALUE_LIMIT: Final = 8 * 1024
URL_LIMIT: Final = 512
CUT_LIMIT: Final = 64  # pieces that lists with commas are cut into, of one call
PARAMETERS_LIMIT: Final = 32  # of one value
ES256: Final = "ES256"

_PARAMETER: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~")
_HOST: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.")
# What a separator may stand in, else any separator; each is passed over at once, however it ends.
_MARKS: Final = re.compile(r""""[^"\\]*+(?:\\.[^"\\]*+)*+"?|<[^>]*+>?|[,;]""", re.DOTALL)
_V6: Final = frozenset("0123456789abcdefABCDEF:.")
_HEX: Final = frozenset("0123456789abcdef")
_PATH: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%!$&'()*+,;=:@/")
# What follows `info=<...>` in nearly every value seen; anything else is read parameter by parameter.
_COMMON_TAILS: Final = {
    ';alg=ES256;ppt="shaken"': (ES256, "shaken"),
    ";alg=ES256;ppt=shaken": (ES256, "shaken"),
    ';ppt="shaken";alg=ES256': (ES256, "shaken"),
    ";ppt=shaken;alg=ES256": (ES256, "shaken"),
    ';ppt="shaken"': (ES256, "shaken"),
    ";ppt=shaken": (ES256, "shaken"),
    "": (ES256, ""),
}
_URLS: Final = 1024  # kept as checked: those of one signer are all alike
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


class IdentityHeader:
    """One Identity value: `ppt` is "" where the parameter is absent, `alg` then ES256 (RFC 8224 §4)."""

    __slots__ = ("alg", "info", "ppt", "token")

    def __init__(self, token: str, info: str, alg: str, ppt: str) -> None:
        self.token = token
        self.info = info
        self.alg = alg
        self.ppt = ppt


def split(raw: Iterable[str]) -> list[str]:
    """Single Identity values, in order, out of raw header values.

    The grammar has no comma list; a comma outside quotes and angle brackets is tolerated as a separator. Beyond
    CUT_LIMIT pieces, none of which anybody looks at, nothing is cut.
    """
    values: list[str] = []
    left = CUT_LIMIT
    for value in raw:
        if left > 0 and "," in value:
            pieces = _cut(value, ",", left)
            left -= len(pieces)
            values.extend(piece for piece in pieces if piece)
        else:
            values.append(value)
    return values


def read(value: str) -> IdentityHeader:
    """Token and parameters of one Identity value. Raises InvalidIdentity (RFC 8224 §4, §13.1)."""
    if len(value) > VALUE_LIMIT:
        raise InvalidIdentity("identity_too_large")
    token, _, rest = value.partition(";")
    if rest.startswith("info=<"):
        close = rest.find(">", 6)
        common = _COMMON_TAILS.get(rest[close + 1 :])
        if common is not None and close > 0:
            return IdentityHeader(token.rstrip(), rest[6:close], common[0], common[1])
    return _read_parameters(token.strip(), rest)


@lru_cache(_URLS)
def check_x5u(url: str, ports: tuple[int, ...], schemes: tuple[str, ...] = ("https",)) -> str:
    """The host (lower case, IPv6 without brackets) of an x5u that may be fetched. Raises BadIdentityInfo.

    No userinfo, query or fragment; the port must be one of `ports` (ATIS-1000074 §5.3.1).
    """
    scheme, mark, rest = url.partition("://")
    authority, _, path = rest.partition("/")
    if scheme.lower() not in schemes or not mark or len(url) > URL_LIMIT or not _PATH.issuperset(path):
        raise BadIdentityInfo("x5u_refused", "scheme, length or path")
    host, port = _host_port(authority)
    if port is None:
        port = _DEFAULT_PORTS.get(scheme.lower(), 0)
    if not host or port not in ports or is_numeric(host):
        raise BadIdentityInfo("x5u_refused", "host or port")
    return host.lower()


def canonical_x5u(url: str) -> str:
    """The URL that a certificate is kept under: scheme and host in lower case (RFC 3986 §3.1, §6.2.2.1)."""
    scheme, mark, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme.lower()}{mark}{authority.lower()}{slash}{path}"


def is_numeric(host: str) -> bool:
    """Whether a host ends in a number and is no address as RFC 3986 §3.2.2 writes it.

    Resolvers take `127.1`, `0177.0.0.1` or `2130706433` for addresses; no name ends in a number (RFC 3696 §2).
    """
    if ":" in host:
        return False
    labels = host.removesuffix(".").split(".")
    last = labels[-1].lower()
    if not (last.isdigit() or (last[:2] == "0x" and _HEX.issuperset(last[2:]))):
        return False
    if len(labels) != 4 or host.endswith("."):
        return True
    return not all(one.isdigit() and len(one) < 4 and int(one) < 256 and str(int(one)) == one for one in labels)


def _host_port(authority: str) -> tuple[str, int | None]:
    """Host ("" where it is malformed) and port (None where there is none, 0 where it is malformed)."""
    if authority.startswith("["):
        host, mark, tail = authority[1:].partition("]")
        if not mark or not _V6.issuperset(host) or (tail and not tail.startswith(":")):
            return "", 0
        port = tail[1:]
        colon = ":" if tail else ""
    else:
        host, colon, port = authority.partition(":")
        if not _HOST.issuperset(host):
            return "", 0
    if not colon:
        return host, None
    return host, int(port) if port.isascii() and port.isdigit() and len(port) < 6 else 0


def _read_parameters(token: str, rest: str) -> IdentityHeader:
    """The value whose parameters stand in any order, spelling or spacing; unknown ones are ignored."""
    found: dict[str, str] = {}
    pieces = _cut(rest, ";", PARAMETERS_LIMIT + 1)
    if len(pieces) > PARAMETERS_LIMIT:
        raise InvalidIdentity("identity_syntax", "more parameters than anybody writes")
    for piece in pieces:
        name, equal, value = piece.partition("=")
        name = name.strip().lower()
        if not name and not equal:
            continue
        if not name or not _PARAMETER.issuperset(name) or name in found:
            raise InvalidIdentity("identity_syntax", "a parameter is malformed or occurs twice")
        found[name] = value.strip()
    info = found.get("info", "")
    if not info:
        raise InvalidIdentity("info_missing")
    if len(info) < 3 or info[0] != "<" or info.find(">") != len(info) - 1:
        raise InvalidIdentity("identity_syntax", "info is not a URI in angle brackets")
    alg = _unquoted(found.get("alg", ES256))
    return IdentityHeader(token, info[1:-1].strip(), alg, _unquoted(found.get("ppt", "")))


def _unquoted(value: str) -> str:
    if value.startswith('"'):
        if len(value) < 2 or not value.endswith('"'):
            raise InvalidIdentity("identity_syntax", "a quoted parameter is not closed")
        value = value[1:-1]
    if not _PARAMETER.issuperset(value):
        raise InvalidIdentity("identity_syntax", "a parameter has characters that no token has")
    return value


def _cut(text: str, separator: str, most: int) -> list[str]:
    """`text` cut at `separator` outside quotes and angle brackets, pieces stripped; the last of `most` is the rest."""
    pieces, start = [], 0
    for found in _MARKS.finditer(text):
        if found.group() == separator:
            pieces.append(text[start : found.start()].strip())
            start = found.end()
            if len(pieces) == most - 1:
                break
    pieces.append(text[start:].strip())
    return pieces
