"""Where the vectors of others lie."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def vectors() -> Path:
    """The folder SIPGUARD_VECTORS names, or the one beside the repository; skips where there is none."""
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "vectors"
    found = Path(os.environ.get("SIPGUARD_VECTORS", beside))
    if not found.is_dir():
        pytest.skip(f"no vectors in {found}: set SIPGUARD_VECTORS")
    return found
