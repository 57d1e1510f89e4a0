"""Says which Debian packages the tests want and this machine lacks: `python -m tests.wanted`.

Exit status 1 where one is missing and CI is set: there nothing may be skipped. Elsewhere the tests that need it skip.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Final

# program, or module of Kamailio -> (Debian package, tests that need it)
WANTED: Final = {
    "sipp": ("sip-tester", "tests/e2e/test_sipp.py, tests/e2e/test_reload.py, tests/loadtest.py"),
    "kamailio": ("kamailio", "tests/e2e/test_insert.py: the load balancer in front, tests/e2e/test_credentials.py"),
    "secsipid.so": ("kamailio-secsipid-modules", "tests/e2e/test_kamailio_{signs,verifies}.py: tokens of Kamailio"),
    "secsipidx": ("secsipidx", "tests/e2e/test_identity.py: tokens signed by others"),
    "tshark": ("tshark", "tests/e2e/test_trace.py: captures read by others"),
    "baresip": ("baresip-core", "tests/e2e/test_softphone.py: a second softphone"),
    "sngrep": ("sngrep", "tests/e2e/test_hep.py: HEP3 decoded by others"),
}


def missing() -> dict[str, tuple[str, str]]:
    """What of WANTED is not there."""
    return {program: each for program, each in WANTED.items() if not _is_there(program)}


def _is_there(program: str) -> bool:
    if program.endswith(".so"):
        return any(Path("/usr/lib").glob(f"*/kamailio/modules/{program}"))
    return shutil.which(program) is not None


def reason(program: str) -> str:
    """Why a test that needs `program` is skipped, "" where it is there or CI wants the failure."""
    if program in missing() and not os.environ.get("CI"):
        return f"{program} is missing: apt-get install {WANTED[program][0]}"
    return ""


def main() -> int:
    """Prints what is missing; the exit status."""
    lacking = missing()
    for program, (package, tests) in lacking.items():
        print(f"{program} is missing (apt-get install {package}); without it these are skipped: {tests}")
    return 1 if lacking and os.environ.get("CI") else 0


if __name__ == "__main__":
    sys.exit(main())
