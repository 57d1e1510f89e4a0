"""What reading a certificate, a CRL or a request may raise where its octets are not what they should be.

Enters: nothing. Leaves: one tuple for `except`, so that no room forgets one of them. Must not: name what our own code
raises. Each reading of hostile octets is met with it; behind it stands the door of `certificate`, which meets anything.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.x509 import (
    AttributeNotFound,
    DuplicateExtension,
    ExtensionNotFound,
    InvalidVersion,
    UnsupportedGeneralNameType,
)

UNREADABLE: Final = (
    ValueError,  # with it binascii.Error and UnicodeError
    TypeError,
    LookupError,
    ArithmeticError,  # OverflowError
    AttributeError,
    RecursionError,
    NotImplementedError,
    InternalError,  # an error of OpenSSL that nobody asked for
    UnsupportedAlgorithm,
    InvalidVersion,
    DuplicateExtension,
    ExtensionNotFound,
    AttributeNotFound,
    UnsupportedGeneralNameType,  # x400Address and ediPartyName, wherever a general name stands
)
