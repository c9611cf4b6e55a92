"""Reads a configuration: YAML in, the structs of `edgetrack.config` out, and every mistake with its place.

    config = load(Path("gate.yaml"))       # raises ConfigError, one mistake a line
    for mistake in check(Path("gate.yaml")):
        print(mistake)                     # gate.yaml:3:9: capture.url: has no scheme; expected rtsp:// ...

Needs PyYAML and msgspec alone.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from edgetrack.config import Config
from edgetrack.configfile.document import schema
from edgetrack.configfile.example import example
from edgetrack.configfile.fit import Fitter
from edgetrack.configfile.mistake import Mistake, Notes
from edgetrack.configfile.paths import Paths, resolve_model
from edgetrack.configfile.words import did_you_mean, found
from edgetrack.configfile.yamltree import parse
from edgetrack.errors import ConfigError

__all__ = ["Mistake", "check", "check_classes", "config_hash", "example", "load", "resolve_model", "schema"]

MAX_BYTES = 1_000_000  # a thousand times the usual configuration
START = "start from one of configs/, or from what `edgetrack schema example` prints"


def load(path: Path, environment: Mapping[str, str] = os.environ, files: bool = True) -> Config:
    """The configuration in a file, with absolute paths.

    Args:
        path: YAML; the paths in it are relative to its folder.
        environment: `${VARIABLE}` in paths is taken from it.
        files: False: files that are named need not exist.

    Raises ConfigError with one line for every mistake: `file:line:column: key: found; expected; what to do`.
    """
    config, mistakes = _read(Path(path), environment, files)
    errors = [str(mistake) for mistake in mistakes if not mistake.hint]
    if config is None or errors:
        raise ConfigError("\n".join(errors))
    return config


def check(path: Path, environment: Mapping[str, str] = os.environ, files: bool = True) -> list[Mistake]:
    """All mistakes and hints, in the order of the file; as `load`, but raises nothing."""
    return _read(Path(path), environment, files)[1]


def check_classes(config: Config, names: Iterable[str]) -> None:
    """Raise ConfigError, a line for each, where a class is named that a model with these class names does not know."""
    known = list(dict.fromkeys(names))
    asked = [("detect.classes", config.detect.classes), ("detect.min_scores", list(config.detect.min_scores))]
    asked += [(f"zones[{zone.name}].classes", zone.classes) for zone in config.zones]
    asked += [(f"lines[{line.name}].classes", line.classes) for line in config.lines]
    few = f"the model knows {', '.join(known[:12])}" + (f" and {len(known) - 12} more" if len(known) > 12 else "")
    wrong = [
        f"{key}: unknown class '{name}'{did_you_mean(name, known) or f'; {few}'}"
        for key, classes in asked
        for name in classes
        if name not in known
    ]
    if wrong:
        raise ConfigError("\n".join(wrong))


def config_hash(config: Config) -> str:
    """Twelve hex digits that change when any setting does: SHA-256 of JSON with sorted keys."""
    return hashlib.sha256(msgspec.json.encode(config, order="sorted")).hexdigest()[:12]


def _read(path: Path, environment: Mapping[str, str], files: bool) -> tuple[Config | None, list[Mistake]]:
    notes = Notes(str(path), environment)
    text = _text(path, notes)
    root = parse(text, notes) if text is not None else None
    config = None
    if root is None:
        if not notes.mistakes:
            notes.add((1, 1), "", f"is empty; expected capture: and detect:; {START}")
    elif not isinstance(root.value, dict):
        notes.add(root.place, "", f"found {found(root)}; expected keys such as capture: and detect:; {START}")
    else:
        paths = Paths(path.absolute().parent, environment, files)
        config = Fitter(notes, paths).config(root)
    return config, sorted(set(notes.mistakes))


def _text(path: Path, notes: Notes) -> str | None:
    """The file's text; None, and the mistake noted, where it cannot be read."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            what = "a folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
            notes.add((1, 1), "", f"is {what}; expected a YAML file")
            return None
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no file has such a name"
        notes.add((1, 1), "", f"{reason}; expected a YAML file that this user may read")
        return None
    if len(content) > MAX_BYTES:
        notes.add((1, 1), "", f"is over {MAX_BYTES // 1_000_000} MB long; no configuration is; give another file")
        return None
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        notes.add((1, 1), "", "is UTF-16 text; save it as UTF-8")
        return None
    if b"\0" in content:
        notes.add((1, 1), "", "is a binary file; expected YAML text")
        return None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8", "replace")
        column = error.start - content.rfind(b"\n", 0, error.start) if before.isascii() else 1
        place = (before.count("\n") + 1, column)
        notes.add(place, "", f"the byte 0x{content[error.start]:02X} is not UTF-8; save the file as UTF-8 text")
        return None
