"""A good configuration becomes settings with absolute paths; what it may not mean so is a hint."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import msgspec.inspect as mi
import pytest

from edgetrack.config import Config, DetectConfig, FileCapture, JsonlPublish, MqttPublish
from edgetrack.configfile import check, check_classes, config_hash, load, paths, resolve_model
from edgetrack.configfile.fit import Fitter, _Spot
from edgetrack.configfile.mistake import Notes
from edgetrack.configfile.paths import Paths
from edgetrack.errors import ConfigError
from tests.configfile.broken import GOOD, MQTT, RTSP, ZONE
from tests.configfile.parts import tree, written


def test_what_is_not_said_has_its_default(folder: Path) -> None:
    assert load(written(folder, GOOD)) == Config(
        capture=FileCapture(path=str(folder / "clip.mp4")), detect=DetectConfig(model=str(folder / "model.onnx"))
    )


@pytest.mark.parametrize("dress", ["\ufeff{}", "---\n{}", "{}...\n", "# gate\n\n{}", "%YAML 1.2\n---\n{}"])
def test_what_editors_add_does_no_harm(folder: Path, dress: str) -> None:
    assert load(written(folder, dress.format(GOOD) if "{}" in dress else dress)).device == "edgetrack"


def test_lines_may_end_as_on_windows(folder: Path) -> None:
    assert load(written(folder, GOOD.replace("\n", "\r\n"))).camera == "camera"


def test_paths_start_at_the_folder_of_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "configs").mkdir()
    (folder / "configs" / "gate.yaml").write_text(GOOD.replace("clip", "../clip").replace("model.", "../model."))
    monkeypatch.chdir(folder)
    config = load(Path("configs/gate.yaml"))
    assert isinstance(config.capture, FileCapture)
    assert (config.capture.path, config.detect.model) == (str(folder / "clip.mp4"), str(folder / "model.onnx"))


def test_a_tilde_is_the_home_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    config = load(written(folder, GOOD.replace("model.", "~/model.")))
    assert config.detect.model == str(folder / "model.onnx")


def test_a_variable_in_a_path_is_expanded(folder: Path) -> None:
    text = MQTT + '    password_file: "${CREDENTIALS_DIRECTORY}/mqtt"\n'
    (folder / "mqtt").write_text("s3cret")
    (mqtt,) = load(written(folder, text), environment={"CREDENTIALS_DIRECTORY": str(folder)}).publish
    assert isinstance(mqtt, MqttPublish)
    assert mqtt.password_file == str(folder / "mqtt")


def test_credentials_of_the_service_are_no_mistake_outside_it(folder: Path) -> None:
    text = MQTT.replace("broker.local", "localhost") + '    password_file: "${CREDENTIALS_DIRECTORY}/mqtt"\n'
    (mqtt,) = load(written(folder, text), environment={}).publish
    assert isinstance(mqtt, MqttPublish)
    assert mqtt.password_file == "${CREDENTIALS_DIRECTORY}/mqtt"
    (hint,) = check(folder / "gate.yaml", environment={})
    assert (hint.hint, hint.line, hint.key) == (True, 6, "publish[0].password_file")


def test_standard_output_is_no_file(folder: Path) -> None:
    text = GOOD + 'publish: [{kind: jsonl, path: "-"}]\n'
    assert load(written(folder, text)).publish == [JsonlPublish(path="-")]


def test_a_model_without_a_slash_comes_from_the_catalogue(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "MODEL_FOLDERS", (folder / "none", folder))
    assert resolve_model("model") == folder / "model.onnx"
    assert load(written(folder, GOOD.replace("model.onnx", "model"))).detect.model == str(folder / "model.onnx")


def test_an_unknown_model_is_told_with_those_there_are(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "MODEL_FOLDERS", (folder,))
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
    with pytest.raises(ConfigError, match=r"called 'modell'; the catalogue holds model.*; did you mean 'model'\?"):
        resolve_model("modell")


def test_a_model_that_can_be_fetched_is_told_with_the_command(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGETRACK_MODELS", str(folder))
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
    with pytest.raises(ConfigError, match="edgetrack model fetch yolox-tiny"):
        resolve_model("yolox-tiny")
    (folder / "yolox-tiny.onnx").touch()
    assert resolve_model("yolox-tiny") == folder / "yolox-tiny.onnx"


def test_a_polygon_may_end_where_it_began(folder: Path) -> None:
    config = load(written(folder, ZONE + "[[0, 0], [1, 0], [1, 1], [0, 0]]\n"))
    assert config.zones[0].polygon == [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)]


def test_nothing_to_publish_is_worth_a_hint(folder: Path) -> None:
    (hint,) = check(written(folder, GOOD))
    assert str(hint) == (
        f"{folder}/gate.yaml:1:1: hint: publish: nothing is published; add - kind: mqtt, or - kind: jsonl"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (MQTT + "    username: a\n    password_env: A\n", "the variable it names is not set here"),
        (MQTT + "    username: a\n    password_file: model.onnx\n", "crosses the network unencrypted"),
        (MQTT.replace("broker.local", "broker.local:8883"), "port 8883 is usually that of mqtts://"),
        (RTSP + "  url: rtsp://cam/user=admin&password=hunter2\n", "seems to hold a password"),
        (GOOD.replace("onnx", "onnx, classes: [car], min_scores: {bus: 0.5}"), "min_scores.bus has no effect"),
    ],
)
def test_what_may_be_meant_so_is_a_hint(folder: Path, text: str, said: str) -> None:
    path = written(folder, text)
    load(path, environment={})
    hints = [str(mistake) for mistake in check(path, environment={})]
    assert any(said in hint for hint in hints)
    assert not any("hunter2" in hint for hint in hints)


def test_classes_are_checked_against_the_model(folder: Path) -> None:
    config = load(written(folder, GOOD.replace("onnx", "onnx, classes: [persn, car], min_scores: {bus: 1}")))
    with pytest.raises(ConfigError) as caught:
        check_classes(config, ["person", "car"])
    assert str(caught.value).splitlines() == [
        "detect.classes: unknown class 'persn'; did you mean 'person'?",
        "detect.min_scores: unknown class 'bus'; the model knows person, car",
    ]


def test_classes_that_the_model_knows_are_good(folder: Path) -> None:
    check_classes(load(written(folder, GOOD.replace("onnx", "onnx, classes: [car]"))), ["person", "car"])


def test_the_hash_is_that_of_the_settings_not_of_the_text(folder: Path) -> None:
    one = config_hash(load(written(folder, GOOD)))
    other = config_hash(load(written(folder, "# same\n" + "".join(reversed(GOOD.splitlines(keepends=True))))))
    changed = config_hash(load(written(folder, GOOD + "camera: north\n")))
    assert one == other != changed
    assert re.fullmatch("[0-9a-f]{12}", one)


def test_reading_a_configuration_needs_no_heavy_library() -> None:
    code = "import edgetrack.configfile, sys; print(*{name.split('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"av", "cv2", "onnxruntime", "paho", "picamera2", "jsonschema", "onnx"} & set(run.stdout.split())


def test_a_second_reading_does_not_compile_the_annotations_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cost 34 of 36 ms, and a daemon that reloads often the heap of its process."""
    load(written(folder, GOOD))
    monkeypatch.delattr(mi, "type_info")
    assert load(written(folder, GOOD)).detect.model


def of_either(text: str) -> tuple[object, list[str]]:
    """A setting that may be a whole number or text, and what is said of it."""
    notes = Notes("test.yaml", {})
    value = Fitter(notes, Paths(Path("/"), {}))._fit(tree(text), mi.type_info(int | str), _Spot("key"))
    return value, [str(mistake) for mistake in notes.mistakes]


@pytest.mark.parametrize(("text", "value"), [("7", 7), ("north", "north"), ('"7"', "7")])
def test_of_several_kinds_of_scalar_the_one_that_fits_is_taken(text: str, value: object) -> None:
    assert of_either(text) == (value, [])


@pytest.mark.parametrize(("text", "found"), [("[1]", "a list of 1"), ("{a: 1}", "a mapping of keys"), ("1.5", "1.5")])
def test_what_fits_no_kind_of_scalar_is_told_with_all_of_them(text: str, found: str) -> None:
    assert of_either(text)[1] == [f"test.yaml:1:1: key: found {found}; expected a whole number or text"]
