"""Trust list and CRL kept fresh: waits, files, disk, what replaces what, what the worker and the log are told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509
from structlog.testing import capture_logs

from sipguard.net.sources import Guard, SourceSettings, TrustSettings
from sipguard.service.refreshing import Refreshing, octets_of
from sipguard.service.trust import Source, at_start, wait_s
from sipguard.service.trusted import Trusts, advice, row
from sipguard.service.trusting import CRL, TRUST_LIST, SourceState
from sipguard.stir.revocation import NO_CRL
from tests import pki

PKI = pki.Pki()
NOW = PKI.now.timestamp()
STI_PA = PKI.administrator()
CAS = [PKI.authority(f"Example SHAKEN CA {n}") for n in range(4)]
LEAF = PKI.leaf()
H = 3600.0
ASK = partial(octets_of, Guard())


@pytest.fixture
def settings(tmp_path: Path) -> TrustSettings:
    """Both from files, signed."""
    (tmp_path / "sti-pa.pem").write_bytes(STI_PA.pem)
    signers = (str(tmp_path / "sti-pa.pem"),)
    listed = SourceSettings(TRUST_LIST, file=str(tmp_path / "list"), signers=signers)
    crl = SourceSettings(CRL, file=str(tmp_path / "crl"), signers=signers)
    return TrustSettings((listed, crl), str(tmp_path / "trust"))


def write(settings: TrustSettings, listed: bytes | None = None, crl: bytes | None = None) -> None:
    """What the files hold from now on."""
    for each, octets in zip(settings.sources, (listed, crl), strict=True):
        if octets is not None:
            Path(each.file).write_bytes(octets)


def both(settings: TrustSettings, at: float = NOW) -> tuple[Source, Source]:
    """The sources as a process that starts at `at` has them."""
    listed, crl = at_start(settings, at)
    return listed, crl


STATE = SourceState(TRUST_LIST, "https://sti-pa.example/list", fetched_at=NOW, stale_at=NOW + 48 * H)
WAITS = {
    "the interval": (STATE, 0, 0.0, 6 * H),
    "what is left of it": (STATE, 0, 5 * H, H),
    "its end is nearer": (replace(STATE, stale_at=NOW + 2 * H), 0, 0.0, 1.8 * H),
    "not all the time at its end": (replace(STATE, stale_at=NOW + 1), 0, 0.0, 60.0),
    "one failure": (STATE, 1, 0.0, 60.0),
    "three failures": (STATE, 3, 0.0, 240.0),
    "many failures": (STATE, 1000, 0.0, H),
    "never had": (SourceState(TRUST_LIST, "x"), 0, 0.0, 0.0),
}


@pytest.mark.parametrize(("state", "failed", "after_s", "expected"), WAITS.values(), ids=WAITS)
def test_when_it_is_tried_again(state: SourceState, failed: int, after_s: float, expected: float) -> None:
    settings = SourceSettings(TRUST_LIST)
    assert wait_s(settings, state, failed, NOW + after_s, 0.5) == pytest.approx(expected)
    assert wait_s(settings, state, failed, NOW + after_s, 0.0) == pytest.approx(0.9 * expected)
    assert wait_s(settings, state, failed, NOW + after_s, 1.0) == pytest.approx(1.1 * expected)


def test_a_short_interval_is_not_made_longer_by_failures() -> None:
    assert wait_s(SourceSettings(CRL, refresh_s=5.0), STATE, 9, NOW, 0.5) == 5.0


def test_what_was_had_is_in_force_at_the_next_start_without_its_file(settings: TrustSettings) -> None:
    write(settings, pki.trust_list(STI_PA, CAS, version=7), pki.crl(STI_PA, pki.revoked(LEAF), number=5))
    assert [each.state.error for each in both(settings)] == ["", ""]
    for each in settings.sources:
        Path(each.file).unlink()
    listed, crl = both(settings, NOW + 60)
    assert (listed.state.version, listed.state.entries, listed.state.fetched_at) == ("7", 4, NOW)
    assert (crl.state.version, crl.state.entries, crl.state.stale_at - crl.state.issued_at) == ("5", 1, 24 * H)
    assert listed.state.stale_at == NOW + 48 * H
    assert "No such file" in listed.state.error and listed.state.failures == 1


def test_what_lies_on_disk_is_checked_again(settings: TrustSettings, tmp_path: Path) -> None:
    write(settings, pki.trust_list(STI_PA, CAS), pki.crl(STI_PA))
    both(settings)
    for each in settings.sources:
        Path(each.file).unlink()
    kept = tmp_path / "trust" / "crl"
    kept.write_bytes(kept.read_bytes()[:-4] + b"abcd")
    (tmp_path / "trust" / "trust_list").write_bytes(b"\xff")
    assert [each.material for each in both(settings)] == [None, None]
    assert all(each.state.stale(NOW) for each in both(settings))


def test_another_signer_takes_what_was_kept_out_of_force(settings: TrustSettings, tmp_path: Path) -> None:
    write(settings, pki.trust_list(STI_PA, CAS), pki.crl(STI_PA))
    both(settings)
    (tmp_path / "sti-pa.pem").write_bytes(PKI.administrator().pem)
    listed, crl = both(settings)
    assert listed.material is crl.material is None
    assert ("jws_signature" in listed.state.error, "crl_signature" in crl.state.error) == (True, True)
    assert advice(listed.state) == advice(crl.state) != ""
    (tmp_path / "sti-pa.pem").unlink()
    assert "signers_unreadable" in both(settings)[1].state.error


REFUSED = {
    "list_malformed": pki.sign(b'{"alg":"ES256"}', b"{}", STI_PA.key).encode(),
    "list_shrunk": pki.trust_list(STI_PA, CAS[:1], version=8),
    "list_older": pki.trust_list(STI_PA, CAS, version=6),
    "jws_malformed": b"<html>",
}


@pytest.mark.parametrize("reason", REFUSED)
async def test_what_must_not_be_used_leaves_the_one_before(settings: TrustSettings, reason: str) -> None:
    write(settings, pki.trust_list(STI_PA, CAS, version=7), pki.crl(STI_PA))
    listed, _ = both(settings)
    write(settings, REFUSED[reason])
    before = listed.material
    assert await listed.refresh(ASK) is False
    assert listed.material is before and listed.state.version == "7" and reason in listed.state.error
    write(settings, pki.trust_list(STI_PA, CAS[:3], version=8))
    assert await listed.refresh(ASK) is True
    assert (listed.state.version, listed.state.error, listed.state.failures) == ("8", "", 1)


async def test_an_old_crl_is_not_taken_for_a_new_one(settings: TrustSettings) -> None:
    write(settings, pki.trust_list(STI_PA, CAS), pki.crl(STI_PA, pki.revoked(LEAF)))
    _, crl = both(settings)
    write(settings, crl=pki.crl(STI_PA, issued=PKI.now - timedelta(hours=9), lasts=timedelta(days=9)))
    assert await crl.refresh(ASK) is False
    assert crl.state.entries == 1 and "crl_older" in crl.state.error


async def test_another_place_is_not_compared_with_the_one_before(settings: TrustSettings, tmp_path: Path) -> None:
    write(settings, pki.trust_list(STI_PA, CAS, version=7), pki.crl(STI_PA))
    both(settings)
    (tmp_path / "other").write_bytes(pki.trust_list(STI_PA, CAS[:1], version=1))
    other = TrustSettings((replace(settings.sources[0], file=str(tmp_path / "other")),), settings.directory)
    (listed,) = at_start(other, NOW)
    assert (listed.state.version, listed.state.error) == ("1", "")


def test_a_disk_that_is_full_costs_the_restart_only(settings: TrustSettings, tmp_path: Path) -> None:
    write(settings, pki.trust_list(STI_PA, CAS), pki.crl(STI_PA))
    (tmp_path / "trust").write_bytes(b"no directory")
    listed, _ = both(settings)
    assert listed.material is not None and "not kept over a restart" in listed.state.error


def test_the_worker_is_told_of_changes_once(settings: TrustSettings) -> None:
    write(settings, pki.trust_list(STI_PA, CAS, version=7), pki.crl(STI_PA, number=5))
    listed, crl = both(settings)
    trusts = Trusts()
    assert trusts.at_start().version == ""
    trusts.begin([listed, crl])
    first = trusts.at_start()
    assert first.version == "trust list 7, CRL 5" and first.crl is crl.material
    assert first.notes == ("trust list 7 in force: 4 authorities", "CRL 5 in force: 0 revoked")
    assert trusts.note(crl.state, None) is None
    assert trusts.note(replace(crl.state, error="timeout", tried_at=NOW + 1), None) is None
    write(settings, crl=pki.crl(STI_PA, pki.revoked(LEAF), number=6))
    crl.read_file(NOW)
    told = trusts.note(crl.state, crl.material)
    assert told is not None and told.notes == ("CRL 6 in force: 1 revoked",) and told.pem == first.pem
    assert trusts.note(replace(crl.state, place="elsewhere"), None) is None
    assert [each["version"] for each in trusts.as_json()] == ["7", "6"]


def test_the_log_hears_once_of_what_is_odd_and_in_force(settings: TrustSettings) -> None:
    point = (x509.IssuingDistributionPoint(None, None, True, False, None, True, False), True)
    partial = pki.crl(STI_PA, number=5, indirect=False, extensions=[point])
    write(settings, pki.trust_list(STI_PA, CAS, version=7), pki.crl(STI_PA, number=4))
    listed, crl = both(settings)
    trusts = Trusts()
    with capture_logs() as heard:
        trusts.begin([listed, crl])
        write(settings, crl=partial)
        crl.read_file(NOW)
        trusts.note(crl.state, crl.material)
        trusts.note(replace(crl.state, tried_at=NOW + 1), None)
    odd = [each for each in heard if each["event"] == "trust_odd"]
    assert [(each["source"], each["version"], each["remarks"]) for each in odd] == [("crl", "5", ["only_user_certs"])]
    assert trusts.as_json()[1]["remarks"] == ["only_user_certs"]
    with capture_logs() as heard:
        Trusts().begin([listed, crl])
    assert [each["event"] for each in heard] == ["trust_odd"]


def test_a_stale_list_counts_for_nothing_where_that_was_asked_for(settings: TrustSettings) -> None:
    strict = replace(settings, sources=tuple(replace(each, refuse_stale=True) for each in settings.sources))
    write(settings, pki.trust_list(STI_PA, CAS, version=7, exp=int(NOW) - 5))
    for given, trusted in ((settings, True), (strict, False)):
        trusts = Trusts()
        trusts.begin(both(given))
        told = trusts.at_start()
        assert bool(told.pem) is trusted
        assert told.crl is NO_CRL and told.crl_required is not trusted
        assert told.version == "trust list 7, CRL missing"


def test_a_row_says_what_to_do() -> None:
    good = row(STATE, NOW + 60)
    assert (good["age_s"], good["stale"], good["advice"]) == (60.0, False, "")
    none = row(SourceState(CRL, "https://sti-pa.example/crl"), NOW)
    assert (none["age_s"], none["stale"], none["fetched_at"]) == (None, True, None) and none["advice"]
    for error, word in (("list_shrunk: 3 of 4", "largest_loss"), ("crl_older", "older"), ("login_refused", "password")):
        assert word in advice(replace(STATE, error=error))


async def test_each_source_is_refreshed_and_told(settings: TrustSettings) -> None:
    import asyncio

    write(settings, pki.trust_list(STI_PA, CAS, version=7), pki.crl(STI_PA, number=5))
    told: list[tuple[str, str, bool]] = []
    enough = asyncio.Event()

    def tell(state: SourceState, material: object) -> None:
        told.append((state.name, state.version, material is not None))
        if len(told) == 4:
            enough.set()

    refreshing = Refreshing(tell)
    refreshing.use(settings)
    await asyncio.wait_for(enough.wait(), 10)
    refreshing.use(TrustSettings())
    assert sorted(told) == [
        ("crl", "", False),
        ("crl", "5", True),
        ("trust_list", "", False),
        ("trust_list", "7", True),
    ]
