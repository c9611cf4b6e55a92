"""One pass of the demo, from the broker's start to the verdict."""

from __future__ import annotations

import argparse
import logging
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, cast

from edgetrack import app
from edgetrack.config import (
    Config,
    DetectConfig,
    HealthConfig,
    LineConfig,
    MqttPublish,
    NoEmbed,
    ReidEmbed,
    RuntimeConfig,
    SceneCapture,
    TrackConfig,
    ZoneConfig,
)
from edgetrack.demo.broker import OwnBroker
from edgetrack.demo.film import Film, Filmed
from edgetrack.demo.listener import Counts, Heard, Listener
from edgetrack.demo.screen import Screen, Visits, table
from edgetrack.demo.shipped import shipped_model
from edgetrack.errors import PublishError
from edgetrack.notify import Systemd
from edgetrack.parts import build
from edgetrack.render import CLASSES
from edgetrack.render.scene import COUNTED, LINES, MIN_INSIDE_S, ZONES, Scene
from edgetrack.scene import Scene as LiveScene

MODEL, EMBEDDER = "edgetrack-nano-int8.onnx", "edgetrack-reid-int8.onnx"
UNLIKE = 0.9  # cosine distance; EMBEDDER's distances reach far
BORDER_S = 0.3  # a foot that is seen some pixels off passes the border of a zone so much early or late
GOODBYE_S = 10.0  # longest wait for what is still under way at the end


def demo_config(
    options: argparse.Namespace, scene: Scene, url: str, version: Literal["5", "3.1.1"], state: str
) -> Config:
    """What a person would write for this street."""
    model = options.model or shipped_model(MODEL)
    return Config(
        device="demo",
        camera="street",
        capture=SceneCapture(
            seed=scene.seed,
            hard=scene.hard,
            seconds=scene.seconds,
            fps=scene.fps,
            width=scene.width,
            height=scene.height,
            pace="fast" if options.fast else "realtime",
        ),
        detect=DetectConfig(model=str(model), min_score=0.35, min_scores={} if options.model else {"bicycle": 0.65}),
        # In a crowd people are taken for each other less often; on the easy streets there is nothing to gain.
        embed=ReidEmbed(model=str(shipped_model(EMBEDDER))) if scene.hard else NoEmbed(),
        track=TrackConfig(max_unlikeness=UNLIKE) if scene.hard else TrackConfig(),
        lines=[
            LineConfig(
                name=name,
                start=scene.line(name)[0],
                end=scene.line(name)[1],
                classes=[CLASSES[class_id] for class_id in COUNTED[name]],
            )
            for name in LINES
        ],
        zones=[ZoneConfig(name=name, polygon=list(scene.zone(name))) for name in ZONES],
        runtime=RuntimeConfig(),
        health=HealthConfig(every_s=1),
        publish=[MqttPublish(url=url, version=version)],
        state_dir=state,  # a fresh one: no counts of an earlier demo come back
    )


class TrueCounts:
    """What a perfect counter would have told, up to any frame."""

    def __init__(self, scene: Scene) -> None:
        self._crossings = scene.crossings()
        self._long = round((MIN_INSIDE_S + BORDER_S) * scene.fps)  # pictures
        self._sure = [visit for visit in scene.visits() if visit.leave - visit.enter >= self._long]
        self._possible = scene.visits(MIN_INSIDE_S - BORDER_S)

    def __call__(self, frame: int) -> tuple[Counts, Visits]:
        counts: Counts = {line: {} for line in LINES}
        for crossing in self._crossings:
            if crossing.frame <= frame:
                name, line = CLASSES[crossing.class_id], counts[crossing.line]
                came, went = line.get(name, (0, 0))
                line[name] = (came + (crossing.direction == "in"), went + (crossing.direction == "out"))
        return counts, self._visits(frame)

    def _visits(self, frame: int) -> Visits:
        least = Counter((v.zone, CLASSES[v.class_id]) for v in self._sure if v.enter + self._long <= frame)
        most = Counter((v.zone, CLASSES[v.class_id]) for v in self._possible if v.enter <= frame)
        visits: dict[str, dict[str, tuple[int, int]]] = {zone: {} for zone in ZONES}
        for zone, name in most:
            visits[zone][name] = least[zone, name], most[zone, name]
        return visits


def wrong_counts(heard: Heard, counts: Counts) -> int:
    """Crossings too many or too few, over lines, classes and directions."""
    return sum(
        abs(a - b)
        for line in counts.keys() | heard.counts.keys()
        for name in counts.get(line, {}).keys() | heard.counts.get(line, {}).keys()
        for a, b in zip(
            heard.counts.get(line, {}).get(name, (0, 0)), counts.get(line, {}).get(name, (0, 0)), strict=True
        )
    )


def show(options: argparse.Namespace) -> int:
    """Pass after pass with --loop, else one; 0 if the last one's counts were right."""
    logging.getLogger("edgetrack").setLevel(logging.WARNING)
    with ExitStack() as entered:
        version: Literal["5", "3.1.1"] = "5"
        url, name = options.broker, options.broker
        if url is None:
            broker = entered.enter_context(OwnBroker())
            url, version, name = broker.url, broker.version, f"{broker.name} at {broker.url}"
        elif not url.startswith("mqtt://"):
            raise PublishError(f"demo: --broker is {url}, expected mqtt://HOST or mqtt://HOST:PORT")
        wrong = one_pass(options, url, version, name, None if options.no_video else options.video)
        while options.loop:
            wrong = one_pass(options, url, version, name, None)
    return 0 if wrong == 0 else 1


def one_pass(
    options: argparse.Namespace, url: str, version: Literal["5", "3.1.1"], broker: str, video: Path | None
) -> int:
    """How many crossings were counted wrong."""
    scene = Scene(options.seed, options.hard, seconds=options.seconds)
    truth = TrueCounts(scene)
    kind = "hard" if scene.hard else "easy"
    with ExitStack() as around:
        state = around.enter_context(TemporaryDirectory(prefix="edgetrack-demo-"))
        config = demo_config(options, scene, url, version, state)
        title = f"edgetrack demo: street {scene.seed} ({kind}), {Path(config.detect.model).name}, {broker}"
        parts = build(config)
        film = None if video is None else Film(video, config, parts.detector.names, scene.fps)
        listener = around.enter_context(Listener(url, version, f"edgetrack/v1/{config.device}/{config.camera}"))
        with ExitStack() as entered:
            if film is not None:
                entered.enter_context(film)
                parts.scene = cast(LiveScene, Filmed(parts.scene, film))
            entered.enter_context(Screen(listener, truth, title))
            app.run(parts, app.Wishes(), Systemd({}), lambda: config)
        listener.wait_for_goodbye(GOODBYE_S)
        heard = listener.heard()
    counts, visits = truth(len(scene))
    wrong, total = wrong_counts(heard, counts), sum(a + b for line in counts.values() for a, b in line.values())
    _say(["", *table(heard, counts, visits), ""])
    if film is not None:
        _say([f"film: {film.path.resolve()}{film.fault and f' ends early: {film.fault}'}"])
    verdict = "equal the truth" if wrong == 0 else f"differ from the truth by {wrong}"
    _say([f"{total} true crossings; the counts received over MQTT {verdict}"])
    return wrong


def _say(lines: list[str]) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
