"""Which headers are marks."""

from __future__ import annotations

from sipguard.screening.marks import ATTESTING, SHARED, marks_of
from sipguard.screening.policy.model import AllOf, LabelSpec, Policy, Rule
from sipguard.screening.trunk import Trunk


def test_names_of_trunks_and_labels_are_marks_but_those_that_others_write_too() -> None:
    label = LabelSpec(headers=(("X-Score", "1"), ("Alert-Info", "<urn:alert:x>")))
    trunk = Trunk("hop", "origination", attestation_headers=("X-Level", "Reason"))
    assert marks_of(Policy((Rule("r", AllOf(()), label=label),)), [trunk]) == ATTESTING | {"x-score", "x-level"}
    assert not ATTESTING & SHARED
