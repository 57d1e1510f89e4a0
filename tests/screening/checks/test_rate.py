"""The check `rate`."""

from __future__ import annotations

from sipguard.screening.checks import rate
from sipguard.screening.counters import Counters
from sipguard.screening.finding import CLEAR, Context
from sipguard.screening.lists import Lists
from sipguard.screening.verification.replays import Replays
from sipguard.stir.certificate import CertificateStore
from tests.screening.build import attempt


def test_it_reads_what_was_counted_at_the_instant_of_the_count() -> None:
    counters = Counters()
    for at in (3600.0, 3600.0, 3800.0):
        counters.count("carrier", "12025550100", at)
    counters.count("carrier", "12025550101", 3801.0)
    context = Context(Lists({}), counters, CertificateStore(), Replays())
    context.unix_at = 1_760_000_000.0  # another clock than that of the counters
    finding = rate.check(attempt(), rate.Settings(), context)
    assert finding.status == CLEAR
    assert finding.facts == {
        "rate.caller.attempts_1m": 1,
        "rate.caller.attempts_1h": 3,
        "rate.trunk.attempts_1m": 2,
        "rate.trunk.attempts_1h": 4,
    }
    assert sorted(finding.facts) == sorted(spec.name for spec in rate.FACTS)


def test_a_caller_without_a_number_has_no_rate() -> None:
    counters = Counters()
    counters.count("carrier", "", 10.0)
    context = Context(Lists({}), counters, CertificateStore(), Replays())
    facts = rate.check(attempt(shown="<sip:anonymous@anonymous.invalid>"), rate.Settings(), context).facts
    assert facts == {"rate.trunk.attempts_1m": 1, "rate.trunk.attempts_1h": 1}
