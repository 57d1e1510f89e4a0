"""Rulesets to prove, and engines that do wrong in a certain way.

Enters: what a test changes. Leaves: an opened Ruleset; engines that `prove` takes for the real one. Must not: patch the
product; a wrong engine is a real one with something between it and whoever asks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sipguard.b2bua.commands import Clock, Command, Control, Reload
from sipguard.b2bua.engine import Engine
from sipguard.proof.emergency import new_engine
from sipguard.screening.guard import Settings as GuardSettings
from sipguard.screening.ruleset import Ruleset
from sipguard.sip.flow import Flow, Send
from sipguard.sip.uri import user_of

AT = 1_764_000_000.0  # Unix seconds of every proof here
USUAL = "sip:+12125550123@usual.example"

Change = Callable[[str], str]


def same(text: str) -> str:
    return text


class Between:
    """An engine with something between: `coming` changes what it receives, `leaving` what it sends."""

    def __init__(self, engine: Engine, coming: Change = same, leaving: Change = same) -> None:
        self.engine = engine
        self.coming, self.leaving = coming, leaving

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def received(self, flow: Flow, octets: bytes, clock: Clock) -> list[Command]:
        commands = self.engine.received(flow, self.coming(octets.decode("latin-1")).encode("latin-1"), clock)
        return [self._left(command) for command in commands]

    def _left(self, command: Command) -> Command:
        if not isinstance(command, Send):
            return command
        return Send(command.flow, self.leaving(command.octets.decode("latin-1")).encode("latin-1"), command.send_id)


class Blind(Between):
    """An engine that knows no emergency call: it is given a usual one, and the digits dialled are put back."""

    def __init__(self, ruleset: Ruleset) -> None:
        super().__init__(new_engine(replace(ruleset, emergency=GuardSettings())), self._usual, self._dialled)
        self.uri = ""

    def _usual(self, text: str) -> str:
        if not text.startswith("INVITE "):
            return text
        self.uri = text.split(" ", 2)[1]
        lines = text.replace(self.uri, USUAL, 1).split("\r\n")
        return "\r\n".join(line for line in lines if not line.startswith("Priority:"))

    def _dialled(self, text: str) -> str:
        if not text.startswith("INVITE "):
            return text
        user = user_of(self.uri)
        return text.replace(text.split(" ", 2)[1], f"sip:{user}@peer.example" if user else self.uri, 1)


class Forgetful(Between):
    """An engine that loses its calls at a reload."""

    def control(self, what: Control, clock: Clock) -> list[Command]:
        if isinstance(what, Reload):
            self.engine = new_engine(what.ruleset)
        return self.engine.control(what, clock)


class Astray(Between):
    """An engine that sends to where nobody is."""

    def _left(self, command: Command) -> Command:
        if isinstance(command, Send) and command.octets.startswith(b"INVITE "):
            flow = command.flow
            away = Flow(0, flow.transport, flow.listener, ("203.0.113.99", 5060))
            return Send(away, command.octets, command.send_id)
        return command
