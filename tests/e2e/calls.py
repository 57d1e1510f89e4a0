"""Calls placed to a product of a test's own, and the records that came of them."""

from __future__ import annotations

from typing import Any, Final

from tests.e2e.product import CALLER_HOST, Product, wait_for
from tests.standin import Caller, Outcome

CALLER: Final = "+12025550101"
BLOCKED: Final = "+12025550121"
CALLEE: Final = "+12025550131"


class Calls:
    """Places calls to a product and hangs up."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self.caller = Caller(product.address(), CALLER_HOST)

    def place(self, caller: str = CALLER, callee: str = CALLEE, **how: Any) -> Outcome:
        """One call."""
        return self.caller.call(self.caller.invite(caller, callee), **how)

    def status(self, caller: str = CALLER, callee: str = CALLEE) -> int:
        """The final status of one call."""
        return self.place(caller, callee).status


def own_rows(product: Product, count: int) -> list[dict[str, Any]]:
    """The records of the product, oldest first, once there are `count` of them and all have ended."""
    found: list[dict[str, Any]] = []

    def there() -> bool:
        found[:] = product.calls()
        return len(found) >= count and all(row["disposition"] for row in found)

    wait_for(there, f"{count} records", 15)
    assert len(found) == count
    return found[::-1]
