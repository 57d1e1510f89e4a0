"""Signatures as tokens and as the library has them."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import example, given
from hypothesis import strategies as st

from sipguard.stir.jose import der_of

# Numbers of all lengths, those around a sign bit among them.
NUMBERS = st.integers(0, 2**256 - 1) | st.builds(
    lambda bits, less: max(0, (1 << bits) - less), st.integers(0, 256), st.integers(1, 2)
)


@given(NUMBERS, NUMBERS)
@example(0, 0)
@example(2**255, 2**255 - 1)
def test_der_is_what_the_library_writes(r: int, s: int) -> None:
    assert der_of(r.to_bytes(32, "big") + s.to_bytes(32, "big")) == encode_dss_signature(r, s)
