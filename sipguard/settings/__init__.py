"""The configuration: YAML files to types, with every problem at its place.

Enters: a file, and the files it names. Leaves: a PlainRuleset, the settings of the service, problems; a JSON
Schema for editors. Must not: start anything.

It is a folder because it is long; the floors count it as one module. It takes a few values from its own floor: the
settings of the fetcher (`net.fetch`, `net.nameservers`) and of copies for a capture server (`net.hep`). The door is
`settings.load`; nothing is imported here, since the classes of the configuration are dear to build and a process that
only reads a secret wants none of them.
"""
