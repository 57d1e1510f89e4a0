"""Commands for operators; nobody imports them."""
