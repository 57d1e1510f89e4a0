"""Telephone traffic by a seed: what people, lawful mass callers and attackers do, as calls in order of time.

A stream is an iterator of `Call`, whose whole life is known beforehand; `events` turns streams into one sequence of
what happens. The same seed gives the same calls on every machine. Nothing here knows sipguard.
"""
