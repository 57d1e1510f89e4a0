"""What the Identity headers of a call come to (RFC 8224 §6.2): each by itself, then all of them together.

Used by the check `identity`, by `sipguard identity verify` and by the HTTP service, so that all three say the same.
"""
