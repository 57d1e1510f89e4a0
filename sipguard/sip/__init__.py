"""RFC 3261 and its family: messages, transactions, timers. Pure; imports no other room."""
