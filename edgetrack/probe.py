"""`edgetrack check --probe`: opens the models, the camera and the outlets once, and says what it found."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from edgetrack.capture import open_source
from edgetrack.config import Config, GoturnRefine, Publish
from edgetrack.configfile import check_classes
from edgetrack.detect import open_detector, open_embedder
from edgetrack.errors import CaptureError, EdgetrackError
from edgetrack.publish.probe import probe as probe_outlet
from edgetrack.refine.goturn import Regressor
from edgetrack.types import Detections

FIRST_PICTURE_S = 20.0


def probe(config: Config) -> Iterator[str | EdgetrackError]:
    """One line for every part that works, the error for every one that does not."""
    parts: list[Callable[[], str]] = [partial(_models, config)]
    if isinstance(config.refine, GoturnRefine):
        parts.append(partial(_follower, config, config.refine))
    parts.append(partial(_camera, config))
    parts += [partial(_outlet, config, options) for options in config.publish]
    for part in parts:
        try:
            yield part()
        except EdgetrackError as error:
            yield error


def _models(config: Config) -> str:
    detector = open_detector(config.detect, config.runtime)
    check_classes(config, detector.names)
    embedder = open_embedder(config.embed, config.runtime)
    picture = np.zeros((480, 640, 3), np.uint8)
    detector.detect(picture)
    began = time.perf_counter()
    detector.detect(picture)
    took_ms = (time.perf_counter() - began) * 1e3
    embedder.embed(picture, Detections.empty())
    name = config.detect.model.rsplit("/", 1)[-1]
    return f"detect: {name}: {detector.head}, {len(detector.names)} classes, {took_ms:.0f} ms a picture"


def _follower(config: Config, refine: GoturnRefine) -> str:
    net = Regressor(refine.model, config.runtime, refine.head)
    name = refine.model.rsplit("/", 1)[-1]
    return f"refine: {name}: {net.head.name}, mode: {refine.mode}, {refine.max_targets} targets at most"


def _outlet(config: Config, options: Publish) -> str:
    return f"publish: {probe_outlet(config, options)}"


def _camera(config: Config) -> str:
    began = time.monotonic()
    with open_source(config.capture) as source:
        for frame in source:
            if frame is not None:
                width, height = frame.size
                waited_s = time.monotonic() - began
                return f"capture: {config.capture.__struct_config__.tag}: {width} x {height} px after {waited_s:.1f} s"
            if time.monotonic() > began + FIRST_PICTURE_S:
                break
        reason = source.state.reason or "no answer"
        raise CaptureError(
            f"capture: no picture within {FIRST_PICTURE_S:.0f} s: {reason}; see that the camera is on and in reach"
        )
