"""The instant of receipt as a fact."""

from __future__ import annotations

from sipguard.screening.checks import time
from sipguard.screening.counters import Counters
from sipguard.screening.finding import Context
from sipguard.screening.lists import Lists
from sipguard.screening.verification.replays import Replays
from sipguard.stir.certificate import CertificateStore
from tests.screening.build import attempt

CONTEXT = Context(Lists({}), Counters(), CertificateStore(), Replays())


def test_the_instant_is_that_of_receipt() -> None:
    found = time.check(attempt(received_at=1_760_000_000.25), time.Settings(), CONTEXT)
    assert found.facts == {"time.at": 1_760_000_000.25}
