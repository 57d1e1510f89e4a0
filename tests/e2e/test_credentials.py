"""Credentials of a trunk: a proxy of others that challenges is satisfied, and the password shows nowhere."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.calls import Calls, own_rows
from tests.e2e.conftest import MakeProduct
from tests.e2e.product import CALLER_HOST, Product, free_port, wait_for
from tests.standin import Caller, NextHop, header
from tests.wanted import reason

pytestmark = pytest.mark.e2e

PASSWORD = "hunter2-0b5e4c1d"  # stands nowhere else
PROXY_HOST = "127.0.42.7"

KAMAILIO = """\
#!KAMAILIO
debug=1
log_stderror=yes
fork=no
children=1
listen=udp:{host}:{port}
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "auth.so"
modparam("auth", "algorithm", "{algorithm}")
modparam("auth", "nonce_count", 1)
modparam("auth", "qop", "auth")
modparam("auth", "nid_pool_no", 1)
request_route {{
    if (is_method("ACK|CANCEL")) {{ route(ON); exit; }}
    if (!pv_proxy_authenticate("trunk.example", "{password}", "0")) {{
        proxy_challenge("trunk.example", "1");
        exit;
    }}
    consume_credentials();
    route(ON);
}}
route[ON] {{
    if (has_totag()) {{ loose_route(); }} else {{ record_route(); $du = "sip:{next_host}:{next_port}"; }}
    t_relay();
}}
"""


class Proxy:
    """Kamailio, which lets nobody through without credentials."""

    def __init__(self, directory: Path, hop: NextHop, algorithm: str) -> None:
        self.port = free_port(PROXY_HOST)
        self._log = directory / "kamailio.log"
        config = directory / "kamailio.cfg"
        config.write_text(
            KAMAILIO.format(
                host=PROXY_HOST,
                port=self.port,
                algorithm=algorithm,
                password=PASSWORD,
                next_host=hop.host,
                next_port=hop.port,
            )
        )
        with self._log.open("wb") as log:
            command = ["kamailio", "-f", str(config), "-DD", "-E", "-Y", str(directory), "-w", str(directory)]
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        wait_for(self._listens, "kamailio listens")

    def _listens(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()
        return f":{self.port:04X} " in Path("/proc/net/udp").read_text()

    def close(self) -> None:
        """Ends it."""
        self._process.terminate()
        self._process.wait(10)


@pytest.fixture(params=["", "SHA-256"], ids=["MD5", "SHA-256"])
def proxy(request: pytest.FixtureRequest, tmp_path: Path, hop: NextHop) -> Iterator[Proxy]:
    """It, by both algorithms that it knows."""
    if reason("kamailio"):
        pytest.skip(reason("kamailio"))
    found = Proxy(tmp_path, hop, request.param)
    yield found
    found.close()


def with_credentials(make_product: MakeProduct, peer: str, password: str = PASSWORD) -> Product:
    """A product whose trunk `hop` has a password."""
    product = make_product(start=False)
    secret = product.directory / "hop.password"
    secret.write_text(password + "\n")
    secret.chmod(0o600)
    credentials = {"username": "sipguard", "realm": "trunk.example", "password": "hop.password"}
    product.config["trunks"]["hop"] |= {"peers": [peer], "credentials": credentials}
    product.write()
    return product.start()


def test_kamailio_lets_us_through(make_product: MakeProduct, proxy: Proxy, hop: NextHop) -> None:
    product = with_credentials(make_product, f"{PROXY_HOST}:{proxy.port}")
    caller = Caller(product.address(), CALLER_HOST)
    invite = caller.invite("+12025550101", "+12025550131")
    outcome = caller.call(invite)
    assert (outcome.status, outcome.bye_status) == (200, 200)
    assert not any(message.startswith("SIP/2.0 4") for message in caller.got)
    arrived = hop.invite_for("+12025550131")
    assert arrived is not None
    assert header(arrived[0], "Proxy-Authorization") == ""  # Kamailio took what was for it
    caller.close()


def test_kamailio_refuses_a_wrong_password(make_product: MakeProduct, proxy: Proxy) -> None:
    product = with_credentials(make_product, f"{PROXY_HOST}:{proxy.port}", password="wrong")
    calls = Calls(product)
    assert calls.status() == 500
    assert product.metric("sipguard_refused_credentials_total") == 1
    calls.caller.close()
    secret = product.directory / "hop.password"
    secret.write_text(PASSWORD)  # a reload reads it again, though the configuration is the same
    assert product.command("reload").returncode == 0
    again = Calls(product)
    assert again.status() == 200
    again.caller.close()


def test_a_password_shows_nowhere(make_product: MakeProduct, hop: NextHop) -> None:
    """In no file, output, metric, log line, message, argument or environment of any process."""
    product = with_credentials(make_product, f"{hop.host}:{hop.port}")
    calls = Calls(product)
    assert calls.status() == 200
    (row,) = own_rows(product, 1)
    asked = [("check",), ("schema",), ("status",), ("status", "--json"), ("calls", "--json"), ("reload",)]
    done = [product.command(*words) for words in (*asked, ("explain", row["decision_id"]))]
    shown = [each.stdout + each.stderr for each in done] + [product.get("/metrics")[1]]
    assert all(shown)
    pids = {str(each["pid"]) for each in product.answer("status")["processes"].values()}
    assert product.process is not None
    for pid in {*pids, str(product.process.pid)}:
        shown += [(Path("/proc") / pid / name).read_bytes().decode("latin-1") for name in ("cmdline", "environ")]
    calls.caller.close()
    product.stop()
    files = [file for file in product.directory.rglob("*") if file.is_file() and file.name != "hop.password"]
    assert {"sipguard.yaml", "product.log", "records.sqlite"} <= {file.name for file in files}
    shown += [file.read_bytes().decode("latin-1") for file in files]
    shown += [message for message, _ in hop.invites] + calls.caller.got
    assert not [text for text in shown if PASSWORD in text]
    shutil.rmtree(product.directory)
