"""Single values of the configuration: addresses, networks, numbers, contacts, places of secrets.

Enters: what YAML gives. Leaves: values of the right type; ValueError `what|hint` says what to write instead.
Must not: resolve names or open files.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, PlainValidator, WithJsonSchema
from pydantic_core import CoreSchema

from sipguard.settings.secret import CREDENTIAL

Network = IPv4Network | IPv6Network
_TEXT: Final = {"type": "string"}
_SCHEMES: Final = ("sip", "sips", "udp", "tcp", "tls")


@dataclass(frozen=True, slots=True)
class SecretPlace:
    """Where a secret lies, as it was written: a path, or `credential:NAME`. `settings.secret` reads it."""

    written: str


def _address(value: object) -> str:
    """An IP address. Raises ValueError."""
    try:
        return str(ip_address(str(value)))
    except ValueError:
        bare = _without_scheme(str(value))
        hint = (
            f"write {bare}" if bare != str(value) else "write such as 192.0.2.1 or 2001:db8::1; no name can stand here"
        )
        raise ValueError(f"{value} is no IP address|{hint}") from None


def _without_scheme(text: str) -> str:
    """An address without `sip:`, `udp:` and the like before it."""
    scheme, _, rest = text.partition(":")
    return rest.removeprefix("//").partition(";")[0] if scheme.lower() in _SCHEMES else text


def _network(value: object) -> Network:
    """An address or a network. Raises ValueError."""
    try:
        return ip_network(str(value))
    except ValueError:
        pass
    try:
        meant = str(ip_network(str(value), strict=False))
    except ValueError:
        raise ValueError(f"{value} is no address or network|{_network_meant(str(value))}") from None
    raise ValueError(f"{value} has bits set behind its prefix|did you mean {meant}?")


def _network_meant(text: str) -> str:
    """How an address is written that stands in another form."""
    if text in ("*", "any", "all"):
        return "write 0.0.0.0/0 for everybody, who may then call"
    try:
        host = host_and_port(_without_scheme(text))[0]
        ip_address(host)
    except ValueError:
        first, dash, last = text.partition("-")
        if dash and first.strip()[:1].isdigit() and last.strip()[:1].isdigit():
            return "write networks, such as 192.0.2.8/30"
        is_name = any(char.isalpha() for char in text) and ":" not in text
        return "write the addresses that it calls from, such as 192.0.2.0/24" if is_name else "write 192.0.2.0/24"
    return f"write {host}"


def peer_map(value: object) -> object:
    """{host, port} of `192.0.2.1`, `192.0.2.1:5080`, `[2001:db8::1]:5060`; what is no text stays. Raises ValueError."""
    if not isinstance(value, str):
        return value
    if _without_scheme(value) != value:
        raise ValueError(f"{value} is no address|write {_without_scheme(value)}, or {{host: ADDRESS, transport: tcp}}")
    host, port = host_and_port(value)
    return {"host": host} | ({"port": port} if port else {})


def host_and_port(text: str) -> tuple[str, int]:
    """Host and port of `HOST[:PORT]`, the host of IPv6 in brackets where a port follows; 0 for no port."""
    host, port = text, ""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest[1:] if rest.startswith(":") else ("none" if rest else "")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
        port = port or "none"
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(f"{text} has no port that exists|write 192.0.2.1:5060 or [2001:db8::1]:5060")
    return host, int(port or 0)


def _host_or_address(value: object) -> str:
    """An IP address, or a host name in lower case (RFC 1123 §2.1). Raises ValueError."""
    text = str(value).strip().lower().removesuffix(".")
    labels = text.split(".")
    if ":" in text or labels[-1].isdigit():
        return _address(value)
    if len(text) > 253 or not all(map(_is_label, labels)):
        raise ValueError(f"{value} is no host name and no address|write sip.carrier.example or 192.0.2.1")
    return text


def _is_label(label: str) -> bool:
    right = label.isascii() and label.replace("-", "").replace("_", "").isalnum()
    return right and len(label) <= 63 and label[0] != "-" and label[-1] != "-"


def _server(value: object) -> tuple[str, int]:
    """(address, port) of a DNS server: `192.0.2.53`, `[2001:db8::53]:5353`. Raises ValueError."""
    host, port = host_and_port(str(value))
    return _address(host), port or 53


def _host_port(value: object) -> str:
    """HOST[:PORT] as it stands in a SIP URI, "" for none. Raises ValueError."""
    text = str(value)
    host, _, port = text.rpartition(":") if text[-1:].isdigit() and ":" in text and text[-1] != "]" else (text, "", "")
    right = all(char.isascii() and (char.isalnum() or char in "-.[]:") for char in host)
    if not right or (port and not (port.isdigit() and 0 < int(port) < 65536)):
        raise ValueError(f"{value} is no host|write sip.carrier.example or 192.0.2.1:5060")
    return text


def _tls_name(value: object) -> str:
    """A name as certificates hold it, lower case. Raises ValueError."""
    text = str(value).lower()
    if not text or not all("!" <= char <= "~" for char in text):
        raise ValueError(f"{value} is no name of a certificate|write sip.carrier.example")
    return text


def _routes(value: object) -> object:
    """Routes as a list of maps, from a trunk's name or from what is such a list already."""
    if isinstance(value, str):
        return [{"to": value}] if value else []
    if isinstance(value, list):
        return value
    raise ValueError("is neither a trunk nor a list|write a trunk's name, or a list of {prefix: [...], to: TRUNK}")


def _names(value: object) -> object:
    """Names as a list, from one name or from what is such a list already."""
    return [value] if isinstance(value, str | int) else value


def _prefix(value: object) -> str:
    """The first digits of canonical numbers, without the + that may stand before them. Raises ValueError."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    digits = text.removeprefix("+").removesuffix("*")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 15:
        raise ValueError(f'{value} is no prefix of numbers|write country code and digits, such as "+1202"')
    return digits


def _number_text(value: object) -> str:
    """A telephone number; YAML reads digits as a number, which is as good here. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f'{value} is no telephone number|write "+12025550123"')
    return str(value)


def _https_url(value: object) -> str:
    """An https URL with a host and without a password. Raises ValueError."""
    text = str(value)
    hint = "write https://sti-pa.example/crl"
    try:
        parts = urlsplit(text)
        right = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        right = False
    if text and not (right and text.isascii() and text.isprintable() and " " not in text):
        raise ValueError(f"is no https URL|{hint}")  # it may hold a password
    if text and ("@" in parts.netloc or parts.fragment):
        raise ValueError(f"holds a password or a fragment|{hint}")
    return text


def _redress_url(value: object) -> str:
    """An https URL that can stand in a quoted text (ATIS-1000099). Raises ValueError."""
    text = str(value)
    if text and not (text.startswith("https://") and len(text) > 8 and _is_item(text)):
        raise ValueError(f"{value} is no https URL|write https://provider.example/redress")
    return text


def _redress_tel(value: object) -> str:
    """A global number (RFC 3966 §5.1.4). Raises ValueError."""
    text = f"+{value}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    if text and not (text[0] == "+" and text[1:].isascii() and text[1:].isdigit() and 8 <= len(text) <= 16):
        raise ValueError(f'{value} is no global number|write "+12025550123"')
    return text


def _redress_email(value: object) -> str:
    """A mail address. Raises ValueError."""
    text = str(value)
    name, _, domain = text.partition("@")
    if text and not (name and "." in domain and _is_item(text)):
        raise ValueError(f"{value} is no mail address|write redress@provider.example")
    return text


def _secret_place(value: object) -> SecretPlace:
    """A path, or `credential:NAME`. Raises ValueError, which never shows what was written: it may be the secret."""
    hint = "write the path of a file that holds it, or credential:NAME"
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError(f"must not hold the secret itself|{hint}")
    name = value.removeprefix(CREDENTIAL)
    if name != value and (not name or "/" in name or name in (".", "..")):
        raise ValueError(f"is no name of a credential|{hint}")
    return SecretPlace(value)


def _is_item(text: str) -> bool:
    """Whether `text` can be an item of the Reason text of a 603+: no quotes, semicolons, spaces."""
    return all("!" <= char <= "~" and char not in '";\\<>' for char in text)


class _OrText:
    """In the JSON Schema: a text may stand there too."""

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, schema_of: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"oneOf": [_TEXT, schema_of(core_schema)]}


HostOrAddress = Annotated[str, BeforeValidator(_host_or_address), WithJsonSchema(_TEXT)]
ServerText = Annotated[tuple[str, int], BeforeValidator(_server), WithJsonSchema(_TEXT)]
HttpsUrl = Annotated[str, BeforeValidator(_https_url), WithJsonSchema(_TEXT)]
HostPort = Annotated[str, BeforeValidator(_host_port), WithJsonSchema(_TEXT)]
Address = Annotated[str, BeforeValidator(_address), WithJsonSchema(_TEXT)]
Port = Annotated[int, Field(ge=1, le=65535)]
NetworkText = Annotated[Network, BeforeValidator(_network), WithJsonSchema(_TEXT)]
UUID: Final = r"^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})?$"
ORIGID: Final = r"^(trunk|caller|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$"
TlsName = Annotated[str, BeforeValidator(_tls_name), WithJsonSchema(_TEXT)]
TrunkNames = Annotated[
    list[str],
    BeforeValidator(_names),
    Field(min_length=1),
    WithJsonSchema({"oneOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}]}),
]
_PREFIX: Final = {"type": ["string", "integer"]}
Prefixes = Annotated[
    list[Annotated[str, BeforeValidator(_prefix)]],
    BeforeValidator(_names),
    WithJsonSchema({"oneOf": [_PREFIX, {"type": "array", "items": _PREFIX}]}),
]
ROUTES = (BeforeValidator(_routes), _OrText())
NumberText = Annotated[str, BeforeValidator(_number_text), WithJsonSchema({"type": ["string", "integer"]})]
SecretFile = Annotated[SecretPlace, PlainValidator(_secret_place), WithJsonSchema(_TEXT)]
FileOrNumbers = Annotated[
    Any, WithJsonSchema({"oneOf": [_TEXT, {"type": "array", "items": {"type": ["string", "integer"]}}]})
]
FileOrMap = Annotated[Any, WithJsonSchema({"oneOf": [_TEXT, {"type": "object"}]})]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
RedressUrl = Annotated[str, BeforeValidator(_redress_url), WithJsonSchema(_TEXT)]
RedressTel = Annotated[str, BeforeValidator(_redress_tel), WithJsonSchema(_TEXT)]
RedressEmail = Annotated[str, BeforeValidator(_redress_email), WithJsonSchema(_TEXT)]
