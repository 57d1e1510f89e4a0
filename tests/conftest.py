"""Where the vectors of others lie; and that no property fails for a machine that is busy."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("sipguard", deadline=None)
settings.load_profile("sipguard")


@pytest.fixture(scope="session")
def vectors() -> Path:
    """The folder SIPGUARD_VECTORS names, or the one beside the repository; skips where there is none."""
    beside = Path(__file__).resolve().parents[1].parent / "shared" / "vectors"
    found = Path(os.environ.get("SIPGUARD_VECTORS", beside))
    if not found.is_dir():
        pytest.skip(f"no vectors in {found}: set SIPGUARD_VECTORS")
    return found
