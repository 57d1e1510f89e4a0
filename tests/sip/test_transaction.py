"""The four transactions: their tables, and what they do in time."""

from __future__ import annotations

import pytest

from sipguard.sip import transaction as tx
from sipguard.sip.flow import Flow, Send
from sipguard.sip.message import Request, Response
from sipguard.sip.parse import parse
from sipguard.sip.timers import TICK_S
from sipguard.sip.transaction import (
    ClientTransaction,
    Layer,
    ServerTransaction,
    cancelled_key,
    client_key,
    server_key,
)

START = 100.0
REQUEST_EVENTS = {
    tx.REQUEST,
    tx.ACK,
    tx.PROVISIONAL,
    tx.SUCCESS,
    tx.FAILURE,
    tx.RETRANSMIT,
    tx.EXPIRE,
    tx.UNREACHABLE,
}
RESPONSE_EVENTS = REQUEST_EVENTS - {tx.REQUEST, tx.ACK}
TABLES = {
    "INVITE server": (
        tx.INVITE_SERVER, tx.PROCEEDING, {tx.PROCEEDING, tx.ACCEPTED, tx.COMPLETED, tx.CONFIRMED},
        REQUEST_EVENTS,
    ),
    "server": (tx.SERVER, tx.TRYING, {tx.TRYING, tx.PROCEEDING, tx.COMPLETED}, REQUEST_EVENTS),
    "INVITE client": (
        tx.INVITE_CLIENT, tx.CALLING, {tx.CALLING, tx.PROCEEDING, tx.ACCEPTED, tx.COMPLETED}, RESPONSE_EVENTS
    ),
    "client": (tx.CLIENT, tx.TRYING, {tx.TRYING, tx.PROCEEDING, tx.COMPLETED}, RESPONSE_EVENTS),
}  # fmt: skip
ACTIONS = {tx.IGNORE, tx.SEND, tx.RESEND, tx.PASS, tx.LATE, tx.END, tx.LOST, tx.OVERDUE, tx.PROMISE}
Case = tuple[tx.Table, str, set[str], set[str]]


# ---------------------------------------------------------------------- the tables


@pytest.mark.parametrize("case", TABLES.values(), ids=TABLES)
def test_every_state_knows_every_event(case: Case) -> None:
    table, _, states, events = case
    assert set(table) == {(state, event) for state in states for event in events}


@pytest.mark.parametrize("case", TABLES.values(), ids=TABLES)
def test_only_known_actions_and_states(case: Case) -> None:
    table, _, states, _ = case
    for (state, event), (action, follows) in table.items():
        assert action in ACTIONS
        assert follows in states | {tx.TERMINATED}
        assert (follows == tx.TERMINATED) == (action in (tx.END, tx.LOST)), (state, event)
        if action in (tx.IGNORE, tx.LATE, tx.OVERDUE) and (state, event) != (tx.COMPLETED, tx.ACK):
            assert follows == state, (state, event)


@pytest.mark.parametrize("case", TABLES.values(), ids=TABLES)
def test_every_state_is_reached_and_left(case: Case) -> None:
    table, first, states, _ = case
    reached, fresh = {first}, {first}
    while fresh:
        fresh = {follows for (state, _), (_, follows) in table.items() if state in fresh} - reached
        reached |= fresh
    assert reached == states | {tx.TERMINATED}
    for state in states:
        assert any(follows != state for (at, _), (_, follows) in table.items() if at == state)


@pytest.mark.parametrize("case", TABLES.values(), ids=TABLES)
def test_nothing_leads_back(case: Case) -> None:
    """A transaction moves one way; what was answered is not unanswered again."""
    order = [tx.TRYING, tx.CALLING, tx.PROCEEDING, tx.ACCEPTED, tx.COMPLETED, tx.CONFIRMED, tx.TERMINATED]
    for (state, _), (_, follows) in case[0].items():
        assert order.index(follows) >= order.index(state)


# ---------------------------------------------------------------------- playing them


class User:
    """Notes what it is told."""

    def __init__(self, play: Play) -> None:
        self.play = play

    def responded(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        self.play.told.append((f"{response.status}", now))

    def unanswered(self, transaction: ClientTransaction, why: str, now: float) -> None:
        self.play.told.append((why, now))

    def unacknowledged(self, transaction: ServerTransaction, now: float) -> None:
        self.play.told.append(("unacknowledged", now))


class Play:
    """A layer and a clock that is only added to; `sent` has first line and instant of all that leaves."""

    def __init__(self, transport: str = "udp") -> None:
        self.transport = transport
        self.layer = Layer()
        self.now = START
        self.sent: list[tuple[str, float]] = []
        self.told: list[tuple[str, float]] = []
        self.user = User(self)

    def collect(self) -> None:
        for command in self.layer.out:
            assert isinstance(command, Send)
            self.sent.append((command.octets.partition(b" SIP")[0].partition(b"\r")[0].decode(), self.now))
        self.layer.out.clear()

    def until(self, seconds: float) -> None:
        """Lets the clock run to `seconds` after the start, waking when the wheel asks for it."""
        self.collect()
        while (at := self.layer.wheel.next_at()) is not None and at <= START + seconds:
            self.now = max(self.now, at)
            self.layer.wheel.expire(self.now)
            self.collect()
        self.now = START + seconds

    def client(self, method: str, give_up_s: float = 32.0) -> ClientTransaction:
        octets = (
            f"{method} sip:b@192.0.2.9 SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKc\r\n"
            f"From: <sip:a@h>;tag=f\r\nTo: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n\r\n"
        ).encode()
        made = ClientTransaction(
            self.layer,
            method,
            "z9hG4bKc",
            Flow(0, self.transport, "main", ("192.0.2.9", 5060)),
            octets,
            self.user,
            self.now,
            give_up_s,
        )
        self.collect()
        return made

    def server(self, method: str) -> ServerTransaction:
        flow = Flow(0, self.transport, "main", ("192.0.2.9", 5060))
        made = ServerTransaction(self.layer, f"key {method}", method, flow, "", "To: <sip:b@h>")
        made.user = self.user
        return made

    def receive(self, transaction: ClientTransaction, status: int) -> None:
        transaction.receive(response(status, transaction.method), self.now)
        self.collect()

    def respond(self, transaction: ServerTransaction, status: int) -> bool:
        sent = transaction.respond(status, f"SIP/2.0 {status} X\r\n\r\n".encode(), self.now)
        self.collect()
        return sent

    def instants(self, what: str) -> list[float]:
        """Seconds after the start when `what` left."""
        return [at - START for line, at in self.sent if line == what]

    def empty(self) -> bool:
        return not self.layer.servers and not self.layer.clients and self.layer.wheel.next_at() is None


@pytest.fixture
def play() -> Play:
    return Play()


def response(status: int, method: str) -> Response:
    found = parse(
        f"SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKc\r\nFrom: <sip:a@h>;tag=f\r\n"
        f"To: <sip:b@h>;tag=t\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n\r\n".encode()
    )
    assert isinstance(found, Response)
    return found


def assert_at(found: list[float], wanted: list[float]) -> None:
    """Each instant is the wanted one, or up to one tick later."""
    assert len(found) == len(wanted), found
    for at, nominal in zip(found, wanted, strict=True):
        assert nominal - 1e-6 <= at <= nominal + TICK_S + 1e-6, (found, wanted)


A = [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]  # RFC 3261 §17.1.1.2
E = [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]  # §17.1.2.2, and G (§17.2.1)
INVITE_LINE, BYE_LINE, ACK_LINE = (f"{method} sip:b@192.0.2.9" for method in ("INVITE", "BYE", "ACK"))


def told(play: Play) -> list[str]:
    return [what for what, _ in play.told]


class TestInviteClient:
    def test_timers_a_and_b(self, play: Play) -> None:
        play.client("INVITE")
        play.until(40)
        assert_at(play.instants(INVITE_LINE), A)
        assert told(play) == ["timeout"]
        assert_at([play.told[0][1] - START], [32.0])
        assert play.empty()
        assert play.layer.retransmissions == 6

    def test_a_shorter_time_to_answer(self, play: Play) -> None:
        play.client("INVITE", give_up_s=3.0)
        play.until(40)
        assert_at(play.instants(INVITE_LINE), [0.0, 0.5, 1.5])
        assert_at([play.told[0][1] - START], [3.0])

    def test_a_provisional_response_ends_timer_a(self, play: Play) -> None:
        client = play.client("INVITE")
        play.until(2)
        play.receive(client, 100)
        play.until(60)
        assert_at(play.instants(INVITE_LINE), [0.0, 0.5, 1.5])
        assert (told(play), client.state) == (["100"], tx.PROCEEDING)

    def test_timer_c(self, play: Play) -> None:
        """RFC 3261 §16.6 step 11; without a wish to wait on, it is the end."""
        client = play.client("INVITE")
        play.receive(client, 100)
        play.until(200)
        assert told(play) == ["100", "no_answer"]
        assert_at([play.told[1][1] - START], [185.0])
        assert play.empty()

    def test_timer_c_is_prolonged_by_all_but_100(self, play: Play) -> None:
        """RFC 3261 §16.7 step 2."""
        client = play.client("INVITE")
        for at, status in [(1, 100), (50, 180), (90, 100), (120, 100)]:
            play.until(at)
            play.receive(client, status)
        play.until(300)
        assert_at([play.told[-1][1] - START], [50 + 185.0])

    def test_after_a_cancel_nothing_prolongs_the_wait(self, play: Play) -> None:
        """RFC 3261 §9.1."""
        client = play.client("INVITE")
        play.receive(client, 180)
        client.end_by(play.now + 32)
        play.until(30)
        play.receive(client, 183)
        play.until(100)
        assert told(play) == ["180", "183", "no_answer"]
        assert_at([play.told[-1][1] - START], [32.0])
        assert play.empty()

    def test_a_user_may_wait_on_when_it_is_overdue(self, play: Play) -> None:
        client = play.client("INVITE")
        play.receive(client, 180)
        play.user.unanswered = lambda t, why, now: t.end_by(now + 32)  # type: ignore[method-assign]
        play.until(190)
        assert client.state == tx.PROCEEDING
        play.receive(client, 487)
        assert client.state == tx.COMPLETED

    def test_overdue_without_a_user(self, play: Play) -> None:
        client = play.client("INVITE")
        play.receive(client, 180)
        client.user = None
        play.until(190)
        assert play.empty()

    def test_accepted_passes_repeats_for_64_t1(self, play: Play) -> None:
        """RFC 6026 §7.2, Timer M."""
        client = play.client("INVITE")
        play.until(1)
        play.receive(client, 200)
        play.receive(client, 200)
        play.receive(client, 180)
        play.receive(client, 486)
        assert (told(play), client.state) == (["200", "200"], tx.ACCEPTED)
        play.until(32.9)
        assert not play.empty()
        play.until(33.1)
        assert play.empty()
        assert not play.instants(ACK_LINE)

    def test_the_ack_of_a_2xx_is_repeated_with_it(self, play: Play) -> None:
        client = play.client("INVITE")
        play.receive(client, 200)
        assert client.acknowledge_again() is False
        client.acknowledge(b"ACK sip:b@192.0.2.9 SIP/2.0\r\n\r\n")
        assert client.acknowledge_again() is True
        play.collect()
        assert len(play.instants(ACK_LINE)) == 2

    def test_failures_are_acknowledged_again_for_32_s(self, play: Play) -> None:
        """RFC 3261 §17.1.1.2, Timer D."""
        client = play.client("INVITE")
        play.until(1)
        for at in (1, 2, 32.9):
            play.until(at)
            play.receive(client, 486)
        play.receive(client, 180)
        play.receive(client, 200)
        assert_at(play.instants(ACK_LINE), [1, 2, 32.9])
        assert told(play) == ["486"]
        play.until(33.1)
        assert play.empty()

    @pytest.mark.parametrize(("status", "lost"), [(0, True), (100, False), (200, False), (486, False)])
    def test_unreachable(self, play: Play, status: int, lost: bool) -> None:
        client = play.client("INVITE")
        if status:
            play.receive(client, status)
        client.unreachable(play.now)
        assert ("unreachable" in told(play)) is lost
        assert play.empty() is lost


class TestClient:
    def test_timers_e_and_f(self, play: Play) -> None:
        play.client("BYE")
        play.until(40)
        assert_at(play.instants(BYE_LINE), E)
        assert told(play) == ["timeout"]
        assert_at([play.told[0][1] - START], [32.0])
        assert play.empty()

    def test_timer_e_goes_on_with_t2_while_proceeding(self, play: Play) -> None:
        client = play.client("BYE")
        play.until(2)
        play.receive(client, 100)
        play.until(5)
        play.receive(client, 182)
        play.until(40)
        assert_at(play.instants(BYE_LINE), [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5])
        assert told(play) == ["100", "182", "timeout"]

    @pytest.mark.parametrize("status", [200, 302, 481, 503])
    def test_timer_k_absorbs_repeats_for_t4(self, play: Play, status: int) -> None:
        client = play.client("BYE")
        play.until(1)
        play.receive(client, status)
        play.receive(client, status)
        play.receive(client, 100)
        play.until(5.9)
        assert not play.empty()
        play.until(6.1)
        assert play.empty()
        assert told(play) == [str(status)]

    @pytest.mark.parametrize(("status", "lost"), [(0, True), (100, True), (200, False)])
    def test_unreachable(self, play: Play, status: int, lost: bool) -> None:
        client = play.client("BYE")
        if status:
            play.receive(client, status)
        client.unreachable(play.now)
        assert ("unreachable" in told(play)) is lost


class TestInviteServer:
    def test_a_retransmission_before_the_first_response(self, play: Play) -> None:
        """100, for the caller waits longer than the 200 ms of §17.2.1; nothing where it is no INVITE."""
        play.server("INVITE").again()
        play.collect()
        assert [line for line, _ in play.sent] == ["SIP/2.0 100 Trying"]
        play.server("BYE").again()
        assert not play.layer.out

    def test_trying_where_nothing_else_was_sent(self, play: Play) -> None:
        play.server("INVITE").expect(play.now)
        play.until(0.14)
        assert play.sent == []
        play.until(0.2)
        assert [line for line, _ in play.sent] == ["SIP/2.0 100 Trying"]

    def test_a_retransmission_gets_the_last_response(self, play: Play) -> None:
        server = play.server("INVITE")
        play.respond(server, 100)
        play.respond(server, 180)
        server.again()
        play.collect()
        assert [line for line, _ in play.sent] == ["SIP/2.0 100 X", "SIP/2.0 180 X", "SIP/2.0 180 X"]

    def test_timers_g_and_h(self, play: Play) -> None:
        server = play.server("INVITE")
        assert play.respond(server, 486)
        play.until(40)
        assert_at(play.instants("SIP/2.0 486 X"), E)
        assert told(play) == ["unacknowledged"]
        assert_at([play.told[0][1] - START], [32.0])
        assert play.empty()

    def test_an_ack_ends_timer_g_and_timer_i_the_rest(self, play: Play) -> None:
        server = play.server("INVITE")
        play.respond(server, 486)
        play.until(2)
        assert server.acknowledged(play.now) is False
        server.again()
        assert server.acknowledged(play.now + 1) is False
        play.until(6.9)
        assert_at(play.instants("SIP/2.0 486 X"), [0.0, 0.5, 1.5])
        assert server.state == tx.CONFIRMED
        play.until(7.1)
        assert play.empty()
        assert not play.told

    def test_accepted_absorbs_the_invite_for_64_t1(self, play: Play) -> None:
        """RFC 6026 §7.1, Timer L; the 2xx is repeated by its user."""
        server = play.server("INVITE")
        assert play.respond(server, 200)
        server.again()
        assert play.respond(server, 200)
        server.again()
        assert not play.respond(server, 180)
        assert not play.respond(server, 486)
        assert server.acknowledged(play.now) is True
        play.until(31.9)
        assert len(play.sent) == 2
        assert server.state == tx.ACCEPTED
        play.until(32.1)
        assert play.empty()

    @pytest.mark.parametrize("status", [180, 200, 500])
    def test_nothing_follows_a_failure(self, play: Play, status: int) -> None:
        server = play.server("INVITE")
        play.respond(server, 486)
        assert not play.respond(server, status)
        server.acknowledged(play.now)
        assert not play.respond(server, status)

    def test_it_waits_for_its_user_without_a_timer(self, play: Play) -> None:
        play.respond(play.server("INVITE"), 180)
        assert play.layer.wheel.next_at() is None


class TestServer:
    def test_timer_j_repeats_the_answer_for_64_t1(self, play: Play) -> None:
        server = play.server("BYE")
        server.again()
        play.respond(server, 100)
        server.again()
        play.respond(server, 200)
        for at in (1, 31.9):
            play.until(at)
            server.again()
        play.collect()
        assert_at(play.instants("SIP/2.0 100 X"), [0, 0])
        assert_at(play.instants("SIP/2.0 200 X"), [0, 1, 31.9])
        play.until(32.1)
        assert play.empty()
        assert not play.told

    @pytest.mark.parametrize("status", [100, 200, 500])
    def test_nothing_follows_the_answer(self, play: Play, status: int) -> None:
        server = play.server("BYE")
        play.respond(server, 200)
        assert not play.respond(server, status)

    def test_an_ack_means_nothing(self, play: Play) -> None:
        server = play.server("BYE")
        assert server.acknowledged(play.now) is False
        assert server.state == tx.TRYING


# ---------------------------------------------------------------------- keys


def request(method: str, **fields: str) -> Request:
    """A request whose keys are compared; fields are via, uri, call_id, from_tag, to, cseq."""
    values = {
        "via": "192.0.2.1;branch=z9hG4bK1", "uri": "sip:b@h", "call_id": "c", "from_tag": "f",
        "to": "<sip:b@h>", "cseq": "1",
    } | fields  # fmt: skip
    found = parse(
        (
            f"{method} {values['uri']} SIP/2.0\r\nVia: SIP/2.0/UDP {values['via']}\r\n"
            f"From: <sip:a@h>;tag={values['from_tag']}\r\nTo: {values['to']}\r\n"
            f"Call-ID: {values['call_id']}\r\nCSeq: {values['cseq']} {method}\r\n\r\n"
        ).encode()
    )
    assert isinstance(found, Request)
    return found


OLD = "192.0.2.1;branch=1"
SAME = {
    "retransmission": (request("INVITE"), request("INVITE")),
    "ACK of a failure": (request("INVITE"), request("ACK", to="<sip:b@h>;tag=t")),
    "other headers do not count": (request("BYE"), request("BYE", call_id="d", uri="sip:c@h", cseq="9")),
    "RFC 2543 retransmission": (request("INVITE", via=OLD), request("INVITE", via=OLD)),
    "RFC 2543 ACK": (request("INVITE", via=OLD), request("ACK", via=OLD, to="<sip:b@h>;tag=t")),
    "no branch at all": (request("INVITE", via="h"), request("ACK", via="h")),
    "cookie alone": (request("BYE", via="h;branch=z9hG4bK"), request("BYE", via="h;branch=z9hG4bK")),
}
DIFFERENT = {
    "branch": (request("INVITE"), request("INVITE", via="192.0.2.1;branch=z9hG4bK2")),
    "sent-by": (request("INVITE"), request("INVITE", via="192.0.2.2;branch=z9hG4bK1")),
    "port": (request("INVITE"), request("INVITE", via="192.0.2.1:5070;branch=z9hG4bK1")),
    "method": (request("INVITE"), request("CANCEL")),
    "RFC 2543 Call-ID": (request("BYE", via=OLD), request("BYE", via=OLD, call_id="d")),
    "RFC 2543 From tag": (request("BYE", via=OLD), request("BYE", via=OLD, from_tag="g")),
    "RFC 2543 CSeq": (request("BYE", via=OLD), request("BYE", via=OLD, cseq="2")),
    "RFC 2543 Request-URI": (request("BYE", via=OLD), request("BYE", via=OLD, uri="sip:c@h")),
    "RFC 2543 Via": (request("BYE", via=OLD), request("BYE", via="192.0.2.1;branch=2")),
    "cookie alone, other Call-ID": (
        request("BYE", via="h;branch=z9hG4bK"), request("BYE", via="h;branch=z9hG4bK", call_id="d")
    ),
}  # fmt: skip


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_same_transaction(one: Request, other: Request) -> None:
    assert server_key(one) == server_key(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT)
def test_another_transaction(one: Request, other: Request) -> None:
    assert server_key(one) != server_key(other)


@pytest.mark.parametrize("via", ["192.0.2.1;branch=z9hG4bK1", OLD, "h"])
def test_a_cancel_finds_its_invite(via: str) -> None:
    cancel = request("CANCEL", via=via)
    assert cancelled_key(cancel) == server_key(request("INVITE", via=via))
    assert cancel.method == "CANCEL"
    assert server_key(cancel) != cancelled_key(cancel)


def test_client_keys_keep_a_cancel_apart_from_its_invite() -> None:
    assert client_key("z9hG4bK1", "INVITE") == "z9hG4bK1"
    assert client_key("z9hG4bK1", "CANCEL") != client_key("z9hG4bK1", "INVITE")


def test_cancel_and_invite_live_side_by_side(play: Play) -> None:
    invite, cancel = play.client("INVITE"), play.client("CANCEL")
    assert play.layer.clients == {invite.key: invite, cancel.key: cancel}
    play.receive(cancel, 200)
    play.receive(invite, 487)
    play.until(60)
    assert play.empty()
