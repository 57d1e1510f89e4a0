"""The policy language: `read` plain YAML values, `compile` for each trunk, `decide` on facts.

Enters: what an operator wrote, and the facts of a call. Leaves: a verdict, and why.
Must not: find facts itself, or depend on anything but its arguments.
"""
