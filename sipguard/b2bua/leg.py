"""A leg: one side of a call, with the dialog it has there.

Enters: the headers of the messages that make a dialog. Leaves: the lines that our requests in it carry.
Must not: ask anything of the other leg, send, keep time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipguard.b2bua.crossing import NOT_CROSSING
from sipguard.b2bua.frames import LegState
from sipguard.sip.errors import MalformedMessage
from sipguard.sip.flow import TLS, UDP, Flow
from sipguard.sip.message import Message, Request
from sipguard.sip.uri import ROUTED, host_port_of, name_addr, reach_of, split_outside, transport_of

if TYPE_CHECKING:
    from sipguard.b2bua.answer import Answer
    from sipguard.b2bua.call import Call
    from sipguard.b2bua.credentials import Login
    from sipguard.b2bua.exchange import Exchange
    from sipguard.b2bua.place import Place
    from sipguard.b2bua.subscription import Lingering

A: Final = "a"
B: Final = "b"
SCHEMES: Final = ("sip:", "sips")  # what a target may begin with (RFC 3261 §8.1.1.8)


class Leg:
    """One side of a call. `local` and `remote` are From and To values of our requests, tags included."""

    __slots__ = (
        "anew",  # Flow | None: where our requests go once the connection of `flow` is gone
        "answer",  # Answer | None: a 2xx that we sent here and that awaits its ACK
        "believed",  # whether what it says of identities crosses, see `privacy`
        "beside",  # transport -> (listener, its Via) on the same address: a target may want another transport
        "border",  # whether that, or what it is shown of them, is limited
        "call",
        "call_id",
        "contact",  # our Contact line with its end
        "cseq",  # of our last request
        "flow",  # by which our requests go
        "invited_as",  # CSeq number of the last INVITE that crossed to here
        "invited_by",  # the one that it came with on the other leg
        "inviting",  # Exchange | None: a re-INVITE that came from here and is not finished
        "lingering",  # Lingering | None: the call has ended, subscriptions have not
        "local",
        "local_tag",
        "login",  # Login | None: where its trunk has given us credentials
        "name",
        "other",  # Leg | None: the leg that requests of this dialog cross to
        "remote",
        "remote_cseq",  # of the last request from here, -1 before the first
        "remote_tag",
        "request_uri",
        "route_lines",
        "routes",
        "shown",  # which identities it may see: always, unless_private, never
        "staying",  # names of headers that do not cross from it
        "subscriptions",  # dict[str, str] | None: that the far end notifies of, see `subscription`
        "target",
        "untold",  # whether Reason: STIR of the other side does not reach it
        "updating",  # Exchange | None: an UPDATE that came from here and is not finished
        "via",  # our Via line up to and including "branch="
    )

    def __init__(self, name: str, call: Call | None, place: Place, flow: Flow) -> None:
        self.name = name
        self.call = call
        self.via = place.via
        self.beside = place.beside
        self.contact = place.contact
        self.flow = flow
        self.anew: Flow | None = None
        self.call_id = self.local_tag = self.remote_tag = ""
        self.local = self.remote = ""
        self.target = self.request_uri = ""
        self.routes: list[str] = []
        self.route_lines = ""
        self.cseq = 0
        self.remote_cseq = -1
        self.answer: Answer | None = None
        self.inviting: Exchange | None = None
        self.login: Login | None = None
        self.shown = "always"
        self.believed = True
        self.border = False
        self.untold = False
        self.staying = call.engine.staying if call is not None else NOT_CROSSING
        self.updating: Exchange | None = None
        self.other: Leg | None = None
        self.subscriptions: dict[str, str] | None = None
        self.lingering: Lingering | None = None
        self.invited_by = self.invited_as = 0

    def accept_marks(self) -> None:
        """Lets all that it says of verification cross."""
        self.staying = NOT_CROSSING

    def prepare(self, invite: Request) -> bool:
        """Takes route set and target of the caller; False where its INVITE has no Contact that can be read."""
        if "contact" not in invite.at and not invite.from_tag:
            return self.aim_at(name_addr(invite.from_value)[1])  # RFC 2543 asked for no Contact
        return self.set_target(invite) and self.set_routes(invite, reverse=False)

    def set_routes(self, message: Message, reverse: bool) -> bool:
        """Takes the route set out of Record-Route, reversed on the calling side (RFC 3261 §12.1).

        Our requests go to its first URI (§12.2.1.1, §8.1.2). False, and nothing taken, where it cannot be read.
        """
        if "record-route" not in message.at:
            return True
        try:
            routes = [one for value in message.values("record-route") for one in split_outside(value, ",")]
            for route in routes:
                name_addr(route)
        except MalformedMessage:
            return False
        if reverse:
            routes.reverse()
        if routes != self.routes:
            self.routes = routes
            self._aim()
        return True

    def set_target(self, message: Message) -> bool:
        """Takes the remote target from Contact (§12.1, §12.2); False where there is none that can be read."""
        value = message.value("contact")
        if not value:
            return False
        end = value.find(">")
        if value[0] == "<" and end > 0 and "," not in value:
            uri = value[1:end]
        else:
            try:
                uri = name_addr(split_outside(value, ",")[0])[1]
            except MalformedMessage:
                return False
        return uri[:4].lower() in SCHEMES and self.aim_at(uri)

    def learn(self, response: Message, flow: Flow) -> None:
        """Route set and target of a dialog that we asked for (§12.1.2): Record-Route in reverse order.

        The connection that the response came by is used on.
        """
        if flow.reliable:
            self.flow = flow
            self._aim()
        self.set_routes(response, reverse=True)
        self.set_target(response)

    def pair_with(self, other: Leg) -> None:
        """Requests of this dialog cross to `other`, and back."""
        self.other = other
        other.other = self

    def part(self) -> None:
        """The dialog is over: nothing crosses any more, and nothing refers in a circle."""
        if self.other is not None:
            self.other.other = None
            self.other = None
        self.inviting = self.updating = None
        self.subscriptions = None
        self.call = None

    def aim_at(self, uri: str) -> bool:
        """Takes `uri` as the remote target; True, for whoever asks whether there is one."""
        if uri != self.target:
            self.target = uri
            self._aim()
        return True

    def aim_at_source(self) -> bool:
        """Takes the place that the call came from as the remote target, where the caller has named none; True."""
        host, port = self.flow.remote
        return self.aim_at(f"sip:[{host}]:{port}" if ":" in host else f"sip:{host}:{port}")

    def snapshot(self) -> LegState:
        """The dialog as it is kept, with the address where requests go once the connection of `flow` is gone."""
        flow = self.anew if self.anew is not None and self.flow.id else self.flow
        return LegState(
            self.call_id,
            self.local_tag,
            self.remote_tag,
            self.cseq,
            self.remote_cseq,
            self.routes,
            self.target,
            self.local,
            self.remote,
            f"{flow.remote[0]}:{flow.remote[1]}",
            flow.listener,
            flow.transport,
            flow.tls_names,
            self.contact,
        )

    def _aim(self) -> None:
        """Works out Request-URI, Route lines and next hop; strict routers get §12.2.1.1's form."""
        if not self.routes:
            self.request_uri = self.target
            self.route_lines = ""
            self._resolve(self.target)
            return
        first = name_addr(self.routes[0])[1]
        if ";lr" in first.lower():
            self.request_uri = self.target
            shown = self.routes
        else:
            self.request_uri = first.partition("?")[0]
            shown = [*self.routes[1:], f"<{self.target}>"]
        self.route_lines = "".join(f"Route: {route}\r\n" for route in shown)
        self._resolve(first)

    def _resolve(self, uri: str) -> None:
        """Sets the next hop where `uri` names an IP address; otherwise requests go where they went before.

        So they do where it names an address of the other IP version, which its socket does not reach, or a loopback
        or link-local one, unless the neighbour has one itself: those are not for others to have messages sent to.

        It is reached by the transport that the URI says, else by that of the leg, since its neighbour was heard over
        it (RFC 3263 §4.1 would choose UDP). A connection that stands to the same host is used as long as it does; one
        to another host where nobody can be connected to at the target, which is then behind a translating router.
        """
        host, port = host_port_of(uri)
        host = host.strip("[]")
        reach = reach_of(host)
        flow = self.flow
        near = flow.remote[0]
        if not reach or port < 0 or (":" in host) is not (":" in near) or (reach != ROUTED and reach != reach_of(near)):
            return
        transport, listener = transport_of(uri) or flow.transport, flow.listener
        if transport != flow.transport:
            if transport in self.beside:
                listener, self.via = self.beside[transport]
            else:  # no listener for it: the neighbour must do with what it used itself
                transport = flow.transport
        if transport == UDP:
            self.flow, self.anew = Flow(0, UDP, listener, (host, port or 5060)), None
            return
        names = flow.tls_names if transport == flow.transport else ()
        anew = Flow(0, transport, listener, (host, port or (5061 if transport == TLS else 5060)), names)
        if not flow.id or transport != flow.transport:
            self.flow = self.anew = anew
        elif flow.remote[0] == host:
            self.anew = anew
        else:
            self.flow, self.anew = anew, flow

    def go_by(self, transport: str) -> bool:
        """Lets the first request leave by another transport to the same place; False where no listener speaks it."""
        if transport not in self.beside:
            return False
        listener, self.via = self.beside[transport]
        self.flow = Flow(0, transport, listener, self.flow.remote)
        return True
