"""A call explained: every step is there, and in words."""

from __future__ import annotations

import msgspec
import pytest

from sipguard.b2bua.frames import AnswerFrame, EndFrame, Frame, VerdictFrame, decode, encode
from sipguard.records.explain import explain
from sipguard.records.judged_by import JudgedBy
from sipguard.records.listed import CONFIGURATION, FILE, IMPORT, MISSING, UNKNOWN, Base, ListedBy
from sipguard.records.record import Batch, Record
from sipguard.records.step import Explanation, tn, written
from sipguard.screening.listspec import ListSpec
from sipguard.screening.policy.model import Policy
from tests.records import samples


def record_of(*frames: Frame) -> Record:
    batch = Batch()
    for n, frame in enumerate(frames):
        batch.add("0", 1, 64 + n, frame)
    record = batch.record("d-1")
    assert record is not None
    return record


def explained(verdict: VerdictFrame, answer: AnswerFrame | None = None, end: EndFrame | None = None) -> Explanation:
    frames = [frame for frame in (verdict, answer, end) if frame is not None]
    stored = decode(encode(verdict))
    assert isinstance(stored, VerdictFrame)
    return explain(record_of(*frames), stored, answer, end)


def text_of(explanation: Explanation) -> str:
    return "\n".join(explanation.lines())


def test_an_answered_call_has_all_steps() -> None:
    explanation = explained(samples.verdict(), samples.answer(), samples.ended())
    assert [step.kind for step in explanation.steps] == [
        "arrival", "guard", "check", "check", "not_asked", "verdict", "route", "try", "ringing", "try",
        "answer", "end",
    ]  # fmt: skip
    text = text_of(explanation)
    for part in (
        "Decision d-1, 2026-01-01 00:00:00.000+00:00",
        "INVITE from +12025550101 to +12025550102 on trunk carrier-a, from 192.0.2.1:5060 (udp,",
        "trunk.kind = interconnect",
        "not an emergency call",
        "check number has no objection: ok; what it saw:",
        "number.shown.class = ok",
        "check lists found something: listed; what it saw:",
        "lists.shown = dno",
        "lists.callee = none",
        "not asked, since it could not change the verdict: rate",
        "verdict allow by rule default; Ruleset r7, 250 us after receipt",
        "forwarded by trunk core",
        "+1.000 s  the callee was alerted",
        "+3.000 s  answered by 192.0.2.9:5060",
        "leg b = Call-ID b@192.0.2.5, at 192.0.2.9:5060",
        "peer 192.0.2.8:5060: no answer",
        "+3.000 s  peer 192.0.2.9:5060: 200",
        "ended, answered: it was answered and ended by a BYE; final answer 200 OK",
        "; BYE by leg a; it lasted 60.0 s",
    ):
        assert part in text, part


def test_each_check_has_its_time_and_its_waits() -> None:
    verdict = samples.verdict(
        findings=[("lists", "clear", ""), ("identity", "clear", "passed")],
        received_mono=1000.0,
        runs=[("lists", 1000.0001, 1000.00012), ("identity", 1000.0002, 1000.0003), ("identity", 1000.05, 1000.0502)],
        screen_us=50_290,
    )
    timed = [step for step in explained(verdict).steps if step.after_us is not None and step.kind in ("check", "wait")]
    assert [(step.kind, step.after_us, step.took_us) for step in timed] == [
        ("check", 120, 20), ("wait", 300, 100), ("check", 50_200, 200),
    ]  # fmt: skip
    text = text_of(explained(verdict))
    for part in (
        "+100 us  emergency guard: not an emergency call; read, admitted and guarded within 100 us",
        "+120 us  check lists has no objection, in 20 us; what it saw:",
        "+300 us  check identity lacks a certificate, and waits",
        "+0.050 s  check identity has no objection: passed, in 200 us",
        "rules were asked for 80 us between the checks, and decided within 90 us after the last one, with routing and",
    ):
        assert part in text, part


@pytest.mark.parametrize(
    ("changes", "guard", "asked"),
    [
        ({"received_mono": 0.0}, None, False),
        ({"emergency": "dialled 911", "rule": "emergency"}, 250, False),
        ({"emergency": "dialled 911", "rule": "emergency", "runs": [("identity", 5.00004, 5.0001)]}, 40, False),
        ({"runs": [("lists", 5.00005, 5.0001)]}, 50, True),
        ({}, 250, False),
    ],
    ids=["a frame of before", "emergency", "emergency, verified", "one check", "no check"],
)
def test_times_stand_only_where_they_were_read(changes: dict[str, object], guard: int | None, asked: bool) -> None:
    steps = explained(samples.verdict(**({"received_mono": 5.0} | changes))).steps
    assert [step.after_us for step in steps if step.kind == "guard"] == [guard]
    assert any(step.text.startswith("rules were asked, and decided within") for step in steps) == asked


@pytest.mark.parametrize(
    ("by", "text"),
    [
        (ListedBy("shown", "dno", "1202555*", 0, "", 0.0, "", 0.0, 0, FILE, 3),
         "its file, as that is now, +1202555*, line 3"),
        (ListedBy("upstream", "dno", "192.0.2.0/24", 0, "", 0.0, "", 0.0, 0, CONFIGURATION,
                  base=Base(1.0, 0.0, "", 0.0, 0.0, "", ("the configuration",))),
         "the configuration, 192.0.2.0/24"),
        (ListedBy("signer", "dno", "", 0, "", 0.0, "", 0.0, 0, UNKNOWN), "by which entry cannot be told any more"),
        (ListedBy("pair", "dno", "", 0, "", 0.0, "", 0.0, 0, MISSING),
         "whether pair is on dno was not known: the list was missing"),
    ],
    ids=["file", "configuration", "unknown", "missing"],
)  # fmt: skip
def test_an_entry_that_nobody_edited(by: ListedBy, text: str) -> None:
    spec = ListSpec("dno", owner="fraud desk", version="7")
    force = JudgedBy(Policy(()), {}, {"dno": spec})
    explanation = explain(record_of(samples.verdict()), samples.verdict(), by=force, listed=(by,))
    (step,) = [step for step in explanation.steps if step.kind == "listed"]
    assert step.text.endswith(text)
    assert step.facts == {"list owner": "fraud desk", "list version": "7"}


def test_of_an_import_who_made_it_when_and_its_version_is_told() -> None:
    at = samples.AT
    base = Base(at - 60, at + 60, "a1", at - 3600, at - 120, "eve", ("dnc.txt",), True)
    listed = ListedBy("shown", "dno", "12025550101", 0, "", 0.0, "", 0.0, 0, IMPORT, base=base)
    explanation = explain(record_of(samples.verdict()), samples.verdict(), listed=(listed,))
    (step,) = [step for step in explanation.steps if step.kind == "listed"]
    assert step.text == "shown is on dno by its import, +12025550101"
    assert step.facts == {
        "list version": "a1",
        "imported by": "eve",
        "imported at": "2025-12-31 23:58:00+00:00",
        "data of": "2025-12-31 23:00:00+00:00",
        "made of": ("dnc.txt",),
        "in force from": "2025-12-31 23:59:00+00:00",
        "in force until": "2026-01-01 00:01:00+00:00",
    }


def test_who_put_a_number_on_a_list_is_told() -> None:
    listed = ListedBy("shown", "blocked", "1202555*", 7, "ann", samples.AT - 60, "complaint 4711", samples.AT + 60, 9)
    explanation = explain(record_of(samples.verdict()), samples.verdict(), listed=(listed,))
    (step,) = [step for step in explanation.steps if step.kind == "listed"]
    assert step.text == "shown is on blocked by an edit, +1202555*; taken back since, by change 9"
    assert step.facts == {
        "change": 7,
        "by": "ann",
        "at": "2025-12-31 23:59:00+00:00",
        "reason": "complaint 4711",
        "until": "2026-01-01 00:01:00+00:00",
    }


def test_peers_with_a_mark_are_named() -> None:
    marked = (("192.0.2.7:5060", "retry_after"), ("192.0.2.8:5060", "probed"))
    text = text_of(explained(samples.verdict(), end=samples.ended(marked=marked)))
    assert "peer 192.0.2.7:5060 asked for silence by Retry-After; passed over" in text
    assert "peer 192.0.2.8:5060 does not answer OPTIONS; tried" in text


@pytest.mark.parametrize(
    ("verdict", "parts"),
    [
        (samples.rejected(), ("verdict reject by rule dno, basis dno, answered 403;", "ended, rejected:")),
        (
            samples.rejected(mode="report", route="core"),
            ("would have been answered 403; mode report: recorded", "forwarded by trunk core", "it lasts"),
        ),
        (samples.rejected(mode="bypass", route="core"), ("mode bypass: forwarded untouched",)),
        (samples.verdict(emergency="911 dialled"), ("emergency guard: admitted (911 dialled)",)),
        (samples.verdict(asserted="12025550103", caller="12025550103"), ("says +12025550103 and counts",)),
        (samples.verdict(asserted="12025550103"), ("says +12025550103 and is not trusted on this trunk",)),
        (
            samples.verdict(findings=[("identity", "failed", "late")], unscreened=["identity"]),
            ("check identity failed: late; no condition on its facts matches, not even under `not`",),
        ),
        (
            samples.verdict(matched=["tag", "spam"], reported=["campaign"], tags=["own"], verstat="None"),
            ("rules that matched: tag, spam", "have acted: campaign", "tags: own", "verstat=None"),
        ),
        (samples.verdict(route=""), ("no route",)),
        (samples.verdict(shown=""), ("INVITE from no number to",)),
    ],
    ids=["rejected", "report", "bypass", "emergency", "trusted PAI", "untrusted PAI", "failed check", "rules",
         "no route", "no number"],
)  # fmt: skip
def test_what_a_verdict_says(verdict: VerdictFrame, parts: tuple[str, ...]) -> None:
    text = text_of(explained(verdict))
    for part in parts:
        assert part in text, part


def test_facts_stand_with_their_check_only() -> None:
    explanation = explained(samples.verdict())
    shown = [name for step in explanation.steps for name in step.facts]
    assert sorted(shown) == sorted(["Call-ID", *samples.FACTS])


def test_a_call_whose_journal_is_gone_is_told_from_its_row() -> None:
    record = record_of(samples.verdict(), samples.answer(), samples.ended())
    explanation = explain(record, None)
    text = text_of(explanation)
    assert "findings and facts are no longer kept" in text
    assert "verdict allow by rule default; mode enforce, Ruleset r7, identity not asked" in text
    assert "answered by 192.0.2.9:5060" in text
    assert "it lasted 60.0 s" in text
    assert explanation.head == b""


def test_a_call_that_lasts() -> None:
    explanation = explained(samples.verdict(), samples.answer())
    assert explanation.steps[-1].text == "it lasts, or its end is not loaded yet"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "to leave by trunk core; not forwarded: no peer was tried"),
        ({"forward_us": 300, "disposition": "cancelled"}, "forwarded by trunk core"),
        ({"tries": [("192.0.2.8:5060", 0)]}, "forwarded by trunk core"),
        ({"disposition": "lost"}, "forwarded by trunk core"),
    ],
)
def test_a_call_is_forwarded_when_an_invite_left(changes: dict[str, object], said: str) -> None:
    nothing = {"disposition": "unreachable", "final_status": 500, "tries": (), "forward_us": 0, "ring_at": 0.0}
    end = samples.ended(**(nothing | {"answer_at": 0.0, "peer": "", "bye_by": ""} | changes))
    (route,) = [step for step in explained(samples.verdict(), None, end).steps if step.kind == "route"]
    assert route.text == said
    (row,) = [step for step in explain(record_of(samples.verdict(), end), None).steps if step.kind == "route"]
    assert row.text.startswith("not forwarded; " if said.startswith("to leave") else "forwarded") or "tries" in changes


def test_the_json_form_is_json() -> None:
    told = explained(samples.verdict(), samples.answer(), samples.ended()).as_json()
    back = msgspec.json.decode(msgspec.json.encode(told))
    assert back["steps"][0]["kind"] == "arrival"
    assert back["head"].startswith("INVITE sip:")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        ((), "none"),
        (("a", "b"), "a, b"),
        (True, "true"),
        (False, "false"),
        (3.5, "3.5"),
        ("x", "x"),
    ],
)
def test_a_fact_in_words(value: object, text: str) -> None:
    assert written(value) == text


@pytest.mark.parametrize(("number", "text"), [("12025550101", "+12025550101"), ("911", "911"), ("", "no number")])
def test_a_number_in_words(number: str, text: str) -> None:
    assert tn(number) == text
