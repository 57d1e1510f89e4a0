"""Coverage-guided fuzzing of the engine: `python -m tests.fuzz`, for FUZZ_SECONDS (60 unless set).

Enters: what atheris makes up. Leaves: exit status 0, or the script that broke the engine as var/fuzz/crash-*, which
`python -m tests.fuzz FILE` plays again; what was worth keeping stays in var/fuzz/corpus for the next time.
Must not: need a corpus; it begins with calls that are answered or cancelled.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["sipguard"], enable_loader_override=False):
    import sipguard.b2bua.engine  # noqa: F401 - what is imported here is what coverage guides

from tests.fuzz.scripts import SEEDS, ground_work, play
from tests.fuzz.test_engine import require_one_final

VAR = Path(__file__).parent.parent.parent / "var" / "fuzz"


def once(octets: bytes) -> None:
    """Plays one script: spoiled where its first octet is odd, else with one final response to each request.

    Over TCP where its second bit is set.
    """
    spoil, streams = (bool(octets) and bool(octets[0] & bit) for bit in (1, 2))
    ground = play(octets[1:], spoil, streams)
    if not spoil:
        require_one_final(ground)
    assert not ground.left(), ground.left()


def main() -> None:
    """Fuzzes, or plays files again."""
    if len(sys.argv) > 1:
        for name in sys.argv[1:]:
            once(Path(name).read_bytes())
        return
    ground_work()
    seconds = int(os.environ.get("FUZZ_SECONDS", "60"))
    corpus = VAR / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for n, seed in enumerate(SEEDS):
        for how in range(4):
            (corpus / f"seed-{n}-{how}").write_bytes(bytes([how]) + seed)
    options = [f"-max_total_time={seconds}", "-max_len=600", "-timeout=20", f"-artifact_prefix={VAR}/"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
