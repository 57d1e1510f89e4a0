"""A backup holds what was acknowledged, no secret, and is restored into empty places only."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sipguard.b2bua.frames import encode
from sipguard.records.filter import Filter
from sipguard.screening.overlay import ADDED
from sipguard.service import backup
from sipguard.service.errors import BackupError
from sipguard.service.history import Modes
from sipguard.service.loader import Loader
from sipguard.settings.load import load
from sipguard.settings.service import Service
from sipguard.settings.sources import SKIP
from sipguard.store.edits import ADD, NAME, EditStore
from sipguard.store.journal import MIN_SEGMENT_BYTES, Writer
from sipguard.store.sqlite import SqliteReading, SqliteStore
from tests.pki import Pki
from tests.records import samples

CONFIG = """\
site: dc1
node: n1
listeners:
  main: {address: 127.0.0.1, port: 5061, transport: tls, tls: {certificate: edge.pem, key: secrets/edge.key}}
trunks:
  core: {kind: interconnect, peers: ["127.0.0.1:5070"]}
lists: {dno: {file: dno.txt, bind: [shown]}}
policy: policy.yaml
identity: {anchors: [anchors]}
journal: {directory: lib/journal, segment_size: 1MiB}
records: {database: lib/records.sqlite}
state: {directory: lib}
run: {directory: run}
"""

LAW = b"rules: [{name: closed, when: {time: {zone: utc, dates: {file: days.txt}}}, reject: contract}]\n"
CASES = b"call: {identity: [a.jws]}\ntests: [{name: one, invite: own.sip}, {name: two, invite: none.sip}, [], 7]\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with state, a secret, a key among its anchors."""
    place = tmp_path / "etc"
    pki = Pki()
    for folder in ("secrets", "anchors", "conf.d"):
        (place / folder).mkdir(parents=True)
    web = pki.web()
    for name, octets in (
        ("sipguard.yaml", CONFIG.encode()), ("conf.d/10-more.yaml", b"drain: {deadline: 5s}\n"),
        ("policy.yaml", b"rules: [{include: law.yaml}]\n"), ("law.yaml", LAW), ("days.txt", b"12-25\n"),
        ("policy_tests.yaml", b"tests: []\n"), ("law_tests.yaml", CASES), ("own.sip", b"INVITE"), ("a.jws", b"e30"),
        ("dno.txt", b"+12025550111\n"), ("edge.pem", web.pem),
        ("secrets/edge.key", web.key_pem), ("anchors/root.pem", pki.root.pem),
        ("anchors/own.pem", web.pem + web.key_pem),
    ):  # fmt: skip
        (place / name).write_bytes(octets)
    (place / "lib").mkdir()
    Modes(place / "lib").set("report", "")
    return place / "sipguard.yaml"


def service(config: Path) -> Service:
    """The settings of the service."""
    found = load(config, SKIP).service
    assert found is not None
    return found


async def some_calls(config: Path, loaded: int, not_loaded: int) -> Writer:
    """Calls in the journal, of which the first ones are in the database; the journal goes on being written."""
    of = service(config)
    writer = Writer(of.journal_directory / "0", MIN_SEGMENT_BYTES)
    for n in range(loaded + not_loaded):
        if n == loaded:
            store = SqliteStore(of.database)
            await Loader(of.journal_directory, store, 0.01).flush()
            await store.close()
        writer.append(encode(samples.verdict(f"d-{n:04}")))
        writer.append(encode(samples.ended(f"d-{n:04}")))
    return writer


async def calls_of(config: Path) -> list[str]:
    """The decision ids of a configuration, once its journal is loaded."""
    of = service(config)
    store = SqliteStore(of.database)
    await Loader(of.journal_directory, store, 0.01).flush()
    await store.close()
    with SqliteReading(of.database) as reading:
        found = reading.find(Filter(limit=10_000))
    assert {record.disposition for record in found} == {"answered"}
    return sorted(record.decision_id for record in found)


def names(archive: Path) -> list[str]:
    """What is in it."""
    with tarfile.open(archive) as found:
        return found.getnames()


@pytest.mark.parametrize("details", [True, False])
async def test_what_was_acknowledged_comes_back(config: Path, tmp_path: Path, details: bool) -> None:
    writer = await some_calls(config, loaded=300, not_loaded=200)
    with EditStore.writing(service(config).state_directory / NAME) as edits:
        edits.change(ADD, "dno", ["12025550112"], who="ann", at=1.0)
        made = backup.write(config, service(config), tmp_path / "b.tar.gz", details)
        edits.change(ADD, "dno", ["12025550113"], who="ann", at=2.0)
    writer.append(encode(samples.verdict("later")))
    writer.close()
    there = tmp_path / "other" / "sipguard.yaml"
    there.parent.mkdir()
    restored = backup.restore(tmp_path / "b.tar.gz", there)
    assert await calls_of(there) == [f"d-{n:04}" for n in range(500)]
    assert Modes(service(there).state_directory).by_trunk == {"": "report"}
    edited = EditStore.reading(service(there).state_directory / NAME)
    assert edited is not None
    with edited:
        assert edited.whole(3.0) == (1, [("dno", "12025550112", ADDED, 0.0)])
    assert (there.parent / "conf.d" / "10-more.yaml").read_text() == "drain: {deadline: 5s}\n"
    assert all((there.parent / name).exists() for name in ("dno.txt", "law.yaml", "days.txt"))
    assert all((there.parent / name).exists() for name in ("policy_tests.yaml", "law_tests.yaml", "own.sip", "a.jws"))
    assert restored.parts == {part: count for part, count in made.parts.items() if part != "manifest.json"}
    assert (tmp_path / "b.tar.gz").stat().st_mode & 0o077 == 0


def test_an_empty_directory_of_anchors_comes_back(config: Path, tmp_path: Path) -> None:
    for file in (config.parent / "anchors").iterdir():
        file.unlink()
    backup.write(config, service(config), tmp_path / "b.tar.gz")
    there = tmp_path / "other" / "sipguard.yaml"
    backup.restore(tmp_path / "b.tar.gz", there)
    assert (there.parent / "anchors").is_dir()
    assert not [each for each in load(there, SKIP).problems if each.path[:1] == ("identity",) and each.level == "error"]


def test_a_backup_into_no_directory_says_so(config: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match=f"there is no directory {tmp_path}/none; make it"):
        backup.write(config, service(config), tmp_path / "none" / "b.tar.gz")


async def test_it_holds_no_secret(config: Path, tmp_path: Path) -> None:
    made = backup.write(config, service(config), tmp_path / "b.tar.gz")
    with tarfile.open(tmp_path / "b.tar.gz") as archive:
        for member in archive.getmembers():
            octets = archive.extractfile(member)
            assert octets is not None
            assert b"PRIVATE KEY" not in octets.read(), member.name
    assert not [name for name in names(tmp_path / "b.tar.gz") if "secrets" in name]
    assert any("own.pem: it holds a private key" in each for each in made.left_out)


async def test_the_directory_of_the_state_may_hold_journal_and_database(config: Path, tmp_path: Path) -> None:
    (await some_calls(config, 10, 1)).close()
    backup.write(config, service(config), tmp_path / "b.tar.gz")
    assert [name for name in names(tmp_path / "b.tar.gz") if name.startswith("state/")] == ["state/mode.json"]
    assert names(tmp_path / "b.tar.gz").count("records.sqlite") == 1


def test_nothing_is_overwritten_by_a_backup(config: Path, tmp_path: Path) -> None:
    (tmp_path / "b.tar.gz").write_text("precious")
    with pytest.raises(BackupError, match="exists"):
        backup.write(config, service(config), tmp_path / "b.tar.gz")
    assert (tmp_path / "b.tar.gz").read_text() == "precious"


def test_a_backup_that_fails_leaves_nothing(config: Path, tmp_path: Path) -> None:
    service(config).database.write_text("no database at all, but long enough to be looked at as one")
    with pytest.raises(BackupError, match="no backup was made"):
        backup.write(config, service(config), tmp_path / "b.tar.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["etc"]


@pytest.mark.parametrize("what", ["records.sqlite", "journal/0/00000001.seg", "mode.json", "lists.db"])
async def test_nothing_is_overwritten_by_a_restoration(config: Path, tmp_path: Path, what: str) -> None:
    (await some_calls(config, 10, 10)).close()
    backup.write(config, service(config), tmp_path / "b.tar.gz")
    shutil.rmtree(config.parent / "lib")
    there = config.parent / "lib" / what
    there.parent.mkdir(parents=True)
    there.write_text("precious")
    with pytest.raises(BackupError, match="is there already; nothing was changed; move what is there away first"):
        backup.restore(tmp_path / "b.tar.gz", config)
    assert [path for path in (config.parent / "lib").rglob("*") if path.is_file()] == [there]
    assert there.read_text() == "precious"


async def test_a_configuration_that_is_there_is_used(config: Path, tmp_path: Path) -> None:
    (await some_calls(config, 10, 10)).close()
    backup.write(config, service(config), tmp_path / "b.tar.gz")
    shutil.rmtree(config.parent / "lib")
    elsewhere = CONFIG.replace("lib/", "srv/").replace("directory: lib}", "directory: srv}")
    config.write_text(elsewhere)  # noqa: ASYNC240 - a test
    restored = backup.restore(tmp_path / "b.tar.gz", config)
    assert len(await calls_of(config)) == 20
    assert any("is there and was used" in each for each in restored.left_out)


def archive_of(
    path: Path, members: dict[str, bytes], change: Callable[[tarfile.TarInfo], None] = lambda _: None
) -> Path:
    """A tar file of these members."""
    with tarfile.open(path, "w:gz") as archive:
        for name, octets in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(octets)
            change(member)
            archive.addfile(member, io.BytesIO(octets))
    return path


HEAD = json.dumps({"format": 1, "version": "0.1.0", "created_at": 1.0, "configuration": "sipguard.yaml"}).encode()


@pytest.mark.parametrize(
    ("members", "said"),
    [
        (
            {"manifest.json": HEAD.replace(b'"format": 1', b'"format": 2')},
            "another format: restore it with sipguard 0.1.0",
        ),
        ({"manifest.json": HEAD, "state/../../evil": b"x"}, "has no place in a backup"),
        ({"manifest.json": HEAD, "/etc/evil": b"x"}, "has no place in a backup"),
        ({"manifest.json": HEAD[:-1] + b', "directories": ["../evil"]}'}, "evil has no place in a backup"),
        ({"state/mode.json": b"x"}, "manifest.json"),
        ({"manifest.json": b"{"}, "b.tar.gz"),
    ],
    ids=["format", "upwards", "absolute", "directory upwards", "no manifest", "broken manifest"],
)
def test_what_is_no_backup_is_refused(config: Path, tmp_path: Path, members: dict[str, bytes], said: str) -> None:
    (config.parent / "lib" / "mode.json").unlink()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BackupError, match=said):
        backup.restore(archive_of(tmp_path / "b.tar.gz", members), config)
    assert sorted(tmp_path.rglob("*")) == sorted([*before, tmp_path / "b.tar.gz"])


@pytest.mark.parametrize(
    ("part", "where"), [(0.0, "empty"), (0.01, "first octets"), (0.5, r"\(member \d+\)"), (0.999, r"\(member \d+\)")]
)
async def test_a_file_that_is_cut_off_is_told(config: Path, tmp_path: Path, part: float, where: str) -> None:
    (await some_calls(config, 10, 10)).close()
    backup.write(config, service(config), tmp_path / "b.tar.gz")
    octets = (tmp_path / "b.tar.gz").read_bytes()
    (tmp_path / "b.tar.gz").write_bytes(octets[: int(len(octets) * part)])
    there = tmp_path / "other" / "sipguard.yaml"
    with pytest.raises(BackupError, match=f"b.tar.gz is cut off or damaged, in or after .*{where}"):
        backup.restore(tmp_path / "b.tar.gz", there)
    assert not there.parent.exists()


async def test_a_file_whose_checksum_is_wrong_is_told(config: Path, tmp_path: Path) -> None:
    (await some_calls(config, 1, 1)).close()
    backup.write(config, service(config), tmp_path / "b.tar.gz")
    octets = bytearray((tmp_path / "b.tar.gz").read_bytes())
    octets[-6] ^= 1
    (tmp_path / "b.tar.gz").write_bytes(octets)
    with pytest.raises(BackupError, match=r"is cut off or damaged.*nothing was restored"):
        backup.restore(tmp_path / "b.tar.gz", tmp_path / "other" / "sipguard.yaml")


def test_a_link_is_refused(config: Path, tmp_path: Path) -> None:
    def link(member: tarfile.TarInfo) -> None:
        if member.name != "manifest.json":
            member.type, member.linkname, member.size = tarfile.SYMTYPE, "/etc/passwd", 0

    archive = archive_of(tmp_path / "b.tar.gz", {"manifest.json": HEAD, "state/link": b""}, link)
    with pytest.raises(BackupError, match="has no place"):
        backup.restore(archive, config)
