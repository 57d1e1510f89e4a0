"""The proof of a Ruleset by a process of its own, at low priority: whoever asks for it waits for nothing else.

Enters: a PlainRuleset, how long it may take. Leaves: what is harmful, or why nothing was proved. Must not: keep the one
who asks from going on; a proof that breaks proves nothing, and says so. Nor bring the prover's parts along.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from sipguard.screening.ruleset import PlainRuleset

BOUND_S: Final = 5.0  # of the proof
BESIDES_S: Final = 10.0  # for the start of its process, which has the lowest priority
NICENESS: Final = 15


@dataclass(frozen=True)
class Harm:
    """One thing that does harm: where it stands in the configuration, and what it does in a line."""

    path: tuple[str | int, ...]
    told: str


@dataclass(frozen=True)
class Proven:
    """What a proof came to; `not_done` is what no time was left for."""

    harm: tuple[Harm, ...] = ()
    not_done: tuple[str, ...] = ()


async def proved(plain: PlainRuleset, bound_s: float = BOUND_S, hidden: Collection[str] = ()) -> Proven | str:
    """What the proof came to, or why there is none. `hidden`: variables of the environment that it is not given."""
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sipguard.service.prover"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            env={name: value for name, value in os.environ.items() if name not in hidden},
            preexec_fn=lambda: os.nice(NICENESS),
        )
    except OSError as error:  # no process can be started: the one who asks goes on
        return str(error)
    asked = pickle.dumps((plain, bound_s), protocol=5)
    try:
        found, said = await asyncio.wait_for(process.communicate(asked), bound_s + BESIDES_S)
    except TimeoutError:
        return f"it took longer than {bound_s + BESIDES_S:g} s"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        last = said.decode(errors="replace").strip().rpartition("\n")[2]
        return last or f"its process ended with status {process.returncode}"
    proven = pickle.loads(found)
    assert isinstance(proven, Proven)
    return proven
