"""Signing in a configuration: what it loads to, what each mistake says and where."""

from __future__ import annotations

import os
import pickle
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from sipguard.screening.policy.model import OneOf
from sipguard.screening.trunk import AttestRule
from sipguard.service.doctor import files
from sipguard.service.doctor import signers as doctor_signers
from sipguard.service.doctor.examination import case_of
from sipguard.service.signers import Signers, line
from sipguard.settings.load import Loaded, load
from sipguard.settings.model import Config
from sipguard.settings.service import Service, written
from sipguard.settings.signing import Unusable, read_key
from sipguard.settings.sources import READ
from sipguard.stir.revocation import Crl, read_crl
from tests.pki import Holder, Pki, crl, revoked

PKI = Pki()
LEAF, OTHER, EXPIRED = PKI.leaf(spc="709J"), PKI.leaf(spc="709J"), PKI.leaf(days=5)

CONFIG = """\
site: dc1
node: n1
listeners:
  main: {address: 127.0.0.1, port: 5060}
trunks:
  core: {kind: interconnect, peers: ["192.0.2.9"]}
  customer:
    kind: origination
    sources: [192.0.2.0/28]
    route: core
    sign:
      by: own
      attest:
        - {when: {lists.caller: ours}, attest: A}
      divert_for: [ours]
signers:
  own: {certificate: own.pem, key: own.key, x5u: "https://certs.example/709J.pem"}
lists:
  ours: {members: ["+12025550101"], bind: [caller, shown]}
policy: {define: {known: {lists.caller: ours}}, rules: []}
run: {directory: run}
state: {directory: state}
journal: {directory: journal}
records: {database: records.sqlite}
"""


def loaded(directory: Path, old: str = "", new: str = "", key: bytes = LEAF.key_pem, pem: bytes = LEAF.pem) -> Loaded:
    """The configuration with one change."""
    (directory / "own.pem").write_bytes(pem)
    (directory / "own.key").write_bytes(key)
    (directory / "own.key").chmod(0o600)
    assert old in CONFIG
    path = directory / "sipguard.yaml"
    path.write_text(CONFIG.replace(old, new, 1) if old else CONFIG)
    return load(path, READ)


def said(found: Loaded) -> list[str]:
    """The problems but for that of anchors, without the path of the file."""
    texts = [str(each).rpartition("/sipguard.yaml:")[2] for each in found.problems]
    return [text for text in texts if "no anchors" not in text]


def test_a_customer_is_signed_for(tmp_path: Path) -> None:
    found = loaded(tmp_path)
    assert said(found) == []
    assert found.ruleset is not None
    rules = found.ruleset.trunks["customer"].sign
    assert rules is not None
    assert (rules.signer, rules.otherwise, rules.per_caller, rules.replaces) == ("own", "B", False, False)
    assert rules.rules == (AttestRule(OneOf("lists.caller", ("ours",)), "A"),)
    assert rules.divert_for == ("ours",)
    assert len(rules.origid) == 36
    assert found.ruleset.trunks["core"].add_identity
    assert not found.ruleset.trunks["customer"].add_identity
    assert LEAF.key_pem.split(b"\n")[1] not in pickle.dumps(found.ruleset)


@pytest.mark.parametrize(
    ("old", "new", "otherwise"),
    [
        ("kind: origination", "kind: gateway", "C"),
        ("      by: own\n", "      by: own\n      otherwise: none\n", ""),
        ("      by: own\n", "      by: own\n      otherwise: C\n", "C"),
    ],
    ids=["gateway", "none", "C"],
)
def test_what_is_attested_otherwise_goes_by_the_kind_of_trunk(
    tmp_path: Path, old: str, new: str, otherwise: str
) -> None:
    found = loaded(tmp_path, old, new)
    assert found.ruleset is not None
    rules = found.ruleset.trunks["customer"].sign
    assert rules is not None and rules.otherwise == otherwise


def test_a_condition_may_use_what_the_policy_defines(tmp_path: Path) -> None:
    assert said(loaded(tmp_path, "{lists.caller: ours}, attest: A", "{is: known}, attest: A")) == []


MISTAKES = {
    "unknown signer": ("by: own", "by: onw", "12: trunks.customer.sign.by: onw is no signer; did you mean own?"),
    "unknown fact": ("{lists.caller: ours}, attest: A", "{lists.caler: ours}, attest: B",
                     "14: trunks.customer.sign.attest[0].when.lists.caler: unknown fact lists.caler;"
                     " did you mean lists.caller?"),
    "unknown list": ("{lists.caller: ours}, attest: A", "{lists.caller: theirs}, attest: A",
                     "14: trunks.customer.sign.attest[0].when.lists.caller: unknown list theirs;"),
    "A for a whole trunk": ("{lists.caller: ours}, attest: A", "{trunk.name: customer}, attest: A",
                            "14: trunks.customer.sign.attest[0]: A says that the caller may use the number"),
    "A for anything not on a list": ("{lists.caller: ours}, attest: A", "{not: {lists.caller: ours}}, attest: A",
                                     "14: trunks.customer.sign.attest[0]: A says"),
    "A for either": ("{lists.caller: ours}, attest: A",
                     "{any: [{lists.caller: ours}, {call.anonymous: true}]}, attest: A",
                     "14: trunks.customer.sign.attest[0]: A says"),
    "A otherwise": ("by: own", "by: own\n      otherwise: A", "13: trunks.customer.sign.otherwise: "),
    "attest D": ("attest: A}", "attest: D}", "14: trunks.customer.sign.attest[0].attest: must not be D"),
    "origid": ("by: own", "by: own\n      origid: customer-1", "13: trunks.customer.sign.origid: customer-1"),
    "replace without verification": ("by: own", "by: own\n      replace: if_invalid", ""),
    "divert_for": ("divert_for: [ours]", "divert_for: [theirs]",
                   "15: trunks.customer.sign.divert_for[0]: theirs is no list of numbers"),
    "x5u over http": ("https://certs", "http://certs", "17: signers.own.x5u: http://certs.example/709J.pem is no"),
    "x5u with a query": ("709J.pem\"}", "709J.pem?x\"}", "17: signers.own.x5u: "),
    "no key": ("key: own.key", "key: none.key", "17: signers.own.key: "),
    "no variable": ("key: own.key", "key: own.key, passphrase_env: NO_SUCH_VARIABLE",
                    "17: signers.own.passphrase_env: there is no $NO_SUCH_VARIABLE in the environment"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "what"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_at_its_place(tmp_path: Path, old: str, new: str, what: str) -> None:
    if not what:
        found = loaded(tmp_path, "    route: core\n", "    route: core\n    verify: false\n")
        assert said(found) == []
        found = loaded(tmp_path, "    sign:\n", "    verify: false\n    sign:\n      replace: if_invalid\n")
        assert any("nobody verifies what comes by this trunk" in text for text in said(found))
        return
    found = loaded(tmp_path, old, new)
    assert found.errors
    line, _, words = what.partition(": ")
    assert any(text.startswith(f"{line}:") and words in text for text in said(found)), said(found)


def encrypted(passphrase: bytes) -> bytes:
    return LEAF.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase))


FILES = {
    "the key of another certificate": (OTHER.key_pem, LEAF.pem, "signers.own.key: ", "is not the key of the cert"),
    "encrypted": (encrypted(b"sesame"), LEAF.pem, "signers.own.key: ", "is encrypted; write passphrase: FILE"),
    "garbage": (b"garbage", LEAF.pem, "signers.own.key: ", "holds no private key in PEM"),
    "no certificate": (LEAF.key_pem, b"garbage", "signers.own.certificate: ", "cannot be used: pem_malformed"),
    "an authority first": (
        LEAF.key_pem,
        PKI.root.pem + LEAF.pem,
        "signers.own.certificate: ",
        "an authority; put your own certificate first",
    ),
    "expired": (EXPIRED.key_pem, EXPIRED.pem, "warning: signers.own.certificate: expired on", "calls leave unsigned"),
}


@pytest.mark.parametrize(("key", "pem", "where", "what"), FILES.values(), ids=FILES)
def test_files_are_checked(tmp_path: Path, key: bytes, pem: bytes, where: str, what: str) -> None:
    (text,) = said(loaded(tmp_path, key=key, pem=pem))
    assert where in text
    assert what in text


@pytest.mark.parametrize(("key", "pem", "where", "what"), list(FILES.values())[:5], ids=list(FILES)[:5])
def test_files_of_signers_keep_nothing_from_starting(
    tmp_path: Path, key: bytes, pem: bytes, where: str, what: str
) -> None:
    loaded(tmp_path, key=key, pem=pem)
    found = load(tmp_path / "sipguard.yaml")
    assert not found.errors
    assert found.ruleset is not None
    (text,) = [text for text in said(found) if "signers" in text]
    assert f"warning: {where}" in text
    assert "calls go on unsigned" in text


def test_a_missing_key_is_an_error_for_who_looks_and_stops_nobody_who_runs(tmp_path: Path) -> None:
    loaded(tmp_path)
    (tmp_path / "own.key").unlink()
    assert [str(each) for each in load(tmp_path / "sipguard.yaml", READ).errors] != []
    (text,) = [text for text in said(load(tmp_path / "sipguard.yaml")) if "signers" in text]
    assert "warning: signers.own.key: " in text
    assert "calls go on unsigned" in text


def test_signers_and_trunks_that_come_to_nothing_are_warned_of(tmp_path: Path) -> None:
    unused = loaded(tmp_path, "signers:\n", "signers:\n  two: {certificate: own.pem, key: own.key, x5u: "
                    '"https://certs.example/b.pem"}\n')  # fmt: skip
    assert any("warning: signers.two: nothing signs by it" in text for text in said(unused))
    nowhere = loaded(tmp_path, "core: {kind: interconnect", "core: {kind: interconnect, add_identity: false")
    assert any("no trunk wants signatures: nothing is signed" in text for text in said(nowhere))
    gateway = loaded(tmp_path, "kind: origination", "kind: gateway")
    assert any("a gateway does not know" in text for text in said(gateway))


@pytest.mark.parametrize(("otherwise", "warned"), [("B", True), ("C", False), ("none", False)])
def test_a_gateway_that_knows_its_customers_is_warned_of(tmp_path: Path, otherwise: str, warned: bool) -> None:
    kind = f"kind: gateway, sources: [192.0.2.0/28], route: core, sign: {{by: own, otherwise: {otherwise}}}"
    texts = said(
        loaded(tmp_path, "  customer:\n", f"  abroad: {{{kind}}}\n  customer:\n".replace("192.0.2.0", "192.0.2.32"))
    )
    wanted = "warning: trunks.abroad.sign.otherwise: B says that the customer is known"
    assert any(wanted in text for text in texts) is warned


# ------------------------------------------------------------------------------------------ keys


def test_a_passphrase_comes_from_a_file_or_the_environment(tmp_path: Path) -> None:
    (tmp_path / "word").write_bytes(b"sesame\n")
    by_file = loaded(tmp_path, "key: own.key", "key: own.key, passphrase: word", key=encrypted(b"sesame"))
    assert [text for text in said(by_file) if "can be read by everybody" not in text] == []
    assert by_file.ruleset is not None
    made = read_key("own", by_file.ruleset.signers["own"])
    assert made.signer().spc == "709J"
    assert "PRIVATE" not in repr(made)
    by_environment = loaded(tmp_path, "key: own.key", "key: own.key, passphrase_env: WORD", key=encrypted(b"sesame"))
    (text,) = said(by_environment)
    assert "$WORD" in text
    os.environ["WORD"] = "sesame"
    try:
        again = loaded(tmp_path, "key: own.key", "key: own.key, passphrase_env: WORD", key=encrypted(b"sesame"))
        assert said(again) == []
    finally:
        del os.environ["WORD"]


def test_changed_files_are_taken_once_they_stand_still_and_fit(tmp_path: Path) -> None:
    found = loaded(tmp_path)
    assert found.ruleset is not None
    signers = Signers()
    assert signers.take(found.ruleset.signers) == []
    first = signers.keys["own"]
    assert signers.look() == ([], [])
    (tmp_path / "own.pem").write_bytes(OTHER.pem)
    assert signers.look() == ([], []), "it may still be written"
    taken, problems = signers.look()
    assert (taken, len(problems)) == ([], 1)
    assert signers.keys["own"] is first
    assert signers.look() == ([], []), "said once"
    (tmp_path / "own.key").write_bytes(OTHER.key_pem)
    assert signers.look() == ([], [])
    assert signers.look() == (["own"], [])
    assert signers.keys["own"].chain == OTHER.pem
    (tmp_path / "own.key").unlink()
    signers.look()
    assert signers.look()[0] == []
    assert len(signers.take(found.ruleset.signers)) == 1
    assert signers.keys["own"].chain == OTHER.pem, "what was good stays"
    with pytest.raises(Unusable, match="cannot be read"):
        read_key("own", found.ruleset.signers["own"])


def test_doctor_says_until_when_a_certificate_signs(tmp_path: Path) -> None:
    leaf = PKI.leaf(days=20)
    loaded(tmp_path, key=leaf.key_pem, pem=leaf.pem)
    found = files.examine(case_of(tmp_path / "sipguard.yaml", {}))
    (diagnosis,) = [each for each in found if each.subject == "certificate of signer own"]
    assert diagnosis.level == "warning"
    assert "expires on" in diagnosis.what


API = "api: {signers: [own], attest_at_most: C, token: token}\nlists:"


def test_signers_over_http_are_named(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("open sesame, please")
    (tmp_path / "token").chmod(0o600)
    found = loaded(tmp_path, "lists:", API)
    assert said(found) == []
    assert found.service is not None
    assert (found.service.api_signers, found.service.api_attest_at_most) == (("own",), "C")
    plain = loaded(tmp_path).service
    assert plain is not None and (plain.api_signers, plain.api_attest_at_most) == ((), "B")
    assert any("oen is no signer" in each for each in said(loaded(tmp_path, "lists:", API.replace("own", "oen"))))
    without = loaded(tmp_path, "lists:", API.replace(", token: token", ""))
    assert any("api.signers: nothing is served without a token" in each for each in said(without))


# ------------------------------------------------------------------------------------------ how it stands with them


def crl_of(*leaves: Holder, number: int = 10) -> Crl:
    """A CRL in force that names these."""
    return read_crl(crl(PKI.root, revoked(*leaves), number=number), [PKI.root.certificate], time.time())


def test_status_says_until_when_a_signer_signs_and_what_was_refused(tmp_path: Path) -> None:
    found = loaded(tmp_path)
    assert found.ruleset is not None
    signers = Signers()
    signers.take(found.ruleset.signers)
    (good,) = signers.rows(None, time.time())
    assert line(good).startswith("own: valid until 20")
    (tmp_path / "own.key").unlink()
    signers.take(found.ruleset.signers)
    (kept,) = signers.rows(None, time.time())
    assert kept["usable"]
    assert "what lies on disk now is refused: " in line(kept)
    assert signers.lost_by(found.ruleset.signers) == [], "a reload of something else is not refused"
    elsewhere = {"two": found.ruleset.signers["own"]}
    (lost,) = signers.lost_by(elsewhere)
    assert lost.startswith("signers.two.key: ")
    fresh = Signers()
    fresh.take(found.ruleset.signers)
    (unusable,) = fresh.rows(None, time.time())
    assert line(unusable).startswith("own: unusable: ")
    assert line(unusable).endswith("; calls go on unsigned")


def test_a_revoked_certificate_of_our_own_is_told(tmp_path: Path) -> None:
    found = loaded(tmp_path)
    assert found.ruleset is not None
    signers = Signers()
    signers.take(found.ruleset.signers)
    (row,) = signers.rows(crl_of(LEAF), time.time())
    assert row["usable"], "it goes on to sign"
    assert "revoked by CRL 10; others refuse it with 437" in line(row)
    (other,) = signers.rows(crl_of(OTHER), time.time())
    assert other["revoked_by"] == ""


def test_doctor_tells_of_signers(tmp_path: Path) -> None:
    loaded(tmp_path)
    (good,) = doctor_signers.examine(case_of(tmp_path / "sipguard.yaml", {}))
    assert good.level == "ok"
    (tmp_path / "own.key").unlink()
    (bad,) = doctor_signers.examine(case_of(tmp_path / "sipguard.yaml", {}))
    assert bad.level == "problem"
    assert "own: unusable: " in bad.what
    status = {"signers": [{"signer": "own", "usable": True, "why": "", "valid_until": time.time(), "refused": "",
                            "revoked_by": "CRL 10"}]}  # fmt: skip
    (told,) = doctor_signers.examine(case_of(tmp_path / "sipguard.yaml", status))
    assert told.level == "problem"
    assert "revoked by CRL 10" in told.what


def test_an_origid_is_explained_without_a_pattern(tmp_path: Path) -> None:
    (text,) = said(loaded(tmp_path, "      by: own\n", "      by: own\n      origid: mine\n"))
    assert text.endswith("sign.origid: mine cannot stand here; write trunk, caller or a UUID")


def test_a_short_token_is_warned_of(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("sesame")
    (tmp_path / "token").chmod(0o600)
    (text,) = said(loaded(tmp_path, "lists:", API))
    assert "warning: api.token: the token has 6 characters" in text
    assert "openssl rand -hex 32" in text


def test_settings_are_named_as_they_are_written() -> None:
    names = ("api_port", "api_attest_at_most", "database", "records_interval_s", "journal_segment_bytes", "site")
    assert [written(each) for each in names] == [
        "api.port", "api.attest_at_most", "records.database", "records.interval", "journal.segment_size", "site",
    ]  # fmt: skip


def test_all_that_waits_for_a_restart_is_named_by_a_key_that_there_is() -> None:
    """`written` for each member of Service that a reload compares."""
    whole = {"fetch", "dns", "trust", "anchors", "verification", "hep"}  # parts of their own, taken up by a reload
    for field in fields(Service):
        if field.name not in whole:
            shape: Any = Config
            for key in written(field.name).split("."):
                assert key in shape.model_fields, field.name
                shape = shape.model_fields[key].annotation
