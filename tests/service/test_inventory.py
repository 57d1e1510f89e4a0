"""What is counted of the certificates that were fetched."""

from __future__ import annotations

from pathlib import Path

from sipguard.b2bua.counts import INDEX as ENGINE_INDEX
from sipguard.net.disk import Disk
from sipguard.service.cells import FetcherSlots, WorkerSlots
from sipguard.service.inventory import row, summary
from tests.pki import Pki

PKI = Pki()
AT = PKI.now.timestamp()


def test_hosts_errors_ends_and_hit_rate(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "copies")
    disk.write("https://certs.example/long.pem", PKI.leaf().pem, 0.0, AT)
    disk.write("https://certs.example/soon.pem", PKI.leaf(days=13.0).pem, 0.0, AT)  # it opened ten days ago
    rows = [row(copy, AT) for copy in disk.copies(AT)]
    fetched = FetcherSlots.create(tmp_path / "fetcher.slots")
    for host, reason in (("certs.example", ""), ("a.example", "x5u_dns"), ("a.example", "x5u_dns")):
        fetched.fetched(host, reason, 0.1)
    worker = WorkerSlots.create(tmp_path / "worker-0.slots")
    for name, count in (("certificates_hit", 9), ("certificates_missed", 3), ("certificates_kept", 2)):
        worker.counts[ENGINE_INDEX[name]] = count
    status = {
        "certificate_hosts": [{"host": "a.example", "reason": "x5u_dns", "failures": 2, "left_alone": True}],
    }
    found = summary(rows, status, tmp_path, AT)
    assert (found["certificates"], found["expiring_7d"], found["in_memory"]) == (2, 1, 2)
    assert [each["url"] for each in found["expiring"]] == ["https://certs.example/soon.pem"]
    assert (found["hits"], found["misses"], found["hit_rate"]) == (9, 3, 0.75)
    assert found["errors"] == {"x5u_dns": 2}
    assert [(at["host"], at["certificates"], at["last_error"]) for at in found["hosts"]] == [
        ("certs.example", 2, ""),
        ("a.example", 0, "x5u_dns"),
    ]


def test_without_a_running_sipguard_only_the_disk_speaks(tmp_path: Path) -> None:
    found = summary([], {}, tmp_path, AT)
    assert (found["certificates"], found["in_memory"], found["hit_rate"], found["errors"]) == (0, None, None, {})
