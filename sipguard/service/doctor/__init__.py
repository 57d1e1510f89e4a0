"""Whether a machine and a configuration are fit to take calls: one diagnosis a line, and a bundle for support.

Enters: a configuration file, this machine, a running sipguard if there is one. Leaves: diagnoses; a masked archive.
Must not: change anything, hang, or show a secret.
"""
