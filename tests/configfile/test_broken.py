"""Every mistake is told in one line with its place, and nothing else happens."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgetrack.configfile import check, load
from edgetrack.errors import ConfigError
from tests.configfile.broken import EXACT, GOOD, MQTT, PLACED, RAW
from tests.configfile.generated import CONFIGS
from tests.configfile.parts import written

KEY_AND_VALUE = re.compile(r"^( *(?:- )?)([a-z0-9_]+): +(\S.*?)( *#.*)?$")


def complaints(folder: Path, content: str | bytes) -> list[str]:
    """What `load` says, without the name of the file."""
    path = written(folder, content)
    with pytest.raises(ConfigError) as caught:
        load(path, environment={})
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}:") for line in lines)
    return [line.removeprefix(f"{path}:").replace(str(folder), "FOLDER") for line in lines]


@pytest.mark.parametrize(("content", "message"), list(EXACT.items()))
def test_a_mistake_is_told_in_one_line(folder: Path, content: str, message: str) -> None:
    assert complaints(folder, content) == [message]


@pytest.mark.parametrize(("content", "told"), [*PLACED.items(), *RAW.items()])
def test_a_mistake_is_told_at_its_place(folder: Path, content: str | bytes, told: tuple[str, str]) -> None:
    (line,) = complaints(folder, content)
    assert re.match(r"[1-9][0-9]*:[1-9][0-9]*: ", line)
    assert line.startswith(told[0])
    assert told[1] in line
    assert len(line) < 600


def mutations() -> Iterator[Any]:
    """Every line `key: value` of every shipped file, broken in six ways."""
    for path in sorted(CONFIGS.glob("*.yaml")):
        lines = path.read_text().splitlines()
        for i, line in enumerate(lines):
            found = KEY_AND_VALUE.match(line)
            if not found:
                continue
            start, key, value, _ = found.groups()
            ways = {
                "misspelt": f"{start}{key}zz: {value}",
                "mapping": f"{start}{key}: {{zzz: {{}}}}",
                "tab": f"\t{line}",
                "twice": f"{line}\n{start.replace('-', ' ')}{key}: {value}",
                "tag": f"{start}{key}: !x {value}",
                "open": f"{start}{key}: [{value}",
            }
            for way, broken in ways.items():
                text = "\n".join([*lines[:i], broken, *lines[i + 1 :]])
                yield pytest.param(text, i + 1, id=f"{path.stem}-{i + 1}-{way}")


@pytest.mark.parametrize(("content", "line"), list(mutations()))
def test_a_shipped_file_with_one_line_broken_is_refused(tmp_path: Path, content: str, line: int) -> None:
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, content), environment={}, files=False)
    first, *_ = str(caught.value).splitlines()
    assert re.match(rf"{re.escape(str(tmp_path))}/gate\.yaml:[1-9][0-9]*:[1-9][0-9]*: ", first)
    assert caught.value.exit_code == 2


def test_one_reading_finds_all_mistakes(folder: Path) -> None:
    content = """\
device: Gate 1
capture: {kind: rtsp, url: "rtsp://admin:hunter2@cam", stall_s: 0}
detect: {modle: model.onnx, min_score: 2}
zones:
  - {name: a, polygon: [[0, 0], [1, 1], [1, 0], [0, 1]]}
  - {name: a, polygon: [[0, 0], [1, 0], [1, 1]], colour: red}
publish: [{kind: jsonl, path: nowhere/a}, {kind: mqqt}]
"""
    places = [line.split(": ")[:2] for line in complaints(folder, content)]
    assert places == [
        ["1:9", "device"],
        ["2:28", "capture.url"],
        ["2:65", "capture.stall_s"],
        ["3:1", "detect.model"],
        ["3:10", "detect.modle"],
        ["3:40", "detect.min_score"],
        ["5:24", "zones[0].polygon"],
        ["6:12", "zones[1].name"],
        ["6:50", "zones[1].colour"],
        ["7:31", "publish[0].path"],
        ["7:43", "publish[1].url"],
        ["7:50", "publish[1].kind"],
    ]


@pytest.mark.parametrize("content", [text for text in [*EXACT, *PLACED] if "hunter2" in text])
def test_a_password_in_the_wrong_place_is_never_shown(folder: Path, content: str) -> None:
    assert not [line for line in complaints(folder, content) if "hunter2" in line]


@pytest.mark.parametrize("wrong", ["hunter2", "*hunter2", "!hunter2 x", "@hunter2", "'hunter2", "5h: hunter2"])
@pytest.mark.parametrize("key", ["password_file", "password_env", "password", "url", "username"])
def test_a_password_is_not_shown_whatever_it_does_to_yaml(folder: Path, key: str, wrong: str) -> None:
    text = MQTT.replace("url: mqtt://broker.local", f"{key}: {wrong}")
    shown = [line for line in complaints(folder, text) if "hunter2" in line]
    assert not shown


def test_no_number_of_mistakes_takes_long(folder: Path) -> None:
    """Guessing what was meant takes a millisecond for each; past the first hundred nobody guesses."""
    assert len(complaints(folder, GOOD + "".join(f"model{i}: 1\n" for i in range(20_000)))) == 100


def test_a_hundred_mistakes_are_enough(folder: Path) -> None:
    assert len(complaints(folder, GOOD + "zones: [" + "x, " * 99 + "]\nlines: [" + "x, " * 99 + "]\n")) == 100


@pytest.mark.parametrize("special", ["missing", "folder", "pipe", "\0", "name" * 100])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, special: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match=r":1:1: .*; expected a YAML file|:1:1: is .*; expected a YAML file"):
        load(tmp_path / special)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200) | st.text(max_size=200))
def test_any_content_gives_a_configuration_or_its_mistakes(folder: Path, content: str | bytes) -> None:
    if isinstance(content, str):
        content = content.encode("utf-8", "surrogatepass")
    assert complaints(folder, content)


WORDS = ["a", "&a ", "*a", "- ", "? ", ": ", "kind", "file", "detect", "[", "]", "{", "}", ",", "'", '"', "\n", "  "]
WORDS += ["\t", "!", "!!int ", "|", ">", "%", "---", "...", "<<", "010", "1_0", "off", "~", "12:30", ".nan", "#", "\\"]
WORDS += [
    "\0",
    "é",
    "capture:",
    "\n  ",
    "polygon: [[0, 0], ",
    "zones:\n  - name: ",
    "publish:\n  - kind: mqtt\n    url: ",
]


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(st.sampled_from(WORDS), max_size=40))
def test_any_sequence_of_yaml_words_gives_a_configuration_or_its_mistakes(folder: Path, words: list[str]) -> None:
    path = written(folder, GOOD + "".join(words))
    errors = [str(mistake) for mistake in check(path, environment={}) if not mistake.hint]
    assert all(re.match(rf"{re.escape(str(path))}:[0-9]+:[0-9]+: .", error) for error in errors)
    if not errors:
        load(path, environment={})
