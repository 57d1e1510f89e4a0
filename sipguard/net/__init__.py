"""Sockets, the one timer, HTTP, the event loop."""
