"""Writes the generated files of configs/ again: python -m tests.configfile.generated"""

import json
from pathlib import Path

from edgetrack.configfile import example, schema

CONFIGS = Path(__file__).parents[2] / "configs"


def generated() -> dict[Path, str]:
    """What the files that follow from the structs must hold."""
    return {
        CONFIGS / "edgetrack.yaml": example(),
        CONFIGS / "edgetrack.schema.json": json.dumps(schema(), indent=2) + "\n",
    }


if __name__ == "__main__":
    for path, text in generated().items():
        path.write_text(text)
