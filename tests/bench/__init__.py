"""Micro-benchmarks of the call path (python -m tests.bench), and sipguard as a system under test of the bench."""
