"""A stand-in caller and a stand-in next hop over real UDP sockets, for the demo and the end-to-end tests.

Independent of sipguard's own SIP code on purpose: messages are cut with str methods only. What happens at the next
hop is chosen by the last two digits of the called number (see BEHAVIOUR).
"""

from __future__ import annotations

import itertools
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Final

SDP: Final = (
    "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    "m=audio 20000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)
ANSWER: Final = "answer"
BUSY: Final = "busy"
RING: Final = "ring"  # rings until it is cancelled
EARLY: Final = "early"  # 183 with SDP, then an answer
BLOCKED: Final = "blocked"  # 603 Network Blocked with a Reason (603+)
UNAVAILABLE: Final = "unavailable"  # 503

BEHAVIOUR: Final = {"50": BUSY, "51": RING, "52": EARLY, "53": BLOCKED, "54": UNAVAILABLE}
_count = itertools.count(1)


def headers(message: str, *names: str) -> list[str]:
    """Values of the header lines with one of these names, in order."""
    wanted = {name.lower() for name in names}
    found = []
    for line in message.partition("\r\n\r\n")[0].split("\r\n")[1:]:
        name, _, value = line.partition(":")
        if name.strip().lower() in wanted:
            found.append(value.strip())
    return found


def header(message: str, *names: str) -> str:
    """The first of them, or ""."""
    return (headers(message, *names) or [""])[0]


def body(message: str) -> str:
    """What follows the empty line."""
    return message.partition("\r\n\r\n")[2]


def uri_in(value: str) -> str:
    """The URI of a Contact, From or To value."""
    return value.partition("<")[2].partition(">")[0] if "<" in value else value.partition(";")[0]


class Endpoint:
    """A UDP socket that keeps what it sent and received."""

    transport = "UDP"

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((host, port))
        self.host, self.port = self.sock.getsockname()[:2]
        self.shown = f"[{self.host}]" if ":" in self.host else self.host
        self.sent: list[str] = []
        self.got: list[str] = []

    @property
    def contact(self) -> str:
        """The URI at which it is reached."""
        over = "" if self.transport == "UDP" else f";transport={self.transport.lower()}"
        return f"sip:caller@{self.shown}:{self.port}{over}"

    def send(self, message: str, to: tuple[str, int]) -> None:
        """Sends a message, one character an octet."""
        self.sent.append(message)
        self.sock.sendto(message.encode("latin-1"), to)

    def receive(self, timeout_s: float) -> tuple[str, tuple[str, int]]:
        """The next message and who sent it. Raises TimeoutError."""
        self.sock.settimeout(max(timeout_s, 0.001))
        octets, address = self.sock.recvfrom(65535)
        message = octets.decode("latin-1")
        self.got.append(message)
        return message, address[:2]

    def close(self) -> None:
        """Closes the socket."""
        self.sock.close()


def reply(request: str, status: str, tag: str, contact: str = "", content: str = "", more: str = "") -> str:
    """A response to a request."""
    lines = [f"SIP/2.0 {status}"]
    lines += [f"Via: {value}" for value in headers(request, "Via", "v")]
    lines += [f"Record-Route: {value}" for value in headers(request, "Record-Route")]
    to = header(request, "To", "t")
    if tag and ";tag=" not in to:
        to += f";tag={tag}"
    lines += [
        f"From: {header(request, 'From', 'f')}",
        f"To: {to}",
        f"Call-ID: {header(request, 'Call-ID', 'i')}",
        f"CSeq: {header(request, 'CSeq')}",
    ]
    if contact:
        lines.append(f"Contact: <{contact}>")
    if more:
        lines.append(more)
    if content:
        lines.append("Content-Type: application/sdp")
    return "\r\n".join([*lines, f"Content-Length: {len(content)}", "", content])


class NextHop(Endpoint):
    """Answers calls in a thread; `invites` holds the INVITEs that arrived, with the instant of the arrival."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(host, port)
        self.invites: list[tuple[str, float]] = []
        self.requests: list[str] = []
        self._ringing: dict[str, tuple[str, tuple[str, int]]] = {}
        self._running = True
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def invite_for(self, callee: str) -> tuple[str, float] | None:
        """The last INVITE whose Request-URI holds `callee`."""
        for invite, at in reversed(self.invites):
            if callee in invite.partition("\r\n")[0]:
                return invite, at
        return None

    def _serve(self) -> None:
        while self._running:
            try:
                message, source = self.receive(0.2)
            except (TimeoutError, OSError):
                continue
            at = time.perf_counter()
            method = message.partition(" ")[0]
            if method.startswith("SIP/"):
                continue
            self.requests.append(message)
            if method == "INVITE":
                self._invited(message, source, at)
            elif method == "CANCEL":
                self._cancelled(message, source)
            elif method != "ACK":
                self.send(reply(message, "200 OK", "hop"), source)

    def _invited(self, message: str, source: tuple[str, int], at: float) -> None:
        self.invites.append((message, at))
        user = message.split(" ")[1].partition("@")[0].partition(";")[0]
        what = BEHAVIOUR.get(user[-2:], ANSWER)
        tag = f"hop{next(_count)}"
        contact = self.contact.replace("caller", "hop")
        self.send(reply(message, "100 Trying", ""), source)
        if what == BUSY:
            self.send(reply(message, "486 Busy Here", tag), source)
            return
        if what == UNAVAILABLE:
            self.send(reply(message, "503 Service Unavailable", tag), source)
            return
        if what == BLOCKED:
            reason = 'Reason: Q.850;cause=21;text="v=analytics1;url=https://blocker.example/fix";location=RLN'
            self.send(reply(message, "603 Network Blocked", tag, more=reason), source)
            return
        if what == EARLY:
            self.send(reply(message, "183 Session Progress", tag, contact, SDP), source)
        else:
            self.send(reply(message, "180 Ringing", tag, contact), source)
        if what == RING:
            self._ringing[header(message, "Call-ID")] = (message, source)
            return
        self.send(reply(message, "200 OK", tag, contact, SDP), source)

    def _cancelled(self, message: str, source: tuple[str, int]) -> None:
        self.send(reply(message, "200 OK", "hop"), source)
        ringing = self._ringing.pop(header(message, "Call-ID"), None)
        if ringing is not None:
            self.send(reply(ringing[0], "487 Request Terminated", "hop"), ringing[1])

    def close(self) -> None:
        """Ends the thread and the socket."""
        self._running = False
        self._thread.join(2)
        super().close()


@dataclass
class Outcome:
    """What a call came to."""

    status: int = 0
    phrase: str = ""
    final: str = ""
    provisional: list[str] = field(default_factory=list)
    invite_at: float = 0.0
    bye_status: int = 0
    call_id: str = ""


class Caller(Endpoint):
    """Places calls, one at a time."""

    def __init__(self, target: tuple[str, int], host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(host, port)
        self.target = target
        self.target_shown = f"[{target[0]}]" if ":" in target[0] else target[0]

    def invite(self, caller: str, callee: str, *, extra: tuple[str, ...] = (), display: str = "", uri: str = "") -> str:
        """An INVITE; `caller` and `callee` are user parts, `extra` raw header lines."""
        n = next(_count)
        where = f"{self.shown}:{self.port}"
        name = f'"{display}" ' if display else ""
        lines = [
            f"INVITE {uri or f'sip:{callee}@{self.target_shown}:{self.target[1]}'} SIP/2.0",
            f"Via: SIP/2.0/{self.transport} {where};branch=z9hG4bKc{n}x{self.port};rport",
            "Max-Forwards: 70",
            f"From: {name}<sip:{caller}@{where}>;tag=c{n}",
            f"To: <sip:{callee}@{self.target_shown}>",
            f"Call-ID: c{n}-{self.port}-{time.time_ns()}",
            "CSeq: 1 INVITE",
            f"Contact: <{self.contact}>",
            *extra,
            "Content-Type: application/sdp",
            f"Content-Length: {len(SDP)}",
        ]
        return "\r\n".join([*lines, "", SDP])

    def call(self, invite: str, *, cancel: bool = False, hang_up: bool = True, wait_s: float = 5.0) -> Outcome:
        """Plays a call: INVITE, a CANCEL once it rings if wanted, ACK, BYE."""
        outcome = Outcome(call_id=header(invite, "Call-ID"), invite_at=time.perf_counter())
        self.send(invite, self.target)
        end = time.monotonic() + wait_s
        while time.monotonic() < end:
            try:
                message, _ = self.receive(end - time.monotonic())
            except TimeoutError:
                return outcome
            if header(message, "Call-ID") != outcome.call_id or not message.startswith("SIP/2.0 "):
                continue
            status = int(message[8:11])
            if header(message, "CSeq").endswith("INVITE"):
                if status < 200:
                    outcome.provisional.append(message)
                    if cancel and status >= 180:
                        cancel = False
                        self.send(self._companion(invite, "CANCEL", header(invite, "To")), self.target)
                    continue
                outcome.status, outcome.final = status, message
                outcome.phrase = message.partition("\r\n")[0][12:]
                self._acknowledge(invite, message)
                if status < 300 and hang_up:
                    outcome.bye_status = self.bye(invite, message)
                return outcome
        return outcome

    def _companion(self, invite: str, method: str, to: str) -> str:
        """CANCEL, or the ACK of a failure: same branch and Request-URI as the INVITE."""
        return "\r\n".join(
            [
                f"{method} {invite.split(' ')[1]} SIP/2.0",
                f"Via: {header(invite, 'Via')}",
                "Max-Forwards: 70",
                f"From: {header(invite, 'From')}",
                f"To: {to}",
                f"Call-ID: {header(invite, 'Call-ID')}",
                f"CSeq: 1 {method}",
                "Content-Length: 0",
                "",
                "",
            ]
        )

    def _acknowledge(self, invite: str, final: str) -> None:
        if final[8] == "2":
            self.send(self.in_dialog(invite, final, "ACK", 1), self.target)
        else:
            self.send(self._companion(invite, "ACK", header(final, "To")), self.target)

    def in_dialog(self, invite: str, final: str, method: str, cseq: int, content: str = "") -> str:
        """A request in the dialog that `final` made."""
        branch = f"z9hG4bKd{next(_count)}x{time.time_ns()}"
        lines = [
            f"{method} {uri_in(header(final, 'Contact'))} SIP/2.0",
            f"Via: SIP/2.0/{self.transport} {self.shown}:{self.port};branch={branch};rport",
            "Max-Forwards: 70",
            f"From: {header(invite, 'From')}",
            f"To: {header(final, 'To')}",
            f"Call-ID: {header(invite, 'Call-ID')}",
            f"CSeq: {cseq} {method}",
            f"Contact: <{self.contact}>",
        ]
        if content:
            lines.append("Content-Type: application/sdp")
        return "\r\n".join([*lines, f"Content-Length: {len(content)}", "", content])

    def bye(self, invite: str, final: str, cseq: int = 2) -> int:
        """Ends the call; the status of the answer, 0 for none."""
        self.send(self.in_dialog(invite, final, "BYE", cseq), self.target)
        end = time.monotonic() + 3
        while time.monotonic() < end:
            try:
                message, _ = self.receive(end - time.monotonic())
            except TimeoutError:
                break
            if header(message, "CSeq").endswith(" BYE") and message.startswith("SIP/2.0"):
                return int(message[8:11])
        return 0

    def ask(self, request: str, wait_s: float = 2.0) -> str:
        """Sends any request and answers the first final response, "" for none."""
        self.send(request, self.target)
        call_id = header(request, "Call-ID", "i")
        end = time.monotonic() + wait_s
        while time.monotonic() < end:
            try:
                message, _ = self.receive(end - time.monotonic())
            except TimeoutError:
                return ""
            if header(message, "Call-ID", "i") == call_id and message[8:9] in "23456":
                return message
        return ""
