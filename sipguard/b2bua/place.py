"""A listener as messages name it: the lines that are the same in all messages that leave by it.

Enters: a Listener. Leaves: the beginning of its Via, its Contact, its host in URIs. Must not: know a call.
"""

from __future__ import annotations

from sipguard.screening.trunk import Listener
from sipguard.sip.flow import UDP


class Place:
    """What stands in messages from one listener. `via` ends with "branch=", `contact` with its line end."""

    __slots__ = ("contact", "listener", "own_host", "via")

    def __init__(self, listener: Listener, worker: str) -> None:
        self.listener = listener
        host, port, transport = listener.public_host, listener.public_port, listener.transport
        self.own_host = host if port == 5060 and transport != "tls" else f"{host}:{port}"
        over = "" if transport == UDP else f";transport={transport}"
        reuse = "" if transport == UDP else ";alias"  # the connection may be used both ways (RFC 5923 §5)
        self.via = f"Via: SIP/2.0/{transport.upper()} {host}:{port}{reuse};branch="
        self.contact = f"Contact: <sip:{worker}@{self.own_host}{over}>\r\n"
