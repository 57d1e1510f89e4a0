"""The configuration: YAML files to types, with every problem at its place.

Enters: a file, and the files it names. Leaves: a PlainRuleset, the settings of the service, problems; a JSON
Schema for editors. Must not: start anything.

It is a folder because it is long; the floors count it as one module. It takes a few values from its own floor: the
settings of the fetcher (`net.fetch`, `net.nameservers`) and of copies for a capture server (`net.hep`).
"""

from __future__ import annotations

from typing import Any

from sipguard.settings.build import Service
from sipguard.settings.load import Loaded, load
from sipguard.settings.model import Config
from sipguard.settings.named import named_directories, named_files
from sipguard.settings.problems import Problem
from sipguard.settings.sources import BUILD, READ, SKIP, read_anchors

__all__ = [
    "BUILD",
    "READ",
    "SKIP",
    "Config",
    "Loaded",
    "Problem",
    "Service",
    "json_schema",
    "load",
    "named_directories",
    "named_files",
    "read_anchors",
]


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the configuration, for editors."""
    schema = Config.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "sipguard configuration"
    return schema
