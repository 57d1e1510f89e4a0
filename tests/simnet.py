"""A storm: an engine between user agents, in a network that loses, repeats, delays and reorders.

    storm = Storm(seed, calls=200)
    storm.blow()             # all calls are placed and planned things happen, in bad weather
    storm.calm()             # in good weather everything comes to its end
    storm.judge()            # up on both legs or over on both; the records say which
    storm.given_up()         # how often somebody was not heard, however often he repeated himself
    storm.hang_up()          # what is up is asked both ways, and hung up
    storm.require_nothing_left()

Enters: a seed. Leaves: assertions. Must not: open a socket, wait, or read a clock: time is only added to.

The weather is fair: of one message, five copies are lost in a row at most. So whoever repeats what he wants to say is
heard in the end, as RFC 3261 supposes; peers that are never heard are a plan of a call, not weather.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from random import Random
from typing import Any, Final

from sipguard.b2bua import frames
from sipguard.b2bua.commands import Clock, Command, Record, Trouble
from sipguard.b2bua.engine import Engine
from sipguard.screening.ruleset import PlainRuleset, Ruleset
from sipguard.screening.trunk import Peer
from sipguard.sip.flow import Flow, Send
from sipguard.stir.certificate import CertificateStore
from tests.playbook import A_AT, B_AT, C_AT, INSIDE, OUTSIDE, START_AT, ruleset
from tests.simagent import GIVE_UP_S, OVER, UP, Agent, Message, Plan, Side

BLOWS_S: Final = 40.0  # calls are placed in this time
ROW: Final = 5  # copies of one message that are lost in a row at most
CALLEE: Final = "+12125550123"
BY_STATUS: Final = {
    302: frames.REDIRECTED, 408: frames.NO_ANSWER, 480: frames.NO_ANSWER, 486: frames.BUSY, 504: frames.FAILED,
    603: frames.BUSY,
}  # fmt: skip


@dataclass(frozen=True)
class Weather:
    """What happens to datagrams. Probabilities, and seconds."""

    loss: float = 0.3
    twice: float = 0.1
    least_s: float = 0.005
    most_s: float = 0.08
    stray: float = 0.1  # how many take up to `stray_s`, and are overtaken
    stray_s: float = 1.5


FAIR: Final = Weather(loss=0.0, twice=0.0, stray=0.0)


class Storm:
    """One engine, a caller, two peers of the route, and what is between them."""

    def __init__(
        self, seed: int, calls: int = 200, weather: Weather | None = None, transports: tuple[str, str] = ("UDP", "UDP")
    ) -> None:
        """`transports` are those of the caller and of the peers; what is not UDP is for a subclass to carry."""
        self.random = random = Random(seed)
        self.weather = weather or Weather()
        self.now = 1000.0
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = itertools.count()
        self._numbers = itertools.count(1)
        self._lost: Counter[tuple[tuple[str, int], str]] = Counter()
        hop = {"down_for_s": random.choice((0.0, 0.0, 5.0)), "try_timeout_s": random.choice((2.0, 4.0, 8.0))}
        plain = over(transports, hop)
        self.engine = Engine(Ruleset.open(plain), CertificateStore(), self._octets, lambda: self.now)
        self.answered: set[tuple[str, str]] = set()  # the same of dialogs whose 2xx has reached us
        self.acknowledged: set[tuple[str, str]] = set()  # Call-ID and To-tag of dialogs that we acknowledged
        self.ended: set[str] = set()  # BYEs that left
        self.frames: dict[str, list[frames.Frame]] = {}
        self.plans = [planned(n, random) for n in range(calls)]
        self.a = Ended(self, "a", "+12025550101", A_AT, "192.0.2.1", 0, transports[0])
        self.b = Ended(self, "b", CALLEE, B_AT, "198.51.100.1", 0, transports[1])
        self.c = Ended(self, "c", CALLEE, C_AT, "198.51.100.1", 1, transports[1])
        self.agents = {agent.address: agent for agent in (self.a, self.b, self.c)}
        self.callers: list[Side] = []
        self.endings: Counter[str] = Counter()

    def _octets(self, n: int) -> bytes:
        return b"".join(sha256(str(self.number()).encode()).digest() for _ in range(n // 32))

    # ------------------------------------------------------------------ time

    def number(self) -> int:
        """One that was not given before."""
        return next(self._numbers)

    def later(self, seconds: float, what: Callable[..., None], *arguments: Any) -> None:
        """Lets something happen."""
        heapq.heappush(self._events, (self.now + seconds, next(self._order), what, arguments))

    def run(self, seconds: float) -> None:
        """Lets time pass."""
        end = self.now + seconds
        while True:
            due = self.engine.next_timer()
            event = self._events[0][0] if self._events else end + 1.0
            if min(event, end + 1.0 if due is None else due) > end:
                break
            if due is not None and due <= event:
                self.now = max(self.now, due)
                self.carry(self.engine.timer(self.clock))
            else:
                self.now = max(self.now, event)
                _, _, what, arguments = heapq.heappop(self._events)
                what(*arguments)
        self.now = end

    @property
    def clock(self) -> Clock:
        """Of the next turn."""
        return Clock(self.now, START_AT + self.now - 1000.0)

    # ------------------------------------------------------------------ the network

    def send(self, agent: Agent, message: str) -> None:
        """From an agent to the engine."""
        self._blown(agent.address, message, self._received, agent, message)

    def _received(self, agent: Ended, message: str) -> None:
        if message.startswith("SIP/2.0 2") and " INVITE\r\n" in message:
            response = Message(message)
            self.answered.add((response.at["call-id"], response.tag("to")))
        self.carry(self.engine.received(agent.flow, message.encode("latin-1"), self.clock))

    def carry(self, commands: list[Command]) -> None:
        """Carries out what the engine returned."""
        for command in commands:
            assert not isinstance(command, Trouble), command.what
            if isinstance(command, Send):
                self.leave(command)
            elif isinstance(command, Record):
                frame = command.frame
                if not isinstance(frame, frames.NoteFrame):
                    self.frames.setdefault(frame.decision_id, []).append(frame)

    def leave(self, send: Send) -> None:
        """From the engine to an agent."""
        agent = self.agents[send.flow.remote]
        assert send.flow.listener == agent.flow.listener
        text = send.octets.decode("latin-1")
        self.look(agent, text)
        self._blown(agent.address, text, agent.heard, text)

    def look(self, agent: Agent, text: str) -> None:
        """What the order of messages must be as they leave: no BYE before the ACK of the 2xx (RFC 3261 §15).

        Before there is a 2xx a BYE may end one early dialog of several, and is repeated also after it.
        """
        if text.startswith(("ACK ", "BYE ")):
            message = Message(text)
            dialog = (message.at["call-id"], message.tag("to"))
            if message.method == "ACK":
                self.acknowledged.add(dialog)
            elif agent is not self.a and text not in self.ended:
                assert dialog in self.acknowledged or dialog not in self.answered, f"a BYE before the ACK: {text}"
                self.ended.add(text)

    def _blown(self, place: tuple[str, int], text: str, what: Callable[..., None], *arguments: Any) -> None:
        weather, random = self.weather, self.random
        if weather.loss and random.random() < weather.loss:
            row = (place, text)
            self._lost[row] += 1
            if self._lost[row] <= ROW:
                return
            self._lost[row] = 0
        for _ in range(2 if random.random() < weather.twice else 1):
            most_s = weather.stray_s if random.random() < weather.stray else weather.most_s
            self.later(random.uniform(weather.least_s, most_s), what, *arguments)

    # ------------------------------------------------------------------ acts

    def blow(self) -> None:
        """Places the calls; a storm goes over them."""
        for n, plan in enumerate(self.plans):
            self.later(n * BLOWS_S / len(self.plans), self._place, plan)
        self.run(BLOWS_S + 40.0)

    def _place(self, plan: Plan) -> None:
        side = Side(self.a, plan, True, f"call-{plan.n}")
        self.a.sides[side.call_id, side.tag] = side
        self.callers.append(side)
        side.call(CALLEE, f"v=0 offer of {plan.n}")

    def calm(self) -> None:
        """Good weather, until nobody waits for anything any more."""
        self.weather = FAIR
        self._lost.clear()
        self.run(2 * GIVE_UP_S + 80.0)

    # ------------------------------------------------------------------ questions

    def judge(self) -> None:
        """Each call is up on both legs or over on both, and its record says so."""
        callees: dict[int, list[Side]] = {}
        for agent in (self.b, self.c):
            for side in agent.sides.values():
                callees.setdefault(side.plan.n, []).append(side)
        records = {own[0].call_id_a: own for own in self.frames.values() if isinstance(own[0], frames.VerdictFrame)}
        assert len(records) == len(self.frames) == len(self.plans)
        for caller in self.callers:
            others = callees.get(caller.plan.n, [])
            states = [side.state for side in others]
            story = (caller.plan, caller.state, caller.final, [(side.agent.name, side.state) for side in others])
            assert states.count(UP) == (caller.state == UP), story
            assert caller.state in (UP, OVER) and set(states) <= {UP, OVER}, story
            self.require_record(records[caller.call_id], caller, others)
        assert len(self.engine.calls) == sum(side.state == UP for side in self.callers)
        for agent in self.agents.values():
            assert agent.complaints == []

    def require_record(self, record: list[frames.Frame], caller: Side, callees: list[Side]) -> None:
        """The frames of a call agree with what its ends saw."""
        kinds = Counter(type(frame) for frame in record)
        story = (caller.plan, caller.state, caller.final, record[1:])
        assert kinds[frames.VerdictFrame] == 1, story
        assert kinds[frames.EndFrame] == (caller.state == OVER), story
        if caller.was_up:
            assert kinds[frames.AnswerFrame] == 1, story
        if kinds[frames.AnswerFrame]:
            assert any(side.was_up for side in callees), story
        end = record[-1]
        if isinstance(end, frames.EndFrame):
            self.endings[end.disposition] += 1
            assert bool(end.answer_at) == bool(kinds[frames.AnswerFrame]), story
            if not caller.gave_up:
                assert end.final_status == caller.final, story
            assert end.disposition in self.fitting(end, caller, callees), story

    def fitting(self, end: frames.EndFrame, caller: Side, callees: list[Side]) -> set[str]:
        """The dispositions that say what the ends saw."""
        if end.answer_at:
            fits = {frames.ACK_LOST}
            ending = [caller] if end.bye_by == "a" else callees
            return fits | {frames.ANSWERED} if any(side.said & {"BYE", "EARLY BYE"} for side in ending) else fits
        if end.final_status == 487 and "CANCEL" in caller.said:
            return {frames.CANCELLED}
        if end.final_status == 500:
            said = [status for _, status in end.tries if status]
            assert not said or any(side.final == said[-1] for side in callees)
            return {frames.FAILED if said else frames.UNREACHABLE}
        return {BY_STATUS[end.final_status]}

    def require_nothing_left(self) -> None:
        """Every table of the engine is empty."""
        engine = self.engine
        left = (engine.calls, engine.legs, engine.layer.servers, engine.layer.clients, engine.awaiting)
        assert not any(left), left
        assert len(engine.layer.wheel) == 0
        assert sum(load.calls for load in engine._loads.values()) == 0
        shapes = engine.counters.shapes()
        assert shapes and not [shape for shape in shapes if shape.concurrent]

    def given_up(self) -> int:
        """How often nobody reacted to a request or an answer, however often it was repeated."""
        sides = [side for agent in self.agents.values() for side in agent.sides.values()]
        return self.endings[frames.ACK_LOST] + sum(side.unheard for side in sides)

    def rings_of_nobody(self) -> list[Plan]:
        """Calls whose callee rang on for long after the caller's end of it was over."""
        over_at = {side.plan.n: side.over_at for side in self.callers if side.state == OVER}
        return [
            side.plan
            for agent in (self.b, self.c)
            for side in agent.sides.values()
            if side.final == 480 and side.over_at - over_at.get(side.plan.n, side.over_at) > GIVE_UP_S
        ]

    # ------------------------------------------------------------------ the end

    def hang_up(self) -> None:
        """Whoever is up asks the other end and is answered; then one of the two hangs up."""
        up = [side for agent in self.agents.values() for side in agent.sides.values() if side.state == UP]
        for side in up:
            side.fine.clear()
            side.send_request("INFO")
        self.run(2.0)
        for side in up:
            assert side.fine == [200], (side.plan, side.fine)
        for side in up:
            if self.random.random() < 0.5 or side.caller:
                side.bye()
        self.run(1.0)
        assert all(side.state == OVER for side in up)
        self.run(GIVE_UP_S + 1.0)


class Ended(Agent):
    """An agent of a storm: it knows by which flow it is heard, and what becomes of calls."""

    def __init__(
        self,
        storm: Storm,
        name: str,
        number: str,
        address: tuple[str, int],
        server: str,
        place: int,
        transport: str,
    ) -> None:
        super().__init__(storm, name, number, address, server, place, transport)
        self.storm = storm
        listener = "outside" if name == "a" else "inside"
        self.flow = Flow(0, transport.lower(), listener if transport == "UDP" else f"{listener}-tcp", address)

    def plan_of(self, n: int) -> Plan:
        """What becomes of call `n`."""
        return self.storm.plans[n]


def over(transports: tuple[str, str], hop: dict[str, Any]) -> PlainRuleset:
    """A Ruleset whose two sides speak these transports."""
    tcp = [replace(each, name=f"{each.name}-tcp", transport="tcp") for each in (OUTSIDE, INSIDE)]
    listeners = {each.name: each for each in (OUTSIDE, INSIDE, *tcp)}
    inside = "inside" if transports[1] == "UDP" else "inside-tcp"
    peers = tuple(Peer(*at, transports[1].lower(), inside) for at in (B_AT, C_AT))
    return ruleset(
        carrier={"listeners": ("outside", "outside-tcp")},
        hop={"listeners": ("inside", "inside-tcp"), "peers": peers, **hop},
        listeners=listeners,
    )


def planned(n: int, random: Random) -> Plan:
    """What becomes of a call; every kind is often enough in a few hundred."""
    callee = random.choices(
        (
            ("answers",), ("answers", "answers"), ("forks",), ("busy",), ("declines",), ("redirects",), ("rings",),
            ("silent", "answers"), ("503", "answers"), ("503", "busy"), ("silent",), ("503",),
        ),
        (30, 20, 6, 6, 3, 3, 6, 8, 8, 3, 4, 4),
    )[0]  # fmt: skip
    ways: Sequence[tuple[float, float]] = ((0.0, 0.0), (6.0, 0.0), (0.0, 6.0), (6.0, 6.0), (0.3, 0.0), (12.0, 12.02))
    kinds = ("INVITE", "INVITE", "INFO", "UPDATE", "OPTIONS")
    requests = tuple(
        (random.choice(("caller", "callee")), random.choice(kinds), random.choice((0.1, 1.0, 1.0, 3.0, 6.0)))
        for _ in range(random.choice((0, 0, 1, 2, 3)))
    )
    return Plan(
        n,
        callee,
        ring_after=random.choice((0.01, 0.1, 0.3, 1.0)),
        answer_after=random.choice((0.02, 0.5, 2.0, 6.0)),
        cancel_after=random.choice((0.0, 0.0, 0.0, 0.05, 0.5, 2.0)),
        early_bye=random.random() < 0.2,
        reliable=random.random() < 0.25,
        bye_after=random.choice(ways),
        requests=requests,
    )


def weathered(storm: Storm) -> Storm:
    """A storm from its beginning to its end, judged."""
    storm.blow()
    storm.calm()
    storm.judge()
    assert storm.given_up() <= len(storm.plans) // 50, "who repeats himself is heard, but for bad luck"
    assert len(storm.rings_of_nobody()) <= len(storm.plans) // 100
    storm.hang_up()
    storm.require_nothing_left()
    return storm
