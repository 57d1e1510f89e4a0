"""A storm over connections: nothing is lost or overtaken on one, but each breaks, with what is under way on it.

Enters and leaves: as of `tests.simnet`. Must not: cut octets into messages, which is for `sipguard/sip/framing.py`.

A connection that breaks is noticed by each end for itself, a little later; until then what an end sends by it is gone.
"""

from __future__ import annotations

from typing import Final

from sipguard.b2bua.commands import Command, Reuse
from sipguard.sip.flow import Flow, Send
from tests.simnet import BLOWS_S, Ended, Storm

LASTS_S: Final = (2.0, 12.0)  # how long a connection lasts
NOTICED_S: Final = (0.0, 0.3)
PLEASANT_S: Final = 1e9


class Wire:
    """One connection, as the engine knows it (`flow`) and the agent at its far end."""

    __slots__ = ("agent", "at", "flow", "open", "ways")

    def __init__(self, flow: Flow, agent: Ended) -> None:
        self.flow = flow
        self.agent = agent
        self.open = True
        self.at = {True: 0.0, False: 0.0}  # instant of the last arrival in each direction: nothing overtakes
        self.ways = [flow.remote]


class StreamStorm(Storm):
    """`transports` as of Storm; the sides that speak UDP have bad weather of their own."""

    def __init__(self, seed: int, calls: int, transports: tuple[str, str]) -> None:
        super().__init__(seed, calls, transports=transports)
        self.wires: dict[int, Wire] = {}
        self.lasts_s = LASTS_S
        self.broken = 0
        self._came_by: dict[str, Wire] = {}  # branch of a request -> how it reached the agent
        self._ports = iter(range(40_000, 10**9))

    # ------------------------------------------------------------------ connections

    def connect(self, agent: Ended, remote: tuple[str, int]) -> Wire:
        """A new one; it breaks some day."""
        number = self.number()
        wire = self.wires[number] = Wire(Flow(number, "tcp", agent.flow.listener, remote), agent)
        self.later(self.random.uniform(*self.lasts_s), self.cut, wire)
        return wire

    def cut(self, wire: Wire) -> None:
        """It breaks, with all that is under way."""
        if not wire.open:
            return
        wire.open = False
        self.broken += 1
        self.later(self.random.uniform(*NOTICED_S), self._noticed_by_engine, wire)
        self.later(self.random.uniform(*NOTICED_S), wire.agent.disconnected)

    def _noticed_by_engine(self, wire: Wire) -> None:
        del self.wires[wire.flow.id]
        for remote in wire.ways:
            flow = wire.flow
            gone = Flow(flow.id, flow.transport, flow.listener, remote)
            self.carry(self.engine.closed(gone, True, self.clock))

    def _standing(self, agent: Ended, remote: tuple[str, int] | None = None) -> Wire | None:
        """The newest connection of an agent to `remote`, or to anywhere; broken ones seem to stand."""
        found = [
            wire for wire in self.wires.values() if wire.agent is agent and (remote is None or remote in wire.ways)
        ]
        return found[-1] if found else None

    # ------------------------------------------------------------------ messages

    def send(self, agent: Ended, message: str) -> None:  # type: ignore[override]
        """From an agent to the engine; a response by the connection of its request, while that stands."""
        if not agent.reliable:
            super().send(agent, message)
            return
        wire = None
        if message.startswith("SIP/2.0 "):
            branch = message.partition("branch=")[2].partition("\r")[0].partition(";")[0]
            wire = self._came_by.get(branch)
            if wire is not None and not wire.open:
                wire = None
        wire = wire or next((each for each in reversed(self.wires.values()) if each.agent is agent and each.open), None)
        if wire is None:
            wire = self.connect(agent, (agent.address[0], next(self._ports)))
        self._carried(wire, True, message)

    def _carried(self, wire: Wire, inwards: bool, message: str) -> None:
        at = max(self.now + self.random.uniform(0.002, 0.03), wire.at[inwards])
        wire.at[inwards] = at
        self.later(at - self.now, self._arrives, wire, inwards, message)

    def _arrives(self, wire: Wire, inwards: bool, message: str) -> None:
        if not wire.open:
            return
        if inwards:
            self.carry(self.engine.received(wire.flow, message.encode("latin-1"), self.clock))
            return
        if not message.startswith("SIP/2.0 "):
            branch = message.partition("branch=")[2].partition("\r")[0].partition(";")[0]
            self._came_by[branch] = wire
        wire.agent.heard(message)

    def carry(self, commands: list[Command]) -> None:
        """As of Storm; a connection may be offered for requests too (RFC 5923)."""
        for command in commands:
            if isinstance(command, Reuse):
                wire = self.wires.get(command.flow.id)
                if wire is not None and command.address not in wire.ways:
                    wire.ways.append(command.address)
        super().carry([command for command in commands if not isinstance(command, Reuse)])

    def leave(self, send: Send) -> None:
        """From the engine, by the connection that it names, by one that leads there, or by a new one."""
        flow = send.flow
        if not flow.reliable:
            super().leave(send)
            return
        if flow.id:
            wire = self.wires.get(flow.id)
            if wire is None:
                self.carry(self.engine.send_failed(send.send_id, "connection lost", self.clock))
                return
        else:
            agent = self.agents[flow.remote]
            assert agent.flow.listener == flow.listener
            wire = self._standing(agent, flow.remote) or self.connect(agent, flow.remote)
        message = send.octets.decode("latin-1")
        self.look(wire.agent, message)
        self._carried(wire, False, message)

    # ------------------------------------------------------------------ acts

    def blow(self) -> None:
        """As of Storm, while connections break."""
        assert LASTS_S[1] < BLOWS_S
        super().blow()
        self.lasts_s = (PLEASANT_S, PLEASANT_S)

    def calm(self) -> None:
        """Those that stand break before the good weather begins."""
        for wire in list(self.wires.values()):
            self.cut(wire)
        super().calm()
