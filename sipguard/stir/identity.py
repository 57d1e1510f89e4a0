"""The Identity header: from raw values to token and parameters (RFC 8224 §4).

Enters: raw header values as received. Leaves: IdentityHeader, checked for size and syntax.
Must not: look into the token (passport.read is strict about its alphabet), fetch, change a character.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from sipguard.stir.errors import BadIdentityInfo, InvalidIdentity

VALUE_LIMIT: Final = 8 * 1024
URL_LIMIT: Final = 512
ES256: Final = "ES256"

_PARAMETER: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~")
_HOST: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.")
_V6: Final = frozenset("0123456789abcdefABCDEF:.")
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

    The grammar has no comma list; a comma outside quotes and angle brackets is tolerated as a separator.
    """
    values: list[str] = []
    for value in raw:
        if "," in value:
            values.extend(piece for piece in _cut(value, ",") if piece)
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
    if scheme not in schemes or not mark or len(url) > URL_LIMIT or not _PATH.issuperset(path):
        raise BadIdentityInfo("x5u_refused", "scheme, length or path")
    host, port = _host_port(authority)
    if port is None:
        port = _DEFAULT_PORTS.get(scheme, 0)
    if not host or port not in ports:
        raise BadIdentityInfo("x5u_refused", "host or port")
    return host.lower()


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
    for piece in _cut(rest, ";"):
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


def _cut(text: str, separator: str) -> list[str]:
    """`text` cut at every `separator` outside quotes and angle brackets, pieces stripped."""
    pieces, start, quoted, angle, escaped = [], 0, False, False, False
    for i, c in enumerate(text):
        if quoted:
            if escaped:
                escaped = False
            elif c == "\\":
                escaped = True
            elif c == '"':
                quoted = False
        elif angle:
            angle = c != ">"
        elif c == '"':
            quoted = True
        elif c == "<":
            angle = True
        elif c == separator:
            pieces.append(text[start:i].strip())
            start = i + 1
    pieces.append(text[start:].strip())
    return pieces
