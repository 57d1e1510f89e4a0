"""The prover's process: one proof, then it ends.

Enters: a PlainRuleset and how long the proof may take, on standard input. Leaves: a Proven on standard output.
Must not: read the configuration; where its paths stand in files, whoever asked knows.
"""

from __future__ import annotations

import pickle
import sys
import time

from sipguard.proof.prove import prove
from sipguard.screening.ruleset import Ruleset
from sipguard.service.proof_words import in_short
from sipguard.service.proving import Proven


def main() -> None:
    """One proof."""
    plain, bound_s = pickle.load(sys.stdin.buffer)
    proof = prove(Ruleset.open(plain), time.time(), time.monotonic, bound_s)
    not_done = (*proof.emergencies.not_done, *proof.rules.not_done)
    sys.stdout.buffer.write(pickle.dumps(Proven(tuple(in_short(proof)), not_done), protocol=5))


if __name__ == "__main__":
    main()
