"""What each provider is told."""

from pathlib import Path

import pytest

from edgetrack.config import ProviderOptions, RuntimeConfig
from edgetrack.providers import PROVIDERS, known, options


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    return tmp_path


def test_tensorrt_keeps_its_engines_in_the_state_directory(state: Path) -> None:
    told = options("tensorrt", RuntimeConfig(), threads=3)
    assert (told["trt_engine_cache_enable"], told["trt_engine_cache_path"]) == ("1", str(state / "tensorrt"))
    assert (state / "tensorrt").is_dir()


def test_without_systemd_engines_lie_in_the_user_s_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    told = options("tensorrt", RuntimeConfig(), threads=1)
    assert told["trt_engine_cache_path"] == str(tmp_path / "edgetrack" / "tensorrt")


def test_the_configuration_s_options_go_over_the_usual_ones() -> None:
    config = RuntimeConfig(options=ProviderOptions(openvino={"num_of_threads": "1", "device_type": "GPU"}))
    assert options("openvino", config, threads=3) == {"num_of_threads": "1", "device_type": "GPU"}


@pytest.mark.parametrize("word", ["xnnpack", "openvino"])
def test_those_with_threads_of_their_own_get_their_number(word: str) -> None:
    assert "3" in options(word, RuntimeConfig(), threads=3).values()


def test_what_is_not_there_comes_with_a_remedy_and_cpu_comes_last() -> None:
    found, lacking = known(["tensorrt", "cuda"], here=["CUDAExecutionProvider", "CPUExecutionProvider"])
    assert found == ["cuda", "cpu"]
    assert lacking["tensorrt"].startswith("not part of this onnxruntime; install onnxruntime-gpu with TensorRT")


def test_every_provider_of_the_configuration_is_known() -> None:
    assert set(ProviderOptions.__struct_fields__) | {"cpu"} == set(PROVIDERS)
