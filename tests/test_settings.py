"""Configurations: what they load to, and what each mistake says, at which line and column."""

from __future__ import annotations

import json
import os
import pickle
from ipaddress import ip_network
from pathlib import Path
from types import SimpleNamespace

import pytest

from sipguard.screening.checks import CHECKS
from sipguard.screening.ruleset import Ruleset
from sipguard.screening.trunk import Limits, Peer, RedirectRules, RefreshTimer, Route, Tls
from sipguard.settings import directories
from sipguard.settings.load import Loaded, load
from sipguard.settings.schema import json_schema
from sipguard.settings.sources import READ, SKIP
from sipguard.settings.units import octets, percent, seconds
from sipguard.sip.locate import Query
from tests.pki import Pki

GOOD = """\
site: dc1
node: n1
listeners:
  main: {address: 127.0.0.1, port: 5060}
trunks:
  core:
    kind: interconnect
    peers: ["127.0.0.1:5070", 192.0.2.9]
  carrier-a:
    kind: interconnect
    sources: [192.0.2.0/28, 198.51.100.7]
    route: core
    limits: {cps: 5, calls: 50}
    emergency_marks: trusted
    try_timeout: 800ms
    attestation_headers: {}
lists:
  dno: {file: dno.txt, bind: [shown]}
  consent: {members: ["+12025550101,+12025550131"], kind: pairs, bind: [pair]}
  orders: {members: [carrier-a], kind: trunks, bind: [upstream]}
policy: policy.yaml
emergency: {numbers: [933], psap_callers: ["+12025550190"]}
screening:
  complete: 2.5%
  checks: {identity: {on_failure: closed, freshness: 90s}}
identity: {fetch: {ports: [443, 9443]}}
run: {directory: run}
state: {directory: state}
journal: {segment_size: 1MiB, directory: journal}
logs: {sample: 5%}
records: {database: records.sqlite}
"""
POLICY = "rules:\n  - {name: dno, when: {lists.shown: dno}, reject: dno}\n"


def write(directory: Path, config: str = GOOD, policy: str = POLICY, dno: str = "+12025550111\n") -> Path:
    (directory / "policy.yaml").write_text(policy)
    (directory / "dno.txt").write_text(dno)
    path = directory / "sipguard.yaml"
    path.write_text(config)
    return path


def problems(loaded: Loaded, directory: Path) -> list[str]:
    """The problems as they are printed, without the directory."""
    return [str(problem).replace(f"{directory}/", "") for problem in loaded.problems]


NO_ANCHORS = "sipguard.yaml:26:1: warning: identity.anchors: no anchors: no Identity header can pass"


def test_routes_by_number(tmp_path: Path) -> None:
    routes = 'route: [{prefix: ["+1212", 1646*], to: core}, {prefix: 1, to: [core]}, {to: core}]'
    plain = load(write(tmp_path, GOOD.replace("route: core", routes))).ruleset
    assert plain is not None
    trunk = plain.trunks["carrier-a"]
    assert trunk.route == ""
    assert trunk.routes == (Route(("core",), ("1212", "1646")), Route(("core",), ("1",)), Route(("core",)))


def test_numbers_without_a_route_are_a_warning(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, GOOD.replace("route: core", "route: [{prefix: 1, to: core}]")))
    assert problems(loaded, tmp_path)[0] == (
        "sipguard.yaml:12:5: warning: trunks.carrier-a.route: has no route for all other numbers; "
        "write {to: TRUNK} at the end, or those calls are answered 404"
    )
    assert loaded.errors == ()


def test_a_good_configuration_loads(tmp_path: Path) -> None:
    loaded = load(write(tmp_path))
    assert [line.startswith(NO_ANCHORS) for line in problems(loaded, tmp_path)] == [True]
    assert loaded.errors == ()
    plain = loaded.ruleset
    assert plain is not None
    trunk = plain.trunks["carrier-a"]
    assert trunk.sources == (ip_network("192.0.2.0/28"), ip_network("198.51.100.7/32"))
    assert (trunk.route, trunk.listeners, trunk.limits) == ("core", ("main",), Limits(5.0, 50))
    assert (trunk.try_timeout_s, trunk.emergency_marks_trusted) == (0.8, True)
    assert trunk.attestation_headers == ("Attestation-Info", "Origination-ID")
    assert plain.trunks["core"].peers == (Peer("127.0.0.1", 5070), Peer("192.0.2.9", 5060))
    assert plain.trunks["core"].attestation_headers is None
    assert plain.on_failure == dict.fromkeys(CHECKS, "open") | {"identity": "closed"}
    assert plain.complete_percent == 2.5
    assert plain.emergency.numbers == {"933"}
    assert plain.emergency.psap_callers == {"12025550190"}
    identity = plain.settings["identity"]
    assert (identity.freshness_s, identity.budget_s, identity.x5u_ports) == (90.0, 0.25, (443, 9443))  # type: ignore[attr-defined]


def test_what_ends_calls_that_nobody_hangs_up(tmp_path: Path) -> None:
    timers = "max_duration: 2h, dead_call_check: 0, session_timer: {want: 20m}"
    plain = load(write(tmp_path, GOOD.replace("limits: {cps: 5, calls: 50}", timers.replace(", ", "\n    ")))).ruleset
    assert plain is not None
    trunk, other = plain.trunks["carrier-a"], plain.trunks["core"]
    assert (trunk.max_duration_s, trunk.dead_call_check_s, trunk.session_timer) == (7200.0, 0.0, RefreshTimer(1200, 90))
    assert (other.max_duration_s, other.dead_call_check_s, other.session_timer) == (14_400.0, 900.0, None)


def test_a_journal_that_is_kept_for_less_than_a_call_may_last(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, GOOD.replace("segment_size: 1MiB", "segment_size: 1MiB, keep: 1h")))
    assert loaded.errors == ()
    (told,) = [line for line in problems(loaded, tmp_path) if "journal.keep" in line]
    assert told.endswith(
        "warning: journal.keep: is shorter than max_duration of trunk core: calls that outlast it do not survive a "
        "crash; write the longer duration here"
    )


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("cps: 5", "cps: 1e400", "sipguard.yaml:13:14: trunks.carrier-a.limits.cps: a number that is not finite; "),
        ("cps: 5", "cps: .nan", "sipguard.yaml:13:14: trunks.carrier-a.limits.cps: a number that is not finite; "),
        ("800ms", "9999999999999999d", "trunks.carrier-a.try_timeout: is longer than 100 years; write at most 36500d"),
        ("800ms", f"{'9' * 400}s", "trunks.carrier-a.try_timeout: is longer than 100 years; write at most 36500d"),
        ("1MiB", f"{'9' * 400}GiB", "journal.segment_size: is more than any disk holds; write at most 1000000GiB"),
        ("90s", "-.inf", "screening.checks.identity.freshness: a number that is not finite; "),
    ],
)
def test_numbers_without_an_end_are_errors(tmp_path: Path, old: str, new: str, problem: str) -> None:
    (told,) = [str(each) for each in load(write(tmp_path, GOOD.replace(old, new)), SKIP).errors]
    assert problem in told


@pytest.mark.parametrize(
    ("timer", "problem"),
    [
        ("{min: 60s}", ".min: is shorter than RFC 4028 allows; write 90s or more"),
        ("{want: 100s, min: 2m}", ".want: is shorter than min; write the longer duration here"),
        ("{want: 90500ms}", ".want: is no number of whole seconds; write it without a fraction"),
    ],
)
def test_a_session_timer_that_cannot_be(tmp_path: Path, timer: str, problem: str) -> None:
    loaded = load(write(tmp_path, GOOD.replace("limits: {cps: 5, calls: 50}", f"session_timer: {timer}")))
    (error,) = loaded.errors
    assert str(error).endswith(f"trunks.carrier-a.session_timer{problem}")


THREE = """\
  tcp: {address: 127.0.0.1, port: 5060, transport: tcp, dscp: 24, connections: {idle: 10m}}
  far: {address: "::1", transport: tcp}
trunks:
"""
PEERS = """\
    listeners: [main, tcp]
    udp_max: 1300
    peers:
      - 127.0.0.1
      - {host: 127.0.0.2, transport: tcp}
      - {host: "2001:db8::9", port: 5080, listener: far, names: [SIP.Example.com]}
"""


def test_a_peer_leaves_by_a_listener_of_its_transport(tmp_path: Path) -> None:
    config = GOOD.replace("trunks:\n", THREE, 1).replace('    peers: ["127.0.0.1:5070", 192.0.2.9]\n', PEERS)
    plain = load(write(tmp_path, config.replace("    route: core\n", "    route: core\n    listener: tcp\n"))).ruleset
    assert plain is not None
    core = plain.trunks["core"]
    assert (core.listeners, core.udp_max) == (("main", "tcp"), 1300)
    assert core.peers == (
        Peer("127.0.0.1", 5060),
        Peer("127.0.0.2", 5060, "tcp", "tcp"),
        Peer("2001:db8::9", 5080, "tcp", "far", ("sip.example.com",)),
    )
    tcp = plain.listeners["tcp"]
    assert (tcp.transport, tcp.dscp, tcp.connections.idle_s, tcp.connections.most) == ("tcp", 24, 600.0, 10_000)


def tls_listener(directory: Path, mode: int = 0o600) -> str:
    """A configuration with a TLS listener, whose files lie in `directory`."""
    pki = Pki()
    leaf = pki.web()
    (directory / "edge.pem").write_bytes(leaf.pem)
    key = directory / "edge.key"
    key.write_bytes(leaf.key_pem)
    key.chmod(mode)
    (directory / "ca.pem").write_bytes(pki.root.pem)
    tls = "{certificate: edge.pem, key: edge.key, ca: ca.pem, clients: required}"
    return GOOD.replace("port: 5060}", f"transport: tls, tls: {tls}}}").replace(
        "    route: core\n", "    route: core\n    tls_names: [sip.Example.com]\n"
    )


def test_a_tls_listener_has_files_and_trunks_have_names(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, tls_listener(tmp_path)))
    assert len(loaded.problems) == 1, "that there are no anchors"
    plain = loaded.ruleset
    assert plain is not None
    files = (str(tmp_path / file) for file in ("edge.pem", "edge.key", "ca.pem"))
    assert plain.listeners["main"].tls == Tls(*files, clients="required")
    assert plain.trunks["carrier-a"].tls_names == ("sip.example.com",)
    assert plain.trunks["core"].peers[1] == Peer("192.0.2.9", 5061, "tls")
    assert b"PRIVATE" not in pickle.dumps(plain)


def test_another_certificate_is_another_revision(tmp_path: Path) -> None:
    path = write(tmp_path, tls_listener(tmp_path))
    before = load(path).ruleset
    tls_listener(tmp_path)
    after = load(path).ruleset
    assert before is not None and after is not None
    assert before.revision != after.revision


def test_a_key_that_others_may_read_is_warned_of(tmp_path: Path) -> None:
    said = problems(load(write(tmp_path, tls_listener(tmp_path, 0o644))), tmp_path)
    what = "warning: listeners.main.tls.key: edge.key can be read by everybody on this machine; chmod o= edge.key"
    assert said[0] == f"sipguard.yaml:4:75: {what}"


def test_a_key_of_another_certificate_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, tls_listener(tmp_path))
    (tmp_path / "edge.key").write_bytes(Pki().web().key_pem)
    said = problems(load(path), tmp_path)
    assert said[0].startswith(
        "sipguard.yaml:4:75: listeners.main.tls.key: edge.key cannot be used with the certificate"
    )


def test_the_settings_of_the_service(tmp_path: Path) -> None:
    service = load(write(tmp_path)).service
    assert service is not None
    assert (service.run_directory, service.state_directory) == (tmp_path / "run", tmp_path / "state")
    assert (service.journal_directory, service.database) == (tmp_path / "journal", tmp_path / "records.sqlite")
    assert (service.journal_segment_bytes, service.logs_sample, service.drain_deadline_s) == (
        2**20,
        0.05,
        60.0,
    )
    assert service.fetch.ports == (443, 9443)
    assert service.fetch.directory == str(tmp_path / "state" / "certificates")


def test_a_ruleset_can_be_sent_and_opened(tmp_path: Path) -> None:
    plain = load(write(tmp_path)).ruleset
    ruleset = Ruleset.open(pickle.loads(pickle.dumps(plain)))
    assert ruleset.lists.of("shown", "12025550111") == ("dno",)
    assert ruleset.lists.of("upstream", "carrier-a") == ("orders",)
    assert ruleset.lists.of_pair("12025550101", "12025550131") == ("consent",)
    assert [rule.name for rule in ruleset.compiled("carrier-a").steps] == ["dno"]
    with pytest.raises(KeyError):
        ruleset.compiled("carrier-b")


# ---------------------------------------------------------------------------------------- revisions, lists


def test_the_revision_follows_every_file(tmp_path: Path) -> None:
    first = load(write(tmp_path)).ruleset
    assert first is not None
    again = load(write(tmp_path)).ruleset
    assert again is not None and again.revision == first.revision
    seen = {first.revision}
    for config, policy, dno in (
        (GOOD + "mode: report\n", POLICY, "+12025550111\n"),
        (GOOD, POLICY + "default: reject contract\n", "+12025550111\n"),
        (GOOD, POLICY, "+12025550111\n+12025550112\n"),
    ):
        ruleset = load(write(tmp_path, config, policy, dno)).ruleset
        assert ruleset is not None
        seen.add(ruleset.revision)
    assert len(seen) == 4


def test_a_list_is_built_once_for_one_content(tmp_path: Path) -> None:
    load(write(tmp_path))
    (built,) = (tmp_path / "state" / "lists").glob("*.set")
    inode = built.stat().st_ino
    load(write(tmp_path))
    assert built.stat().st_ino == inode
    load(write(tmp_path, dno="+12025550112\n"))
    assert len(list((tmp_path / "state" / "lists").glob("*.set"))) == 2


def test_reading_writes_nothing_and_finds_the_same(tmp_path: Path) -> None:
    path = write(tmp_path, dno="+12025550111\n202555\n")
    read = load(path, lists=READ)
    assert not (tmp_path / "state").exists()
    assert problems(read, tmp_path) == problems(load(path), tmp_path)
    assert "dno.txt:2:1: 202555 has 6 digits" in problems(read, tmp_path)[-1]
    assert load(write(tmp_path), lists=READ).ruleset is not None


def test_skipping_lists_gives_the_service_only(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, dno="nonsense\n"), lists=SKIP)
    assert (loaded.ruleset, loaded.errors) == (None, ())
    assert loaded.service is not None


# ------------------------------------------------------------------------------------------ mistakes

# name: (what is replaced in GOOD, by what, the problem without its file)
MISTAKES = {
    "unknown key": ("mode", "node: n1\nmoode: report", "3:1: moode: unknown key moode; did you mean mode?"),
    "unknown key of a trunk": (
        "    route: core\n",
        "    route: core\n    try_timout: 4s\n",
        "13:5: trunks.carrier-a.try_timout: unknown key try_timout; did you mean try_timeout?",
    ),
    "unknown key of a check": (
        "freshness: 90s",
        "freshnes: 90s",
        "25:43: screening.checks.identity.freshnes: unknown key freshnes; did you mean freshness?",
    ),
    "missing key": (
        "site: dc1\n",
        "\n",
        "1:1: site: is missing; write site: VALUE (Name of the place; stands in every record)",
    ),
    "missing key inside": (
        "    kind: interconnect\n    sources",
        "    sources",
        "9:3: trunks.carrier-a.kind: is missing; "
        "write kind: one of interconnect, origination, telemarketing, gateway, emergency "
        "(What kind of relation it is; policy asks it as trunk.kind)",
    ),
    "wrong choice": (
        "kind: interconnect\n    sources",
        "kind: interconect\n    sources",
        "10:5: trunks.carrier-a.kind: must not be interconect; did you mean interconnect?",
    ),
    "duration without unit": (
        "800ms",
        "4",
        "15:5: trunks.carrier-a.try_timeout: 4 is no duration; "
        "write 4s for seconds; us, ms, m, h and d are the other units",
    ),
    "share without sign": ("2.5%", "2.5", "24:3: screening.complete: 2.5 is no share; write 2.5%"),
    "size without unit": (
        "1MiB",
        "1000",
        "29:11: journal.segment_size: 1000 is no size; write a number with KiB, MiB or GiB, such as 64MiB",
    ),
    "text for a number": (
        "cps: 5",
        "cps: many",
        "13:14: trunks.carrier-a.limits.cps: must be a number, not many; write a number",
    ),
    "port out of range": (
        "port: 5060",
        "port: 70000",
        "4:30: listeners.main.port: 70000 is out of range; at most 65535",
    ),
    "name for an address": (
        "address: 127.0.0.1",
        "address: sip.example",
        "4:10: listeners.main.address: sip.example is no IP address; "
        "write such as 192.0.2.1 or 2001:db8::1; no name can stand here",
    ),
    "host bits": (
        "192.0.2.0/28",
        "192.0.2.1/28",
        "11:15: trunks.carrier-a.sources[0]: 192.0.2.1/28 has bits set behind its prefix; did you mean 192.0.2.0/28?",
    ),
    "peer without port": (
        '"127.0.0.1:5070"',
        '"127.0.0.1:"',
        "8:13: trunks.core.peers[0]: 127.0.0.1: has no port that exists; write 192.0.2.1:5060 or [2001:db8::1]:5060",
    ),
    "route to nowhere": (
        "route: core",
        "route: croe",
        "12:5: trunks.carrier-a.route: croe is no trunk; did you mean core?",
    ),
    "route without peers": (
        '    peers: ["127.0.0.1:5070", 192.0.2.9]',
        "    sources: [203.0.113.1]\n    route: carrier-a",
        "9:5: trunks.core.route: trunk carrier-a has no peers, no call can go there; write its peers",
    ),
    "route by number to nowhere": (
        "route: core",
        "route: [{prefix: 1, to: [core, croe]}, {to: core}]",
        "12:36: trunks.carrier-a.route[0].to[1]: croe is no trunk; did you mean core?",
    ),
    "two routes for a prefix": (
        "route: core",
        'route: [{prefix: "+1212", to: core}, {prefix: ["1646", "1212"], to: core}, {to: core}]',
        "12:42: trunks.carrier-a.route[1]: +1212 has a route already; one of them is trunks.carrier-a.route[0]",
    ),
    "two routes for all": (
        "route: core",
        "route: [{to: core}, {to: core}]",
        "12:25: trunks.carrier-a.route[1]: is a second route for all other numbers; "
        "one of them is trunks.carrier-a.route[0]",
    ),
    "prefix of letters": (
        "route: core",
        "route: [{prefix: north, to: core}, {to: core}]",
        "12:14: trunks.carrier-a.route[0].prefix[0]: north is no prefix of numbers; "
        'write country code and digits, such as "+1202"',
    ),
    "no route": (
        "    route: core\n",
        "",
        "9:3: trunks.carrier-a: calls from here have no route; write route: TRUNK",
    ),
    "unknown listener": (
        "    route: core\n",
        "    route: core\n    listener: mian\n",
        "13:5: trunks.carrier-a.listener: mian is no listener; did you mean main?",
    ),
    "address of the other family": (
        "192.0.2.9]",
        '"[2001:db8::9]:5060"]',
        "8:31: trunks.core.peers[1]: 2001:db8::9 cannot be reached from 127.0.0.1; write another listener for it",
    ),
    "same source twice": (
        '    peers: ["127.0.0.1:5070", 192.0.2.9]',
        '    peers: ["127.0.0.1:5070"]\n    sources: [198.51.100.7]\n    route: core',
        "13:29: trunks.carrier-a.sources[1]: 198.51.100.7/32 is a source of trunk core too",
    ),
    "unspecified address": (
        "address: 127.0.0.1",
        "address: 0.0.0.0",
        "4:10: listeners.main.address: 0.0.0.0 cannot stand in Via and Contact; write advertise: {address: ...}",
    ),
    "same socket twice": (
        "trunks:\n",
        "  other: {address: 127.0.0.1}\ntrunks:\n",
        "5:3: listeners.other: has the address and port of main",
    ),
    "missing list": (
        "file: dno.txt",
        "file: dnoo.txt",
        "18:9: lists.dno.file: there is no file dnoo.txt; did you mean dno.txt?",
    ),
    "bind of another kind": (
        "kind: pairs, bind: [pair]",
        "kind: pairs, bind: [caller]",
        "19:73: lists.consent.bind[0]: a list of pairs is not asked about caller; known are pair",
    ),
    "member is no trunk": (
        "members: [carrier-a]",
        "members: [carrier-b]",
        "20:22: lists.orders.members[0]: carrier-b is no trunk; did you mean carrier-a?",
    ),
    "member is no pair": (
        '"+12025550101,+12025550131"',
        '"+12025550101"',
        "19:23: lists.consent.members[0]: 1 fields instead of caller,callee or caller,callee,last day; "
        "write both numbers with a comma between",
    ),
    "emergency number is none": (
        "[933]",
        "[nine]",
        "22:23: emergency.numbers[0]: nine is no telephone number; write digits alone, such as +12025550111",
    ),
    "unlawful contact": (
        "mode",
        'node: n1\nredress: {url: "http://provider.example"}',
        "3:11: redress.url: http://provider.example is no https URL; write https://provider.example/redress",
    ),
    "no such policy": (
        "policy: policy.yaml",
        "policy: polcy.yaml",
        "21:1: policy: polcy.yaml cannot be read: No such file or directory; write the path of a YAML file",
    ),
    "peer without its transport": (
        "192.0.2.9]",
        "{host: 192.0.2.9, transport: tcp}]",
        "8:31: trunks.core.peers[1]: no listener of this trunk speaks tcp; write its listener",
    ),
    "port of a peer": (
        "192.0.2.9]",
        "192.0.2.9:x]",
        "8:31: trunks.core.peers[1]: 192.0.2.9:x has no port that exists; write 192.0.2.1:5060 or [2001:db8::1]:5060",
    ),
    "unknown key of a peer": (
        "192.0.2.9]",
        "{host: 192.0.2.9, transprt: tcp}]",
        "8:49: trunks.core.peers[1].transprt: unknown key transprt; did you mean transport?",
    ),
    "listener and listeners": (
        "    route: core\n",
        "    route: core\n    listener: main\n    listeners: [main]\n",
        "14:5: trunks.carrier-a.listeners: stands beside listener; write one of them",
    ),
    "unknown among listeners": (
        "    route: core\n",
        "    route: core\n    listeners: [main, mian]\n",
        "13:23: trunks.carrier-a.listeners[1]: mian is no listener; did you mean main?",
    ),
    "names without certificates": (
        "    route: core\n",
        "    route: core\n    tls_names: [sip.example.com]\n",
        "13:5: trunks.carrier-a.tls_names: no listener of this trunk asks for certificates: nobody can send; "
        "write a TLS listener with clients: asked",
    ),
    "tls without a certificate": (
        "port: 5060}",
        "transport: tls}",
        "4:3: listeners.main: has no certificate; write tls: {certificate: ..., key: ...}",
    ),
    "certificate that is not there": (
        "port: 5060}",
        "transport: tls, tls: {certificate: edge.pem}}",
        "4:52: listeners.main.tls.certificate: edge.pem is not there",
    ),
    "certificate for datagrams": (
        "port: 5060}",
        "tls: {certificate: policy.yaml, key: policy.yaml}}",
        "4:30: listeners.main.tls: is not for transport udp",
    ),
    "trunk group nowhere": (
        "    route: core\n",
        "    route: core\n    write: {trunk_group: tg-1}\n",
        "13:5: trunks.carrier-a.write: trunk_group and trunk_context go together (RFC 4904 §5); write both",
    ),
    "redirect to nowhere": (
        "    route: core\n",
        "    route: core\n    redirect_trunks: [croe]\n",
        "13:23: trunks.carrier-a.redirect_trunks[0]: croe is no trunk; did you mean core?",
    ),
    "bad prefix": (
        "    route: core\n",
        '    route: core\n    read: {tech_prefix: "["}\n',
        "13:12: trunks.carrier-a.read.tech_prefix: is no regular expression: unterminated character set at position 0",
    ),
    "no time zone": (
        "records: {",
        "records: {zone: America/New_Yorck, ",
        "31:11: records.zone: America/New_Yorck is no time zone of this machine; did you mean America/New_York?",
    ),
    "a list of numbers not to call that does not exist": (
        "checks: {identity: {",
        "checks: {rate: {do_not_call: [dno, dnk]}, identity: {",
        "25:38: screening.checks.rate.do_not_call[1]: there is no list dnk; did you mean dno?",
    ),
    "a list of numbers not to call that is none": (
        "checks: {identity: {",
        "checks: {rate: {do_not_call: 7}, identity: {",
        "25:19: screening.checks.rate.do_not_call: must be a list, not 7; write [7]",
    ),
    "no key is counted": (
        "checks: {identity: {",
        "checks: {rate: {keys: 0}, identity: {",
        "25:19: screening.checks.rate.keys: 0 is not between 1 and 1000000; each key takes up to 1.6 kB",
    ),
    "notice longer than the drain": (
        "run: {",
        "drain: {deadline: 5s, notice: 6s}\nrun: {",
        "27:23: drain.notice: is longer than deadline; write a longer deadline",
    ),
}


def broken(name: str) -> str:
    """GOOD with one mistake."""
    old, new, _ = MISTAKES[name]
    if old == "mode":
        return GOOD.replace("node: n1", new, 1)
    assert old in GOOD
    return GOOD.replace(old, new, 1)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_shown_at_its_place(tmp_path: Path, name: str) -> None:
    loaded = load(write(tmp_path, broken(name)))
    said = [line.removeprefix("sipguard.yaml:") for line in problems(loaded, tmp_path) if "warning" not in line]
    assert MISTAKES[name][2] in said
    assert loaded.ruleset is None


SINGLE = sorted(
    set(MISTAKES)
    - {
        "route without peers",
        "same socket twice",
        "missing list",
        "address of the other family",
    }
)


@pytest.mark.parametrize("name", SINGLE)
def test_a_mistake_makes_no_other_problems(tmp_path: Path, name: str) -> None:
    assert len(load(write(tmp_path, broken(name))).errors) == 1


NO_YAML = {  # a policy that is none -> what is said of it
    "a tab": (b"rules:\n\t- {name: dno}\n", "policy.yaml:2:1: a tab stands here; indent with spaces, as YAML wants it"),
    "a quote": (b'rules: "\n', "policy.yaml:1:8: a quote that begins here has no end; write the same quote behind it"),
    "a template": (
        b"rules:\n  - name: {{ x }}\n",
        "policy.yaml:2:12: a map or list in the place of a key; "
        "put the text in quotes; {{ }} is filled in by nobody here",
    ),
    "Latin-1": (b"rules: []\n# d\xe9j\xe0\n", "policy.yaml:2:4: the octet 0xe9 is not UTF-8; save the file as UTF-8"),
}


@pytest.mark.parametrize(("policy", "said"), NO_YAML.values(), ids=NO_YAML)
def test_a_policy_that_is_no_yaml_is_one_problem(tmp_path: Path, policy: bytes, said: str) -> None:
    config = write(tmp_path, GOOD)
    (tmp_path / "policy.yaml").write_bytes(policy)
    assert [str(each).replace(f"{tmp_path}/", "") for each in load(config).errors] == [said]
    (tmp_path / "policy.yaml").write_text("rules: [{include: other.yaml}]")
    (tmp_path / "other.yaml").write_bytes(policy)
    assert [each.file for each in load(config).errors] == [str(tmp_path / "other.yaml")]


def test_all_mistakes_are_shown_at_once(tmp_path: Path) -> None:
    config = GOOD.replace("800ms", "4").replace("route: core", "route: croe").replace("2.5%", "x")
    policy = POLICY + "  - {name: dno, when: {lists.shwon: dno}, reject: dnoo}\n"
    loaded = load(write(tmp_path, config, policy, dno="+12025550111\n  202555 # short\n"))
    said = [line.partition("; ")[0] for line in problems(loaded, tmp_path) if "warning" not in line]
    assert said == [
        "sipguard.yaml:12:5: trunks.carrier-a.route: croe is no trunk",
        "sipguard.yaml:15:5: trunks.carrier-a.try_timeout: 4 is no duration",
        "sipguard.yaml:24:3: screening.complete: x is no share",
        "dno.txt:2:3: 202555 has 6 digits, a number without + has 10, or 11 with a 1",
        "policy.yaml:3:6: rules[1] (dno).name: a second rule with the name dno",
        "policy.yaml:3:24: rules[1] (dno).when.lists.shwon: unknown fact lists.shwon",
        "policy.yaml:3:43: rules[1] (dno).reject: unknown basis dnoo",
    ]
    assert loaded.service is not None, "what the service needs is right"


def test_a_policy_may_stand_in_the_configuration(tmp_path: Path) -> None:
    inline = "policy:\n  rules:\n    - name: dno\n      when: {lists.shwon: dno}\n      reject: dno\n"
    loaded = load(write(tmp_path, GOOD.replace("policy: policy.yaml\n", inline)))
    place = "sipguard.yaml:24:14: policy.rules[0] (dno).when.lists.shwon: unknown fact lists.shwon; did you mean"
    assert problems(loaded, tmp_path)[0].startswith(place)


WARNINGS = {
    "everybody": (
        "192.0.2.0/28",
        "0.0.0.0/0",
        "sipguard.yaml:11:15: warning: trunks.carrier-a.sources[0]: 0.0.0.0/0 lets everybody in",
    ),
    "one network in another": (
        '    peers: ["127.0.0.1:5070", 192.0.2.9]',
        '    peers: ["127.0.0.1:5070"]\n    sources: [198.51.100.0/24]\n    route: core',
        "sipguard.yaml:13:29: warning: trunks.carrier-a.sources[1]: 198.51.100.7/32 overlaps"
        " 198.51.100.0/24 of trunk core; the narrower one counts: carrier-a",
    ),
}


@pytest.mark.parametrize(("old", "new", "line"), WARNINGS.values(), ids=WARNINGS)
def test_a_warning_does_not_keep_from_running(tmp_path: Path, old: str, new: str, line: str) -> None:
    loaded = load(write(tmp_path, GOOD.replace(old, new, 1)))
    assert line in problems(loaded, tmp_path)
    assert loaded.ruleset is not None


UNREADABLE = {
    "no YAML": ("site: [dc1\nnode: n1\n", "sipguard.yaml:2:5: "),
    "a key twice": ("site: a\nnode: b\nsite: c\n", "sipguard.yaml:3:1: "),
    "a tab": ("site:\n\t- a\n", "sipguard.yaml:2:1: a tab stands here; indent with spaces"),
    "a list": ("- a\n", "sipguard.yaml:1:1: a configuration is a map"),
    "nothing": ("", "sipguard.yaml:1:1: a configuration is a map"),
}


@pytest.mark.parametrize(("text", "begins"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_configuration_says_where(tmp_path: Path, text: str, begins: str) -> None:
    loaded = load(write(tmp_path, text))
    assert (loaded.ruleset, loaded.service, len(loaded.errors)) == (None, None, 1)
    assert problems(loaded, tmp_path)[0].startswith(begins)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    assert "none.yaml: cannot be read: No such file" in str(load(tmp_path / "none.yaml").problems[0])
    (tmp_path / "latin.yaml").write_bytes(b"site: \xff\n")
    assert ":1:7: the octet 0xff is not UTF-8" in str(load(tmp_path / "latin.yaml").problems[0])


def test_anchors_that_are_none_are_named(tmp_path: Path) -> None:
    (tmp_path / "anchors").mkdir()
    (tmp_path / "anchors" / "root.pem").write_text("no certificate\n")
    config = GOOD.replace("identity: {", "identity: {anchors: [anchors, none.pem], ")
    said = "\n".join(problems(load(write(tmp_path, config)), tmp_path))
    assert "sipguard.yaml:26:22: identity.anchors[0]: anchors/root.pem holds no PEM certificates" in said
    assert "sipguard.yaml:26:31: identity.anchors[1]: there is no file or directory none.pem; correct the path" in said


def test_key_and_certificate_that_are_missing_are_both_said(tmp_path: Path) -> None:
    tls = "port: 5060, transport: tls, tls: {certificate: edge.pem, key: edge.key}"
    said = problems(load(write(tmp_path, GOOD.replace("port: 5060", tls))), tmp_path)
    assert [line.partition(": ")[2] for line in said if ".tls." in line] == [
        "listeners.main.tls.certificate: edge.pem is not there",
        "listeners.main.tls.key: edge.key cannot be read: No such file or directory",
    ]
    without = GOOD.replace("port: 5060", "port: 5060, transport: tls, tls: {key: edge.key}")
    assert any(
        "tls.certificate: is missing; write certificate: VALUE (PEM file with its certificate" in line
        for line in problems(load(write(tmp_path, without)), tmp_path)
    )


def refuse(monkeypatch: pytest.MonkeyPatch, *closed: Path) -> None:
    """Lets this user write in none of these directories."""
    monkeypatch.setattr(directories.os, "access", lambda path, _: Path(path) not in closed)


def test_directories_that_this_user_cannot_write_are_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = GOOD.replace("directory: ", "directory: var/").replace("database: ", "database: var/")
    path = write(tmp_path, below)
    refuse(monkeypatch, tmp_path)
    loaded = load(path)
    assert [str(each).replace(f"{tmp_path}/", "") for each in loaded.errors] == [
        f"sipguard.yaml:27:7: run.directory: var/run cannot be written: permission denied for {tmp_path} (the same for "
        "state.directory, journal.directory, records.database); name what the user of sipguard may write, or make "
        "it for that user: install -d -o USER DIRECTORY; the default is /run/sipguard, /var/lib/sipguard, "
        "/var/lib/sipguard/journal, /var/lib/sipguard/records.sqlite"
    ]
    assert load(path, READ).errors == (), "who only looks may be somebody else"


def test_a_file_in_the_place_of_a_directory(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    (error,) = load(write(tmp_path)).errors
    assert f"28:9: state.directory: {tmp_path}/state cannot be written: {tmp_path}/state is no directory" in str(error)


def test_a_database_that_cannot_be_written_keeps_from_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "db").mkdir()
    refuse(monkeypatch, tmp_path / "db")
    loaded = load(write(tmp_path, GOOD.replace("database: r", "database: db/r")))
    assert loaded.ruleset is not None
    assert any("warning: records.database: " in str(each) for each in loaded.problems)


def test_a_read_only_disk_keeps_from_nothing_where_the_directory_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").mkdir()
    monkeypatch.setattr(directories.os, "access", lambda *_: False)
    monkeypatch.setattr(directories.os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_RDONLY))
    assert directories.why_not(tmp_path / "there") == ""
    assert directories.why_not(tmp_path / "new") == f"{tmp_path} is on a read-only disk"


def test_psap_callers_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "psap.txt").write_text("# callers\n+12025550190\n12\n")
    config = GOOD.replace('["+12025550190"]', "psap.txt")
    assert any(line.startswith("psap.txt:3:1: ") for line in problems(load(write(tmp_path, config)), tmp_path))
    (tmp_path / "psap.txt").write_text("+12025550190\n")
    ruleset = load(write(tmp_path, config)).ruleset
    assert ruleset is not None and ruleset.emergency.psap_callers == {"12025550190"}


# ------------------------------------------------------------------------------------------ units and schema

UNITS = [
    (seconds, "800ms", 0.8),
    (seconds, "24h", 86400.0),
    (seconds, "1.5 s", 1.5),
    (seconds, "90d", 7776000.0),
    (seconds, 0, 0.0),
    (percent, "0.5%", 0.5),
    (percent, "100%", 100.0),
    (octets, "64MiB", 2**26),
    (octets, "1GB", 10**9),
]


@pytest.mark.parametrize(("read", "written", "value"), UNITS, ids=[str(w) for _, w, _ in UNITS])
def test_units(read: object, written: object, value: float) -> None:
    assert read(written) == pytest.approx(value)  # type: ignore[operator]


NO_UNITS = [
    (seconds, "5"),
    (seconds, "s"),
    (seconds, True),
    (seconds, "-1s"),
    (percent, "101%"),
    (octets, "1TB"),
]


@pytest.mark.parametrize(("read", "written"), NO_UNITS, ids=[str(w) for _, w in NO_UNITS])
def test_what_has_no_unit_is_refused(read: object, written: object) -> None:
    with pytest.raises(ValueError, match="is no"):
        read(written)  # type: ignore[operator]


def test_the_schema_describes_every_key() -> None:
    schema = json_schema()
    json.dumps(schema)
    assert schema["properties"]["site"]["description"]
    trunk = schema["$defs"]["TrunkShape"]["properties"]
    assert all("description" in each for each in trunk.values())
    assert trunk["try_timeout"]["pattern"].startswith("^")
    assert schema["$defs"]["Check_identity"]["properties"]["on_failure"]["enum"] == ["open", "closed"]


def test_redirect_listener_needs_no_route_where_it_knows_where_to(tmp_path: Path) -> None:
    asked = GOOD.replace("port: 5060}", "port: 5060, redirect: {contact: switch.example}}").replace(
        "    route: core\n", ""
    )
    plain = load(write(tmp_path, asked)).ruleset
    assert plain is not None
    assert plain.listeners["main"].redirect == RedirectRules(302, "switch.example")
    to_peers = asked.replace("contact: switch.example", "go_on: 302")
    loaded = load(write(tmp_path, to_peers))
    assert [problem.what for problem in loaded.errors] == ["calls from here have no route"]


def test_peer_by_name_has_the_ways_of_its_listeners(tmp_path: Path) -> None:
    peers = '["127.0.0.1:5070", sip.Core.example, {host: sbc.example, port: 5080, weight: 3, names: [edge.example]}]'
    plain = load(write(tmp_path, GOOD.replace('["127.0.0.1:5070", 192.0.2.9]', peers))).ruleset
    assert plain is not None
    core = plain.trunks["core"]
    assert core.peers == (Peer("127.0.0.1", 5070),)
    first, second = core.named
    assert first.query == Query("sip.core.example", 0, ("udp",), ((4,),))
    assert first.listeners == (((4, "main"),),)
    assert (first.rank, second.rank) == (1, 2)
    assert (second.query.port, second.weight, second.tls_names) == (5080, 3, ("edge.example",))


def test_host_names_are_looked_at(tmp_path: Path) -> None:
    for wrong in ("sip..example", "-a.example", "a b.example", "192.0.2.256"):
        loaded = load(write(tmp_path, GOOD.replace("192.0.2.9", f'"{wrong}"')))
        assert [problem.path for problem in loaded.errors] == [("trunks", "core", "peers", 1, "host")], wrong


def test_listener_left_out_among_several(tmp_path: Path) -> None:
    several = GOOD.replace("\ntrunks:", "\n  outer: {address: 127.0.0.1, port: 5062}\ntrunks:")
    errors = load(write(tmp_path, several)).errors
    assert [str(error.path[1]) for error in errors] == ["core", "carrier-a"]
    for error in errors:
        assert str(error).endswith("does not say which listener it uses; write listener: NAME, one of main, outer")


@pytest.mark.parametrize(
    ("when", "problem"),
    [
        (
            "{identity.reason: certificate_revokd}",
            "reason is never certificate_revokd; did you mean certificate_revoked?",
        ),
        ("{identity.reasons: [signature, x6u_dns]}", "reasons is never x6u_dns; did you mean x5u_dns?"),
        ("{identity.reason: 'x6u_*'}", "reason is never x6u_*"),
        ("{identity.deviations: tn_pluss}", "deviations is never tn_pluss; did you mean tn_plus?"),
        ("{identity.div_reason: div_lop}", "div_reason is never div_lop; did you mean div_loop?"),
        ("{identity.sph: psap-calback}", "sph is never psap-calback; did you mean psap-callback?"),
        ('{identity.status: "437"}', 'status is a number, not "437"; write 437 without quotes'),
    ],
)
def test_a_value_that_a_fact_never_has_is_told_with_its_place(tmp_path: Path, when: str, problem: str) -> None:
    rule = f"policy:\n  rules:\n    - {{name: odd, when: {when}, reject: contract}}\n"
    loaded = load(write(tmp_path, GOOD.partition("\npolicy:")[0] + "\n" + rule))
    (told,) = [str(each).replace(f"{tmp_path}/", "") for each in loaded.errors]
    text = (tmp_path / "sipguard.yaml").read_text()
    line = text[: text.index("name: odd")].count("\n") + 1
    assert told.startswith(f"sipguard.yaml:{line}:")
    assert told.endswith(f": identity.{problem}")


def test_a_key_that_stands_twice_is_told_with_both_places_and_not_with_its_value(tmp_path: Path) -> None:
    rule = """
policy:
  rules:
    - name: twice
      when:
        identity.fresh: true
        not: {identity.result: passed}
        not: {identity.attest: A}
      reject: contract
      reject: analytics
"""
    loaded = load(write(tmp_path, GOOD.partition("\npolicy:")[0] + rule))
    text = (tmp_path / "sipguard.yaml").read_text().splitlines()
    first, second = (n for n, line in enumerate(text, 1) if line.startswith("        not:"))
    assert [str(each).replace(f"{tmp_path}/", "") for each in loaded.errors] == [
        f"sipguard.yaml:{second}:9: not stands here again; first in line {first}, column 9;"
        " write all: [{not: ...}, {not: ...}]",
        f"sipguard.yaml:{second + 2}:7: reject stands here again; first in line {second + 1}, column 7;"
        " take one of them out",
    ]


def test_a_list_without_file_and_members_is_imported(tmp_path: Path) -> None:
    lists = (
        "lists:\n  big: {bind: [callee]}\n  known: {bind: [caller], members: []}\n"
        "  fcc: {kind: trunks, bind: [upstream]}"
    )
    loaded = load(write(tmp_path, GOOD.replace("lists:", lists, 1)))
    told = "\n".join(problems(loaded, tmp_path))
    assert "lists.big: nothing was imported yet; sipguard lists import big FILE" in told
    assert "lists.fcc: has neither file nor members, and trunks are not imported" in told
    assert "lists.known" not in told
