"""What leaves the house with secrets and telephone numbers taken out.

Enters: texts, plain values of a configuration. Leaves: the same, masked. Must not: trust that a secret stands where
secrets belong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from ipaddress import ip_address, ip_network
from typing import Any, Final

HIDDEN: Final = "[hidden]"
SECRET_KEY: Final = re.compile(r"pass|secret|token|credential|^key$|private|auth|cookie|nonce", re.IGNORECASE)
_USERINFO: Final = re.compile(r"(?<=://)[^/@\s\"']+(?=@)")
_PEM: Final = re.compile(r"-----BEGIN [^-]*PRIVATE KEY-----.*?(-----END [^-]*-----|\Z)", re.DOTALL)
_TOKEN: Final = re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]+|(?<=\.\.)[\w-]{40,}")  # JWS: a PASSporT names both callers
_DIGITS: Final = re.compile(r"\+?\(?\d(?:[\s().-]{0,2}\d){6,}")
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?)?")
_SHOWN: Final = 3  # digits at the front of a number
_LEAST: Final = 7  # digits of a number
_SHORTEST_SECRET: Final = 4  # shorter ones cannot be searched for: they stand in every text


def mask(text: str, secrets: Iterable[bytes] = ()) -> str:
    """A text without these secrets, without keys, tokens and passwords in URLs, and with its numbers cut."""
    for secret in sorted(secrets, key=len, reverse=True):
        found = secret.decode("latin-1")
        if len(found) >= _SHORTEST_SECRET:
            text = text.replace(found, HIDDEN)
            text = text.replace(secret.decode("utf-8", "replace"), HIDDEN)
    text = _PEM.sub(HIDDEN, text)
    text = _TOKEN.sub(HIDDEN, text)
    text = _USERINFO.sub(HIDDEN, text)
    return _DIGITS.sub(_cut, text)


def _cut(found: re.Match[str]) -> str:
    """A number with all but its first digits hidden; what is an address, a date or too short stays."""
    text = found[0]
    if _is_address(text) or _INSTANT.fullmatch(text) or sum(map(str.isdigit, text)) < _LEAST:
        return text
    shown = 0
    cut = ""
    for char in text:
        shown += char.isdigit()
        cut += "x" if char.isdigit() and shown > _SHOWN else char
    return cut


def _is_address(text: str) -> bool:
    for read in (ip_address, ip_network):
        try:
            read(text)
        except ValueError:
            continue
        return not text.isdigit()
    return False


def mask_values(value: Any, secrets: Iterable[bytes] = (), key: str = "") -> Any:
    """Plain values of a configuration, masked; nothing stays of what its key calls a secret, not even its place."""
    if isinstance(value, dict):
        return {mask(str(name), secrets): mask_values(inner, secrets, str(name)) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [mask_values(inner, secrets, key) for inner in value]
    if isinstance(value, bool) or value is None:
        return value
    if SECRET_KEY.search(key):
        return HIDDEN
    if isinstance(value, int) and abs(value) >= 10 ** (_LEAST - 1):
        return mask(str(value), secrets)
    if isinstance(value, int | float):
        return value
    return value.isoformat() if isinstance(value, date) else mask(str(value), secrets)


def mask_labels(text: str, secrets: Iterable[bytes] = ()) -> str:
    """The text of metrics, masked within quotes only: outside of them stand counts."""
    return re.sub(r'"[^"\n]*"', lambda found: mask(found[0], secrets), text)
