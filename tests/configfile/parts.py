"""Files that configurations name, and trees for those who need no file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgetrack.configfile import yamltree
from edgetrack.configfile.mistake import Notes
from edgetrack.configfile.yamltree import Node


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "gate.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def plain(node: Node) -> Any:
    """A tree as Python values."""
    if isinstance(node.value, dict):
        return {key: plain(child) for key, child in node.value.items()}
    return [plain(child) for child in node.value] if isinstance(node.value, list) else node.value


def tree(text: str) -> Node:
    notes = Notes("test.yaml", {})
    root = yamltree.parse(text, notes)
    assert root is not None, notes.mistakes
    return root
