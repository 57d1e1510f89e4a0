"""Digest answers: the examples of RFC 7616 and RFC 2617, sessions, integrity, several challenges."""

from __future__ import annotations

import hashlib
import re

import pytest

from sipguard.sip.digest import ALGORITHMS, Challenge, answer, challenges

MUFASA = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


def parts(value: str) -> dict[str, str]:
    """Parameters of a Digest value."""
    assert value.startswith("Digest ")
    return {name: text.strip('"') for name, text in re.findall(r'([a-z]+)=("[^"]*"|[^,]+)', value)}


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_rfc_7616_3_9_1(algorithm: str, response: str) -> None:
    (challenge,) = challenges([MUFASA.format(algorithm)])
    value = answer(challenge, "Mufasa", b"Circle of Life", "GET", "/dir/index.html", b"", 1, CNONCE)
    assert parts(value) == {
        "username": "Mufasa",
        "realm": "http-auth@example.org",
        "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        "uri": "/dir/index.html",
        "response": response,
        "algorithm": algorithm,
        "opaque": "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
        "qop": "auth",
        "nc": "00000001",
        "cnonce": CNONCE,
    }


def test_rfc_2617_3_5() -> None:
    """The same in MD5, with the older example."""
    (challenge,) = challenges(
        [
            'Digest realm="testrealm@host.com", qop="auth,auth-int", '
            'nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
        ]
    )
    value = answer(challenge, "Mufasa", b"Circle Of Life", "GET", "/dir/index.html", b"", 1, "0a4f113b")
    assert parts(value)["response"] == "6629fae49393a05397450978507c4ef1"
    assert "algorithm" not in value


def test_rfc_7616_3_9_2() -> None:
    """SHA-512-256 and a hashed user name. The RFC prints a response that does not follow from its §3.4."""
    (challenge,) = challenges(
        [
            'Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256, '
            'nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", '
            'opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS", charset=UTF-8, userhash=true'
        ]
    )
    cnonce = "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v"
    found = parts(answer(challenge, "Jäsøn Doe", b"Secret, or not?", "GET", "/doe.json", b"", 1, cnonce))
    assert found["userhash"] == "true"
    assert found["username"] == "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"
    assert found["response"] == "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"


def test_rfc_2069_style_without_qop() -> None:
    """A server that offers no qop gets none back (RFC 3261 §22.4 item 8)."""
    (challenge,) = challenges(['Digest realm="biloxi.example", nonce="84a4cc6f3082121f32b42a2187831a9e"'])
    value = answer(challenge, "alice", b"pw", "INVITE", "sip:bob@biloxi.example", b"", 1, "x")
    assert not {"qop", "nc", "cnonce", "opaque", "algorithm"} & parts(value).keys()
    ha1 = hashlib.md5(b"alice:biloxi.example:pw").hexdigest()
    ha2 = hashlib.md5(b"INVITE:sip:bob@biloxi.example").hexdigest()
    expected = hashlib.md5(f"{ha1}:84a4cc6f3082121f32b42a2187831a9e:{ha2}".encode()).hexdigest()
    assert parts(value)["response"] == expected


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("body", [b"", b"v=0\r\n\xff"], ids=["empty", "octets"])
def test_sessions_and_integrity(name: str, body: bytes) -> None:
    """RFC 7616 §3.4.2 and §3.4.3; the hash of no body is that of the empty string (RFC 8760 §2.6)."""

    def h(octets: bytes) -> str:
        return hashlib.new(ALGORITHMS[name], octets).hexdigest()

    (challenge,) = challenges([f'Digest realm="r", nonce="n", qop="auth-int", algorithm={name}-sess'])
    assert (challenge.algorithm, challenge.session, challenge.qop) == (name, True, "auth-int")
    found = parts(answer(challenge, "u", b"p", "BYE", "sip:x", body, 17, "c"))
    ha1 = h(f"{h(b'u:r:p')}:n:c".encode())
    ha2 = h(f"BYE:sip:x:{h(body)}".encode())
    assert found["response"] == h(f"{ha1}:n:00000011:c:auth-int:{ha2}".encode())
    assert (found["nc"], found["algorithm"]) == ("00000011", f"{name}-sess")


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([MUFASA.format("SHA-256"), MUFASA.format("MD5")], ["SHA-256", "MD5"]),
        ([MUFASA.format("MD5"), MUFASA.format("SHA-256")], ["MD5", "SHA-256"]),
        ([MUFASA.format("SHA-256") + ", " + MUFASA.format("MD5")], ["SHA-256", "MD5"]),
        ([MUFASA.format("AKAv1-MD5"), MUFASA.format("MD5")], ["MD5"]),
        (['Basic realm="r"', 'digest realm="r",nonce="n"'], ["MD5"]),
        (['Basic realm="r", Digest realm="r",nonce="n",algorithm=sha-256'], ["SHA-256"]),
        (['Digest realm="r",nonce="n",qop="token-only"'], []),
        (['Digest realm="r"'], []),
        (['Digest nonce="n"'], []),
        (['Digest realm="r'], []),
        (["Digest"], []),
        ([""], []),
    ],
)
def test_challenges_in_their_order(values: list[str], found: list[str]) -> None:
    """The topmost that is understood comes first (RFC 8760 §2.4); Basic is never answered (RFC 3261 §22)."""
    assert [each.algorithm for each in challenges(values)] == found


def test_values_are_kept_as_they_stand() -> None:
    (challenge,) = challenges(['Digest realm="a\\"b, c", nonce="n=1,2", stale=TRUE, opaque=""'])
    assert (challenge.realm, challenge.nonce, challenge.stale, challenge.opaque) == ('a\\"b, c', "n=1,2", True, "")
    value = answer(challenge, 'o"k', b"p", "INVITE", "sip:x", b"", 1, "c")
    assert 'realm="a\\"b, c", nonce="n=1,2"' in value
    assert 'username="o\\"k"' in value
    assert 'opaque=""' in value


def test_a_password_is_octets() -> None:
    """Whatever octets its file holds are hashed, UTF-8 or not."""
    challenge = Challenge("r", "n")
    one, other = (answer(challenge, "u", pw, "INVITE", "sip:x", b"", 1, "c") for pw in (b"\xff", "ÿ".encode()))
    assert parts(one)["response"] != parts(other)["response"]
