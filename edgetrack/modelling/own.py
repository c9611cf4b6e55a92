"""One's own model, put where configurations find it by name."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
from pathlib import Path

from edgetrack import catalogue
from edgetrack.errors import ModelError
from edgetrack.modelling.download import digest
from edgetrack.modelling.facts import Facts, facts

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


def add(file: Path, name: str = "", folder: Path | None = None, licence: str = "") -> tuple[Path, Facts]:
    """Copy a model that loads and that edgetrack knows how to read, with a note of what it is beside it.

    Args:
        name: by which configurations call it; empty: the file's own.
        folder: empty: where `model fetch` puts files.
        licence: for the note; the file itself may name one too.

    Raises:
        ModelError: it cannot be loaded, is neither detector nor embedder, or another model has this name.
    """
    name = name or file.stem.lower()
    if not NAME.fullmatch(name):
        raise ModelError(
            f"--name: {name!r} is no name; use a-z, 0-9, '.', '_' and '-', and begin with a letter or digit"
        )
    folder = folder or catalogue.own_folder()
    target = folder / f"{name}.onnx"
    if any((shipped / target.name).is_file() for shipped in catalogue.SHIPPED):
        raise ModelError(f"--name: {name} comes with edgetrack; give another name")
    facts(str(file))  # says what is wrong in the file's own words
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".adding-", dir=folder) as room:
            copy = Path(room) / target.name
            shutil.copyfile(file, copy)
            found = facts(str(copy))  # alone in its folder: weights in a second file would be missed now
            if not found.kind:
                raise ModelError(f"{file}: {found.unknown[0]}; nothing was added")
            known = _sha256_of(target)
            if known not in (None, found.sha256):
                raise ModelError(f"{target}: is another model already; remove it, or give another --name")
            if licence:
                found.licence = licence
            note = copy.with_suffix(".json")
            note.write_text(json.dumps(_note(found, file), indent=2) + "\n")
            for made in (note, copy):
                made.chmod(0o644)
                os.replace(made, folder / made.name)
    except OSError as error:
        raise ModelError(
            f"{target}: cannot be written ({error.strerror or error}); give another folder with --to"
        ) from error
    found.path = str(target)
    return target, found


def _sha256_of(target: Path) -> str | None:
    return digest(target) if target.is_file() else None


def _note(found: Facts, source: Path) -> dict[str, object]:
    return {
        "sha256": found.sha256,
        "bytes": found.bytes,
        "from": str(source.resolve()),
        "added": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "kind": found.kind,
        "head": found.head,
        "input": found.input_size,
        "classes": found.classes,
        "licence": found.licence,
    }
