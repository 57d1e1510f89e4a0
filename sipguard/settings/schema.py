"""The JSON Schema of the configuration.

Enters: the classes of `model`. Leaves: a schema that editors read. Must not: know a configuration.
"""

from __future__ import annotations

from typing import Any

from sipguard.settings.model import Config


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the configuration, for editors."""
    schema = Config.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "sipguard configuration"
    return schema
