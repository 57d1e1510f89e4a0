"""The store of certificates: lifetimes, failures, anchors, bounds (facts A6.4)."""

from datetime import timedelta
from random import Random
from sys import getrefcount

from cryptography.hazmat.primitives.hashes import SHA256

from sipguard.stir.certificate import NO_ANCHORS, Anchors, CertificateStore, Credential
from sipguard.stir.errors import BadIdentityInfo, StirError
from sipguard.stir.revocation import NO_CRL, Crl, read_crl
from tests import pki

PKI = pki.Pki()
OTHER = pki.Pki("Other SHAKEN ROOT")
NOW = PKI.now.timestamp()
ANCHORS = Anchors([PKI.root.certificate])
LEAF = PKI.leaf()
HONEST = [PKI.leaf() for _ in range(10)]
URL = "https://certs.example/709J.pem"
H = 3600.0
TIMEOUT = BadIdentityInfo("x5u_timeout")


def stocked(lifetime_s: float = 0.0) -> CertificateStore:
    """A store that got LEAF at NOW."""
    store = CertificateStore(ANCHORS)
    assert isinstance(store.put(URL, LEAF.pem, lifetime_s, NOW), Credential)
    return store


def reason(found: Credential | StirError | None) -> str:
    """What a lookup came to, as a word."""
    if found is None:
        return "fetch"
    return "credential" if isinstance(found, Credential) else found.reason


def test_what_is_not_known_must_be_fetched() -> None:
    assert CertificateStore(ANCHORS).get(URL, NOW) is None


def test_the_same_credential_is_answered_until_its_end() -> None:
    store = stocked()
    assert store.get(URL, NOW + 1) is store.get(URL, NOW + 24 * H - 1)
    assert store.get(URL, NOW + 24 * H) is None


def test_a_longer_lifetime_holds_and_a_shorter_one_is_24_hours() -> None:
    assert reason(stocked(60.0).get(URL, NOW + 23 * H)) == "credential"
    assert reason(stocked(48 * H).get(URL, NOW + 47 * H)) == "credential"
    assert reason(stocked(48 * H).get(URL, NOW + 48 * H)) == "fetch"


def test_nothing_is_kept_past_the_end_of_the_certificate() -> None:
    store = CertificateStore(ANCHORS)
    leaf = PKI.leaf(opens=PKI.now - timedelta(hours=23), days=1)
    store.put(URL, leaf.pem, 0.0, NOW)
    assert reason(store.get(URL, NOW + 0.9 * H)) == "credential"
    assert reason(store.get(URL, NOW + 1.1 * H)) == "fetch"


def test_failures_are_believed_longer_each_time() -> None:
    store, at = CertificateStore(ANCHORS), NOW
    for wait_s in (30.0, 60.0, 300.0, 300.0):
        store.put_failure(URL, TIMEOUT, at)
        assert reason(store.get(URL, at + 0.89 * wait_s)) == "x5u_timeout"
        assert reason(store.get(URL, at + 1.11 * wait_s)) == "fetch"
        at += 1000.0
    store.put(URL, LEAF.pem, 0.0, at)
    assert reason(store.get(URL, at)) == "credential"
    later = at + 25 * H
    store.put_failure(URL, TIMEOUT, later)
    assert reason(store.get(URL, later + 34.0)) == "fetch", "a success begins the count anew"


def test_a_failure_of_before_the_clock_was_set_back_is_not_believed_for_an_hour() -> None:
    store = CertificateStore(ANCHORS)
    store.put_failure(URL, TIMEOUT, NOW + H)
    assert reason(store.get(URL, NOW)) == "fetch"
    store.put_failure(URL, TIMEOUT, NOW)
    assert reason(store.get(URL, NOW)) == "x5u_timeout"


def test_a_failure_keeps_its_status_and_not_its_frames() -> None:
    store = CertificateStore(ANCHORS)
    try:
        raise TIMEOUT
    except BadIdentityInfo as error:
        store.put_failure(URL, error, NOW)
    found = store.get(URL, NOW)
    assert isinstance(found, BadIdentityInfo)
    assert (found.status, found.__traceback__) == (436, None)


def test_octets_that_do_not_validate_are_a_failure() -> None:
    store = CertificateStore(ANCHORS)
    found = store.put(URL, OTHER.leaf().pem, 0.0, NOW)
    assert (reason(found), reason(store.get(URL, NOW))) == ("chain_untrusted", "chain_untrusted")
    assert reason(store.get(URL, NOW + 40.0)) == "fetch"


def test_a_valid_predecessor_outlives_failures() -> None:
    store = stocked()
    store.put_failure(URL, TIMEOUT, NOW + H)
    store.put(URL, b"<html>", 0.0, NOW + H)
    assert reason(store.get(URL, NOW + H)) == "credential"


def test_a_certificate_is_due_at_80_percent_and_again_while_unanswered() -> None:
    store = stocked()
    assert store.due(NOW + 19 * H) == []
    assert store.due(NOW + 19.3 * H) == [URL]
    assert store.due(NOW + 19.3 * H + 299) == []
    assert store.due(NOW + 19.3 * H + 300) == [URL]
    store.put(URL, LEAF.pem, 0.0, NOW + 20 * H)
    assert store.due(NOW + 21 * H) == []
    assert store.due(NOW + 39.3 * H) == [URL]
    assert store.due(NOW + 45 * H) == [], "its life is over; who needs it fetches it"
    assert len(store) == 0


def test_other_anchors_judge_the_same_octets_anew() -> None:
    store = stocked()
    stranger = "https://certs.example/other.pem"
    store.put(stranger, OTHER.leaf().pem, 0.0, NOW)
    other = store.with_anchors(Anchors([OTHER.root.certificate]))
    assert reason(other.get(URL, NOW)) == "chain_untrusted"
    assert reason(other.get(stranger, NOW)) == "fetch", "it may be trusted now"
    assert reason(store.get(URL, NOW)) == "credential"
    assert reason(store.with_anchors(NO_ANCHORS).get(URL, NOW)) == "chain_untrusted"
    both = store.with_anchors(Anchors([OTHER.root.certificate, PKI.root.certificate]))
    assert both.get(URL, NOW) is both.get(URL, NOW), "judged once"


def test_a_failure_to_fetch_does_not_depend_on_anchors() -> None:
    store = CertificateStore(ANCHORS)
    store.put_failure(URL, TIMEOUT, NOW)
    assert reason(store.with_anchors(NO_ANCHORS).get(URL, NOW)) == "x5u_timeout"


def test_the_least_recently_used_goes_first() -> None:
    store = CertificateStore(ANCHORS, capacity=4)
    urls = [f"https://certs.example/{n}.pem" for n in range(5)]
    for url in urls[:4]:
        store.put(url, LEAF.pem, 0.0, NOW)
    store.get(urls[0], NOW)
    store.put(urls[4], LEAF.pem, 0.0, NOW)
    assert [reason(store.get(url, NOW)) for url in urls] == [
        "credential",
        "fetch",
        "credential",
        "credential",
        "credential",
    ]


def test_a_flood_of_failures_displaces_no_certificate() -> None:
    store = CertificateStore(ANCHORS, capacity=8)
    store.put(URL, LEAF.pem, 0.0, NOW)
    for n in range(1000):
        store.put_failure(f"https://{n}.example/a", TIMEOUT, NOW)
    assert reason(store.get(URL, NOW)) == "credential"
    assert len(store) == 3


def test_the_heap_of_due_urls_is_bounded() -> None:
    store = CertificateStore(ANCHORS, capacity=8)
    for n in range(1000):
        store.put(URL, LEAF.pem, 0.0, NOW + n)
    assert len(store._shelf.due) < 100
    assert store.due(NOW + 30 * H) == []


STI_PA = PKI.administrator()


def crl(*revoked: pki.Holder, days: float = 1.0) -> Crl:
    """A CRL that names these."""
    return read_crl(pki.crl(STI_PA, pki.revoked(*revoked), lasts=timedelta(days=days)), (STI_PA.certificate,), NOW)


def test_a_crl_that_is_swapped_in_revokes_what_is_cached() -> None:
    store = stocked()
    before = store.with_anchors(ANCHORS)  # that of a call that began earlier
    assert store.crl_stale(NOW) is None
    store.use_crl(crl(PKI.leaf()))
    assert reason(store.get(URL, NOW + 1)) == "credential" and store.crl_stale(NOW) is False
    store.use_crl(crl(LEAF))
    assert reason(store.get(URL, NOW + 1)) == reason(before.get(URL, NOW + 1)) == "certificate_revoked"
    store.use_crl(crl())
    assert reason(store.get(URL, NOW + 1)) == "credential"
    store.use_crl(crl(PKI.root))
    assert reason(store.get(URL, NOW + 1)) == "certificate_revoked"
    store.use_crl(None)
    assert reason(store.get(URL, NOW + 1)) == "credential"


def test_who_is_revoked_is_fetched_again_soon() -> None:
    store = stocked()
    store.use_crl(crl(LEAF))
    assert store.due(NOW + 1) == []
    assert reason(store.get(URL, NOW + 1)) == reason(store.get(URL, NOW + 1)) == "certificate_revoked"
    assert store.due(NOW + 1) == [URL]
    assert store.due(NOW + 2) == []
    store.put(URL, PKI.leaf().pem, 0.0, NOW + 2)
    assert reason(store.get(URL, NOW + 2)) == "credential"


def test_who_is_revoked_and_not_replaced_is_asked_at_intervals() -> None:
    store = stocked()
    store.use_crl(crl(LEAF))
    for at in (NOW + 1, NOW + 303, NOW + 605):
        assert reason(store.get(URL, at)) == "certificate_revoked"
        assert store.due(at) == [URL]
        store.put(URL, LEAF.pem, 0.0, at + 1)
        assert reason(store.get(URL, at + 2)) == "certificate_revoked"
        assert store.due(at + 299) == []
    store.use_crl(crl())
    assert reason(store.get(URL, NOW + 700)) == "credential"


def test_a_revoked_copy_from_disk_is_asked_for_at_once() -> None:
    store = stocked()
    store.use_crl(crl(LEAF))
    assert reason(store.get(URL, NOW + 1)) == "certificate_revoked"
    store.put(URL, LEAF.pem, 0.0, NOW + 2, age_s=H)
    assert reason(store.get(URL, NOW + 3)) == "certificate_revoked"
    assert store.due(NOW + 3) == [URL]
    store.put(URL, HONEST[0].pem, 0.0, NOW + 4)
    assert reason(store.get(URL, NOW + 4)) == "credential"


def test_who_signs_by_another_key_is_fetched_anew_and_nobody_can_have_it_asked_more_often() -> None:
    store = stocked()
    store.doubt("https://certs.example/stranger.pem", NOW)
    store.doubt(URL, NOW + 299)
    assert store.due(NOW + 299) == [], "it was fetched just now"
    store.doubt(URL, NOW + 301)
    assert reason(store.get(URL, NOW + 301)) == "credential", "it serves meanwhile"
    assert store.due(NOW + 301) == [URL]
    for second in range(302, 600):
        store.doubt(URL, NOW + second)
        assert store.due(NOW + second) == []
    new = PKI.leaf()
    store.put(URL, new.pem, 0.0, NOW + 600)
    found = store.get(URL, NOW + 600)
    assert isinstance(found, Credential) and found.sha256 != LEAF.certificate.fingerprint(SHA256()).hex()


def test_a_copy_that_was_fetched_later_elsewhere_takes_the_place_of_another() -> None:
    store = stocked()
    before = store.get(URL, NOW + 1)
    store.hold(URL, LEAF.pem, 0.0, NOW + 9, 1.0, NOW)
    assert store.get(URL, NOW + 9) is before
    store.hold(URL, PKI.leaf().pem, 0.0, NOW + 9, 20.0, NOW)
    assert store.get(URL, NOW + 9) is before, "it is older"
    store.hold(URL, PKI.leaf().pem, 0.0, NOW + 9, 1.0, NOW)
    assert store.get(URL, NOW + 9) is not before


def test_a_crl_is_asked_again_where_other_anchors_trust_another_path() -> None:
    above = OTHER.authority("Example SHAKEN ROOT X", extensions=pki.authority_extensions())
    crossed = PKI.issue(above, PKI.root.certificate.subject, PKI.root.key, pki.authority_extensions(), PKI.now, 90)
    store = CertificateStore(Anchors([crossed.certificate]))
    store.put(URL, LEAF.pem, 0.0, NOW + 1)
    store.use_crl(crl(crossed))
    assert reason(store.get(URL, NOW + 1)) == "certificate_revoked"
    assert reason(store.with_anchors(ANCHORS).get(URL, NOW + 1)) == "credential"


def test_a_stale_crl_still_revokes_and_refuses_all_only_where_it_must() -> None:
    store = stocked()
    at = NOW + 2 * H
    store.use_crl(crl(days=1 / 24))
    assert store.crl_stale(at) is True and reason(store.get(URL, at)) == "credential"
    store.use_crl(crl(days=1 / 24), required=True)
    assert reason(store.get(URL, NOW)) == "credential" and reason(store.get(URL, at)) == "crl_stale"
    store.use_crl(crl(LEAF, days=1 / 24), required=True)
    assert reason(store.get(URL, at)) == "certificate_revoked"
    store.use_crl(NO_CRL)
    assert store.crl_stale(NOW) is True and reason(store.get(URL, NOW)) == "credential"
    store.use_crl(NO_CRL, required=True)
    assert reason(store.get(URL, NOW)) == "crl_stale"


def test_anchors_can_be_joined() -> None:
    assert ANCHORS.joined(ANCHORS) is ANCHORS and ANCHORS.joined(NO_ANCHORS) is ANCHORS
    both = ANCHORS.joined(Anchors([OTHER.root.certificate]))
    assert len(both) == 2 and both.revision == Anchors([OTHER.root.certificate, PKI.root.certificate]).revision


def test_nothing_that_nobody_was_asked_is_believed_for_long() -> None:
    store = CertificateStore(ANCHORS)
    for _ in range(3):
        store.put_failure(URL, BadIdentityInfo("x5u_busy"), NOW)
        assert reason(store.get(URL, NOW + 4.4)) == "x5u_busy"
        assert reason(store.get(URL, NOW + 5.6)) == "fetch"
    store.put_failure(URL, TIMEOUT, NOW)
    assert reason(store.get(URL, NOW + 34.0)) == "fetch", "it was the first failure"


def test_a_failure_is_tried_again_before_it_ends_where_calls_ask() -> None:
    store = CertificateStore(ANCHORS)
    other = "https://certs.example/other.pem"
    for url in (URL, other):
        store.put_failure(url, TIMEOUT, NOW)
    store.get(URL, NOW + 1)
    store.get(URL, NOW + 2)
    assert store.retries(NOW + 23.0) == []
    assert store.retries(NOW + 33.0) == [URL]
    assert store.retries(NOW + 400.0) == []
    store.put_failure(URL, TIMEOUT, NOW + 31.0)
    assert store.retries(NOW + 400.0) == [], "nobody asked since"


def test_a_copy_is_as_old_as_it_says() -> None:
    store = CertificateStore(ANCHORS)
    store.put(URL, LEAF.pem, 0.0, NOW, age_s=23 * H)
    assert store.due(NOW + 9.0) == []
    assert store.due(NOW + 11.0) == [URL], "it is past 80 %"
    assert reason(store.get(URL, NOW + 0.9 * H)) == "credential"
    assert reason(store.get(URL, NOW + 1.1 * H)) == "fetch"


def test_what_is_held_is_looked_at_when_it_is_needed() -> None:
    store = CertificateStore(ANCHORS)
    store.hold(URL, LEAF.pem, 48 * H, NOW, H, NOW - 5.0)
    assert store.used_at(URL) == NOW - 5.0
    assert reason(store.get(URL, NOW)) == "credential"
    assert store.used_at(URL) == NOW
    assert store.counts() == (1, 0, 0, 1, 0)
    store.hold(URL, b"no certificate", 48 * H, NOW, H, NOW)
    assert reason(store.get(URL, NOW + 46 * H)) == "credential", "what is known already stays"
    assert reason(store.get(URL, NOW + 47 * H)) == "fetch"


def test_what_is_held_and_does_not_hold_is_fetched_anew() -> None:
    store = CertificateStore(ANCHORS)
    store.hold(URL, OTHER.leaf().pem, 48 * H, NOW, H, NOW)
    assert reason(store.get(URL, NOW)) == "fetch"
    assert store.wants_anew(URL)
    store.hold(URL, LEAF.pem, 24 * H, NOW, 24 * H, NOW)
    assert reason(store.get(URL, NOW)) == "fetch", "it is dead"
    store.put(URL, LEAF.pem, 0.0, NOW)
    assert store.wants_anew(URL), "who asks for what is there wants it renewed"
    assert not store.wants_anew("https://certs.example/new.pem")


def test_one_certificate_under_any_number_of_urls_pushes_no_other_out() -> None:
    store, chance = CertificateStore(ANCHORS, capacity=200), Random(4)
    honest = [f"https://{n}.example/a.pem" for n in range(100)]
    for n, url in enumerate(honest):
        store.put(url, HONEST[n % len(HONEST)].pem, 0.0, NOW)
    store.put(URL, LEAF.pem, 0.0, NOW)
    for n in range(2000):  # by whoever likes, since certificates are public
        store.put(f"https://{chance.randrange(1 << 40)}.flood.example/{n}", LEAF.pem, 0.0, NOW + n)
        if n % 20 == 0:
            assert reason(store.get(URL, NOW + n)) == "credential", "it is in use"
    assert [url for url in honest if reason(store.get(url, NOW + 2000)) != "credential"] == []
    assert store.counts()[3] == 200
    later = NOW + 40 * H
    assert store.due(later) == []
    assert (store._shelf.kept, store._shelf.leaves, store._shelf.greedy) == ({}, {}, set()), "nothing is left of it"


def test_a_certificate_under_a_few_urls_is_no_flood() -> None:
    store = CertificateStore(ANCHORS, capacity=10)
    store.put(URL, LEAF.pem, 0.0, NOW)
    for n in range(10):
        store.put(f"https://certs.example/{n}", HONEST[0].pem, 0.0, NOW + n + 1)
    assert reason(store.get(URL, NOW + 20)) == "fetch", "it was the least recently used"


def test_octets_that_failed_are_not_kept() -> None:
    """Only that some came is asked later."""
    store = CertificateStore(ANCHORS)
    octets = b"-----BEGIN CERTIFICATE-----\n" + bytes(60_000)
    store.put(URL, octets, 0.0, NOW)
    assert store.wants_anew(URL)
    assert getrefcount(octets) == 2
