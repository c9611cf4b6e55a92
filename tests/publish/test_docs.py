"""docs/mqtt.md says what is true."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from edgetrack.publish.payload import PAYLOADS, schema

PAGE = (Path(__file__).parents[2] / "docs" / "mqtt.md").read_text()
EXAMPLES: list[dict[str, Any]] = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["schema"])
def test_an_example_fits_the_schema_and_holds_no_key_that_is_not_in_it(example: dict[str, Any]) -> None:
    document = schema()
    jsonschema.Draft202012Validator(document).validate(example)
    [kind] = [
        d for d in document["$defs"].values() if example["schema"] in d["properties"].get("schema", {}).get("enum", ())
    ]
    assert set(example) <= set(kind["properties"])


def test_there_is_an_example_of_every_payload() -> None:
    assert {example["schema"] for example in EXAMPLES} == {kind.__struct_config__.tag for kind in PAYLOADS}
