"""Imports: what comes into force, what changes nothing, what goes on where it was."""

from __future__ import annotations

import gzip
import json
import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sipguard.numbers import notes
from sipguard.numbers.numberset import NumberSet
from sipguard.numbers.pairset import PairSet
from sipguard.numbers.registryxml import RegistryXml
from sipguard.numbers.rows import instant
from sipguard.numbers.wide import NEVER
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


def test_a_disk_that_would_be_full_refuses_an_import(
    tmp_path: Path, give: Give, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writing to its mapped file would end the process with SIGBUS."""
    done(asked(tmp_path, give("2025550100\n")))
    disk = os.statvfs(tmp_path)
    few = os.statvfs_result([disk.f_bsize, 4096, disk.f_blocks, 100, 100, *list(disk)[5:]])
    monkeypatch.setattr(os, "statvfs", lambda path: few)
    with pytest.raises(OSError, match="No space left on device"):
        done(asked(tmp_path, give("".join(f"20255501{n:02}\n" for n in range(100)))))
    with pytest.raises(OSError, match="No space left on device"):
        done(asked(tmp_path, give("2025550101\n"), update=True))
    assert on_list(tmp_path) == {"12025550100"}
    done(asked(tmp_path, give("2025550101\n"), accept_loss=True))
    assert on_list(tmp_path) == {"12025550101"}


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
        ("csv", 'number,"a,b"\n2025550100,"x ""y"""\n2025550101,5" z\n', "", {"12025550100", "12025550101"}),
        (
            "complaints",
            "Company_Phone_Number,Created_Date,Subject\n2025550100,2026-11-24 10:00:00,Other\n,2026-11-24,Other\n",
            "",
            {"12025550100"},
        ),
        ("reassigned", "2025550100,2026-11-01\n2025550101,2026-11-01,no\n2025550102,2026-11-01,yes\n", "",
         {"12025550100", "12025550102"}),
        ("reassigned", "Number,Date,Status\n2025550100,2026-11-01,no\n2025550101,2026-11-01,yes\n", "",
         {"12025550101"}),
        ("dno", "2025550100,inbound only\n2915550100,unallocated\n", "", {"12025550100", "2915550100"}),
        ("dno", "Number,Reason\n2025550100,x\n", "", {"12025550100"}),
        ("csv", "id,phone\r\n1,2025550100\r\n2,2025550101\r\n", "", {"12025550100", "12025550101"}),
        ("csv", 'id,phone\n1,2025550100\n2,"2025550101"\n3,\n4,2025550102\n', "",
         {"12025550100", "12025550101", "12025550102"}),
        ("ftc-xml", "<?xml version='1.0'?>\n<list type='full' val='DC'><ac val='202'><ph val='5550100' /></ac>"
         "<ac val=\"203\">\n<ph val='5550101'/><ph  val='5550102'></ph></ac><ac val='204'/></list>\n", "",
         {"12025550100", "12035550101", "12035550102"}),
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


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("dno", "number,why\n2025550100-2025550199,unused\n+12025550300-+12025550301,x\n2025550400,y\n"),
        ("plain", "+12025550100-+12025550199\n2025550300-2025550301\n2025550400\n"),
        ("list", "number,note,until\n2025550100-2025550199,unused,\n+12025550300-+12025550301,,\n2025550400,,\n"),
    ],
)
def test_ranges_are_imported(tmp_path: Path, give: Give, form: str, text: str) -> None:
    made = done(asked(tmp_path, give(text), form=form)).tally
    assert (made.accepted, made.refusals) == (3, 0)
    found = NumberSet.open(Path(manifest.base_of(tmp_path / "lists", "dnc")))
    probes = ["12025550099", "12025550100", "12025550199", "12025550200", "12025550300", "12025550302", "12025550400"]
    assert [tn in found for tn in probes] == [False, True, True, False, True, False, True]
    if form != "list":
        done(asked(tmp_path, give("2025550500-2025550501\n"), form=form, update=True))
        found = NumberSet.open(Path(manifest.base_of(tmp_path / "lists", "dnc")))
        assert [tn in found for tn in ("12025550150", "12025550501")] == [True, True]


def test_a_registry_holds_no_ranges(tmp_path: Path, give: Give) -> None:
    tally = done(asked(tmp_path, give("201,5550100\n2025550100-2025550199\n202,5550101\n"), form="ftc")).tally
    assert (tally.accepted, tally.refusals) == (2, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<list type='full'><ac val='201'><ph val='5550100'/></ac>", "without </list>: it is cut off"),
        ("<list type='full'><ac val='201'><ph val='5550100'/><ph val='55501", "without </list>: it is cut off"),
        ("<list type='full'><ac val='20'><ph val='5550100'/></ac></list>", "20 is no area code"),
        ("<list type='full'><ph val='5550100'/></list>", "stands outside an area code"),
        ("<list type='full'><ac val='201'><tn val='5550100'/></ac></list>", "there is no element tn"),
        ("<list type='full'><ac val='201'>5550100</ac></list>", "text between the tags: 5550100"),
        ("<list type='change'><ac val='201'><ph val='5550100'/></ac></list>", "it is a file of changes"),
        ("<list type='full'><ac val='201'><ph val='812'/></ac></list>", "1 lines refused and 0 taken"),
    ],
)
def test_xml_that_is_broken_changes_nothing(tmp_path: Path, give: Give, text: str, said: str) -> None:
    with pytest.raises((ListFileError, ImportRefused), match=re.escape(said)):
        done(asked(tmp_path, give(text, "given.xml"), form="ftc-xml"))
    assert on_list(tmp_path) == set()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.sampled_from(("201", "202", "999", "211")), st.lists(st.integers(0, 9_999_999)), max_size=4),
    st.sampled_from(("", " ", "\n", "\r\n  ")), st.sampled_from("'\""), st.integers(1, 60),
)  # fmt: skip
def test_the_xml_form_reads_as_the_text_form(areas: dict[str, list[int]], space: str, quote: str, chunk: int) -> None:
    text = space.join(
        [f"<list type={quote}full{quote}>"]
        + [
            tag
            for npa, numbers in areas.items()
            for tag in (
                f"<ac val={quote}{npa}{quote}>",
                *(f"<ph val={quote}{n:07d}{quote} />" for n in numbers),
                "</ac>",
            )
        ]
        + ["</list>"]
    )
    reader, octets, rest, lines = RegistryXml(), text.encode(), b"", b""
    for at in range(0, len(octets), chunk):
        whole, end, rest = (rest + octets[at : at + chunk]).rpartition(b">")
        lines += reader.lines(whole + end)
    assert reader.ended and not rest
    assert lines.decode() == "".join(f"{npa},{n:07d}\n" for npa, numbers in areas.items() for n in numbers)


# ------------------------------------------------------------------------------------------ pairs


PAIRS = (
    "caller,brand,callee,until,note\n2025550100,,2125550123,2027-01-31,asked on the web\n"
    ",Example Pharmacy,2125550124,,\n2025550101,,2125550123,,\n"
)


def pairs(tmp_path: Path, *files: Path, **others: object) -> Asked:
    return Asked(tmp_path / "lists", "consent", files, "list", kind="pairs", **others)  # type: ignore[arg-type]


def in_pairs(tmp_path: Path) -> dict[tuple[str, str], int]:
    path = manifest.base_of(tmp_path / "lists", "consent")
    found = PairSet.open(Path(path)) if path else ()
    return {pair: found.until(pair) for pair in found}  # type: ignore[attr-defined]


def test_pairs_are_imported_with_ends_names_and_reasons(tmp_path: Path, give: Give) -> None:
    run = done(pairs(tmp_path, give(PAIRS), by="ann"))
    end = 1_801_440_000  # behind the last day, UTC
    assert in_pairs(tmp_path) == {
        ("12025550100", "12125550123"): end,
        ("example pharmacy", "12125550124"): NEVER,
        ("12025550101", "12125550123"): NEVER,
    }
    made = manifest.read(tmp_path / "lists", "consent")
    assert made is not None and (made.kind, made.by, made.counts["members"], run.tally.accepted) == (
        "pairs",
        "ann",
        3,
        3,
    )
    (note,) = notes.of(notes.beside(tmp_path / "lists" / made.base), "12025550100,12125550123")
    assert note.reason == "asked on the web"


def test_pairs_are_added_and_those_of_before_keep_their_reasons(tmp_path: Path, give: Give) -> None:
    done(pairs(tmp_path, give(PAIRS)))
    more = "+12025550109,+12125550129\n+12025550101,+12125550123,2027-02-01\n"
    done(pairs(tmp_path, give(more, "more.txt"), update=True))
    found = in_pairs(tmp_path)
    assert len(found) == 4 and found["12025550101", "12125550123"] == NEVER
    path = Path(manifest.base_of(tmp_path / "lists", "consent"))
    assert [each.reason for each in notes.all_of(notes.beside(path))] == ["asked on the web"]


def test_lines_of_pairs_that_cannot_be_read_are_told(tmp_path: Path, give: Give) -> None:
    text = PAIRS + "812,,2125550123,,\n2025550102,,2125550123,soon,\n2025550102,,,,\n\n# end\n"
    tally = done(pairs(tmp_path, give(text))).tally
    told = [(each.line, each.reason) for each in tally.told]
    assert told == [(5, "no_number"), (6, "no_date"), (7, "missing")]
    assert (tally.accepted, tally.empty, len(in_pairs(tmp_path))) == (3, 2, 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is not one pair"),
        ("caller,until\n2025550100,2027-01-31\n", "the column callee is missing"),
        ("caller,callee,agent\n2025550100,2125550123,ann\n", "unknown column agent; known are"),
        ("2025550100\n2025550101\n", "1 fields instead of caller,callee"),
        ("caller,callee,until\n2025550100,2125550123,2027-01-31\n2025550101,2125550123", "it is cut off"),
        ("caller,callee,until\n2025550100,2125550123,2027-01-31\n2025550101,2125550123,2027-0", "it is cut off"),
        ("caller,callee\n+12025550100,+12125550123\n2025550101,21255", "it is cut off"),
    ],
)
def test_broken_files_of_pairs_change_nothing(tmp_path: Path, give: Give, text: str, said: str) -> None:
    done(pairs(tmp_path, give("+12025550100,+12125550123\n", "good.txt")))
    before = {path.name: path.read_bytes() for path in (tmp_path / "lists").iterdir()}
    for update in (False, True):
        if said.startswith("there is not") and update:
            continue
        with pytest.raises((ListFileError, ImportRefused), match=re.escape(said)):
            done(pairs(tmp_path, give(text), update=update))
    assert {path.name: path.read_bytes() for path in (tmp_path / "lists").iterdir()} == before


def test_a_loss_of_pairs_must_be_accepted(tmp_path: Path, give: Give) -> None:
    done(pairs(tmp_path, give(PAIRS)))
    few = give("+12025550101,+12125550123\n", "few.txt")
    with pytest.raises(ImportRefused, match="2 of its 3 pairs would be gone"):
        done(pairs(tmp_path, few))
    done(pairs(tmp_path, few, accept_loss=True))
    assert len(in_pairs(tmp_path)) == 1


def test_an_interrupted_import_of_pairs_changes_nothing(tmp_path: Path, give: Give) -> None:
    answers = iter((False, True))
    with pytest.raises(Interrupted):
        Import(pairs(tmp_path, give(PAIRS))).run(lambda octets: None, lambda: next(answers))
    assert in_pairs(tmp_path) == {}


def test_what_has_ends_is_not_updated_in_a_form_that_loses_them(tmp_path: Path, give: Give) -> None:
    done(asked(tmp_path, give("number,until\n2025550100,2099-01-01\n2025550101,\n"), form="list"))
    with pytest.raises(ImportRefused, match="which --format list alone keeps"):
        done(asked(tmp_path, give("2025550102\n"), update=True))
    done(asked(tmp_path, give("2025550102\n"), form="list", update=True))
    found = NumberSet.open(Path(manifest.base_of(tmp_path / "lists", "dnc")))
    assert sorted(found.entries()) == ["12025550100", "12025550101", "12025550102"] and found.ends


def cut(octets: bytes) -> bytes:
    return octets[:-100]


def flip(octets: bytes) -> bytes:
    """One of the first block."""
    return octets[:64] + bytes((octets[64] ^ 1,)) + octets[65:]


@pytest.mark.parametrize("damage", [cut, flip])
@pytest.mark.parametrize("kind", ["numbers", "pairs"])
def test_a_damaged_base_is_replaced_and_not_updated(
    tmp_path: Path, give: Give, kind: str, damage: Callable[[bytes], bytes]
) -> None:
    file = give(PAIRS if kind == "pairs" else "".join(f"20255501{n:02}\n" for n in range(100)))
    like = pairs if kind == "pairs" else asked
    done(like(tmp_path, file))
    base = Path(manifest.base_of(tmp_path / "lists", like(tmp_path).name))
    whole = base.read_bytes()
    base.write_bytes(damage(whole))
    with pytest.raises(ImportRefused, match="gone or damaged: import the whole list, with --replace"):
        done(like(tmp_path, file, update=True))
    run = done(like(tmp_path, file))
    assert "octet" in run.unread
    again = Path(manifest.base_of(tmp_path / "lists", like(tmp_path).name))
    assert again.read_bytes() == whole and again != base  # a running sipguard opens another path only
    assert not done(like(tmp_path, file, update=True)).unread


_TN = st.integers(100, 109).map(lambda n: f"12025550{n}")
_ENDS = st.sampled_from(("", "2026-01-01", "2099-02-01", "2099-01-15T08:00:01Z"))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(_TN | st.just("Acme, Inc"), _TN, _ENDS), min_size=1, max_size=12))
def test_an_import_of_pairs_says_what_a_set_says(tmp_path: Path, rows: list[tuple[str, str, str]]) -> None:
    rows = [(caller.replace(",", ""), callee, end) for caller, callee, end in rows]
    text = "caller,brand,callee,until\n"
    expected: dict[tuple[str, str], int] = {}
    for caller, callee, end in rows:
        text += f"{caller},,{callee},{end}\n" if caller.isdigit() else f",{caller},{callee},{end}\n"
        until = instant(end, after=True) if end else NEVER
        assert until is not None
        expected[caller.lower(), callee] = max(until, expected.get((caller.lower(), callee), 0))
    path = tmp_path / "given.csv"
    path.write_text(text)
    run = Import(pairs(tmp_path, path, accept_loss=True))
    run.run(lambda octets: None, never)
    assert in_pairs(tmp_path) == expected


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
                               ("a.csv", "dno", '{},"x,y"\n')]
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
        ("2025550100,2026-11-01,No Data\n", "reassigned"),
        ("Number,Date,Status\n2025550100,2026-11-01,no\n", "reassigned"),
        ('"Phone Number","Permanently Disconnected Date",Result\r\n"2025550100","2026-11-01","yes"\r\n', "reassigned"),
        ("Number,Date,Status\n2025550100,2026-11-01,open\n", "csv"),
        ("Number,Asked,Consent\n2025550100,x,no\n", "csv"),
        ("2025550100\n", "plain"),
        ("", "plain"),
    ],
)
def test_the_format_is_told_by_the_first_line(give: Give, text: str, form: str) -> None:
    assert form_of(give(text, "a")) == form


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "2025550100,2026-11-01\n",
            r"a number stands where a header is wanted \(2025550100, 2026-11-01\): write --column",
        ),
        (
            "2025550100,2026-11-01,no,x\n",
            "yes or no look like answers on reassigned numbers: write --format reassigned",
        ),
        ("phone,tn\n", "several columns may hold the numbers: name one of phone, tn with --column"),
        ("id,name\n", "no column of the header is known to hold the numbers: name one of id, name with --column"),
    ],
)
def test_where_no_header_names_the_numbers_it_is_said_how(tmp_path: Path, give: Give, text: str, told: str) -> None:
    file = give(text, "a.csv")
    with pytest.raises(ListFileError, match=told):
        done(asked(tmp_path, file, form=form_of(file)))


def test_a_quote_without_end_refuses_the_file(tmp_path: Path, give: Give, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would take all up to the next quote, or to the end of the file, for one field."""
    monkeypatch.setattr(listfile, "CHUNK", 64)
    done(asked(tmp_path, give("2025550199\n", "before.txt")))
    rows = [f"202555{n:04},x" for n in range(100, 130)]
    for at, row in ((0, '2025550100,"oops'), (7, '"2025550107,x'), (29, '2025550129,"oops')):
        for last in ("\n", ""):
            text = "\n".join(["Number,Subject", *rows[:at], row, *rows[at + 1 :]]) + last
            with pytest.raises(
                ListFileError, match=rf"c\.csv:{at + 2}: a quote that is opened on this line has no end"
            ):
                done(asked(tmp_path, give(text, "c.csv"), form="csv"))
    closed = "\n".join(["Number,Subject", '2025550100,"two', 'lines"', *rows])
    with pytest.raises(ListFileError, match=r"c\.csv:2: a quote"):
        done(asked(tmp_path, give(closed, "c.csv"), form="csv"))
    assert on_list(tmp_path) == {"12025550199"}


def test_after_a_refusal_nothing_is_told_of_an_interruption(tmp_path: Path, give: Give) -> None:
    done(asked(tmp_path, give("2025550100\n2025550101\n2025550102\n", "first.txt")))
    right = give("2025550100\n2025550101\n", "right.txt")
    for name, text, form in (
        ("cut.csv", 'Number\n2025550100\n"2025550101', "csv"),
        ("wrong.txt", "alice\nbob\n", "plain"),
        ("lost.txt", "2025550109\n", "plain"),
    ):
        with pytest.raises((ListFileError, ImportRefused)):
            done(asked(tmp_path, give(text, name), form=form))
        assert not done(asked(tmp_path, right)).was_other, name


def test_a_version_is_of_all_files(tmp_path: Path, give: Give) -> None:
    one, two = give("2025550100\n", "1.txt"), give("2025550101\n", "2.txt")

    def version(*files: Path) -> str:
        return Import(asked(tmp_path, *files, accept_loss=True, dated_at=0.0)).run(lambda octets: None, never).version

    found = [version(one), version(one, two), version(one, one), version(two, one)]
    assert len(set(found)) == 4
    assert found[0] == version(one)


def test_columns_parted_by_something_else_are_told(give: Give) -> None:
    for sign, told in ((";", ";"), ("\t", "tabs")):
        with pytest.raises(ListFileError, match=f"its columns are parted by {told}: save it as CSV with commas"):
            form_of(give(f"number{sign}name\n", "a.csv"))


def test_a_name_without_end_costs_no_more_than_its_length(give: Give, tmp_path: Path) -> None:
    text = "<list><ac val='201'><" + "a" * 500_000 + "<ph val='5550100'/></ac></list>"
    with pytest.raises(ListFileError, match="text between the tags"):
        done(asked(tmp_path, give(text), form="ftc-xml"))


def test_files_of_one_name_in_an_archive_are_both_read(tmp_path: Path) -> None:
    path = tmp_path / "given.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "2025550100\n")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.txt", "2025550101\n")
    done(asked(tmp_path, path))
    assert on_list(tmp_path) == {"12025550100", "12025550101"}


@pytest.mark.parametrize("damage", [b"\x80", b"lzma"])
def test_an_archive_that_is_damaged_is_told(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "given.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("ä.txt", "2025550100\n" * 500)
    octets = path.read_bytes()
    octets = octets[:60] + bytes(20) + octets[80:] if damage == b"lzma" else octets.replace("ä".encode(), b"\x80\x80")
    path.write_bytes(octets)
    with pytest.raises(ListFileError, match="truncated or broken"):
        done(asked(tmp_path, path))


def test_an_import_is_noted_behind_a_line_that_was_cut(tmp_path: Path, give: Give) -> None:
    file = give("2025550100\n")
    done(asked(tmp_path, file))
    with (tmp_path / "lists/dnc.imports.jsonl").open("a") as noted:
        noted.write('{"list": "dn')
    done(asked(tmp_path, file, version="2"))
    assert [each.version for each in manifest.history(tmp_path / "lists", "dnc")][1:] == ["2"]


def test_what_is_in_force_and_could_not_be_noted_is_told_so(tmp_path: Path, give: Give) -> None:
    (tmp_path / "lists/dnc.imports.jsonl").mkdir(parents=True)
    with pytest.raises(ListFileError, match="dnc is in force, but not noted here"):
        done(asked(tmp_path, give("2025550100\n")))
    assert on_list(tmp_path) == {"12025550100"}
