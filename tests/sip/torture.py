"""What sipguard makes of every message of RFC 4475 and RFC 5118; the messages are not part of the project.

`TORTURE` has one Expectation for each file, by `<rfc>/<name>`. `answer` is what a sender that a trunk admits
gets over UDP when it is no part of a call: a status, FORWARDED (to the next hop, whose answer counts), or
DROPPED. `parses` is 0 where the message is well-formed for the parser, else the status of MalformedMessage.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

FORWARDED: Final = "forwarded"
DROPPED: Final = "dropped"

VECTORS: Final = Path(
    os.environ.get("SIPGUARD_VECTORS") or Path(__file__).resolve().parents[2].parent / "shared" / "vectors"
)


@dataclass(frozen=True)
class Expectation:
    """What is expected, where it is written, and which fields are read."""

    section: str
    answer: int | str
    parses: int = 0
    fields: dict[str, object] = field(default_factory=dict)  # attributes of the message
    vias: int = 1  # values
    body: int = 0  # octets
    headers: dict[str, str] = field(default_factory=dict)  # value of the first header of that key
    why: str = ""  # what the message is refused for, or why this way where the RFC leaves the choice


def _request(
    section: str,
    answer: int | str,
    line: str,
    call_id: str,
    cseq: int,
    tags: str,
    branch: str,
    sent_by: str,
    *,
    hops: int = 70,
    vias: int = 1,
    body: int = 0,
    headers: dict[str, str] | None = None,
    why: str = "",
) -> Expectation:
    """A request that parses; `line` is method and URI, `tags` From and To tag with a slash between them."""
    method, _, uri = line.partition(" ")
    from_tag, _, to_tag = tags.partition("/")
    fields: dict[str, object] = {
        "method": method, "cseq_method": method, "uri": uri, "call_id": call_id, "cseq": cseq,
        "from_tag": from_tag, "to_tag": to_tag, "branch": branch, "sent_by": sent_by, "hops": hops,
    }  # fmt: skip
    return Expectation(section, answer, 0, fields, vias, body, headers or {}, why)


def _response(
    section: str,
    status: int,
    phrase: str,
    cseq: int,
    branch: str,
    *,
    vias: int = 1,
    body: int = 0,
    why: str = "",
) -> Expectation:
    """A response that parses; none of them belongs to a transaction of ours."""
    fields: dict[str, object] = {
        "status": status, "phrase": phrase, "cseq": cseq, "cseq_method": "INVITE", "branch": branch,
    }  # fmt: skip
    return Expectation(section, DROPPED, 0, fields, vias, body, {}, why)


def _broken(section: str, answer: int | str, status: int, why: str) -> Expectation:
    """A message that the parser refuses."""
    return Expectation(section, answer, status, why=why)


_INTERESTING: Final = "!interesting-Method0123456789_*+`.%indeed'~"
_UNUSUAL: Final = (
    "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com"
)

_RFC4475: Final = {
    "wsinv": _request(
        "RFC 4475 §3.1.1.1", 481, "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam",
        "wsinv.ndaksdj@192.0.2.1", 9, "98asjd8/1918181833n", "390skdjuw", "192.0.2.2",
        hops=68, vias=3, body=150,
        headers={
            "subject": "",
            "newfangledheader": "newfangled value continued newfangled value",
            "unknownheaderwithunusualvalue": ";;,,;;,;",
            "route": "<sip:services.example.com;lr;unknownwith=value;unknown-no-value>",
            "contact": '"Quoted string \\"\\"" <sip:jdrosen@example.com> ; newparam = newvalue ; '
            "secondparam ; q = 0.33",
        },
        why="well-formed; it has a To tag, so it belongs to a dialog that nobody knows",
    ),
    "intmeth": _request(
        "RFC 4475 §3.1.1.2", 501, f"{_INTERESTING} {_UNUSUAL}",
        "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{", 139122385, "_token~1'+`*%!-./", "z9hG4bK-.!%66*_+`'~",
        "host1.example.com", hops=255,
        headers={"extensionheader-!.%*+_`'~": "\ufeff大停電".encode().decode("latin-1")},
        why="well-formed; a method that nobody knows (RFC 3261 §21.5.2)",
    ),
    "esc01": _request(
        "RFC 4475 §3.1.1.3", FORWARDED, "INVITE sip:sips%3Auser%40example.com@example.net",
        "esc01.239409asdfakjkn23onasd0-3234", 234234, "938/", "z9hG4bKkdjuw", "host5.example.net",
        hops=87, body=150,
        headers={
            "to": "sip:%75se%72@example.com",
            "contact": "<sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>",
        },
    ),
    "escnull": _request(
        "RFC 4475 §3.1.1.4", 405, "REGISTER sip:example.com", "escnull.39203ndfvkjdasfkq3w4otrq0adsfdfnavd",
        14398234, "839923423/", "z9hG4bKkdjuw", "host5.example.com",
        headers={"to": "sip:null-%00-null@example.com", "contact": "<sip:%00@host5.example.com>"},
    ),
    "esc02": _request(
        "RFC 4475 §3.1.1.5", 501, "RE%47IST%45R sip:registrar.example.com",
        "esc02.asdfnqwo34rq23i34jrjasdcnl23nrlknsdf", 29344, "f232jadfj23/", "z9hG4bK209%fzsnel234",
        "host.example.com",
        headers={"c%6fntact": "<sip:alias2@host2.example.com>", "to": '"%Z%45" <sip:resource@example.com>'},
        why="% escapes nothing in methods and header names",
    ),
    "lwsdisp": _request(
        "RFC 4475 §3.1.1.6", 200, "OPTIONS sip:user@example.com", "lwsdisp.1234abcd@funky.example.com", 60,
        "323/", "z9hG4bKkdjuw", "funky.example.com",
    ),
    "longreq": _request(
        "RFC 4475 §3.1.1.7", FORWARDED, "INVITE sip:user@example.com",
        f"longreq.one{'really' * 20}longcallid", 3882340, f"12{'982' * 50}424/", "",
        "sip33.example.com", vias=34, body=150,
        headers={"contact": f"<sip:{'amazinglylongcallername' * 5}@host5.example.net>"},
    ),
    "dblreq": _request(
        "RFC 4475 §3.1.1.8", 405, "REGISTER sip:example.com", "dblreq.0ha0isndaksdj99sdfafnl3lk233412", 8,
        "43251j3j324/", "z9hG4bKkdjuw23492", "192.0.2.125", hops=8,
        why="octets behind the body are not looked at",
    ),
    "semiuri": _request(
        "RFC 4475 §3.1.1.9", 200, "OPTIONS sip:user;par=u%40example.net@example.com",
        "semiuri.0ha0isndaksdj", 8, "33242/", "z9hG4bKkdjuw", "192.0.2.1", hops=3,
        headers={
            "accept": "application/sdp, application/pkcs7-mime, multipart/mixed, multipart/signed, "
            "message/sip, message/sipfrag"
        },
    ),
    "transports": _request(
        "RFC 4475 §3.1.1.10", 200, "OPTIONS sip:user@example.com", "transports.kijh4akdnaqjkwendsasfdj", 60,
        "323/", "z9hG4bKkdjuw", "t1.example.com", vias=5,
    ),
    "mpart01": _request(
        "RFC 4475 §3.1.1.11", 405, "MESSAGE sip:kumiko@example.org",
        "3d9485ad0c49859b@Zmx1ZmZ5LW1hYy0xNi5sb2NhbA..", 1, "2fb0dcc9/",
        "z9hG4bK-d87543-4dade06d0bdb11ee-1--d87543-", "127.0.0.1:5070", body=553,
        headers={"content-type": "multipart/mixed;boundary=7a9cbec02ceef655"},
        why="MESSAGE is served in dialogs only",
    ),
    "unreason": _response(
        "RFC 4475 §3.1.1.12", 200,
        "= 2**3 * 5**2 но сто девяносто девять - простое".encode().decode("latin-1"), 35,
        "z9hG4bK1324923", body=154,
    ),
    "noreason": _response("RFC 4475 §3.1.1.13", 100, "", 35, "z9hG4bK2398ndaoe"),
    "badinv01": _broken("RFC 4475 §3.1.2.1", 400, 400, "Via has an empty"),
    "clerr": _broken("RFC 4475 §3.1.2.2", 400, 400, "shorter than Content-Length"),
    "ncl": _broken("RFC 4475 §3.1.2.3", 400, 400, "Content-Length is not a number"),
    "scalar02": _broken("RFC 4475 §3.1.2.4", 400, 400, "CSeq is out of range"),
    "scalarlg": _broken("RFC 4475 §3.1.2.5", DROPPED, 400, "CSeq is out of range"),
    "quotbal": _broken("RFC 4475 §3.1.2.6", 400, 400, "To: unterminated"),
    "ltgtruri": _request(
        "RFC 4475 §3.1.2.7", FORWARDED, "INVITE sip:user@example.com", "ltgtruri.1@192.0.2.5", 1, "39291/", "",
        "192.0.2.5", hops=23, body=159, why="the brackets may be ignored, and must not be forwarded",
    ),
    "lwsruri": _broken("RFC 4475 §3.1.2.8", 400, 400, "request line"),
    "lwsstart": _request(
        "RFC 4475 §3.1.2.9", FORWARDED, "INVITE sip:user@example.com",
        "lwsstart.dfknq234oi243099adsdfnawe3@example.com",
        1893884, "8814/", "z9hG4bKkdjuw3923", "host1.example.com", hops=8, body=150,
        why="the spaces may be ignored, and must not be forwarded",
    ),
    "trws": _request(
        "RFC 4475 §3.1.2.10", 200, "OPTIONS sip:remote-target@example.com", "trws.oicu34958239neffasdhr2345r", 238923,
        "329429089/", "z9hG4bK299342093", "host1.examle.com", why="the spaces may be ignored",
    ),
    "escruri": _broken("RFC 4475 §3.1.2.11", 400, 400, "Request-URI carries headers"),
    "baddate": _request(
        "RFC 4475 §3.1.2.12", FORWARDED, "INVITE sip:user@example.com",
        "baddate.239423mnsadf3j23lj42--sedfnm234", 1392934, "2234923/", "z9hG4bKkdjuw", "host.example.com",
        body=150, headers={"date": "Fri, 01 Jan 2010 16:00:00 EST"},
        why="Date merely crosses; the Identity check reads it where there is a token",
    ),
    "regbadct": _request(
        "RFC 4475 §3.1.2.13", 405, "REGISTER sip:example.com", "regbadct.k345asrl3fdbv@10.0.0.1", 1,
        "998332/", "z9hG4bKkdjuw", "135.180.130.133:5060",
        why="the method is refused before its Contact is read",
    ),
    "badaspec": _request(
        "RFC 4475 §3.1.2.14", 200, "OPTIONS sip:user@example.org",
        "badaspec.sdf0234n2nds0a099u23h3hnnw009cdkne3", 3923239, "433423/", "z9hG4bKkdju43234",
        "host4.example.com:5060", why="the spaces may be ignored",
    ),
    "baddn": _request(
        "RFC 4475 §3.1.2.15", 200, "OPTIONS sip:t.watson@example.org", "baddn.31415@c.example.com", 3923239, "43/",
        "z9hG4bKkdjuw", "c.example.com:5060", why="the quotes may be inferred, and must be forwarded",
    ),
    "badvers": _broken("RFC 4475 §3.1.2.16", 505, 505, "unsupported SIP version"),
    "mismatch01": _broken("RFC 4475 §3.1.2.17", 400, 400, "the method in CSeq"),
    "mismatch02": _broken("RFC 4475 §3.1.2.18", 501, 501, "the method in CSeq"),
    "bigcode": _broken("RFC 4475 §3.1.2.19", DROPPED, 400, "not a status line"),
    "badbranch": _request(
        "RFC 4475 §3.2.1", 200, "OPTIONS sip:user@example.com", "badbranch.sadonfo23i420jv0as0derf3j3n", 8,
        "33242/", "z9hG4bK", "192.0.2.1", hops=3,
        why="a cookie without an identifier is matched as in RFC 2543",
    ),
    "insuf": _broken("RFC 4475 §3.3.1", 400, 400, "call-id is missing"),
    "unkscm": _request(
        "RFC 4475 §3.3.2", 416, "OPTIONS nobodyKnowsThisScheme:totallyopaquecontent",
        "unkscm.nasdfasser0q239nwsdfasdkl34", 3923423, "384/", "z9hG4bKkdjuw39234", "host9.example.com",
        hops=3,
    ),
    "novelsc": _request(
        "RFC 4475 §3.3.3", 416, "OPTIONS soap.beep://192.0.2.103:3002", "novelsc.asdfasser0q239nwsdfasdkl34",
        3923423, "384/", "z9hG4bKkdjuw39234", "host9.example.com", hops=3,
    ),
    "unksm2": _request(
        "RFC 4475 §3.3.4", 405, "REGISTER sip:example.com", "unksm2.daksdj@hyphenated-host.example.com",
        234902,
        "3234233/", "z9hG4bKkdjuw", "192.0.2.21:5060",
        headers={"to": "isbn:2983792873", "from": "<http://www.example.com>;tag=3234233"},
    ),
    "bext01": _request(
        "RFC 4475 §3.3.5", 420, "OPTIONS sip:user@example.com", "bext01.0ha0isndaksdj", 8, "242etr/",
        "z9hG4bKkdjuw", "fold-and-staple.example.com", hops=6,
        headers={
            "require": "nothingSupportsThis, nothingSupportsThisEither",
            "proxy-require": "noProxiesSupportThis, norDoAnyProxiesSupportThis",
        },
    ),
    "invut": _request(
        "RFC 4475 §3.3.6", FORWARDED, "INVITE sip:user@example.com", "invut.0ha0isndaksdjadsfij34n23d",
        235448,
        "8392034/", "z9hG4bKkdjuw", "somehost.example.com", body=40,
        headers={"content-type": "application/unknownformat"},
    ),
    "regaut01": _request(
        "RFC 4475 §3.3.7", 405, "REGISTER sip:example.com", "regaut01.0ha0isndaksdj", 9338, "87321hj23128/",
        "z9hG4bKkdjuw", "192.0.2.253", hops=8,
        headers={"authorization": "NoOneKnowsThisScheme opaque-data=here"},
    ),
    "multi01": _broken("RFC 4475 §3.3.8", 400, 400, "stands more than once"),
    "mcl01": _broken("RFC 4475 §3.3.9", 400, 400, "content-length stands more than once"),
    "bcast": _response(
        "RFC 4475 §3.3.10", 200, "OK", 35, "z9hG4bK1324923", vias=2, body=154,
        why="nothing is sent to the second Via, whatever address it has",
    ),
    "zeromf": _request(
        "RFC 4475 §3.3.11", 200, "OPTIONS sip:user@example.com", "zeromf.jfasdlfnm2o2l43r5u0asdfas", 39234321,
        "3ghsd41/", "z9hG4bKkdjuw2349i", "host1.example.com", hops=0,
        why="OPTIONS ends here, as at an endpoint (RFC 3261 §11)",
    ),
    "cparam01": _request(
        "RFC 4475 §3.3.12", 405, "REGISTER sip:example.com", "cparam01.70710@saturn.example.com", 2,
        "DkfVgjkrtMwaerKKpe/", "z9hG4bKkdjuw", "saturn.example.com:5060",
    ),
    "cparam02": _request(
        "RFC 4475 §3.3.13", 405, "REGISTER sip:example.com", "cparam02.70710@saturn.example.com", 3,
        "838293/",
        "z9hG4bKkdjuw", "saturn.example.com:5060",
    ),
    "regescrt": _request(
        "RFC 4475 §3.3.14", 405, "REGISTER sip:example.com", "regescrt.k345asrl3fdbv@192.0.2.1", 14398234,
        "8/",
        "z9hG4bKkdjuw", "host5.example.com",
        headers={"contact": "<sip:user@example.com?Route=%3Csip:sip.example.com%3E>"},
    ),
    "sdp01": _request(
        "RFC 4475 §3.3.15", FORWARDED, "INVITE sip:user@example.com", "sdp01.ndaksdj9342dasdd", 8, "234/",
        "z9hG4bKkdjuw", "192.0.2.15", hops=5, body=150, headers={"accept": "text/nobodyKnowsThis"},
    ),
    "inv2543": _request(
        "RFC 4475 §3.4.1", FORWARDED, "INVITE sip:UserB@example.com", "inv2543.1717@ift.client.example.com",
        56,
        "/", "", "iftgw.example.com", hops=-1, body=105,
        headers={"record-route": "<sip:UserB@example.com;maddr=ss1.example.com>"},
        why="RFC 2543: no branch, no From tag, no Max-Forwards, no Contact, no Content-Length",
    ),
}  # fmt: skip

_V6_REGISTER: Final = ("SSG9559905523997077@hlau_4100", 98176, "81x2/", "z9hG4bKas3-111", "[2001:db8::9:1]")

_RFC5118: Final = {
    "ipv6-good": _request("RFC 5118 §4.1", 405, "REGISTER sip:[2001:db8::10]", *_V6_REGISTER),
    "ipv6-bad": _broken("RFC 5118 §4.2", 400, 400, "the URI has no valid port"),
    "port-ambiguous": _request(
        "RFC 5118 §4.3", 405, "REGISTER sip:[2001:db8::10:5070]", *_V6_REGISTER,
        why="well-formed: what was meant as a port is the end of the address",
    ),
    "port-unambiguous": _request("RFC 5118 §4.4", 405, "REGISTER sip:[2001:db8::10]:5070", *_V6_REGISTER),
    "via-received-param-with-delim": _request(
        "RFC 5118 §4.5", 481, "BYE sip:[2001:db8::10]", "SSG9559905523997077@hlau_4100", 321, "81x2/bd76ya",
        "z9hG4bKas3-111", "[2001:db8::9:1]",
    ),
    "via-received-param-no-delim": _request(
        "RFC 5118 §4.5", 200, "OPTIONS sip:[2001:db8::10]", "SSG95523997077@hlau_4100", 921, "81x2/",
        "z9hG4bKas3", "[2001:db8::9:1]",
    ),
    "ipv6-in-sdp": _request(
        "RFC 5118 §4.6", FORWARDED, "INVITE sip:user@[2001:db8::10]", "SSG9559905523997077@hlau_4100", 8612,
        "81x2/", "z9hG4bKas3-111", "[2001:db8::20]", body=241,
        headers={"contact": '"Caller" <sip:caller@[2001:db8::20]>'},
    ),
    "mult-ip-in-header": _request(
        "RFC 5118 §4.7", 481, "BYE sip:user@host.example.net", "997077@lau_4100", 89187, "81x2/9817--94",
        "z9hG4bKas3-111", "[2001:db8::9:1]:6050", vias=3,
    ),
    "mult-ip-in-sdp": _request(
        "RFC 5118 §4.8", FORWARDED, "INVITE sip:user@[2001:db8::10]", "SSG9559905523997077@hlau_4100", 8912,
        "81x2/", "z9hG4bKas3-111", "[2001:db8::9:1]", body=181,
    ),
    "ipv4-mapped-ipv6": _request(
        "RFC 5118 §4.9", FORWARDED, "INVITE sip:user@example.com", "SSG9559905523997077@hlau_4100", 612,
        "81x2/",
        "z9hG4bKbh19", "[::ffff:192.0.2.10]:19823", vias=2, body=236,
        headers={"contact": '"T. desk phone" <sip:ted@[::ffff:192.0.2.2]>'},
    ),
    "ipv6-bug-abnf-3-colons": _request(
        "RFC 5118 §4.10", 200, "OPTIONS sip:user@[2001:db8:::192.0.2.1]", "G9559905523997077@hlau_4100", 689,
        "810x2/", "z9hG4bKas3-111", "lab1.east.example.com",
    ),
    "ipv6-correct-abnf-2-colons": _request(
        "RFC 5118 §4.10", 200, "OPTIONS sip:user@[2001:db8::192.0.2.1]", "G9559905523997077@hlau_4100", 689,
        "810x2/", "z9hG4bKas3-111", "lab1.east.example.com",
    ),
}  # fmt: skip

TORTURE: Final[dict[str, Expectation]] = {
    **{f"rfc4475/{name}": each for name, each in _RFC4475.items()},
    **{f"rfc5118/{name}": each for name, each in _RFC5118.items()},
}

# Ends without the empty line that the header section needs; it is added before it is used.
WITHOUT_END: Final = frozenset({"rfc4475/baddn"})


def octets(name: str) -> bytes:
    """The message `name` of TORTURE, with the empty line at its end where the file lacks it."""
    found = (VECTORS / f"{name}.dat").read_bytes()
    return found if name not in WITHOUT_END else found + b"\r\n"
