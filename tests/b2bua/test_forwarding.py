"""The forwarded INVITE: numbers as the trunk wants them, From, To, verstat, labels."""

from __future__ import annotations

import pytest

from sipguard.screening.listspec import ListSpec
from sipguard.screening.policy.model import LabelSpec, OneOf, Rule
from sipguard.screening.trunk import WriteRules
from tests.playbook import CALLEE, CALLER, Play, Playbook, uri_in, value, values

EVERY = ListSpec("every", bind=("caller",), members=("12025550101",))
ASSERTED = "P-Asserted-Identity"


def forwarded(book: Playbook, *headers: str, **fields: str) -> str:
    """The INVITE as it arrives; the call is refused afterwards."""
    book.a.invite(*headers, **fields)
    invite = book.b.last("INVITE")
    book.b.reply("486 Busy Here")
    book.a.ack()
    return invite


def labelling(play: Play, **spec: object) -> Playbook:
    """A book whose rule labels every call."""
    rule = Rule("label", OneOf("lists.caller", ("every",)), label=LabelSpec(**spec))  # type: ignore[arg-type]
    return play(rule, lists=(EVERY,))


# ------------------------------------------------------------------------------------------ numbers


@pytest.mark.parametrize(
    ("form", "prefix", "dialled", "uri_user", "to_user"),
    [
        ("received", "", "+12125550123", "+12125550123", "+12125550123"),
        ("received", "", "2125550123", "2125550123", "2125550123"),
        ("received", "9", "+12125550123", "9+12125550123", "+12125550123"),
        ("national", "", "+12125550123", "2125550123", "2125550123"),
        ("national", "", "+442079460123", "+442079460123", "+442079460123"),
        ("plain", "", "+12125550123", "12125550123", "12125550123"),
        ("plain", "", "2125550123", "12125550123", "12125550123"),
        ("e164", "", "2125550123", "+12125550123", "+12125550123"),
        ("e164", "", "12125550123", "+12125550123", "+12125550123"),
        ("e164", "", "911", "911", "911"),
        ("e164", "", "anonymous", "anonymous", "anonymous"),
        ("national", "#", "+12125550123;npdi;rn=+12125550100", "#2125550123;npdi;rn=+12125550100", None),
    ],
)
def test_written_number(play: Play, form: str, prefix: str, dialled: str, uri_user: str, to_user: str | None) -> None:
    book = play(hop={"write": WriteRules(form, prefix)})
    invite = forwarded(book, callee=dialled)
    assert invite.split(" ")[1] == f"sip:{uri_user}@198.51.100.20"
    if to_user is not None:
        assert uri_in(value(invite, "To")) == f"sip:{to_user}@198.51.100.20"


def test_request_uri_keeps_its_parameters(book: Playbook) -> None:
    invite = forwarded(book, uri="sip:+12125550123@192.0.2.1;user=phone", to="<tel:+12125550123>")
    assert invite.split(" ")[1] == "sip:+12125550123@198.51.100.20;user=phone"
    assert value(invite, "To") == "<tel:+12125550123>"


@pytest.mark.parametrize(
    ("shown", "crossed"),
    [
        ("<sip:+12025550101@192.0.2.10>", "<sip:+12025550101@198.51.100.1>"),
        ('"Alice \\"A\\"" <sip:+12025550101@192.0.2.10>', '"Alice \\"A\\"" <sip:+12025550101@198.51.100.1>'),
        ("Alice <sips:+12025550101@192.0.2.10;user=phone>", "Alice <sips:+12025550101@198.51.100.1;user=phone>"),
        ('"Anonymous" <sip:anonymous@anonymous.invalid>', '"Anonymous" <sip:anonymous@anonymous.invalid>'),
        ("<tel:+12025550101>", "<tel:+12025550101>"),
        ("<sip:+12025550101@192.0.2.10>;isup-oli=27", "<sip:+12025550101@198.51.100.1>"),
    ],
)
def test_from_keeps_all_but_host_and_tag(play: Play, shown: str, crossed: str) -> None:
    """RFC 3323 §4.1.1.3 for the anonymous one."""
    value_ = value(forwarded(play(hop={"verstat": "off"}), shown_as=shown), "From")
    assert value_.startswith(crossed)
    assert (";isup-oli=27" in value_) == (";isup-oli" in shown)


# ------------------------------------------------------------------------------------------ verstat


@pytest.mark.parametrize("style", ["plain", "suffix_all", "suffix_bc"])
def test_verstat_on_from(play: Play, style: str) -> None:
    """3GPP TS 24.229 §7.2A.20: a parameter of the number."""
    book = play(hop={"verstat": style})
    assert ";verstat=No-TN-Validation@" in value(forwarded(book), "From")


def test_verstat_goes_to_the_asserted_number(book: Playbook) -> None:
    invite = forwarded(book, f"{ASSERTED}: <sip:+12025550101@carrier.example>")
    assert values(invite, ASSERTED) == ["<sip:+12025550101;verstat=No-TN-Validation@carrier.example>"]
    assert "verstat" not in value(invite, "From")


def test_no_verstat_without_a_number(book: Playbook) -> None:
    anonymous = '"Anonymous" <sip:anonymous@anonymous.invalid>'
    assert value(forwarded(book, shown_as=anonymous), "From").startswith(anonymous)


def test_no_verstat_where_the_trunk_wants_none(play: Play) -> None:
    assert "verstat" not in forwarded(play(hop={"verstat": "off"}))


@pytest.mark.parametrize(
    "header",
    [
        f"{ASSERTED}: <sip:+12025550101;verstat=TN-Validation-Passed@carrier.example>",
        f"{ASSERTED}: <sip:+12025550101;VerStat=TN-Validation-Passed@carrier.example>",
        f"{ASSERTED}: <tel:+12025550101;verstat=TN-Validation-Passed-A;x=1>",
        "P-Preferred-Identity: <sip:+12025550101;VERSTAT=TN-Validation-Passed@carrier.example>",
        "Remote-Party-ID: <sip:+12025550101;verstat=TN-Validation-Passed@carrier.example>;party=calling",
    ],
)
def test_verstat_from_outside_is_removed(play: Play, header: str) -> None:
    """RFC 3325 §5: nobody outside may say what we verified, in whatever letters."""
    invite = forwarded(play(hop={"verstat": "off"}), header)
    assert "verstat" not in invite.lower()
    assert header.partition(":")[0] in invite


def test_verstat_from_outside_in_from(play: Play) -> None:
    shown = "<sip:+12025550101;Verstat=TN-Validation-Passed@192.0.2.10>"
    assert "verstat" not in forwarded(play(hop={"verstat": "off"}), shown_as=shown).lower()


def test_verstat_from_outside_within_the_dialog(book: Playbook) -> None:
    book.establish()
    book.a.request("UPDATE", f"{ASSERTED}: <sip:+12025550101;Verstat=TN-Validation-Passed@carrier.example>")
    assert values(book.b.last("UPDATE"), ASSERTED) == ["<sip:+12025550101@carrier.example>"]
    book.b.reply("200 OK", to="UPDATE")
    book.bye()


def test_verstat_of_a_rule(play: Play) -> None:
    book = labelling(play, verstat="TN-Validation-Failed")
    assert ";verstat=TN-Validation-Failed@" in value(forwarded(book), "From")


# ------------------------------------------------------------------------------------------ labels


def test_prefix_on_from_and_asserted(play: Play) -> None:
    """The digits stay: the verifier behind us compares them."""
    book = labelling(play, prefix="SPAM? ")
    asserted = f'{ASSERTED}: "Acme" <sip:+12025550101@carrier.example>'
    invite = forwarded(book, asserted, shown_as=f'"Acme" <sip:{CALLER}@192.0.2.10>')
    assert value(invite, "From").startswith(f'"SPAM? Acme" <sip:{CALLER}@')
    assert value(invite, ASSERTED).startswith('"SPAM? Acme" <sip:+12025550101;verstat=')
    assert invite.split(" ")[1].startswith(f"sip:{CALLEE}@")


def test_prefix_is_cut(play: Play) -> None:
    book = labelling(play, prefix="SPAM? ", max=8)
    invite = forwarded(book, shown_as='"Somebody Else" <sip:+12025550101@192.0.2.10>')
    assert value(invite, "From").startswith('"SPAM? So" <')


def test_headers_of_a_label(play: Play) -> None:
    """Facts in braces are filled in; those that are not known are empty (see verdict)."""
    book = labelling(play, headers=(("X-Screened", "by {trunk.name}: {identity.attest}!"), ("X-Ü", "ü")))
    invite = forwarded(book)
    assert value(invite, "X-Screened") == "by carrier: !"
    assert "X-Ü: ü".encode().decode("latin-1") in invite


def test_attestation_only_where_it_was_verified(play: Play) -> None:
    book = play(hop={"attestation_headers": ("Attestation-Info", "Origination-ID")})
    invite = forwarded(book, "X-Kept: 1")
    assert not values(invite, "Attestation-Info")


def test_labels_in_every_try(play: Play) -> None:
    """The second peer gets the same."""
    book = labelling(play, prefix="SPAM? ")
    book.a.invite()
    book.b.reply("503 Service Unavailable")
    assert value(book.c.last("INVITE"), "From").startswith('"SPAM? "')
    book.c.reply("486 Busy Here")
    book.a.ack()


def test_addresses_without_brackets_get_them_where_a_parameter_is_written(book: Playbook) -> None:
    """RFC 3261 §20.10: without them the verstat would end the URI, and no stack could read the From."""
    mark = ";verstat=No-TN-Validation"
    invite = forwarded(book, f"From: sip:{CALLER}@192.0.2.10;tag=a1")
    assert value(invite, "From").startswith(f"<sip:{CALLER}{mark}@198.51.100.1>;tag=")
    invite = forwarded(book, f"{ASSERTED}: tel:{CALLER}")
    assert value(invite, ASSERTED) == f"<tel:{CALLER}{mark}>"
