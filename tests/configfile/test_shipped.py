"""The files of configs/ are good, complete and known to editors."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import jsonschema
import msgspec
import pytest

from edgetrack.config import Capture, Config, DetectConfig, Embed, FileCapture, LineConfig, Publish, ZoneConfig
from edgetrack.configfile import load, schema
from tests.configfile.broken import GOOD, RTSP, ZONE
from tests.configfile.generated import CONFIGS, generated
from tests.configfile.parts import plain, tree, written

SHIPPED = sorted(CONFIGS.glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_configuration_is_good(path: Path) -> None:
    config = load(path, environment={}, files=False)
    assert msgspec.convert(msgspec.to_builtins(config), Config) == config


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_editors_find_no_fault_in_a_shipped_configuration(path: Path) -> None:
    jsonschema.Draft7Validator(schema()).validate(plain(tree(path.read_text())))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_configuration_tells_editors_its_schema(path: Path) -> None:
    assert path.read_text().startswith("# yaml-language-server: $schema=edgetrack.schema.json\n")


def test_the_schema_is_good_draft_7() -> None:
    jsonschema.Draft7Validator.check_schema(schema())


@pytest.mark.parametrize(
    "content",
    [
        GOOD + "detekt: {}\n",
        GOOD + "device: Gate 1\n",
        "detect: {model: a.onnx}\n",
        RTSP + "  url: rtsp://cam\n  loop: true\n",
        ZONE + "[[0, 0], [1, 2], [1, 0]]\n",
        ZONE + "[[0, 0], [1, 1, 1], [1, 0]]\n",
    ],
)
def test_editors_see_what_the_check_sees(content: str) -> None:
    assert not jsonschema.Draft7Validator(schema()).is_valid(plain(tree(content)))


def test_generated_files_are_fresh() -> None:
    """After a change of the settings: python -m tests.configfile.generated"""
    for path, text in generated().items():
        assert path.read_text() == text, f"{path.name} is out of date; run python -m tests.configfile.generated"


def blocks() -> tuple[list[str], list[tuple[str, str]]]:
    """edgetrack.yaml in parts: its lines as they are; each alternative with its section's name, uncommented."""
    lines = (CONFIGS / "edgetrack.yaml").read_text().splitlines()
    alternatives: list[tuple[str, str]] = []
    for line in lines:
        if not re.match(r"#(?! )|#  ", line):
            continue
        code = line[1:]
        if re.match(r"[a-z]+:$", code):
            alternatives.append((code[:-1], code + "\n"))
        else:
            section, text = alternatives.pop()
            if code.startswith("  - ") and "  - " in text:
                alternatives.append((section, text))
                text = f"{section}:\n"
            alternatives.append((section, text + code + "\n"))
    return lines, alternatives


def test_the_full_configuration_is_the_default_one() -> None:
    config = load(CONFIGS / "edgetrack.yaml", files=False)
    usual = Config(capture=FileCapture(path=config.capture.path), detect=DetectConfig(model=config.detect.model))
    assert config == usual


def test_the_full_configuration_has_every_kind_and_every_key() -> None:
    lines, alternatives = blocks()
    there = [plain(tree(text))[section] for section, text in alternatives]
    there = [item for part in there for item in (part if isinstance(part, list) else [part])]
    active = plain(tree("\n".join(lines)))
    there += [active, active["capture"], active["detect"], active["embed"], active["track"]]
    keys = [frozenset(part) - {"kind"} for part in there]
    for kind in (
        *get_args(Capture),
        *get_args(Embed),
        *get_args(Publish),
        ZoneConfig,
        LineConfig,
        DetectConfig,
        Config,
    ):
        assert frozenset(kind.__struct_fields__) in keys, kind


@pytest.mark.parametrize(("section", "text"), blocks()[1])
def test_an_alternative_in_the_full_configuration_loads_at_its_defaults(
    tmp_path: Path, section: str, text: str
) -> None:
    lines = [line for line in blocks()[0] if not line.startswith("#")]
    start = next(i for i, line in enumerate(lines) if line.startswith(f"{section}:"))
    end = next((i for i in range(start + 1, len(lines)) if re.match("[a-z]", lines[i])), len(lines))
    whole = "\n".join([*lines[:start], text, *lines[end:]])
    chosen = getattr(load(written(tmp_path, whole), files=False), section)
    chosen = chosen[0] if isinstance(chosen, list) else chosen
    required = {field.name: getattr(chosen, field.name) for field in msgspec.structs.fields(chosen) if field.required}
    assert chosen == type(chosen)(**required)
