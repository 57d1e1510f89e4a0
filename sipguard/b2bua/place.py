"""A listener as messages name it: the lines that are the same in all messages that leave by it.

Enters: a Listener. Leaves: the beginning of its Via, its Contact, its host in URIs. Must not: know a call.
"""

from __future__ import annotations

from collections.abc import Mapping

from sipguard.screening.trunk import Listener
from sipguard.sip.flow import UDP


class Place:
    """What stands in messages from one listener. `via` ends with "branch=", `contact` with its line end.

    `beside`: transport -> (listener, its `via`) of those that are bound to the same address.
    """

    __slots__ = ("beside", "contact", "listener", "own_host", "via")

    def __init__(self, listener: Listener, worker: str) -> None:
        self.listener = listener
        self.beside: dict[str, tuple[str, str]] = {}
        host, port, transport = listener.public_host, listener.public_port, listener.transport
        self.own_host = host if port == 5060 and transport != "tls" else f"{host}:{port}"
        over = "" if transport == UDP else f";transport={transport}"
        reuse = "" if transport == UDP else ";alias"  # the connection may be used both ways (RFC 5923 §5)
        self.via = f"Via: SIP/2.0/{transport.upper()} {host}:{port}{reuse};branch="
        self.contact = f"Contact: <sip:{worker}@{self.own_host}{over}>\r\n"


def places_of(listeners: Mapping[str, Listener], worker: str) -> dict[str, Place]:
    """The places of listeners; each knows those beside it."""
    places = {name: Place(each, worker) for name, each in listeners.items()}
    for place in places.values():
        for name, other in places.items():
            if other.listener.host == place.listener.host:
                place.beside.setdefault(other.listener.transport, (name, other.via))
        place.beside[place.listener.transport] = (place.listener.name, place.via)
    return places
