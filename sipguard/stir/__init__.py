"""STIR/SHAKEN: Identity values, PASSporTs, certificates (RFC 8224, 8225, 8226, 8588). No I/O, no clock."""
