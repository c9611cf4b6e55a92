"""The configuration as JSON Schema, for editors that complete and check while somebody types."""

from __future__ import annotations

from inspect import cleandoc
from typing import Any

import msgspec

from edgetrack.config import Config

ID = "urn:edgetrack:config"


def schema() -> dict[str, Any]:
    """JSON Schema, draft 7: the one that YAML extensions of editors know best."""
    _, components = msgspec.json.schema_components([Config], ref_template="#/definitions/{name}")
    definitions = {name: _draft_7(component) for name, component in components.items()}
    top = definitions.pop("Config")
    top["title"] = "edgetrack configuration"
    return {"$schema": "http://json-schema.org/draft-07/schema#", "$id": ID, **top, "definitions": definitions}


def _draft_7(part: Any) -> Any:
    """msgspec writes 2020-12, where draft 7 says `items` for `prefixItems`, and knows no `discriminator`."""
    if isinstance(part, (list, tuple)):
        return [_draft_7(item) for item in part]
    if not isinstance(part, dict):
        return part
    part = {key: _draft_7(value) for key, value in part.items() if key != "discriminator"}
    if isinstance(part.get("description"), str):
        part["description"] = cleandoc(part["description"])  # as Python 3.13 gives a docstring by itself
    if "prefixItems" in part:
        part["items"] = part.pop("prefixItems")
        part["additionalItems"] = False
    if "$ref" in part and len(part) > 1:  # draft 7 ignores what stands beside $ref
        part = {"allOf": [{"$ref": part.pop("$ref")}], **part}
    return part
