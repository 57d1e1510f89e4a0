"""sipguard: an inline SIP call-screening B2BUA."""

__version__ = "0.1.0"
