"""Copies on disk: how long they serve, what is not kept (facts A6.4)."""

import os
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipguard.net.disk import Disk
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
    assert (copy.octets, copy.fresh, copy.head.fetched_at, copy.head.expires_at) == (PEM, True, AT, AT + 48 * H)


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


@given(cut=st.integers(0, 2000), flip=st.integers(0, 2000))
def test_a_truncated_or_changed_copy_is_none_and_is_replaced(
    tmp_path_factory: pytest.TempPathFactory, cut: int, flip: int
) -> None:
    folder = tmp_path_factory.mktemp("copies")
    disk = Disk(folder)
    disk.write(URL, PEM, 0.0, AT)
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    changed = bytearray(whole)
    changed[flip % len(whole)] ^= 1
    for content in (whole[: cut % len(whole)], bytes(changed)):
        file.write_bytes(content)
        found = disk.read(URL, AT)
        assert found is None or found.octets == PEM  # a bit of a time may have changed
    disk.write(URL, PEM, 0.0, AT)
    assert file.read_bytes() == whole


@given(st.binary(max_size=300))
def test_any_content_is_none_and_swept(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("copies")
    disk = Disk(folder)
    disk.write(URL, PEM, 0.0, AT)
    (file,) = folder.iterdir()
    file.write_bytes(content)
    assert disk.read(URL, AT) is None
    assert list(disk.copies(AT)) == []
    disk.sweep(AT, 0.0)
    assert list(folder.iterdir()) == []


def test_use_is_noted_and_what_is_unused_or_dead_is_swept(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    for name in ("used", "unused", "renewed"):
        disk.write(f"https://certs.example/{name}", PEM, 9 * 24 * H, AT)
    disk.write("https://certs.example/short", PEM, 0.0, AT)
    disk.used("https://certs.example/used", AT + 30 * H)
    disk.write("https://certs.example/renewed", PEM, 9 * 24 * H, AT + 30 * H, used_at=AT)
    disk.sweep(AT + 31 * H, AT + 1.0)
    (left,) = disk.copies(AT + 31 * H)
    assert (left.head.url, left.used_at, disk.files) == ("https://certs.example/used", AT + 30 * H, 1)


def test_a_copy_that_an_earlier_release_wrote_serves(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.write(URL, PEM, 0.0, AT)
    (file,) = tmp_path.iterdir()
    file.write_bytes(f'{{"url":"{URL}","fetched_at":{AT},"expires_at":{AT + H}}}\n'.encode() + PEM)
    copy = disk.read(URL, AT)
    assert copy is not None
    assert copy.octets == PEM


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
    part = tmp_path / "abc.123.part"
    part.write_bytes(b"half")
    os.utime(part, (AT, AT))
    Disk(tmp_path).sweep(AT + 59.0, 0.0)
    assert part.exists()
    Disk(tmp_path).sweep(AT + 61.0, 0.0)
    assert not part.exists()


def test_the_least_recently_used_copies_make_room(tmp_path: Path) -> None:
    disk = Disk(tmp_path, limit=4)
    for n in range(4):
        disk.write(f"https://certs.example/{n}", PEM, 0.0, AT, used_at=AT + n)
    disk.used("https://certs.example/0", AT + 9)
    disk.write(URL, PEM, 0.0, AT + 10)
    assert {copy.head.url[-1] for copy in disk.copies(AT + 10)} == {"0", "2", "3", "m"}
    assert disk.files == 4


def test_a_folder_that_is_gone_fails_no_fetch(tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    disk = Disk(folder)
    folder.rmdir()
    disk.write(URL, PEM, 0.0, AT)
    assert disk.failures == 1
    assert disk.read(URL, AT) is None


def test_one_certificate_under_any_number_of_urls_pushes_no_other_out(tmp_path: Path) -> None:
    honest = [f"https://{n}.example/a.pem" for n in range(40)]
    leaves = [PKI.leaf().pem for _ in range(4)]
    disk, chance = Disk(tmp_path, limit=100), Random(4)
    for n, url in enumerate(honest):
        disk.write(url, leaves[n % 4], 0.0, AT, used_at=AT - 10 * H)
    for n in range(500):
        if n == 200:  # a start that has swept knows them too
            disk = Disk(tmp_path, limit=100)
            disk.sweep(AT, 0.0)
        disk.write(f"https://{chance.randrange(1 << 40)}.flood.example/{n}", PEM, 0.0, AT, used_at=AT + n)
        assert disk.files <= 100
    kept = {copy.head.url for copy in disk.copies(AT + 500)}
    assert kept.issuperset(honest)
    assert len(kept) == disk.files
