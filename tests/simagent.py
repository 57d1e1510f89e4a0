"""A user agent of the simulated network: RFC 3261 with its own timers, PRACK, CANCEL, re-INVITE, glare, BYE.

    Net.send      a message on its way through the network to the engine
    Agent.heard   a message of the engine arrives
    Side          one end's view of one call: a dialog, and how it came to its end

Enters: messages as text, time by `Net.later`. Leaves: messages as text. Must not: use a line of sipguard; what both
read wrongly in the same way would show in no test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

T1: Final = 0.5
T2: Final = 4.0
GIVE_UP_S: Final = 64 * T1
RINGS_S: Final = 60.0  # then nobody is at home
PATIENCE_S: Final = 100.0  # of a caller who hears nothing more

NEW, EARLY, UP, OVER = "new", "early", "up", "over"


class Net(Protocol):
    """What agents need of the network."""

    now: float

    def later(self, seconds: float, what: Callable[..., None], *arguments: object) -> None:
        """Lets something happen."""

    def send(self, agent: Agent, message: str) -> None:
        """A message for the engine."""

    def number(self) -> int:
        """One that was not given before."""


@dataclass(slots=True)
class Plan:
    """What becomes of one call. Instants are seconds after the INVITE, the answer, or whatever comes before."""

    n: int
    callee: tuple[str, ...] = (
        "answers",
    )  # of each peer: answers | forks | busy | declines | redirects | silent | rings | 503
    ring_after: float = 0.05
    answer_after: float = 0.5
    cancel_after: float = 0.0
    early_bye: bool = False  # gives up by BYE where it may (§15), instead of by CANCEL
    reliable: bool = False  # 183 with 100rel before the 180
    bye_after: tuple[float, float] = (0.0, 0.0)  # of the caller, of the callee; 0 for never
    requests: tuple[tuple[str, str, float], ...] = ()  # (caller | callee, method, seconds after the answer)


class Message:
    """A message as the agent reads it: the first value of each header, and all Vias."""

    __slots__ = ("at", "body", "branch", "cseq", "method", "start", "status", "text", "vias")

    def __init__(self, text: str) -> None:
        head, _, self.body = text.partition("\r\n\r\n")
        self.text = text
        self.start, *lines = head.split("\r\n")
        self.at: dict[str, str] = {}
        self.vias: list[str] = []
        for line in lines:
            name, _, value = line.partition(": ")
            name = name.lower()
            if name == "via":
                self.vias.append(value)
            self.at.setdefault(name, value)
        number, _, method = self.at["cseq"].partition(" ")
        self.cseq = int(number)
        self.status = int(self.start[8:11]) if self.start.startswith("SIP/2.0 ") else 0
        self.method = method if self.status else self.start.partition(" ")[0]
        self.branch = parameter(self.at["via"], "branch")

    def tag(self, name: str) -> str:
        """The tag of From or To, or ""."""
        return parameter(self.at[name], "tag")


def parameter(value: str, name: str) -> str:
    """A parameter of a header's value, or ""."""
    return value.partition(f";{name}=")[2].partition(";")[0]


def uri_in(value: str) -> str:
    """The URI within angle brackets."""
    return value.partition("<")[2].partition(">")[0]


class Asking:
    """A request sent: a client transaction (RFC 3261 §17.1)."""

    __slots__ = ("ack", "cancelled", "final", "heard", "message", "method", "provisional", "side")

    def __init__(self, side: Side, method: str, message: str, heard: Callable[[int, Message | None], None]) -> None:
        self.side = side
        self.method = method
        self.message = message
        self.heard = heard  # of each final response; (408, None) where none came
        self.provisional = self.cancelled = False
        self.final = 0
        self.ack = ""


class Answering:
    """A request received: a server transaction (§17.2)."""

    __slots__ = ("acked", "final", "fork", "request", "response", "side")

    def __init__(self, request: Message) -> None:
        self.request = request
        self.side: Side | None = None  # of an initial INVITE
        self.fork: Answering | None = None  # of another end that the same INVITE has reached
        self.response = ""
        self.final = 0
        self.acked = False


class Side:
    """One end's view of one call."""

    def __init__(self, agent: Agent, plan: Plan, caller: bool, call_id: str) -> None:
        self.agent = agent
        self.net = agent.net
        self.plan = plan
        self.caller = caller
        self.call_id = call_id
        self.tag = f"{agent.name}{self.net.number()}"
        self.state = NEW
        self.local = self.remote = self.target = ""
        self.cseq = 0
        self.heard_cseq = -1
        self.invite: Asking | None = None  # of ours, the first or a re-INVITE, until its final response
        self.invited: Answering | None = None  # of the other end, until our final response
        self.unacknowledged: dict[int, Answering] = {}  # our 2xx to INVITEs, by CSeq
        self.unpracked: dict[int, Answering] = {}  # our reliable provisional responses, by RSeq
        self.practised: set[str] = set()  # RSeq and To-tag of responses that were acknowledged
        self.final = 0  # of the first INVITE, as sent or as heard; 0 for none
        self.said: set[str] = set()  # BYE, CANCEL: what this end did
        self.heard_bye = self.was_up = False
        self.gave_up = False  # by the clock of this end, without a final response
        self.unheard = 0  # requests and 2xx of this end that nobody reacted to
        self.over_at = 0.0
        self.fine: list[int] = []  # final statuses of requests within the dialog

    # ------------------------------------------------------------------ composing

    def compose(self, method: str, cseq: int, branch: str, *lines: str, body: str = "") -> str:
        """A request of this end, within the dialog once there is one."""
        host, port = self.agent.address
        typed = ("Content-Type: application/sdp",) if body else ()
        return "\r\n".join(
            (
                f"{method} {self.target} SIP/2.0",
                f"Via: SIP/2.0/{self.agent.transport} {host}:{port};branch={branch}",
                "Max-Forwards: 70",
                f"From: {self.local}",
                f"To: {self.remote}",
                f"Call-ID: {self.call_id}",
                f"CSeq: {cseq} {method}",
                f"Contact: {self.agent.contact}",
                *lines,
                *typed,
                f"Content-Length: {len(body)}",
                "",
                body,
            )
        )

    def respond(self, to: Answering, status: int, phrase: str, *lines: str, body: str = "") -> None:
        """A response, and the last one of its transaction if it is final."""
        request = to.request
        at = request.at
        told = at["to"] if ";tag=" in at["to"] or status == 100 else f"{at['to']};tag={self.tag}"
        typed = ("Content-Type: application/sdp",) if body else ()
        to.response = "\r\n".join(
            (
                f"SIP/2.0 {status} {phrase}",
                *(f"Via: {via}" for via in request.vias),
                f"From: {at['from']}",
                f"To: {told}",
                f"Call-ID: {at['call-id']}",
                f"CSeq: {at['cseq']}",
                f"Contact: {self.agent.contact}",
                *lines,
                *typed,
                f"Content-Length: {len(body)}",
                "",
                body,
            )
        )
        if status >= 200:
            to.final = status
        self.agent.send(to.response)

    # ------------------------------------------------------------------ calling

    def call(self, callee: str, body: str) -> None:
        """The first INVITE."""
        agent, plan = self.agent, self.plan
        self.local = f"<sip:{agent.number}@{agent.address[0]}>;tag={self.tag}"
        self.target = f"sip:{callee}@{agent.server}"
        self.remote = f"<{self.target}>"
        self.ask("INVITE", self.first_answered, f"X-Call: {plan.n}", "Supported: 100rel", body=body)
        self.net.later(plan.cancel_after or PATIENCE_S, self.cancel)

    def ask(self, method: str, heard: Callable[[int, Message | None], None], *lines: str, body: str = "") -> Asking:
        """Any request in a transaction of its own."""
        self.cseq += 1
        branch = f"z9hG4bK{self.tag}x{self.cseq}"
        asking = Asking(self, method, self.compose(method, self.cseq, branch, *lines, body=body), heard)
        if method == "INVITE":
            self.invite = asking
        self.agent.ask(branch, asking)
        return asking

    def cancel(self) -> None:
        """Gives up, unless an answer came (§9.1)."""
        asking = self.invite
        if self.state in (UP, OVER) or asking is None or asking.final:
            return
        if not asking.provisional:
            asking.cancelled = True  # as soon as there is one
            return
        self.said.add("CANCEL")
        self.net.later(GIVE_UP_S, self.give_up, asking)
        if self.plan.early_bye and self.state == EARLY:
            self.said.add("EARLY BYE")
            self.ask("BYE", self.done)
            return
        head = asking.message.split("\r\n")
        kept = [line for line in head if line.startswith(("Via:", "Max-F", "From:", "To:", "Call-ID:", "Content-L"))]
        cseq = Message(asking.message).cseq
        kept[-1] = "Content-Length: 0"
        text = "\r\n".join([head[0].replace("INVITE", "CANCEL", 1), *kept, f"CSeq: {cseq} CANCEL", "", ""])
        branch = parameter(kept[0], "branch")
        self.agent.ask(branch, Asking(self, "CANCEL", text, lambda status, message: None))

    def give_up(self, asking: Asking) -> None:
        """64*T1 after a CANCEL there is no answer any more."""
        if not asking.final:
            asking.final = 408
            asking.heard(408, None)

    def provisional(self, asking: Asking, response: Message) -> None:
        """A 1xx to the first INVITE; a reliable one gets its PRACK (RFC 3262 §4)."""
        asking.provisional = True
        if response.status > 100 and self.state == NEW:
            self.state = EARLY
            self.take(response)
        rseq = response.at.get("rseq", "")
        dialog = f"{rseq} {response.tag('to')}"
        if rseq and self.state == EARLY and dialog not in self.practised:
            self.practised.add(dialog)
            kept = self.remote, self.target
            self.take(response)  # of the fork that it comes from
            self.ask("PRACK", self.done, f"RAck: {rseq} {response.cseq} INVITE")
            self.remote, self.target = kept
        if asking.cancelled:
            asking.cancelled = False
            self.cancel()

    def take(self, response: Message) -> None:
        """The dialog as a response to our INVITE makes it (§12.1.2)."""
        self.remote = response.at["to"]
        self.target = uri_in(response.at["contact"])

    def first_answered(self, status: int, response: Message | None) -> None:
        """A final response to the first INVITE; of a 2xx each repeat too."""
        first = not self.final
        if first:
            self.final = status
            self.invite = None
        if response is None or status >= 300:
            self.gave_up = response is None
            self.end()
            return
        if not first and not self.gave_up and response.tag("to") != parameter(self.remote, "tag"):
            self.agent.complaints.append(f"a second answer: {response.text}")
        unwanted = self.state == OVER and "BYE" not in self.said and not self.heard_bye
        if first or unwanted:
            self.take(response)
        self.acknowledge(response)
        if first and "CANCEL" not in self.said:
            self.state = UP
            self.was_up = True
            self.follow_plan()
        elif first or unwanted:
            self.state = UP
            self.was_up = True
            self.bye()

    def acknowledge(self, response: Message) -> None:
        """The ACK of a 2xx, a transaction of its own each time (§13.2.2.4)."""
        self.agent.send(self.compose("ACK", response.cseq, f"z9hG4bK{self.tag}a{self.net.number()}"))

    # ------------------------------------------------------------------ within the dialog

    def follow_plan(self) -> None:
        """Lets happen what this end does in the call."""
        own = "caller" if self.caller else "callee"
        for who, method, after in self.plan.requests:
            if who == own:
                self.net.later(after, self.send_request, method)
        bye_after = self.plan.bye_after[0 if self.caller else 1]
        if bye_after:
            self.net.later(bye_after, self.bye)

    def send_request(self, method: str, again: bool = True) -> None:
        """A request within the dialog, where it may be sent now."""
        if self.state != UP or (method == "INVITE" and (self.invite or self.invited or self.unacknowledged)):
            return

        def heard(status: int, response: Message | None) -> None:
            self.answered(method, status, response, again)

        self.ask(method, heard, body="v=0 again" if method == "INVITE" else "")

    def answered(self, method: str, status: int, response: Message | None, again: bool) -> None:
        """A final response to a request within the dialog."""
        self.unheard += response is None
        if method == "INVITE":
            if self.invite is not None and self.invite.final:
                self.invite = None
                self.fine.append(status)
            if response is not None and status < 300:
                self.acknowledge(response)
                self.target = uri_in(response.at["contact"])
                return
        else:
            self.fine.append(status)
        if status in (408, 481):  # §12.2.1.2
            self.bye()
        elif status in (491, 500) and again:
            self.net.later(2.2 if self.caller else 1.1, self.send_request, method, False)

    def done(self, status: int, response: Message | None) -> None:
        """A final response that nothing follows from."""
        self.unheard += response is None

    def end(self) -> None:
        """For this end the call is over."""
        self.state = OVER
        self.over_at = self.net.now

    def bye(self) -> None:
        """Hangs up; a callee waits for the ACK of its answer (§15)."""
        if self.state != UP:
            return
        if not self.caller and any(not each.acked for each in self.unacknowledged.values()):
            self.net.later(0.5, self.bye)
            return
        self.end()
        self.said.add("BYE")
        self.ask("BYE", self.done)

    # ------------------------------------------------------------------ being called

    def ring(self, answering: Answering) -> None:
        """What the plan says of this peer."""
        self.invited = answering
        how = self.plan.callee[min(self.agent.place, len(self.plan.callee) - 1)]
        later = self.net.later
        if how == "503":
            later(0.02, self.refuse, answering, 503, "Service Unavailable")
        elif how in ("busy", "declines"):
            later(self.plan.ring_after, self.show, answering)
            status = (486, "Busy Here") if how == "busy" else (603, "Decline")
            later(self.plan.answer_after, self.refuse, answering, *status)
        elif how == "redirects":
            later(self.plan.ring_after, self.refuse, answering, 302, "Moved Temporarily")
        else:
            later(self.plan.ring_after, self.show, answering)
            if how in ("answers", "forks"):
                later(self.plan.answer_after, self.pick_up, answering)
            later(RINGS_S, self.refuse, answering, 480, "Nobody At Home")

    def show(self, answering: Answering) -> None:
        """It rings; first a reliable 183, where the plan has it (RFC 3262 §3)."""
        if answering.final:
            return
        self.state = EARLY
        if self.plan.reliable and not self.unpracked:
            rseq = self.net.number()
            self.unpracked[rseq] = answering
            self.respond(answering, 183, "Session Progress", "Require: 100rel", f"RSeq: {rseq}", body="v=0 early")
            text = answering.response
            self.agent.repeat(
                text, T1, GIVE_UP_S, self.net.now + GIVE_UP_S,
                lambda: rseq in self.unpracked and not answering.final,
                lambda: self.refuse(answering, 504, "No PRACK"),
            )  # fmt: skip
            return
        self.respond(answering, 180, "Ringing")

    def refuse(self, answering: Answering, status: int, phrase: str) -> None:
        """A failure."""
        if answering.final:
            return
        self.respond(answering, status, phrase)
        if answering is self.invited:
            self.invited = None
        if self.state in (NEW, EARLY):
            self.end()
            self.final = status
        if not self.agent.reliable:
            self.agent.repeat(
                answering.response, T1, T2, self.net.now + GIVE_UP_S, lambda: not answering.acked, lambda: None
            )

    def pick_up(self, answering: Answering) -> None:
        """The 2xx of the first INVITE; not before a PRACK that is awaited (RFC 3262 §5)."""
        if answering.final:
            return
        if self.unpracked:
            self.net.later(0.3, self.pick_up, answering)
            return
        self.state = UP
        self.was_up = True
        self.final = 200
        self.accept(answering, "v=0 answer")

    def accept(self, answering: Answering, body: str) -> None:
        """A 2xx to an INVITE, sent until its ACK comes (§13.3.1.4)."""
        cseq = answering.request.cseq
        self.respond(answering, 200, "OK", body=body)
        if answering is self.invited:
            self.invited = None
        self.unacknowledged[cseq] = answering
        self.agent.repeat(
            answering.response, T1, T2, self.net.now + GIVE_UP_S,
            lambda: cseq in self.unacknowledged, lambda: self.not_acknowledged(cseq),
        )  # fmt: skip

    def not_acknowledged(self, cseq: int) -> None:
        """64*T1 without an ACK: the dialog is ended."""
        self.unacknowledged.pop(cseq, None)
        self.unheard += 1
        self.bye()

    # ------------------------------------------------------------------ requests that come

    def request(self, message: Message, answering: Answering) -> None:
        """A request within this dialog, for the first time."""
        method = message.method
        if message.cseq <= self.heard_cseq:
            self.refuse_(answering, 500, "Out Of Order")
            return
        self.heard_cseq = message.cseq
        if self.state == OVER:
            self.refuse_(answering, 481, "Gone")
        elif method == "BYE":
            self.heard_bye = True
            self.respond(answering, 200, "OK")
            self.end()
            self.unacknowledged.clear()
            if self.invited is not None:
                self.refuse(self.invited, 487, "Request Terminated")
        elif method == "PRACK":
            self.pracked(message, answering)
        elif method == "INVITE":
            self.reinvited(answering)
        else:
            self.respond(answering, 200, "OK")

    def refuse_(self, answering: Answering, status: int, phrase: str) -> None:
        """A failure of any request within the dialog; of a re-INVITE it is repeated."""
        if answering.request.method == "INVITE":
            self.refuse(answering, status, phrase)
        else:
            self.respond(answering, status, phrase)

    def pracked(self, message: Message, answering: Answering) -> None:
        """A PRACK: of which response it says itself."""
        rseq, cseq, _ = message.at["rack"].split()
        before = self.unpracked.pop(int(rseq), None)
        if before is None or before.request.cseq != int(cseq):
            self.respond(answering, 481, "Nothing To Acknowledge")
            return
        self.respond(answering, 200, "OK")
        if not before.final:
            self.respond(before, 180, "Ringing")
            self.unpracked.clear()

    def reinvited(self, answering: Answering) -> None:
        """A re-INVITE, with §14.2."""
        if self.invited is not None:
            self.refuse(answering, 500, "Busy With Another")
        elif self.invite is not None:
            self.refuse(answering, 491, "Request Pending")
        else:
            self.invited = answering
            self.target = uri_in(answering.request.at["contact"])
            self.net.later(0.05, self.reaccept, answering)

    def reaccept(self, answering: Answering) -> None:
        """The 2xx of a re-INVITE."""
        if not answering.final and self.state == UP:
            self.accept(answering, "v=0 again")

    def acked(self, message: Message) -> None:
        """An ACK of a 2xx of ours."""
        answering = self.unacknowledged.pop(message.cseq, None)
        if answering is not None and not answering.acked:
            answering.acked = True
            if not self.caller and answering.request.at["to"].find(";tag=") < 0:
                self.follow_plan()


class Agent:
    """A user agent at one address: its transactions, and its sides of calls."""

    def __init__(
        self,
        net: Net,
        name: str,
        number: str,
        address: tuple[str, int],
        server: str,
        place: int = 0,
        transport: str = "UDP",
    ) -> None:
        self.net = net
        self.name = name
        self.number = number
        self.address = address
        self.server = server
        self.place = place  # among the peers of the route
        self.transport = transport
        self.reliable = transport != "UDP"  # requests and failures are not repeated (§17.1.1.2, §17.1.2.2, §17.2.1)
        over = ";transport=tcp" if self.reliable else ""
        self.contact = f"<sip:{name}@{address[0]}:{address[1]}{over}>"
        self.asked: dict[str, Asking] = {}
        self.answering: dict[str, Answering] = {}
        self.sides: dict[tuple[str, str], Side] = {}
        self.complaints: list[str] = []

    def send(self, message: str) -> None:
        """On its way."""
        self.net.send(self, message)

    def repeat(
        self, text: str, interval: float, cap: float, until: float, alive: Callable[[], bool], over: Callable[[], None]
    ) -> None:
        """Sends again and again, at growing intervals, as long as `alive` says so; `over` at the end of the time."""

        def again(interval: float) -> None:
            if not alive():
                return
            if self.net.now >= until:
                over()
                return
            self.send(text)
            grown = min(2 * interval, cap)
            self.net.later(min(grown, max(until - self.net.now, 0.0)), again, grown)

        self.net.later(interval, again, interval)

    # ------------------------------------------------------------------ asking

    def ask(self, branch: str, asking: Asking) -> None:
        """Sends a request until it is answered (§17.1.1.2, §17.1.2.2)."""
        self.asked[f"{branch} {asking.method}"] = asking
        invite = asking.method == "INVITE"
        self.send(asking.message)

        def timeout() -> None:
            if not asking.final:
                asking.final = 408
                asking.heard(408, None)

        if self.reliable:
            self.net.later(GIVE_UP_S, lambda: None if invite and asking.provisional else timeout())
            return
        self.repeat(
            asking.message, T1, GIVE_UP_S if invite else T2, self.net.now + GIVE_UP_S,
            lambda: not asking.final and not (invite and asking.provisional), timeout,
        )  # fmt: skip

    def disconnected(self) -> None:
        """A connection is gone: what is not answered yet may be lost, and is asked again by another one."""
        for asking in self.asked.values():
            ended = asking.method == "INVITE" and "EARLY BYE" in asking.side.said  # its answer may never come
            if not asking.final and not ended:
                self.send(asking.message)

    def heard(self, text: str) -> None:
        """A message arrives."""
        message = Message(text)
        if message.status:
            self.response(message)
        else:
            self.request(message)

    def response(self, response: Message) -> None:
        """For one of our transactions, or for none."""
        asking = self.asked.get(f"{response.branch} {response.method}")
        if asking is None:
            self.complaints.append(f"a response to nothing: {response.text}")
        elif response.status < 200:
            if not asking.final:
                asking.provisional = True
                if asking.method == "INVITE" and not asking.side.final:
                    asking.side.provisional(asking, response)
        elif asking.method == "INVITE":
            self.invite_answered(asking, response)
        elif not asking.final:
            asking.final = response.status
            asking.heard(response.status, response)

    def invite_answered(self, asking: Asking, response: Message) -> None:
        """A final response to an INVITE: a failure gets its ACK each time, a 2xx is the side's each time."""
        first = not asking.final
        if first:
            asking.final = response.status
        if response.status >= 300:
            head = asking.message.split("\r\n")
            kept = [line for line in head if line.startswith(("Via:", "Max-Forwards:", "From:", "Call-ID:"))]
            lines = [f"To: {response.at['to']}", f"CSeq: {response.cseq} ACK", "Content-Length: 0", "", ""]
            self.send("\r\n".join([head[0].replace("INVITE", "ACK", 1), *kept, *lines]))
            if first:
                asking.heard(response.status, response)
        else:
            asking.heard(response.status, response)

    # ------------------------------------------------------------------ being asked

    def request(self, message: Message) -> None:
        """A new request, a repeat, or an ACK."""
        method = message.method
        key = f"{message.branch} {'INVITE' if method == 'ACK' else method}"
        known = self.answering.get(key)
        if method == "ACK":
            self.ack(message, known)
        elif known is not None:
            if known.request.text != message.text:
                self.complaints.append(f"not the same again: {message.text}")
            if known.response and not (method == "INVITE" and 200 <= known.final < 300):
                self.send(known.response)
        else:
            answering = self.answering[key] = Answering(message)
            self.new_request(message, answering)

    def ack(self, message: Message, known: Answering | None) -> None:
        """Of a failure it has the branch of the INVITE, of a 2xx one of its own."""
        if known is not None:
            known.acked = True
            return
        side = self.sides.get((message.at["call-id"], message.tag("to")))
        if side is None:
            self.complaints.append(f"an ACK for nothing: {message.text}")
        else:
            side.acked(message)

    def new_request(self, message: Message, answering: Answering) -> None:
        """The first of a call, or one within a dialog."""
        call_id = message.at["call-id"]
        tag = message.tag("to")
        if message.method == "CANCEL":
            self.cancelled(message, answering)
        elif tag:
            side = self.sides.get((call_id, tag))
            if side is None or (side.remote and parameter(side.remote, "tag") != message.tag("from")):
                self.complaints.append(f"a request within no dialog: {message.text}")
                return
            side.request(message, answering)
        elif message.method == "INVITE":
            self.invited(message, answering)
        else:
            self.complaints.append(f"unexpected: {message.text}")

    def invited(self, message: Message, answering: Answering) -> None:
        """A call for this agent, or for nobody: a silent peer has read nothing."""
        plan = self.plan_of(int(message.at["x-call"]))
        how = plan.callee[min(self.place, len(plan.callee) - 1)]
        if how == "silent":
            return
        self.ring(plan, message, answering)
        if how == "forks":
            answering.fork = Answering(message)
            self.ring(plan, message, answering.fork)

    def ring(self, plan: Plan, message: Message, answering: Answering) -> None:
        """One more side that rings."""
        side = Side(self, plan, False, message.at["call-id"])
        side.local = f"{message.at['to']};tag={side.tag}"
        side.remote = message.at["from"]
        side.target = uri_in(message.at["contact"])
        side.heard_cseq = message.cseq
        self.sides[side.call_id, side.tag] = side
        answering.side = side
        side.ring(answering)

    def plan_of(self, n: int) -> Plan:
        """What becomes of call `n`; the network knows."""
        raise NotImplementedError

    def cancelled(self, message: Message, answering: Answering) -> None:
        """A CANCEL: 200 where its INVITE is known, and 487 for that where it has no answer yet (§9.2)."""
        invite = self.answering.get(f"{message.branch} INVITE")
        if invite is None:
            self.complaints.append(f"a CANCEL for nothing: {message.text}")
            return
        side = invite.side or next((side for side in self.sides.values() if side.invited is invite), None)
        if side is None:
            self.complaints.append(f"a CANCEL before any response: {message.text}")
            return
        side.respond(answering, 200, "OK")
        side.refuse(invite, 487, "Request Terminated")
        fork = invite.fork
        if fork is not None and fork.side is not None and not fork.final:
            fork.final = 487  # which the proxy keeps for itself
            fork.side.end()
