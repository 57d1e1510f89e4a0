"""From and To of a request: the value as it was meant, and its tag.

Enters: a header value. Leaves: the value without the faults that leave no doubt, the tag. Must not: guess.

White space within the brackets of a URI and quotes that a display name lacks are such faults (RFC 4475 §3.1.2.14,
§3.1.2.15). What leaves on the other leg is written without them.
"""

from __future__ import annotations

from typing import Final

from sipguard.sip.errors import MalformedMessage
from sipguard.sip.uri import DISPLAY, name_addr, require_scheme, tag_of

_SPACES: Final = str.maketrans("", "", " \t\r\n")


def usual_tag(value: str) -> str | None:
    """The tag, "" for none, of a value in the common layouts, <sip:...> and "..." <sip:...>; None for any other."""
    before, close, rest = value.rpartition(">")
    if not close or (rest and rest[:5] != ";tag="):
        return None
    display, _, uri = before.rpartition("<")
    if uri[:4] != "sip:" or " " in uri or '"' in uri or ">" in uri or (display and not _is_plain_quoted(display)):
        return None
    tag = rest[5:]
    return tag if not rest or (tag.isalnum() and tag.isascii()) else None


def read_address(value: str, which: str) -> tuple[str, str]:
    """The value of a From or To as it was meant, and its tag, "" for none. Raises MalformedMessage (400)."""
    try:
        value = _spaceless(_quoted(value))
        _, uri, rest = name_addr(value)
        if "<" in uri:
            raise MalformedMessage("the URI has a bracket")
        require_scheme(uri)
        return value, tag_of(rest)
    except MalformedMessage as error:
        raise MalformedMessage(f"{which}: {error.what}") from None


def _is_plain_quoted(display: str) -> bool:
    """Whether a display name is one quoted string without escapes, and a space."""
    return display[0] == '"' and display[-2:] == '" ' and display.count('"') == 2 and "\\" not in display


def _quoted(value: str) -> str:
    """`value` with its display name in quotes, where it has characters that need them and none."""
    display, bracket, rest = value.partition("<")
    name = display.rstrip(" \t")
    if not bracket or DISPLAY.issuperset(name) or '"' in name:
        return value
    return '"' + name.replace("\\", "\\\\") + '" <' + rest


def _spaceless(value: str) -> str:
    """`value` without white space in its URI."""
    if value[:1] == '"':
        _, uri, _ = name_addr(value)
    elif "<" in value:
        uri = value.partition("<")[2].partition(">")[0]
    else:
        uri, semicolon, rest = value.partition(";")
        return uri.translate(_SPACES) + semicolon + rest
    meant = uri.translate(_SPACES)
    return value if meant == uri else value.replace(f"<{uri}>", f"<{meant}>", 1)
