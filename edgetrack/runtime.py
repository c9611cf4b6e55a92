"""ONNX models on ONNX Runtime: loaded with care, run without noise."""

from __future__ import annotations

import difflib
import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgetrack import providers
from edgetrack.config import RuntimeConfig
from edgetrack.errors import ModelError

# Before the import: release 1.31 keeps a device id and reports figures of use to its maker unless told not to.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_state

log = logging.getLogger(__name__)

TYPES: dict[str, np.dtype[Any]] = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(float16)": np.dtype(np.float16),
    "tensor(double)": np.dtype(np.float64),
    "tensor(uint8)": np.dtype(np.uint8),
    "tensor(int8)": np.dtype(np.int8),
    "tensor(int32)": np.dtype(np.int32),
    "tensor(int64)": np.dtype(np.int64),
    "tensor(bool)": np.dtype(np.bool_),
}
NOT_ONNX = (  # how files begin that people take for ONNX models: offset, bytes, what it is, what to do
    (0, b"version https://git-lfs", "a Git LFS pointer, not the model itself", "run git lfs pull"),
    (0, b"\xff\xd8\xff", "a JPEG picture", "give an ONNX file"),
    (0, b"\x89PNG", "a PNG picture", "give an ONNX file"),
    (0, b"PK\x03\x04", "a zip archive (PyTorch's .pt are)", "unpack it, or export the model to ONNX"),
    (0, b"\x1f\x8b", "a gzip archive", "unpack it"),
    (0, b"\x89HDF", "an HDF5 file (Keras)", "export the model to ONNX"),
    (0, b"<", "a web page or XML", "download the file itself; of an OpenVINO model take the ONNX original"),
    (4, b"TFL3", "a TensorFlow Lite model", "export the model to ONNX"),
    (4, b"ftyp", "a video", "give an ONNX file"),
)
REMEDIES = (  # part of ONNX Runtime's message -> what to do
    ("No graph was found", "it is no ONNX model; export it again"),
    ("Protobuf parsing failed", "it is truncated or no ONNX model; download or export it again"),
    ("cannot get file size", "put the file with its weights beside it, under the name it was exported with"),
    ("External data", "put the file with its weights beside it, under the name it was exported with"),
    ("Unsupported model IR version", "update onnxruntime, or export with an older onnx"),
    ("opset", "update onnxruntime, or export with opset 17"),
    ("not a registered function", "its operator needs a plug-in; export without custom operators"),
    ("No Op registered", "its operator is unknown here; update onnxruntime, or export with opset 17"),
    ("NOT_IMPLEMENTED", "an operator does not support these types; export again in float32 or int8 QDQ"),
)
ORT_ERRORS: tuple[type[Exception], ...] = (
    *(kind for kind in vars(ort_state).values() if isinstance(kind, type) and issubclass(kind, Exception)),
    RuntimeError,  # a provider cannot be made
    ValueError,  # the number of inputs is wrong
)
PREFIXES = re.compile(  # what stands before the gist of its messages: code, file, C++ source position and function
    r"^(\[ONNXRuntimeError\] : \d+ : \w+ : )?(Load model from .*? failed:)?(/\S+:\d+ .*?\) (?=[A-Z\[]))?"
)
SILENT = 4  # fatal only: ONNX Runtime also raises what it logs as an error

Opened = tuple[ort.InferenceSession, tuple[str, ...], dict[str, str]]  # providers, and why others are not

ort.set_default_logger_severity(SILENT)


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output; None in `shape` is open."""

    name: str
    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]

    def __str__(self) -> str:
        return f"{self.name} ({', '.join('?' if n is None else str(n) for n in self.shape)}) {self.dtype}"


class OnnxModel:
    """A model that is loaded and ready to run; one thread at a time may use it.

    Args:
        graph: content to take for the file's, which it was made from; on cpu alone. Empty: the file's own.
        silent: another session of this model tells what it does not run on.

    Attributes:
        path: as given.
        inputs, outputs: names, shapes and types.
        metadata: what the exporter wrote into the file.
        providers: what it really runs on, in order of preference, as in `runtime.providers`.
        refused: those of the configuration that it does not run on, and why.

    Raises:
        ModelError: the file is not there, is not ONNX, is damaged, or needs what this ONNX Runtime lacks.
        ConfigError: `runtime.providers` names one that does not exist.
    """

    def __init__(self, path: str, config: RuntimeConfig, graph: bytes = b"", silent: bool = False) -> None:
        self.path = path
        check_file(path)
        threads = config.threads or default_threads()
        self._config, self._threads, self._silent = config, threads, silent
        self._take(_open(path, config, threads, graph))
        self.inputs = tuple(map(_tensor, self._session.get_inputs()))
        self.outputs = tuple(map(_tensor, self._session.get_outputs()))
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        self._names = [tensor.name for tensor in self.inputs]
        log.debug(
            "%s: on %s with %d threads, inputs %s", path, self.providers, threads, ", ".join(map(str, self.inputs))
        )

    def _take(self, opened: Opened) -> None:
        """Keep a session, and tell what it does not run on.

        Raises:
            ModelError: `runtime.strict`, and it is not the first provider of the configuration.
        """
        self._session, self.providers, self.refused = opened
        first = self._config.providers[0]
        if self._config.strict and first in self.refused:
            raise ModelError(
                f"{self.path}: would run on {self.providers[0]} instead of {first} ({self._why}); "
                "mend that, name another first in runtime.providers, or leave strict away"
            )
        if not self._silent:
            self.tell()

    def tell(self) -> None:
        """What the operator asked for and does not have, if anything."""
        if self.refused:
            log.warning("%s: runs on %s; %s", self.path, ", ".join(self.providers), self._why)

    @property
    def _why(self) -> str:
        return "; ".join(f"{word}: {reason}" for word, reason in self.refused.items())

    def run(self, *inputs: NDArray[Any]) -> list[NDArray[Any]]:
        """All outputs for the inputs in the order of `self.inputs`.

        Raises:
            ModelError: a shape or type does not fit, or an operator failed.
        """
        try:
            outputs: list[NDArray[Any]] = self._session.run(None, dict(zip(self._names, inputs, strict=True)))
        except ORT_ERRORS as error:
            given = ", ".join(f"{array.shape} {array.dtype}" for array in inputs)
            raise ModelError(
                f"{self.path}: cannot run: {_one_line(error, self.path)}; given {given}, "
                f"inputs are {', '.join(map(str, self.inputs))}; export the model again or choose another"
            ) from error
        return outputs

    def warm_up(self, *shapes: Sequence[int]) -> list[NDArray[Any]]:
        """Run once on zeros, so that the first picture is as quick as the next, and return the outputs.

        A provider that loads a model and cannot run it is left for the next one, as one that cannot load it.

        Args:
            shapes: of the inputs; without them the model's own, with 1 for what is open.
        """
        wanted = shapes or [[n or 1 for n in tensor.shape] for tensor in self.inputs]
        zeros = [np.zeros(shape, t.dtype) for shape, t in zip(wanted, self.inputs, strict=True)]
        tried: list[str] = []
        while True:
            try:
                return self.run(*zeros)
            except ModelError as error:
                if self.providers[0] == "cpu":
                    raise
                tried.append(self.providers[0])
                session, used, refused = _open(self.path, self._config, self._threads, tried=tried)
                why = str(error).removeprefix(f"{self.path}: cannot run: ").partition("; given")[0]
                self._take((session, used, refused | {tried[-1]: f"fails when it runs ({why})"}))


def on_cpu(config: RuntimeConfig) -> bool:
    """Whether models run on the CPU's own provider, because no other was asked for or is here."""
    return providers.known(config.providers, ort.get_available_providers())[0] == ["cpu"]


def default_threads() -> int:
    """Cores that this process may use, less one for capture and publishing, and at least one."""
    return max(1, len(os.sched_getaffinity(0)) - 1)


def check_file(path: str) -> None:
    """Raise ModelError where the file cannot be an ONNX model, with what it is instead."""
    file = Path(path)
    if file.is_dir():
        raise ModelError(f"{path}: is a folder, expected an ONNX file; name the file in it")
    try:
        with file.open("rb") as stream:
            head = stream.read(64)
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file; {_neighbours(file)}") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}; mend its permissions or choose another") from None
    if not head:
        raise ModelError(f"{path}: is empty (0 bytes); download or export it again")
    for offset, magic, kind, remedy in NOT_ONNX:
        if head[offset:].startswith(magic):
            raise ModelError(f"{path}: is {kind}, expected an ONNX file; {remedy}")


def _neighbours(file: Path) -> str:
    if not file.parent.is_dir():
        return f"there is no folder {file.parent} either; set the path of an ONNX file"
    near = difflib.get_close_matches(file.name, [p.name for p in file.parent.glob("*.onnx")], n=1)
    return f"did you mean {near[0]}?" if near else "set the path of an ONNX file"


def _open(path: str, config: RuntimeConfig, threads: int, graph: bytes = b"", tried: Sequence[str] = ()) -> Opened:
    """A session on the first provider that takes the model, and why the ones before it do not.

    Args:
        tried: providers that have failed in a run.

    Raises:
        ModelError: cpu cannot load it either, or `runtime.strict` allows no other provider than the first.
    """
    wanted, refused = providers.known(config.providers, ort.get_available_providers())
    wanted = [word for word in wanted if word not in tried]
    options = _options(config, threads)
    while True:
        try:
            session = _session(graph or path, options, wanted, config, threads)
        except ORT_ERRORS as error:
            if wanted == ["cpu"]:
                raise ModelError(f"{path}: {_explain(error, path)}") from error
            refused[wanted[0]] = f"cannot run it ({_one_line(error, path)})"
            wanted = wanted[1:]
            continue
        return session, *_used(session, wanted, refused)


def _used(
    session: ort.InferenceSession, wanted: Sequence[str], refused: dict[str, str]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """What really runs operators of the model, and why the rest does not."""
    started = tuple(providers.WORDS.get(name, name) for name in session.get_providers())
    silent = {word: "did not start; are its libraries and its device there?" for word in wanted if word not in started}
    if started == ("cpu",) or not hasattr(session, "get_provider_graph_assignment_info"):  # told since release 1.24
        return started, refused | silent
    parts = session.get_provider_graph_assignment_info()
    busy = {providers.WORDS.get(part.ep_name, part.ep_name) for part in parts if part.get_nodes()}
    idle = {word: "takes none of its operators" for word in started if word not in busy and word != "cpu"}
    return tuple(word for word in started if word not in idle), refused | silent | idle


def _options(config: RuntimeConfig, threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = SILENT
    options.enable_mem_pattern = False  # as quick without, and 10 MB less with batches of changing size
    # A waiting thread that spins burnt 51 ms of CPU a frame at 20 frames/s where a sleeping one took 10, for 1 to 3 ms.
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(config.allow_spinning)))
    if list(config.providers) != ["cpu"]:
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    return options


def _session(
    model: str | bytes, options: ort.SessionOptions, words: Sequence[str], config: RuntimeConfig, threads: int
) -> ort.InferenceSession:
    chosen = [(providers.PROVIDERS[word].name, providers.options(word, config, threads)) for word in words]
    return ort.InferenceSession(model, options, providers=chosen, enable_fallback=0)


def _tensor(node: Any) -> Tensor:
    shape = tuple(n if isinstance(n, int) and n > 0 else None for n in node.shape)
    return Tensor(node.name, shape, TYPES.get(node.type, np.dtype(object)))


def _explain(error: Exception, path: str) -> str:
    message = str(error)
    remedy = next((remedy for part, remedy in REMEDIES if part in message), "export it again, or update onnxruntime")
    return f"cannot be loaded: {_one_line(error, path)}; {remedy}"


def _one_line(error: Exception, path: str) -> str:
    """The gist of ONNX Runtime's message, at most 200 characters."""
    return PREFIXES.sub("", " ".join(str(error).split())).replace(path, "it")[:200].rstrip(". ")
