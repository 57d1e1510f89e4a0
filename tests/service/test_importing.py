"""Imports: what comes into force, what changes nothing, what goes on where it was."""

from __future__ import annotations

import gzip
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sipguard.numbers.numberset import NumberSet
from sipguard.service import importing
from sipguard.service.errors import ImportRefused
from sipguard.service.importing import Asked, Import, Interrupted, form_of
from sipguard.store import listfile, manifest
from sipguard.store.errors import ListFileError

Give = Callable[[str | bytes, str], Path]


@pytest.fixture
def give(tmp_path: Path) -> Give:
    def given(text: str | bytes, name: str = "given.txt") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return given


def asked(tmp_path: Path, *files: Path, form: str = "plain", **others: object) -> Asked:
    return Asked(tmp_path / "lists", "dnc", files, form, **others)  # type: ignore[arg-type]


def never() -> bool:
    return False


def done(of: Asked) -> Import:
    run = Import(of)
    run.run(lambda octets: None, never)
    return run


def on_list(tmp_path: Path) -> set[str]:
    path = manifest.base_of(tmp_path / "lists", "dnc")
    return set(NumberSet.open(Path(path))) if path else set()


def test_a_plain_list_comes_into_force_with_its_manifest(tmp_path: Path, give: Give) -> None:
    file = give("\ufeff2025550100\r\n+1 202 555 0101\r\n+442079460000\r\n2025550100\r\n812\r\n", "given.txt")
    made = Import(asked(tmp_path, file, version="7", by="ann")).run(lambda octets: None, never)
    assert on_list(tmp_path) == {"12025550100", "12025550101", "442079460000"}
    assert (made.version, made.by, made.files[0].octets) == ("7", "ann", file.stat().st_size)
    assert (made.counts["accepted"], made.counts["members"], made.counts["refused"]) == (4, 3, 1)
    assert manifest.read(tmp_path / "lists", "dnc") == made
    assert manifest.history(tmp_path / "lists", "dnc") == [made]
    refused = json.loads((tmp_path / "lists/dnc.refused.json").read_text())
    assert [(each["line"], each["column"], each["reason"]) for each in refused] == [(5, 1, "invalid_format")]
    assert not (tmp_path / "lists/.dnc.import").exists()


def test_a_full_file_replaces_and_a_change_file_adds_and_takes_off(tmp_path: Path, give: Give) -> None:
    done(asked(tmp_path, give("201,5550100\n201,5550101\n202,5550102\n", "full.txt"), form="ftc"))
    change = give(
        "201,5550101,2026-11-25 10:00:00,D\n2015550103,A,11/25/2026 10:01 PM\n"
        "A,202,5550104,20261125\n5550105,203,D,\n2015550106,2026-11-25\n2015550107,yesterday,A\n",
        "change.txt",
    )
    run = done(asked(tmp_path, change, form="ftc-change", update=True))
    assert on_list(tmp_path) == {"12015550100", "12015550103", "12025550102", "12025550104"}
    assert run.tally.refused == {"no_action": 1, "no_date": 1}
    assert (run.tally.accepted, run.tally.deleted) == (2, 2)


def test_a_change_file_may_empty_an_area_code(tmp_path: Path, give: Give) -> None:
    done(asked(tmp_path, give("201,5550100\n202,5550102\n202,5550103\n", "full.txt"), form="ftc"))
    done(asked(tmp_path, give("201,5550100,D\n", "change.txt"), form="ftc-change", update=True))
    assert on_list(tmp_path) == {"12025550102", "12025550103"}


def test_a_full_file_of_one_area_code_replaces_that_one(tmp_path: Path, give: Give) -> None:
    done(asked(tmp_path, give("201,5550100\n202,5550102\n202,5550103\n", "full.txt"), form="ftc"))
    done(asked(tmp_path, give("201,5550109\n", "201.txt"), form="ftc", update=True))
    assert on_list(tmp_path) == {"12015550109", "12025550102", "12025550103"}


@pytest.mark.parametrize(
    ("form", "text", "column", "expected"),
    [
        ("csv", 'name,phone\n"Doe, Ann",2025550100\nBob,+442079460000\n', "", {"12025550100", "442079460000"}),
        ("csv", "a,b\n1,2025550100\n", "B", {"12025550100"}),
        ("csv", "a,b\n2025550101,2025550100\n", "1", {"12025550101"}),
        ("csv", 'number,"a\nb"\n2025550100,"x\ny"\n2025550101,\n', "", {"12025550100", "12025550101"}),
        (
            "complaints",
            "Company_Phone_Number,Created_Date,Subject\n2025550100,2026-11-24 10:00:00,Other\n,2026-11-24,Other\n",
            "",
            {"12025550100"},
        ),
        ("reassigned", "2025550100,2026-11-01\n2025550101,2026-11-01,no\n2025550102,2026-11-01,yes\n", "",
         {"12025550100", "12025550102"}),
        ("dno", "2025550100,inbound only\n2915550100,unallocated\n", "", {"12025550100", "2915550100"}),
        ("dno", "Number,Reason\n2025550100,x\n", "", {"12025550100"}),
    ],
)  # fmt: skip
def test_rows(tmp_path: Path, give: Give, form: str, text: str, column: str, expected: set[str]) -> None:
    done(asked(tmp_path, give(text, "given.csv"), form=form, column=column))
    assert on_list(tmp_path) == expected


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("a,b\n1,2025550100\n", "", "name one of a, b with --column"),
        ("phone,number\n1,2025550100\n", "", "several columns"),
        ("a,b\n1,2025550100\n", "c", "no column c, only: a, b"),
        ("a,b\n1,2025550100\n", "3", "no column 3"),
    ],
)
def test_a_column_that_is_not_there_is_told(tmp_path: Path, give: Give, text: str, column: str, said: str) -> None:
    with pytest.raises(ListFileError, match=said):
        done(asked(tmp_path, give(text, "given.csv"), form="csv", column=column))


def test_gz_and_zip_are_read(tmp_path: Path, give: Give) -> None:
    packed = give(gzip.compress(b"2025550100\n2025550101\n"), "given.gz")
    archive = tmp_path / "given.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("202.txt", "202,5550102")
        file.writestr("201.txt", "201,5550103\n")
    done(asked(tmp_path, packed, archive, form="ftc"))
    assert on_list(tmp_path) == {"12025550100", "12025550101", "12025550102", "12015550103"}


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (gzip.compress(b"2025550100\n" * 99)[:-12], "truncated or broken"),
        (gzip.compress(b"2025550100\n" * 99)[:-8] + bytes(8), "truncated or broken"),
        (b"PK\x03\x04 no archive", "truncated or broken"),
        (b"2025550100\n2025550101\n20255", "ends in the middle of line 3"),
        ("2025550100\n".encode("utf-16"), "UTF-16"),
        ("2025550100\n".encode("utf-16-le"), "UTF-16"),
        (b"\x7fELF\x00\x01\n", "octets of value 0"),
        (b"1" * (3 << 20), "a line of more than"),
        (b"<html>\n<body>\nnot found\n", "Is it a list of numbers"),
        (b"", "not one number"),
        (b"2025550100\n", "1 of its 3 numbers would be gone|2 of its 3 numbers would be gone"),
    ],
    ids=["gz_cut", "gz_crc", "zip", "cut_line", "utf16", "utf16_bare", "octets", "one_line", "html", "empty", "loss"],
)
def test_what_is_broken_cut_or_wrong_changes_nothing(tmp_path: Path, give: Give, octets: bytes, said: str) -> None:
    done(asked(tmp_path, give("2025550100\n2025550105\n2025550106\n", "first.txt")))
    before = on_list(tmp_path), manifest.history(tmp_path / "lists", "dnc")
    with pytest.raises((ListFileError, ImportRefused), match=said):
        done(asked(tmp_path, give(octets, "second")))
    assert (on_list(tmp_path), manifest.history(tmp_path / "lists", "dnc")) == before


def test_a_loss_that_is_accepted_is_done_without_reading_again(tmp_path: Path, give: Give) -> None:
    done(asked(tmp_path, give("2025550100\n2025550105\n2025550106\n", "first.txt")))
    second = give("2025550100\n", "second.txt")
    with pytest.raises(ImportRefused):
        done(asked(tmp_path, second))
    run = done(asked(tmp_path, second, accept_loss=True))
    assert on_list(tmp_path) == {"12025550100"}
    assert run.tally.accepted == 1


def many(tmp_path: Path, name: str, form: str = "{}\n") -> tuple[Path, set[str]]:
    """A file of several chunks, in the format that its name has."""
    tns = [f"2025{n * 7 % 1_000_000:06d}" for n in range(2000)] + ["+4420794600" + str(n) for n in range(10, 99)]
    text = "".join(form.format(tn) for tn in tns).encode()
    path = tmp_path / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(text))
    elif name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("a.txt", text[: len(text) // 2 // 11 * 11].removesuffix(b"\n"))
            file.writestr("b.txt", text[len(text) // 2 // 11 * 11 :])
    else:
        path.write_bytes(text)
    return path, {"1" + tn if tn[0] != "+" else tn[1:] for tn in tns}


@pytest.mark.parametrize(
    ("name", "form", "line"), [("a.txt", "plain", "{}\n"), ("a.gz", "plain", "{}\n"), ("a.zip", "plain", "{}\n"),
                               ("a.csv", "dno", '{},"x\ny"\n')]
)  # fmt: skip
@pytest.mark.parametrize("stop_after", [1, 3, 7])
def test_what_was_interrupted_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, form: str, line: str, stop_after: int
) -> None:
    monkeypatch.setattr(listfile, "CHUNK", 1000)
    monkeypatch.setattr(importing, "ROWS", 64)
    file, expected = many(tmp_path, name, line)
    looks = 0

    def enough() -> bool:
        nonlocal looks
        looks += 1
        return looks > stop_after

    with pytest.raises(Interrupted):
        Import(asked(tmp_path, file, form=form)).run(lambda octets: None, enough)
    assert on_list(tmp_path) == set()
    assert all(path.name.startswith(".") for path in (tmp_path / "lists").rglob("*"))  # a backup leaves it out
    run = done(asked(tmp_path, file, form=form))
    assert run.went_on_at > 0
    assert on_list(tmp_path) == expected
    assert run.tally.accepted == len(expected)
    assert run.tally.refusals == 0


def test_what_was_killed_goes_on_behind_its_last_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listfile, "CHUNK", 1000)
    monkeypatch.setattr(importing, "CHECKPOINT_S", -1.0)
    file, expected = many(tmp_path, "a.txt")

    class Killed(BaseException):
        pass

    looks = 0

    def killed() -> bool:
        nonlocal looks
        looks += 1
        if looks > 9:
            raise Killed
        return False

    with pytest.raises(Killed):
        Import(asked(tmp_path, file)).run(lambda octets: None, killed)
    run = done(asked(tmp_path, file))
    assert run.went_on_at > 0
    assert on_list(tmp_path) == expected


@pytest.mark.parametrize("how", ["source", "boot", "garbage", "bits"])
def test_it_begins_anew_where_the_source_or_the_machine_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(listfile, "CHUNK", 1000)
    file, _ = many(tmp_path, "a.txt")
    looks = iter([False, True, True])
    with pytest.raises(Interrupted):
        Import(asked(tmp_path, file)).run(lambda octets: None, lambda: next(looks))
    expected = {"12035550100"}
    if how == "source":
        file.write_text("2035550100\n")
    elif how == "boot":
        _, expected = many(tmp_path, "a.txt")
        monkeypatch.setattr(importing, "_BOOT", file)
    elif how == "bits":
        _, expected = many(tmp_path, "a.txt")
        (tmp_path / "lists/.dnc.import/.bits").unlink()
    else:
        _, expected = many(tmp_path, "a.txt")
        (tmp_path / "lists/.dnc.import/.checkpoint.json").write_text("{")
    run = done(asked(tmp_path, file))
    assert (run.went_on_at, run.was_other) == (0, True)
    assert on_list(tmp_path) == expected


def test_one_import_of_a_list_runs_at_a_time(tmp_path: Path, give: Give) -> None:
    file = give("2025550100\n", "a.txt")

    def another(octets: int) -> None:
        with pytest.raises(ImportRefused, match="another import"):
            done(asked(tmp_path, file))

    Import(asked(tmp_path, file)).run(another, never)
    assert on_list(tmp_path) == {"12025550100"}


def test_a_file_that_grows_while_it_is_read_changes_nothing(tmp_path: Path, give: Give) -> None:
    file = give("2025550100\n", "a.txt")

    def grows(octets: int) -> None:
        file.write_text("2025550100\n2025550101\n")
        os.utime(file, (1, 1))

    with pytest.raises(ListFileError, match="was changed while it was read"):
        Import(asked(tmp_path, file)).run(grows, never)
    assert on_list(tmp_path) == set()


def test_few_bases_are_kept(tmp_path: Path, give: Give) -> None:
    for n in range(6):
        done(asked(tmp_path, give(f"202555010{n}\n", f"{n}.txt"), accept_loss=True))
    assert len(list((tmp_path / "lists").glob("*.base"))) == manifest.KEPT_BASES
    assert len(manifest.history(tmp_path / "lists", "dnc")) == 6
    assert on_list(tmp_path) == {"12025550105"}


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("201,5550100\n", "ftc"),
        ("201,5550100,2026-11-25,A\n", "ftc-change"),
        ("# comment\n\n2025550100,D,2026-11-25\n", "ftc-change"),
        ("Company_Phone_Number,Created_Date\n", "complaints"),
        ("name,phone\n", "csv"),
        ("2025550100\n", "plain"),
        ("", "plain"),
    ],
)
def test_the_format_is_told_by_the_first_line(give: Give, text: str, form: str) -> None:
    assert form_of(give(text, "a")) == form
