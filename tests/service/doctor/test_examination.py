"""What the doctor says of clocks, ports, names, disks, limits and files."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sipguard.b2bua.frames import decode_slim, encode
from sipguard.net import disk as copies
from sipguard.net.resolve import ResolveError, Resolver
from sipguard.records.record import Batch, Span
from sipguard.service.capacity import DAY_S
from sipguard.service.doctor import access, certificates, clock, disk, files, kernel, names, ports, trust
from sipguard.service.doctor import database as stored
from sipguard.service.doctor.diagnosis import OK, PROBLEM, UNKNOWN, WARNING, Case, Diagnosis
from sipguard.service.doctor.examination import case_of, examine
from sipguard.service.importing import Asked, Import
from sipguard.settings.load import load
from sipguard.sip.locate import Answer, Place, Query
from sipguard.store.sqlite import SqliteStore
from tests.e2e.product import configuration, free_port
from tests.pki import Pki
from tests.records import samples


def case(directory: Path, status: dict[str, Any] | None = None, **changed: object) -> Case:
    """A configuration in `directory`, with keys of its first level changed."""
    path = directory / "sipguard.yaml"
    path.write_text(json.dumps({**configuration(5090), **changed}))
    return case_of(path, status or {})


def levels(diagnoses: Iterator[Diagnosis]) -> dict[str, str]:
    """Level by subject."""
    return {each.subject: each.level for each in diagnoses}


@contextmanager
def answering(reply: Callable[[bytes], bytes]) -> Iterator[int]:
    """A server of datagrams that answers once; its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))

        def serve() -> None:
            try:
                asked, whom = sock.recvfrom(512)
                sock.sendto(reply(asked), whom)
            except OSError:
                return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield sock.getsockname()[1]


# ------------------------------------------------------------------ clock


def ntp(
    ahead_s: float = 0.0, stratum: int = 2, first: int = 0x24, cookie: bytes | None = None
) -> Callable[[bytes], bytes]:
    """What an NTP server answers whose clock is ahead of ours (RFC 5905 §7.3)."""

    def reply(asked: bytes) -> bytes:
        stamp = int((time.time() + ahead_s + 2_208_988_800) * 2**32).to_bytes(8, "big")
        return bytes([first, stratum, 0, 0]) + bytes(20) + (cookie or asked[40:48]) + stamp + stamp

    return reply


@pytest.mark.parametrize(
    ("reply", "level", "what"),
    [
        (ntp(), OK, "by 127"),
        (ntp(2.5), WARNING, "2."),  # less what the answer took on its way
        (ntp(-30.0), PROBLEM, "ahead"),
        (ntp(30.0), PROBLEM, "behind"),
        (ntp(stratum=0), UNKNOWN, "not synchronised"),
        (ntp(first=0xE4), UNKNOWN, "not synchronised"),
        (ntp(first=0x23), UNKNOWN, "no answer to what"),
        (ntp(cookie=bytes(8)), UNKNOWN, "no answer to what"),
        (lambda _: b"short", UNKNOWN, "too short"),
    ],
    ids=["right", "off", "wrong ahead", "wrong behind", "stratum 0", "alarm", "mode", "of another", "short"],
)
def test_the_clock_against_a_server(reply: Callable[[bytes], bytes], level: str, what: str) -> None:
    with answering(reply) as port:
        found = clock.examine(f"127.0.0.1:{port}")
    assert found.level == level
    assert what in found.what


def test_a_server_that_is_silent_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "WITHIN_S", 0.05)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        assert clock.examine(f"127.0.0.1:{silent.getsockname()[1]}").level == UNKNOWN


CHRONY = "A29FC87B,ntp.example,3,1764133200.1,{},0.0,0.0,0.0,0.0,0.0,0.0,0.0,64.0,{}\n"


@pytest.mark.parametrize(
    ("said", "level"),
    [
        ({}, UNKNOWN),
        ({"chronyc": CHRONY.format("0.000012", "Normal")}, OK),
        ({"chronyc": CHRONY.format("-7.5", "Normal")}, PROBLEM),
        ({"chronyc": CHRONY.format("0.0", "Not synchronised")}, WARNING),
        ({"timedatectl": "       Server: 192.0.2.1\n       Offset: -1.2ms\n"}, OK),
        ({"timedatectl": "       Offset: +1.5s\n"}, WARNING),
    ],
    ids=["none", "chrony", "chrony off", "chrony lost", "timesyncd", "timesyncd off"],
)
def test_the_clock_by_what_keeps_it(said: dict[str, str], level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_said", lambda *command: said.get(command[0], ""))
    assert clock.examine("").level == level


# ------------------------------------------------------------------ ports


def test_ports(tmp_path: Path) -> None:
    metrics = {"address": "127.0.0.1", "port": free_port(kind=socket.SOCK_STREAM)}
    listeners = {
        "free": {"address": "127.0.0.1", "port": free_port()},
        "nowhere": {"address": "198.51.100.99", "port": 5060},
        "stream": {"address": "127.0.0.1", "port": free_port(kind=socket.SOCK_STREAM), "transport": "tcp"},
    }
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken,
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream,
    ):
        taken.bind(("127.0.0.1", 0))
        stream.bind(("127.0.0.1", listeners["stream"]["port"]))  # type: ignore[arg-type]
        stream.listen(1)
        listeners["taken"] = {"address": "127.0.0.1", "port": taken.getsockname()[1]}
        found = {each.subject: each for each in ports.examine(case(tmp_path, listeners=listeners, metrics=metrics))}
        own = {"processes": {"worker": {"pid": os.getpid(), "starts": 1}}}
        running = levels(ports.examine(case(tmp_path, own, listeners=listeners, metrics=metrics)))
    assert (found["listener free"].level, found["metrics"].level) == (OK, OK)
    assert "no interface" in found["listener nowhere"].what
    for name in ("taken", "stream"):
        assert found[f"listener {name}"].level == PROBLEM
        assert f"pid {os.getpid()}" in found[f"listener {name}"].what
    assert running["listener taken"] == running["listener stream"] == OK
    assert running["listener free"] == PROBLEM, "it runs, but does not have it"


# ------------------------------------------------------------------ names


def test_resolvers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "WITHIN_S", 0.05)
    conf = tmp_path / "resolv.conf"
    assert levels(names.examine(case(tmp_path), conf)) == {"DNS": WARNING}
    conf.write_text("search example.com\n")
    assert levels(names.examine(case(tmp_path), conf)) == {"DNS": WARNING}
    silent = {"servers": [f"127.0.0.1:{free_port()}"]}
    assert [each.level for each in names.examine(case(tmp_path, dns=silent), conf)] == [WARNING, WARNING]
    with answering(lambda asked: asked[:2] + b"\x81\x80" + asked[4:]) as port:
        assert names._answers("127.0.0.1", port)
    with answering(lambda asked: b"xx") as port:
        assert not names._answers("127.0.0.1", port)
    assert not names._answers("127.0.0.1", free_port())


def test_names_of_peers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the fetcher resolves them: what it says is what is shown."""

    async def resolve(self: Resolver, query: Query) -> Answer:
        if query.name == "nobody.example":
            raise ResolveError("dns_no_address")
        return Answer((Place("udp", 5062, ("192.0.2.7",)),), 60.0)

    monkeypatch.setattr(Resolver, "resolve", resolve)
    trunks = configuration(5090)["trunks"]
    trunks["hop"]["peers"] = ["core.example", "nobody.example:5066", "192.0.2.1"]
    conf = tmp_path / "resolv.conf"
    found = {each.subject: each for each in names.examine(case(tmp_path, trunks=trunks), conf)}
    assert found["peer core.example of hop"].what == "resolves to 192.0.2.7 port 5062/udp"
    assert (found["peer nobody.example:5066 of hop"].level, len(found)) == (PROBLEM, 3)


def test_peers_that_are_passed_over(tmp_path: Path) -> None:
    status = {"peers": [
        {"trunk": "hop", "peer": "192.0.2.1:5060/udp", "passed_over": "probed"},
        {"trunk": "hop", "peer": "192.0.2.2:5060/udp", "passed_over": ""},
    ]}  # fmt: skip
    (found,) = names.running(case(tmp_path, status))
    assert (found.level, found.subject) == (WARNING, "peer 192.0.2.1:5060/udp of hop")


# ------------------------------------------------------------------ disk


async def database(path: Path, calls: int, first_at: float) -> None:
    """A database with so many calls, a second apart."""
    store = SqliteStore(path)
    batch = Batch()
    for n in range(calls):
        batch.add("0", 1, n, decode_slim(encode(samples.verdict(f"d-{n}", first_at + n))))
    batch.spans["0"] = Span((0, 0), (1, calls))
    await store.load(batch)
    await store.close()


class Disk:
    """What statvfs says of a disk with so much room."""

    f_frsize = 1

    def __init__(self, free: float) -> None:
        self.f_bavail = int(free)


@pytest.mark.parametrize(
    ("free", "level", "what"),
    [
        (1e12, OK, "to come, then what is old goes"),
        (30e9, OK, " 42 days left"),
        (10e9, WARNING, " 13 days left"),
        (2e9, PROBLEM, " 2 days left"),
        (1e8, PROBLEM, "100.0 MB"),
    ],
    ids=["enough", "for long", "for weeks", "for days", "full"],
)
async def test_days_that_are_left(
    free: float, level: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_at = time.time()
    await database(tmp_path / "records.sqlite", 100, now_at - 60.0)
    monkeypatch.setattr(disk.os, "statvfs", lambda _: Disk(free))
    journal = {"directory": "journal", "keep": "365d"}
    records = {"database": "records.sqlite", "keep": "3650d"}
    (found,) = disk.examine(case(tmp_path, journal=journal, records=records), now_at)
    assert found.level == level
    assert what in found.what
    assert "144000 calls" in found.what or free == 1e8


def test_a_disk_without_calls(tmp_path: Path) -> None:
    (found,) = disk.examine(case(tmp_path))
    assert found.level == UNKNOWN


# ------------------------------------------------------------------ database


async def test_the_database_is_looked_at(tmp_path: Path) -> None:
    records = {"database": "records.sqlite"}
    away = case(tmp_path, {"records": {"away": True, "behind_s": 7.0}}, records=records)
    sound = case(tmp_path, records=records)
    assert not list(stored.examine(sound)), "there is none"
    assert [each.level for each in stored.examine(away)] == [PROBLEM]
    file = tmp_path / "records.sqlite"
    await database(file, 300, time.time())
    assert levels(stored.examine(sound)) == {"database": OK}
    assert "cannot store" in next(stored.examine(away)).what
    assert levels(stored.examine(sound, within_s=-1.0)) == {"database": UNKNOWN}
    octets = bytearray(file.read_bytes())
    octets[len(octets) // 2 :] = b"\x5a" * (len(octets) - len(octets) // 2)
    for damaged in (bytes(octets), b"\x5a" * len(octets)):
        file.write_bytes(damaged)
        (found,) = stored.examine(sound)
        assert (found.level, f"move {file}* away" in found.advice) == (PROBLEM, True), found


# ------------------------------------------------------------------ kernel


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "_may_force", lambda _: False)
    rmem = tmp_path / "rmem_max"
    for most, level in (("212992", WARNING), ("8388608", OK), ("x", UNKNOWN)):
        rmem.write_text(most)
        assert levels(kernel.examine(case(tmp_path), rmem))["receive buffer"] == level
    monkeypatch.setattr(kernel, "_limit", lambda _: 300)
    assert levels(kernel.examine(case(tmp_path), rmem))["open files"] == OK
    tcp = {"in": {"address": "127.0.0.1", "port": 5066, "transport": "tcp"}}
    assert levels(kernel.examine(case(tmp_path, listeners=tcp), rmem))["open files"] == WARNING


# ------------------------------------------------------------------ certificates of signers


def test_an_empty_cache_and_hosts_that_fail_are_told(tmp_path: Path) -> None:
    (empty,) = certificates.examine(case(tmp_path))
    assert (empty.subject, empty.level) == (certificates.SUBJECT, WARNING)
    assert "certs warm" in empty.advice
    service = case(tmp_path).service
    assert service is not None
    copies.Disk(Path(service.fetch.directory)).write("https://certs.example/a.pem", Pki().leaf().pem, 0.0, time.time())

    def troubled(host: str, reason: str = "x5u_connect") -> dict[str, Any]:
        return {"host": host, "reason": reason, "failures": 3, "left_alone": False}

    strange = {"certificate_hosts": [troubled("stranger.example")]}
    assert levels(certificates.examine(case(tmp_path, strange))) == {certificates.SUBJECT: OK}
    known = {"certificate_hosts": [troubled("certs.example"), troubled("stranger.example")]}
    _, hosts = certificates.examine(case(tmp_path, known))
    assert (hosts.subject, hosts.level) == (certificates.HOSTS, WARNING)
    assert "certs.example (x5u_connect)" in hosts.what
    assert "stranger" not in hosts.what
    assert "firewall" in hosts.advice


# ------------------------------------------------------------------ files


def test_anchors(tmp_path: Path) -> None:
    pki = Pki()
    (tmp_path / "root.pem").write_bytes(pki.root.pem)
    (tmp_path / "none.pem").write_text("no certificate")
    good = levels(files._anchors(case(tmp_path, identity={"anchors": ["root.pem"]})))
    assert good == {"anchor": OK}
    bad = [(each.subject, each.level) for each in files._anchors(case(tmp_path, identity={"anchors": ["none.pem"]}))]
    assert bad == [("anchor", PROBLEM), ("anchors", WARNING)]


@pytest.mark.parametrize(("in_days", "level"), [(400, OK), (20, WARNING), (-1, PROBLEM)])
def test_expiry(in_days: int, level: str, tmp_path: Path) -> None:
    pki = Pki()
    file = tmp_path / "root.pem"
    file.write_bytes(pki.root.pem)
    end_at = pki.root.certificate.not_valid_after_utc.timestamp()
    (found,) = files.expiries(file, "anchor", end_at - in_days * DAY_S)
    assert found.level == level


@pytest.mark.parametrize(("days", "level"), [(1, OK), (29, WARNING), (32, PROBLEM)])
def test_a_registry_is_fetched_every_31_days(days: int, level: str, tmp_path: Path) -> None:
    for name in ("dnc.txt", "blocked.txt"):
        (tmp_path / name).write_text("202,5550131\n")
        os.utime(tmp_path / name, (0, time.time() - days * DAY_S))
    lists = {
        "dnc": {"file": "dnc.txt", "format": "ftc", "bind": ["callee"]},
        "blocked": {"file": "blocked.txt", "bind": ["caller"]},
    }
    assert levels(files._lists(case(tmp_path, lists=lists))) == {"list dnc": level, "lists": OK}


@pytest.mark.parametrize(
    ("days", "max_age", "form", "level"),
    [
        (32, "0s", "ftc", PROBLEM),
        (1, "0s", "ftc", OK),
        (32, "0s", "plain", OK),
        (32, "40d", "plain", OK),
        (50, "40d", "plain", PROBLEM),
    ],
)
def test_an_imported_list_is_as_old_as_its_import_was_told(
    days: int, max_age: str, form: str, level: str, tmp_path: Path
) -> None:
    (tmp_path / "given.txt").write_text("2025550131\n")
    asked = Asked(tmp_path / "state/lists", "dnc", (tmp_path / "given.txt",), form, dated_at=time.time() - days * DAY_S)
    Import(asked).run(lambda octets: None, lambda: False)
    found = files._lists(case(tmp_path, lists={"dnc": {"bind": ["callee"], "max_age": max_age}}))
    assert [each.level for each in found] == [level]


@pytest.mark.parametrize("octets", [slice(None, -100), slice(None, 64)], ids=["cut", "flipped"])
@pytest.mark.parametrize("imported", [True, False])
def test_a_damaged_list_is_a_problem(octets: slice, imported: bool, tmp_path: Path) -> None:
    given = tmp_path / "given.txt"
    given.write_text("".join(f"20255501{n:02}\n" for n in range(100)))
    shape = {"bind": ["callee"], "max_age": "40d"} | ({} if imported else {"file": "given.txt"})
    if imported:
        Import(Asked(tmp_path / "state/lists", "dnc", (given,), "plain")).run(lambda octets: None, lambda: False)
    of = case(tmp_path, lists={"dnc": shape}, policy={"rules": []})
    if not imported:
        assert not load(of.path).errors
    assert [each.level for each in files._lists(of)] == [OK]
    (built,) = (tmp_path / "state").rglob("*.base" if imported else "dnc-*.set")
    whole = built.read_bytes()
    built.write_bytes(whole[octets] + (b"" if octets.stop < 0 else bytes((whole[64] ^ 1,)) + whole[65:]))
    (found,) = files._lists(case(tmp_path, lists={"dnc": shape}, policy={"rules": []}))
    assert (found.subject, found.level, "octet" in found.what) == ("list dnc", PROBLEM, True)
    assert ("sipguard lists import dnc FILE" if imported else f"delete {built}") in found.advice


@pytest.mark.parametrize(("mode", "level"), [(0o600, OK), (0o640, OK), (0o644, PROBLEM), (0o660, PROBLEM)])
def test_who_may_read_a_secret(mode: int, level: str, tmp_path: Path) -> None:
    secret = tmp_path / "hep.password"
    secret.write_text("hunter2")
    secret.chmod(mode)
    (found,) = files._secrets(case(tmp_path, hep={"address": "127.0.0.1", "password": "hep.password"}))
    assert (found.subject, found.level) == ("secret hep.password", level)
    assert "hunter2" not in str(found)


def service_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root looks; the owner of the state directory runs the service: whoever runs the tests, here by modes alone."""
    user = access.User("sipguard", os.getuid(), "sipguard", frozenset(os.getgroups()))
    monkeypatch.setattr(access.os, "geteuid", lambda: 0)
    monkeypatch.setattr(access, "user_of", lambda _: user)


def test_root_judges_for_the_user_of_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service_user(monkeypatch)
    (tmp_path / "state").mkdir()
    (tmp_path / "hep.password").write_text("hunter2")
    hep = {"address": "127.0.0.1", "password": "hep.password"}
    assert levels(access.examine(case(tmp_path, hep=hep))) == {"permissions": OK}
    (tmp_path / "hep.password").chmod(0o040)
    (tmp_path / "state").chmod(0o500)
    secret, state = access.examine(case(tmp_path, hep=hep))
    file = tmp_path / "hep.password"
    assert str(secret) == (
        f"problem  secret hep.password: user sipguard may not read {file}; chgrp sipguard {file} && chmod 640 {file}"
    )
    assert (state.subject, state.level) == ("state.directory", PROBLEM)
    assert f"install -d -m 750 -o sipguard {tmp_path}/state" in state.advice


def test_what_systemd_makes_at_a_start_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service_user(monkeypatch)
    made_at_start = case(tmp_path, run={"directory": "/run/sipguard-that-no-unit-has-made"})
    assert levels(access.examine(made_at_start)) == {"permissions": OK}


def test_a_closed_directory_keeps_out_of_all_below(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir(mode=0o000)
    user = access.User("sipguard", os.getuid(), "sipguard", frozenset())
    assert access.closed_to(user, tmp_path / "secrets", access.PASS) == tmp_path / "secrets"
    assert access.closed_to(user, tmp_path, access.READ | access.PASS) is None
    stranger = access.User("nobody", os.getuid() + 1, "nobody", frozenset())
    assert access.closed_to(stranger, tmp_path / "secrets", access.PASS) is not None


def test_whose_permissions_count(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    found = access.user_of(case(tmp_path))
    assert (found.uid if found else 0) == os.getuid(), "the owner of the state directory; root needs no judging"
    assert access.user_of(case(tmp_path, state={"directory": "none"})) is None


def test_records_that_everybody_may_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "records.sqlite").touch()
    assert levels(files._records(case(tmp_path))) == {"records": OK}
    monkeypatch.setattr(files, "_others_pass", lambda _: True)
    assert levels(files._records(case(tmp_path))) == {"records": WARNING}


def test_a_broken_configuration_stops_nothing(tmp_path: Path) -> None:
    path = tmp_path / "sipguard.yaml"
    for text in ("site: [", "listeners: {main: {address: nowhere}}", "[]", ""):
        path.write_text(text)
        found = list(examine(case_of(path, {})))
        assert any(each.level == PROBLEM and each.subject == "configuration" for each in found)
        assert len(found) > 3


def test_priority_that_any_trusted_signer_may_sign_is_warned_of(tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_bytes(Pki().root.pem)
    anchors = {"identity": {"anchors": ["root.pem"]}}
    found = list(trust.examine(case(tmp_path, **anchors)))
    assert [(each.subject, each.level) for each in found] == [("signed priority", WARNING)]
    assert "emergency.priority_signers" in found[0].advice
    for emergency in ({"priority_signers": ["709J"]}, {"signed_priority": []}):
        assert list(trust.examine(case(tmp_path, **anchors, emergency=emergency))) == []
    assert list(trust.examine(case(tmp_path))) == [], "nothing that is signed can hold"
