"""Copies on disk: how long they serve, what is not kept (facts A6.4)."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from sipguard.net.disk import SERVINGS, Disk
from tests import pki

PKI = pki.Pki()
PEM = PKI.leaf().pem
AT = PKI.now.timestamp()
H = 3600.0
URL = "https://certs.example/709J.pem"


def test_a_copy_survives_a_restart(tmp_path: Path) -> None:
    Disk(tmp_path).write(URL, PEM, 48 * H, AT)
    copy = Disk(tmp_path).read(URL, AT + H)
    assert copy is not None
    assert (copy.octets, copy.fresh, copy.left_s) == (PEM, True, 47 * H)


AGES = {
    "at once": (0.0, True),
    "before 80 %": (19.0, True),
    "behind 80 %": (19.3, False),
    "just before the end": (23.9, False),
    "at the end": (24.0, None),
    "before it was fetched": (-1.0, None),
}


@pytest.mark.parametrize(("hours", "fresh"), AGES.values(), ids=AGES)
def test_a_copy_is_fresh_until_80_percent_and_dead_at_its_end(tmp_path: Path, hours: float, fresh: bool | None) -> None:
    disk = Disk(tmp_path)
    disk.write(URL, PEM, 0.0, AT)
    copy = disk.read(URL, AT + hours * H)
    assert (copy.fresh if copy is not None else None) is fresh


def test_a_copy_ends_with_its_certificate(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.write(URL, PKI.leaf(opens=PKI.now - timedelta(hours=23), days=1).pem, 48 * H, AT)
    assert disk.read(URL, AT + 0.9 * H) is not None
    assert disk.read(URL, AT + 1.1 * H) is None


NOT_KEPT = {
    "garbage": b"-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n",
    "nothing": b"",
    "expired": PKI.leaf(opens=PKI.now - timedelta(days=9), days=5).pem,
}


@pytest.mark.parametrize("octets", NOT_KEPT.values(), ids=NOT_KEPT)
def test_what_is_no_valid_certificate_is_not_kept(tmp_path: Path, octets: bytes) -> None:
    Disk(tmp_path).write(URL, octets, 0.0, AT)
    assert list(tmp_path.iterdir()) == []


def test_who_asks_too_often_gets_no_copy_until_a_new_one_is_written(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.write(URL, PEM, 0.0, AT)
    served = [disk.read(URL, AT) for _ in range(SERVINGS + 1)]
    assert [copy.fresh for copy in served if copy] == [True] * SERVINGS + [False]
    disk.write(URL, PEM, 0.0, AT)
    again = disk.read(URL, AT)
    assert again is not None
    assert again.fresh


@pytest.mark.parametrize("content", [b"", b"{}\n", b"hello", b'{"url":"https://other.example/"}\nx'])
def test_a_damaged_copy_is_none(tmp_path: Path, content: bytes) -> None:
    disk = Disk(tmp_path)
    disk.write(URL, PEM, 0.0, AT)
    (file,) = tmp_path.iterdir()
    file.write_bytes(content)
    assert disk.read(URL, AT) is None


def test_a_copy_of_another_url_is_not_served(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.write("https://other.example/a", PEM, 0.0, AT)
    (file,) = tmp_path.iterdir()
    disk.write(URL, PEM, 0.0, AT)
    (mine,) = [one for one in tmp_path.iterdir() if one != file]
    file.replace(mine)
    assert disk.read(URL, AT) is None


def test_half_a_copy_of_a_killed_process_is_swept(tmp_path: Path) -> None:
    (tmp_path / "abc.123.part").write_bytes(b"half")
    Disk(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_oldest_copies_make_room(tmp_path: Path) -> None:
    disk = Disk(tmp_path, limit=4)
    for n in range(4):
        disk.write(f"https://certs.example/{n}", PEM, 0.0, AT)
        (newest,) = [one for one in tmp_path.iterdir() if one.stat().st_mtime > 1e6]
        os.utime(newest, (n, n))
    disk.write(URL, PEM, 0.0, AT)
    assert len(list(tmp_path.iterdir())) == 4
    assert disk.read("https://certs.example/0", AT) is None
    assert disk.read("https://certs.example/1", AT) is not None
    assert disk.read(URL, AT) is not None


def test_a_folder_that_is_gone_fails_no_fetch(tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    disk = Disk(folder)
    folder.rmdir()
    disk.write(URL, PEM, 0.0, AT)
    assert disk.failures == 1
    assert disk.read(URL, AT) is None
