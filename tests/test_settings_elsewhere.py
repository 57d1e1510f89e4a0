"""Trunks and lists as those write them who know other products: one message each, with its place and its cure."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipguard.settings.load import load
from tests.test_settings import GOOD, write

WRITTEN = [  # an entry of trunks or lists, column and message
    ("trunks", "carrier.example",
     "3: trunks.x: must be a map, not carrier.example; "
     "write x: {kind: interconnect, sources: [ADDRESS], route: TRUNK}"),
    ("trunks", "{sources: [192.0.2.9], route: core}",
     "3: trunks.x.kind: is missing; "
     "write kind: one of interconnect, origination, telemarketing, gateway, emergency "
     "(What kind of relation it is; policy asks it as trunk.kind)"),
    ("trunks", "{kind: carrier, sources: [192.0.2.9], route: core}",
     "7: trunks.x.kind: must not be carrier; did you mean interconnect?"),
    ("trunks", "{type: gateway, sources: [192.0.2.9], route: core}",
     "7: trunks.x.type: unknown key type; did you mean kind?"),
    ("trunks", "{kind: gateway, sources: [sip.carrier.example], route: core}",
     "32: trunks.x.sources[0]: sip.carrier.example is no address or network; "
     "write the addresses that it calls from, such as 192.0.2.0/24"),
    ("trunks", "{kind: gateway, sources: ['192.0.2.9:5060'], route: core}",
     "32: trunks.x.sources[0]: 192.0.2.9:5060 is no address or network; write 192.0.2.9"),
    ("trunks", "{kind: gateway, sources: ['sip:192.0.2.9'], route: core}",
     "32: trunks.x.sources[0]: sip:192.0.2.9 is no address or network; write 192.0.2.9"),
    ("trunks", "{kind: gateway, sources: [192.0.2.9-192.0.2.12], route: core}",
     "32: trunks.x.sources[0]: 192.0.2.9-192.0.2.12 is no address or network; "
     "write networks, such as 192.0.2.8/30"),
    ("trunks", "{kind: gateway, sources: ['*'], route: core}",
     "32: trunks.x.sources[0]: * is no address or network; write 0.0.0.0/0 for everybody, who may then call"),
    ("trunks", "{kind: gateway, host: 192.0.2.9}",
     "22: trunks.x.host: unknown key host; "
     "write peers: [ADDRESS] for where calls go to, sources: [ADDRESS] for where they come from"),
    ("trunks", "{kind: gateway, ip: 192.0.2.9}",
     "22: trunks.x.ip: unknown key ip; "
     "write peers: [ADDRESS] for where calls go to, sources: [ADDRESS] for where they come from"),
    ("trunks", "{kind: gateway, peers: ['sip:192.0.2.9:5060']}",
     "30: trunks.x.peers[0]: sip:192.0.2.9:5060 is no address; "
     "write 192.0.2.9:5060, or {host: ADDRESS, transport: tcp}"),
    ("trunks", "{kind: gateway, peers: ['udp:192.0.2.9:5060']}",
     "30: trunks.x.peers[0]: udp:192.0.2.9:5060 is no address; "
     "write 192.0.2.9:5060, or {host: ADDRESS, transport: tcp}"),
    ("trunks", "{kind: gateway, peers: ['2001:db8::1:5060']}",
     "30: trunks.x.peers[0]: 2001:db8::1:5060 cannot be reached from 127.0.0.1; write another listener for it"),
    ("trunks", "{kind: gateway, peers: [{ip: 192.0.2.9}]}",
     "31: trunks.x.peers[0].ip: unknown key ip; did you mean host?"),
    ("trunks", "{kind: gateway, sources: [192.0.2.9], route: [core]}",
     "52: trunks.x.route[0]: must be a map, not core; write {to: core}"),
    ("trunks", "{kind: gateway, sources: [192.0.2.9], route: {to: core}}",
     "44: trunks.x.route: is neither a trunk nor a list; "
     "write a trunk's name, or a list of {prefix: [...], to: TRUNK}"),
    ("trunks", "{kind: gateway, sources: [192.0.2.9], route: core, limits: 30}",
     "57: trunks.x.limits: must be a map, not 30; write limits: {cps: ..., calls: ...}"),
    ("trunks", "{kind: gateway, sources: [192.0.2.9], route: core, limits: {cps: 30/s}}",
     "66: trunks.x.limits.cps: must be a number, not 30/s; write 30"),
    ("trunks", "{kind: gateway, sources: [192.0.2.9], route: core, max_calls: 30}",
     "57: trunks.x.max_calls: unknown key max_calls; write limits: {calls: NUMBER}"),
    ("trunks", "{kind: gateway, sources: [192.0.2.9], route: core, try_timeout: 5}",
     "57: trunks.x.try_timeout: 5 is no duration; write 5s for seconds; us, ms, m, h and d are the other units"),
    ("trunks", "{kind: gateway, sources: [192.0.2.9], route: core, try_timeout: 5 seconds}",
     "57: trunks.x.try_timeout: 5 seconds is no duration; write 5s"),
    ("trunks", "{kind: gateway, peers: [192.0.2.9], account: {username: a, password: secret}}",
     "42: trunks.x.account: unknown key account; write credentials: {username: NAME, password: FILE}"),
    ("trunks", "{kind: gateway, peers: [192.0.2.9], sign: true}",
     "42: trunks.x.sign: must be a map, not true; write sign: {by: ..., attest: ..., otherwise: ..., ...}"),
    ("trunks", "{kind: gateway, peers: [192.0.2.9], transport: tcp}",
     "42: trunks.x.transport: unknown key transport; "
     "write it at the peer: peers: [{host: ADDRESS, transport: tcp}]"),
    ("lists", "dno2.txt",
     "3: lists.x: must be a map, not dno2.txt; write x: {file: PATH, bind: [shown]}"),
    ("lists", "[+12025550111, +12025550112]",
     "3: lists.x: must be a map, not a list; write x: {file: PATH, bind: [shown]}"),
    ("lists", "{file: dno.txt}",
     "3: lists.x.bind: is missing; "
     "write bind: [shown], or others of asserted, caller, diverting, callee, pair, upstream, signer "
     "(What the list is asked about: lists.WHICH in a policy)"),
    ("lists", "{file: dno.txt, bind: [from]}",
     "29: lists.x.bind[0]: must not be from; did you mean shown?"),
    ("lists", "{file: dno.txt, type: numbers, bind: [shown]}",
     "22: lists.x.type: unknown key type; did you mean kind?"),
    ("lists", "{file: dno.txt, kind: csv, bind: [shown]}",
     "22: lists.x.kind: must not be csv; known are networks, numbers, pairs, texts, trunks"),
    ("lists", "{file: dno.txt, format: csv, bind: [shown]}",
     "22: lists.x.format: must not be csv; write plain, which is CSV below a header too"),
    ("lists", "{path: dno.txt, bind: [shown]}",
     "7: lists.x.path: unknown key path; did you mean file?"),
    ("lists", "{file: [dno.txt], bind: [shown]}",
     "7: lists.x.file: must be a text, not a list; write one text"),
    ("lists", "{url: https://x.example/dno.txt, bind: [shown]}",
     "7: lists.x.url: unknown key url; "
     "nothing is fetched: write file: PATH, or leave file out and use sipguard lists import"),
    ("lists", "{file: dnoo.txt, bind: [shown]}",
     "7: lists.x.file: there is no file dnoo.txt; did you mean dno.txt?"),
    ("lists", "{numbers: ['+12025550111'], bind: [shown]}",
     "7: lists.x.numbers: unknown key numbers; did you mean members?"),
    ("lists", "{members: [555], bind: [shown]}",
     "17: lists.x.members[0]: 555 has 3 digits, a number without + has 10, or 11 with a 1; "
     "write + and the country code before it"),
    ("lists", "{members: {a: b}, bind: [shown]}",
     "7: lists.x.members: must be a list, not a map; write [...], or a dash before each"),
    ("lists", "{file: dno.txt, bind: [shown], max_age: 31}",
     "37: lists.x.max_age: 31 is no duration; write 31s for seconds; us, ms, m, h and d are the other units"),
    ("lists", "{file: dno.txt, bind: [shown], max_age: 31 days}",
     "37: lists.x.max_age: 31 days is no duration; write 31d"),
    ("lists", "{file: dno.txt, bind: [shown], version: 2026-11-26}",
     '37: lists.x.version: must be a text, not 2026-11-26; write "2026-11-26" in quotes'),
    ("lists", "{file: dno.txt, bind: [shown], owner: [a]}",
     "37: lists.x.owner: must be a text, not a list; write one text"),
    ("lists", "",
     "3: lists.x: must be a map, not nothing; write x: {file: PATH, bind: [shown]}"),
]  # fmt: skip


@pytest.mark.parametrize(("where", "entry", "said"), WRITTEN, ids=[f"{where} {entry}" for where, entry, _ in WRITTEN])
def test_what_is_written_as_elsewhere_is_told_once_with_its_cure(
    tmp_path: Path, where: str, entry: str, said: str
) -> None:
    text = GOOD.replace(f"{where}:\n", f"{where}:\n  x: {entry}\n", 1)
    line = text.splitlines().index(f"  x: {entry}") + 1
    found = [str(each).replace(f"{tmp_path}/", "") for each in load(write(tmp_path, text)).problems]
    assert [each for each in found if "warning" not in each] == [f"sipguard.yaml:{line}:{said}"]
    assert not [each for each in found if "lists.x" in each and "warning" in each]
