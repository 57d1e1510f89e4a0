"""A child process of the supervisor: started with a channel, watched, started again when it dies.

Enters: the module to run and its start message. Leaves: its messages. Must not: be used for what an operator starts.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from sipguard.service.channel import Channel

RESTART_AFTER_S: Final = 0.1
RESTART_AT_MOST_EVERY_S: Final = 5.0
STEADY_S: Final = 30.0  # a child that lived this long is started again at once


class Child:
    """One kind of process: `python -m MODULE DESCRIPTOR`."""

    def __init__(
        self,
        name: str,
        module: str,
        start: Callable[[], object],
        told: Callable[[Child, tuple[Any, ...]], None],
        ended: Callable[[Child, int], None],
        keep: tuple[int, ...] = (),
        niceness: int = 0,
        hidden: Callable[[], set[str]] = set,
    ) -> None:
        self.name = name
        self._module = module
        self._start = start
        self._told = told
        self._ended = ended
        self._keep = keep
        self._niceness = niceness
        self._hidden = hidden  # names of variables of the environment that it is not given
        self._channel: Channel | None = None
        self.process: asyncio.subprocess.Process | None = None
        self.starts = 0
        self._stopping = False

    async def run(self) -> None:
        """Keeps the process alive until `stop`."""
        wait_s = RESTART_AFTER_S
        while True:
            began_at = time.monotonic()
            await self._once()
            if self._stopped():
                return
            steady = time.monotonic() - began_at > STEADY_S
            wait_s = RESTART_AFTER_S if steady else min(2 * wait_s, RESTART_AT_MOST_EVERY_S)
            await asyncio.sleep(wait_s)

    def _stopped(self) -> bool:
        return self._stopping

    async def _once(self) -> None:
        ours, theirs = socket.socketpair()
        descriptor = theirs.fileno()
        command = [sys.executable, "-m", self._module, str(descriptor)]
        niceness, hidden = self._niceness, self._hidden()
        self.process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=(descriptor, *self._keep),
            start_new_session=True,
            env={name: value for name, value in os.environ.items() if name not in hidden},
            preexec_fn=(lambda: os.nice(niceness)) if niceness else None,
        )
        theirs.close()
        self.starts += 1
        self._channel = channel = await Channel.open(ours)
        channel.send(self._start())
        while (message := await channel.receive()) is not None:
            self._told(self, message)
        self._channel = None
        channel.close()
        self._ended(self, await self.process.wait())

    def tell(self, *message: object) -> None:
        """Sends a message; it is lost where the process is not up."""
        if self._channel is not None:
            self._channel.send(*message)

    def kill(self) -> None:
        """Kills the process by its own pid; it is started again."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()

    async def stop(self, patience_s: float) -> None:
        """Asks the process to stop and waits; kills it by its own pid when it does not."""
        self._stopping = True
        self.tell("stop")
        process = self.process
        if process is None or process.returncode is not None:
            return
        try:
            await asyncio.wait_for(process.wait(), patience_s)
        except TimeoutError:
            process.kill()
            await process.wait()
