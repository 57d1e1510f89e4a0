"""The Via header: sent-by, branch and rport of its first value.

Enters: the value of the first Via line. Leaves: fields of the Request, the branch of a response.
Must not: resolve a name; send anything.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from sipguard.sip.errors import MalformedMessage
from sipguard.sip.message import Request
from sipguard.sip.uri import TOKEN, is_host, parameters, split_outside

LONGEST_SENT_BY: Final = 300  # a host name has 255 characters at most
_USUAL: Final = "SIP/2.0/UDP "


def read_via(request: Request, via: str) -> None:
    """Branch, sent-by and rport of a request's top Via (RFC 3261 §20.42, RFC 3581 §3)."""
    request.via = via
    first = via if "," not in via else _first(via)
    rest = first[12:] if first[:12] == _USUAL else _after_protocol(first, "2.0")
    host_port, semicolon, params = rest.partition(";")
    request.sent_by = sent_by(host_port)
    if not semicolon:
        return
    if params[:6] == "rport;":
        request.rport = True
        params = params[6:]
    if params[:7] == "branch=":
        branch, more, others = params[7:].partition(";")
        if '"' not in branch and " " not in branch:
            request.branch = branch
            if not more:
                return
            if others == "rport":
                request.rport = True
                return
    found = _parameters(params)
    request.branch = found.get("branch", "")
    request.rport = request.rport or "rport" in found


def read_via_leniently(request: Request) -> None:
    """Reads what an answer to a broken request needs of its Via; sent_by is "" where none can be made."""
    request.sent_by = ""
    via = request.value("via")
    try:
        host_port, *params = split_outside(_after_protocol(split_outside(via, ",")[0], ""), ";")
        request.sent_by = sent_by(host_port)
    except MalformedMessage:
        return
    request.via = via
    request.rport = any(each.partition("=")[0].strip().lower() == "rport" for each in params)


def branch_of(via: str) -> str:
    """The branch parameter of the first value in a Via, or ""."""
    start = via.find(";branch=")
    if start < 0 or "," in via or '"' in via:
        first = split_outside(via, ",")[0]
        return parameters(first.partition(";")[2]).get("branch", "")
    start += 8
    end = via.find(";", start)
    return (via[start:] if end < 0 else via[start:end]).rstrip()


def has_alias(via: str) -> bool:
    """Whether the first value of a Via offers its connection for requests the other way (RFC 5923 §5)."""
    return "alias" in parameters(split_outside(via, ",")[0].partition(";")[2])


def _first(via: str) -> str:
    """The first of several values on one line; none of them may be empty (RFC 4475 §3.1.2.1)."""
    values = split_outside(via, ",")
    if not all(values):
        raise MalformedMessage("Via has an empty value")
    return values[0]


def _parameters(params: str) -> dict[str, str]:
    """The parameters of a Via value, none of which may be empty (RFC 4475 §3.1.2.1)."""
    if not all(split_outside(params, ";")):
        raise MalformedMessage("Via has an empty parameter")
    return parameters(params)


def _after_protocol(via: str, version: str) -> str:
    """What follows the protocol, with white space at will (RFC 4475 §3.1.1.1); a `version` of "" is any."""
    pieces = [piece.strip(" ") for piece in via.replace("\t", " ").split("/", 2)]
    if len(pieces) != 3 or pieces[0].upper() != "SIP" or pieces[1] != (version or pieces[1]):
        raise MalformedMessage("Via does not begin with SIP/2.0/")
    transport, _, rest = pieces[2].partition(" ")
    if not transport or not rest or not TOKEN.issuperset(transport):
        raise MalformedMessage("Via has no sent-by")
    return rest


@lru_cache(maxsize=4096)
def sent_by(text: str) -> str:
    """The sent-by in `text`, without white space around it. Peers are few, so the answer is remembered."""
    if len(text) > LONGEST_SENT_BY:
        raise MalformedMessage("Via has a sent-by that is too long")
    stripped = text.strip(" \t")
    host, port = via_host_port(stripped)
    if not is_host(host) or port < 0:
        raise MalformedMessage("Via has no valid sent-by")
    return stripped


def via_host_port(sent_by: str) -> tuple[str, int]:
    """Host and port of a sent-by; port 0 where none is written, -1 where it is not one."""
    if sent_by[:1] == "[":
        host, close, tail = sent_by.partition("]")
        host += close
        tail = tail.strip(" \t")
        colon, port = tail[:1], tail[1:].strip(" \t")
        if tail and colon != ":":
            return host, -1
    else:
        host, colon, port = sent_by.partition(":")
        host, port = host.strip(" \t"), port.strip(" \t")
    if not colon:
        return host, 0
    if port.isascii() and port.isdigit() and len(port) < 6 and int(port) < 65536:
        return host, int(port)
    return host, -1
