"""URIs and addresses as they stand in header values.

Enters: header values and URIs as text. Leaves: their parts. Must not: change a character, resolve a name.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from sipguard.sip.errors import MalformedMessage

TOKEN: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~")
DISPLAY: Final = TOKEN | {" ", "\t", "\r", "\n"}
LONGEST_REMEMBERED: Final = 100  # characters from the host on; a stranger may not fill the memory
ROUTED: Final = "routed"
HOST_ONLY: Final = "host_only"  # loopback
LINK_ONLY: Final = "link_only"
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_HEX: Final = frozenset("0123456789abcdefABCDEF")
_USER: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()&=+$,;?/%:")
_HOST: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._")
_V6: Final = frozenset("0123456789abcdefABCDEF:.")
_SCHEME: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-.")


def quoted_end(text: str, start: int) -> int:
    """Index of the quote that closes the quoted-string opened at `start`, or -1 (RFC 3261 §25.1)."""
    i = start + 1
    while True:
        i = text.find('"', i)
        if i < 0:
            return -1
        back = i - 1
        while text[back] == "\\":
            back -= 1
        if (i - back) % 2:
            return i
        i += 1


def split_outside(text: str, separator: str) -> list[str]:
    """`text` cut at every `separator` that stands outside quotes and angle brackets, pieces stripped.

    Raises MalformedMessage (400) where a quote is left open, whether there is a separator or not.
    """
    if '"' not in text and "<" not in text:
        return [piece.strip() for piece in text.split(separator)]
    pieces, start, i, angle = [], 0, 0, False
    while i < len(text):
        c = text[i]
        if c == '"' and not angle:
            i = quoted_end(text, i)
            if i < 0:
                raise MalformedMessage("unterminated quoted string")
        elif c == "<":
            angle = True
        elif c == ">":
            angle = False
        elif c == separator and not angle:
            pieces.append(text[start:i].strip())
            start = i + 1
        i += 1
    pieces.append(text[start:].strip())
    return pieces


def name_addr(value: str) -> tuple[str, str, str]:
    """Display name (as written, quotes included), URI and what follows it, of a name-addr or addr-spec.

    RFC 3261 §20.10: without angle brackets every `;` ends the URI. Raises MalformedMessage (400).
    """
    if value[:1] == '"':
        end = quoted_end(value, 0)
        if end < 0:
            raise MalformedMessage("unterminated display name")
        rest = value[end + 1 :].lstrip()
        if rest[:1] != "<":
            raise MalformedMessage("a quoted display name is not followed by <URI>")
        close = rest.find(">")
        if close < 0:
            raise MalformedMessage("missing > after the URI")
        return value[: end + 1], rest[1:close], rest[close + 1 :].lstrip()
    left = value.find("<")
    if left < 0:
        uri, semicolon, rest = value.partition(";")
        uri = uri.rstrip()
        if not uri or " " in uri or "," in uri or "?" in uri or ">" in uri:
            raise MalformedMessage("not an address")
        return "", uri, semicolon + rest
    display = value[:left].rstrip()
    if display and not DISPLAY.issuperset(display):
        raise MalformedMessage("a display name with such characters must be quoted")
    close = value.find(">", left)
    if close < 0:
        raise MalformedMessage("missing > after the URI")
    return display, value[left + 1 : close], value[close + 1 :].lstrip()


def parameters(rest: str) -> dict[str, str]:
    """Parameters of `;a=b;c` by lower-case name; a flag has the value "". Raises MalformedMessage (400)."""
    found: dict[str, str] = {}
    for piece in split_outside(rest, ";"):
        name, equal, value = piece.partition("=")
        name = name.strip().lower()
        if not name:
            if piece or equal:
                raise MalformedMessage("a parameter without a name")
            continue
        if not TOKEN.issuperset(name):
            raise MalformedMessage("a parameter name is not a token")
        if name in found:
            raise MalformedMessage(f"parameter {name} occurs twice")
        found[name] = value.strip()
    return found


def tag_of(rest: str) -> str:
    """The tag in what follows a From or To URI, or ""."""
    if not rest:
        return ""
    if not rest.startswith(";"):
        raise MalformedMessage("only parameters may follow the URI")
    tag = rest[5:].rstrip() if rest.startswith(";tag=") else ";"
    if ";" in tag or '"' in tag:
        found = parameters(rest)
        if "tag" not in found:
            return ""
        tag = found["tag"]
    if not tag or not TOKEN.issuperset(tag):
        raise MalformedMessage("a tag is a token")
    return tag


def user_of(uri: str) -> str:
    """User part of a sip:, sips: or tel: URI with its parameters, "" where there is none. Never raises."""
    if uri.startswith("sip:"):
        rest = uri[4:]
    else:
        scheme, colon, rest = uri.partition(":")
        scheme = scheme.lower()
        if not colon:
            return ""
        if scheme == "tel":
            return rest
        if scheme not in ("sip", "sips"):
            return ""
    at = rest.rfind("@")
    if at < 0:
        return ""
    user = rest[:at]
    colon_at = user.find(":")
    return user if colon_at < 0 else user[:colon_at]


def host_of(uri: str) -> str:
    """Host of a sip: or sips: URI (IPv6 in brackets), "" where there is none. Never raises."""
    return _host_port(uri)[0]


def canonical_uri(uri: str) -> str:
    """The form in which URIs are compared as identities, all in lower case (RFC 8224 §8.5, RFC 3986 §6.2.2).

    Of a sip: or sips: URI scheme, user and host are left: no parameters, headers, password and port. Never raises.
    """
    host = host_of(uri)
    if not host:
        return _decoded(uri).lower()
    user = user_of(uri).partition(";")[0]
    scheme = uri.partition(":")[0]
    return f"{scheme}:{_decoded(user)}@{host}".lower() if user else f"{scheme}:{host}".lower()


def _decoded(text: str) -> str:
    """`text` without escapes of characters that need none (RFC 3986 §2.3)."""
    if "%" not in text:
        return text
    first, *pieces = text.split("%")
    for piece in pieces:
        code = piece[:2]
        plain = chr(int(code, 16)) if len(code) == 2 and _HEX.issuperset(code) else ""
        first += plain + piece[2:] if plain in _UNRESERVED and plain else f"%{piece}"
    return first


def _host_port(uri: str) -> tuple[str, str, bool]:
    """Host, port text and whether a colon stood between them."""
    if not uri.startswith("sip:") and uri.partition(":")[0].lower() not in ("sip", "sips"):
        return "", "", False
    rest = uri[_host_at(uri) :]
    return _remembered(rest) if len(rest) < LONGEST_REMEMBERED else _after_user(rest)


def _host_at(uri: str) -> int:
    """Index at which the host of a sip: or sips: URI begins."""
    at = uri.rfind("@")
    return (at if at >= 0 else uri.find(":")) + 1


def _after_user(rest: str) -> tuple[str, str, bool]:
    """As _host_port, of what follows the user part."""
    for mark in ";?":
        cut = rest.find(mark)
        if cut >= 0:
            rest = rest[:cut]
    if rest.startswith("["):
        close = rest.find("]")
        tail = rest[close + 1 :]
        if close < 0 or tail[:1] not in ("", ":"):
            return "", "", False
        return rest[: close + 1], tail[1:], tail.startswith(":")
    host, colon, port = rest.partition(":")
    return host, port, bool(colon)


_remembered: Final = lru_cache(maxsize=4096)(_after_user)  # hosts and ports are few


def host_port_of(uri: str) -> tuple[str, int]:
    """As host_of, and its port; 0 where it has none or it is no number, -1 where it is a number that no port has."""
    host, port, _ = _host_port(uri)
    if not (port.isascii() and port.isdigit() and len(port) < 6):
        return host, 0
    number = int(port)
    return host, number if 0 < number < 65536 else -1


@lru_cache(maxsize=4096)
def reach_of(host: str) -> str:
    """How far away an address (IPv6 without brackets) can be: ROUTED, HOST_ONLY or LINK_ONLY.

    "" for what is none in its usual form, and for those that nobody has: the unspecified one, multicast, reserved
    ones, IPv4 within IPv6. A socket would take `127.1`, `2130706433` and names, and wait for DNS.
    """
    try:
        ip = ip_address(host)
    except ValueError:
        return ""
    if ip.is_loopback:
        return HOST_ONLY
    if ip.is_link_local:
        return LINK_ONLY if ip.version == 4 else ""  # that of IPv6 means nothing without its interface
    if ip.is_unspecified or ip.is_multicast or getattr(ip, "ipv4_mapped", None) is not None:
        return ""
    return "" if ip.version == 4 and ip.is_reserved else ROUTED  # IPv6: what is reserved holds NAT64 (RFC 6052)


def transport_of(uri: str) -> str:
    """udp, tcp or tls where a sip: or sips: URI asks for one of them, else "" (RFC 3261 §19.1.1, RFC 3263 §4.1)."""
    if uri[:4] == "sip:" and ";" not in uri:
        return ""
    if uri[:5].lower() == "sips:":
        return "tls"
    if uri[:4].lower() != "sip:" or uri.lower().find("transport=") < 0:
        return ""
    for piece in uri[_host_at(uri) :].partition("?")[0].lower().split(";")[1:]:
        if piece[:10] == "transport=" and piece[10:] in ("udp", "tcp", "tls"):
            return piece[10:]
    return ""


def without_transport(uri: str) -> str:
    """The same sip: or sips: URI without its transport parameter."""
    start = _host_at(uri)
    host, mark, headers = uri[start:].partition("?")
    kept = [piece for piece in host.split(";") if piece[:10].lower() != "transport="]
    return uri[:start] + ";".join(kept) + mark + headers


def with_host(uri: str, host_port: str) -> str:
    """The same sip: URI at another host; user part, parameters and headers are kept as they are."""
    start = _host_at(uri)
    cut = len(uri)
    for mark in (";", "?"):
        found = uri.find(mark, start)
        if 0 <= found < cut:
            cut = found
    return uri[:start] + host_port + uri[cut:]


def is_host(host: str) -> bool:
    """Whether `host` is a hostname, an IPv4 address or an IPv6 reference (RFC 3261 §25.1).

    The one colon too many that RFC 3261's grammar allows before an IPv4 part is tolerated (RFC 5118 §4.10).
    """
    if host[:1] != "[":
        return bool(host) and _HOST.issuperset(host)
    inside = host[1:-1]
    if host[-1] != "]" or len(inside) > 45 or not _V6.issuperset(inside) or inside.count(":") < 2:
        return False
    return ":::" not in inside or ("." in inside.partition(":::")[2] and "::::" not in inside)


def require_sip_uri(uri: str) -> None:
    """Raises MalformedMessage (400) where `uri` breaks the grammar of SIP-URI (RFC 3261 §19.1.1, §25.1)."""
    rest = uri.partition(":")[2]
    at = rest.rfind("@")
    if at >= 0:
        user = rest[:at]
        if not user or not _USER.issuperset(user):
            raise MalformedMessage("the user part of the URI has characters that must be escaped")
        if "%" in user:
            for piece in user.split("%")[1:]:
                if len(piece) < 2 or piece[0] not in _HEX or piece[1] not in _HEX:
                    raise MalformedMessage("a broken %-escape in the URI")
    host, port, colon = _host_port(uri)
    if not is_host(host):
        raise MalformedMessage("the URI has no valid host")
    if colon and not (port.isascii() and port.isdigit() and 0 < len(port) < 6 and int(port) < 65536):
        raise MalformedMessage("the URI has no valid port")


def require_scheme(uri: str) -> str:
    """The lower-case scheme of `uri`. Raises MalformedMessage (400) where there is none."""
    scheme, colon, rest = uri.partition(":")
    if not colon or not rest or not scheme or not _SCHEME.issuperset(scheme) or not scheme[0].isalpha():
        raise MalformedMessage("not a URI")
    return scheme.lower()


def require_request_uri(uri: str) -> None:
    """Raises MalformedMessage (400) where `uri` cannot be a Request-URI; only sip: and sips: are read."""
    if uri[:4] == "sip:":
        user, at, rest = uri[4:].rpartition("@")
        number = user[1:] if user[:1] == "+" else user
        if at and number.isalnum() and number.isascii() and len(rest) < 256:
            _require_after_at(rest)
            return
    scheme = require_scheme(uri)
    if not (uri.isascii() and uri.isprintable()) or '"' in uri or "<" in uri or ">" in uri:
        raise MalformedMessage("the Request-URI has characters that must be escaped")
    if scheme in ("sip", "sips"):
        require_sip_uri(uri)
        if "?" in uri[uri.rfind("@") + 1 :]:
            raise MalformedMessage("the Request-URI carries headers")


@lru_cache(maxsize=1024)
def _require_after_at(rest: str) -> None:
    """Checks a Request-URI from its host on; these are few, so the answer is remembered."""
    require_request_uri(f"sip:{rest}")
