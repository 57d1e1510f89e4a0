"""Extensions that a request demands: which pass between the legs, and which we would have to know ourselves.

Enters: a request. Leaves: the option tags that must be refused. Must not: answer.
"""

from __future__ import annotations

from typing import Final

from sipguard.sip.message import Request

# The option tags of IANA's registry that concern the two ends: what they demand lies in bodies and headers that cross
# byte for byte, or in identifiers that we write for the other leg.
END_TO_END: Final = {
    "100rel": "RFC 3262: PRACK crosses, RAck and RSeq are those of each leg",
    "199": "RFC 6228: a provisional response like others",
    "answermode": "RFC 5373: Answer-Mode and Priv-Answer-Mode cross",
    "early-session": "RFC 3959: a body",
    "geolocation-http": "RFC 6442: Geolocation crosses",
    "geolocation-sip": "RFC 6442: Geolocation crosses",
    "histinfo": "RFC 7044: History-Info crosses; we add no entry",
    "ice": "RFC 5768: SDP",
    "join": "RFC 3911: the dialog that it names is rewritten",
    "multiple-refer": "RFC 5368: a body, within a dialog",
    "norefersub": "RFC 4488: Refer-Sub crosses",
    "nosub": "RFC 7614: no subscription follows a REFER",
    "precondition": "RFC 3312: SDP",
    "privacy": "RFC 3323: we hide the caller's side as a privacy service does, and the next hop is asked as well",
    "recipient-list-invite": "RFC 5366: a body",
    "record-aware": "RFC 7866: SDP",
    "replaces": "RFC 3891: the dialog that it names is rewritten",
    "resource-priority": "RFC 4412: Resource-Priority crosses",
    "sdp-anat": "RFC 4092: SDP",
    "tdialog": "RFC 4538: the dialog that it names is rewritten",
    "timer": "RFC 4028: the two ends agree",
    "trickle-ice": "RFC 8840: bodies of INFO",
    "uui": "RFC 7433: User-to-User crosses",
}

# The others of the registry, and why they are refused.
NOT_END_TO_END: Final = {
    "eventlist": "RFC 4662: of subscriptions, which are not served",
    "explicitsub": "RFC 7614: the URI to subscribe to could not be reached through us",
    "from-change": "RFC 4916: the From of a dialog is ours on each leg and stays",
    "gin": "RFC 6140: of registrations",
    "gruu": "RFC 5627: our Contact stands in its place",
    "outbound": "RFC 5626: between a client and its registrar",
    "path": "RFC 3327: of registrations",
    "policy": "RFC 6794: between a client and its proxies",
    "pref": "RFC 3840: feature tags of Contact, which do not cross",
    "recipient-list-message": "RFC 5365: of MESSAGE outside dialogs, which is not served",
    "recipient-list-subscribe": "RFC 5367: of subscriptions, which are not served",
    "sec-agree": "RFC 3329: between neighbours",
    "siprec": "RFC 7866: feature tags of Contact, which do not cross",
}


def unknown_extensions(request: Request) -> str:
    """Option tags of Require and Proxy-Require that do not pass through us, or "" (RFC 3261 §8.2.2.3)."""
    if "require" not in request.at and "proxy-require" not in request.at:
        return ""
    wanted = [
        tag
        for value in request.values("require") + request.values("proxy-require")
        for tag in map(str.strip, value.split(","))
    ]
    return ", ".join(tag for tag in wanted if tag and tag.lower() not in END_TO_END)
