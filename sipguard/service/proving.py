"""The proof of a Ruleset in a process of its own, at low priority: whoever asks for it waits for nothing else.

Enters: a PlainRuleset, how long it may take. Leaves: a Proof, or why there is none. Must not: keep the one who asks
from going on; a proof that breaks proves nothing, and says so.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
import time
from collections.abc import Collection
from typing import Final

from sipguard.proof.prove import Proof, prove
from sipguard.screening.ruleset import PlainRuleset, Ruleset

BOUND_S: Final = 5.0  # of the proof
BESIDES_S: Final = 10.0  # for the start of its process, which has the lowest priority
NICENESS: Final = 15


async def proved(plain: PlainRuleset, bound_s: float = BOUND_S, hidden: Collection[str] = ()) -> Proof | str:
    """The proof, or why there is none. `hidden`: variables of the environment that the process is not given."""
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sipguard.service.proving"),
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
    proof = pickle.loads(found)
    assert isinstance(proof, Proof)
    return proof


def main() -> None:
    """One proof: what is asked comes on standard input, the answer leaves on standard output."""
    plain, bound_s = pickle.load(sys.stdin.buffer)
    proof = prove(Ruleset.open(plain), time.time(), time.monotonic, bound_s)
    sys.stdout.buffer.write(pickle.dumps(proof, protocol=5))


if __name__ == "__main__":
    main()
