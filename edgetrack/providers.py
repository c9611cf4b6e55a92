"""What models can run on: the words of `runtime.providers`, what each is to ONNX Runtime, and how it is set up."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgetrack.config import RuntimeConfig
from edgetrack.errors import ConfigError

Options = dict[str, str]


@dataclass(frozen=True, slots=True)
class Provider:
    """
    Attributes:
        name: ONNX Runtime's.
        remedy: what brings it.
        usual: its options for so many threads and a folder for what it compiles.
    """

    name: str
    remedy: str
    usual: Callable[[int, Path], Options] = lambda threads, folder: {}


def _tensorrt(threads: int, folder: Path) -> Options:
    """Engines take minutes to build, so they are kept; one is built anew where model, TensorRT or GPU is another."""
    return {
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(folder),
    }


def _openvino(threads: int, folder: Path) -> Options:
    return {"device_type": "CPU", "num_of_threads": str(threads)}


PROVIDERS: Mapping[str, Provider] = {
    "tensorrt": Provider(
        "TensorrtExecutionProvider", "install onnxruntime-gpu with TensorRT, on a Jetson NVIDIA's own wheel", _tensorrt
    ),
    "cuda": Provider("CUDAExecutionProvider", "install onnxruntime-gpu, on a Jetson NVIDIA's own wheel"),
    "openvino": Provider("OpenVINOExecutionProvider", "install onnxruntime-openvino", _openvino),
    "xnnpack": Provider(
        "XnnpackExecutionProvider",
        "build onnxruntime with --use_xnnpack",
        lambda threads, folder: {"intra_op_num_threads": str(threads)},  # it keeps a pool of its own
    ),
    "qnn": Provider(
        "QNNExecutionProvider", "install onnxruntime-qnn", lambda threads, folder: {"backend_path": "libQnnHtp.so"}
    ),
    "cpu": Provider("CPUExecutionProvider", "install onnxruntime"),
}
WORDS = {provider.name: word for word, provider in PROVIDERS.items()}


def known(words: Sequence[str], here: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Those of `words` that this ONNX Runtime has, cpu last, and why it lacks the others.

    Args:
        here: ONNX Runtime's names of what it was built with.

    Raises:
        ConfigError: a word that is none.
    """
    found, lacking = [], {}
    for word in words:
        if word not in PROVIDERS:
            near = difflib.get_close_matches(word, PROVIDERS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"choose of {', '.join(PROVIDERS)}"
            raise ConfigError(f"runtime.providers: {word!r} is unknown; {hint}")
        if PROVIDERS[word].name in here:
            found.append(word)
        else:
            lacking[word] = f"not part of this onnxruntime; {PROVIDERS[word].remedy}, or remove the word"
    return [*found, "cpu"] if "cpu" not in found else found, lacking


def options(word: str, config: RuntimeConfig, threads: int) -> Options:
    """What ONNX Runtime is told: the usual, and over it what `runtime.options` says."""
    own: Options = getattr(config.options, word, {})
    return {**PROVIDERS[word].usual(threads, _compiled(word)), **own}


def _compiled(word: str) -> Path:
    """The folder for what a provider compiles, made where it is missing; outlives the daemon."""
    state = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = (Path(state) if state else Path(cache) / "edgetrack") / word
    if word == "tensorrt":
        folder.mkdir(parents=True, exist_ok=True)
    return folder
