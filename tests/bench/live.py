"""What a live camera costs: the daemon on a video that comes as a camera's pictures do, ready and at their own pace.

    python -m tests.bench.live MODEL VIDEO [--embedder OSNET.onnx | none | histogram] [--fps 15 30 200] [--turns]

The pictures are decoded before, so that nothing but edgetrack is measured: how many a second are looked at and dropped,
the latency from capture to hand-over, and how long the model rests between two looks (median); or, with --turns, the
share of what the model alone does.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Generator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import av

from edgetrack import app, capture
from edgetrack.bench.alternate import alternate
from edgetrack.bench.daemon import idle_share
from edgetrack.capture.decode import Pictures
from edgetrack.capture.latest import Shot
from edgetrack.config import (
    Config,
    DetectConfig,
    HealthConfig,
    HistogramEmbed,
    JsonlPublish,
    NoEmbed,
    PaceConfig,
    ReidEmbed,
    RuntimeConfig,
    V4l2Capture,
)
from edgetrack.notify import Systemd
from edgetrack.parts import build
from edgetrack.runtime import OnnxModel

PICTURES = 100  # of the video, again and again
WARM = 20  # looks that do not count


class Replay:
    """A camera that shows a video; `latest.Camera`."""

    lost: tuple[type[Exception], ...] = (OSError,)
    open_s = 5.0
    frames: ClassVar[list[av.VideoFrame]] = []

    def __init__(self, config: V4l2Capture) -> None:
        self._fps = config.fps
        self._picture = Pictures()
        self.place = config.device

    def check(self) -> None:
        """It works."""

    def shots(self) -> Generator[Shot | None, None, None]:
        due, step = time.monotonic(), 0
        while True:
            time.sleep(max(0.0, due - time.monotonic()))
            yield Shot(partial(self._picture, Replay.frames[step % len(Replay.frames)]), time.monotonic())
            due, step = due + 1 / self._fps, step + 1


def lasting(owner: object, method: str, wait_s: float) -> None:
    """Let a method take so much longer, and no CPU for it: as if an accelerator did the work."""
    function = getattr(owner, method)

    def waiting(*arguments: object) -> object:
        time.sleep(wait_s)
        return function(*arguments)

    setattr(owner, method, waiting)


def runs_of(models: type[OnnxModel]) -> list[tuple[OnnxModel, float, float]]:
    """Filled with each run of any model from now on, and when it began and ended."""
    runs, function = [], models.run

    def timed(model: OnnxModel, *arguments: Any) -> list[Any]:
        began = time.monotonic()
        outputs = function(model, *arguments)
        runs.append((model, began, time.monotonic()))
        return outputs

    models.run = timed  # type: ignore[method-assign]
    return runs


def followed(config: Config, seconds: float, accelerator: Sequence[float] | None = None) -> str:
    """What the daemon did in that time, at its own pace; with an accelerator's s a look, and s an embedding."""
    if accelerator and not hasattr(OnnxModel, "lasting"):
        lasting(OnnxModel, "run", accelerator[0])
        OnnxModel.lasting = True  # type: ignore[attr-defined]
    runs = runs_of(OnnxModel)
    parts, wishes = build(config), app.Wishes()
    if accelerator:
        lasting(parts.embedder, "embed", accelerator[1])
    timer = threading.Timer(seconds, wishes.stop.set)
    timer.start()
    began = time.monotonic()
    app.run(parts, wishes, Systemd({}), lambda: config)
    lasted_s = time.monotonic() - began
    assert isinstance(config.publish[0], JsonlPublish)
    told = [json.loads(line)["payload"] for line in Path(config.publish[0].path).read_text().splitlines()]
    health = [payload for payload in told if payload["schema"].startswith("edgetrack.health")][-1]
    seen, pace = health["capture"], health["pace"]
    delays = ", ".join(f"{key} {ms:.1f}" for key, ms in health["delays_ms"].items())
    looks = [(began, ended) for model, began, ended in runs if model is parts.detector.model]  # type: ignore[attr-defined]
    rests_ms = [(after - ended) * 1e3 for (_, ended), (after, _) in pairwise(looks[WARM:])]
    return (
        f"{pace['looks'] / lasted_s:5.1f} looks/s, {seen['frames'] / lasted_s:5.1f} pictures/s, "
        f"{seen['dropped'] / lasted_s:5.1f}/s dropped; latency {delays} ms; rung {pace['rung']}; "
        f"the model rests {median(rests_ms):.2f} ms"
    )


def against_the_model(config: Config, seconds: float) -> str:
    """Pictures/s of the daemon over runs/s of the model alone, by turns: on the clock, and as CPU time allows."""
    turns, *_ = alternate(config, seconds)
    clock = median(turn.bare.wall_s / turn.daemon.wall_s for turn in turns)
    idle = median(idle_share(config.detect.ahead, turn) for turn in turns)
    return f"{clock:.2f} of the model alone by the clock, {idle:.2f} on idle cores, {len(turns)} turns"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("video")
    parser.add_argument("--embedder", default="none")
    parser.add_argument("--fps", type=float, nargs="+", default=[15.0, 30.0, 200.0])
    parser.add_argument("--every", default="1")
    parser.add_argument("--ahead", type=int, default=1)
    parser.add_argument("--turns", action="store_true", help="by turns with the model alone, instead of its own pace")
    parser.add_argument("--wait-ms", type=float, nargs=2, default=[], help="that a look and an embedding take longer")
    parser.add_argument("--gate", action="store_true")
    parser.add_argument("--seconds", type=float, default=8.0)
    options = parser.parse_args()
    capture.PLACES["v4l2"] = ("tests.bench.live:Replay", "nothing")
    with av.open(options.video) as container:
        Replay.frames = [frame for _, frame in zip(range(PICTURES), container.decode(video=0), strict=False)]
    embed = {"none": NoEmbed(), "histogram": HistogramEmbed()}.get(options.embedder) or ReidEmbed(
        model=options.embedder
    )
    for fps in options.fps:
        with TemporaryDirectory() as folder:
            config = Config(
                capture=V4l2Capture(device=options.video, fps=fps if fps <= 240 else 240.0),
                detect=DetectConfig(
                    model=options.model,
                    classes=["person"],
                    every="auto" if options.every == "auto" else int(options.every),
                    ahead=options.ahead,
                ),
                embed=embed,
                pace=PaceConfig(motion_gate=options.gate),
                runtime=RuntimeConfig(threads=1),
                health=HealthConfig(every_s=3600),
                publish=[JsonlPublish(path=f"{folder}/events")],
                state_dir=folder,
            )
            if options.turns:
                print(f"{fps:5g} fps: {against_the_model(config, options.seconds)}", flush=True)
            else:
                waits_s = [ms / 1e3 for ms in options.wait_ms]
                print(f"{fps:5g} fps: {followed(config, options.seconds, waits_s)}", flush=True)


if __name__ == "__main__":
    from tests.bench import live  # the class that capture loads must be this one

    live.main()
