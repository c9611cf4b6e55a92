"""The daemon's parts, and how a configuration becomes them."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from edgetrack import cores
from edgetrack.capture import Source, open_source
from edgetrack.config import Config
from edgetrack.configfile import check_classes
from edgetrack.detect import Camera, Detector, Embedder, open_camera, open_detector, open_embedder
from edgetrack.errors import ConfigError
from edgetrack.pace import Pace
from edgetrack.publish import Publisher, open_publisher
from edgetrack.record import Idle
from edgetrack.refine import Follower, Refiner, open_refine
from edgetrack.scene import Scene
from edgetrack.track.tracker import Tracker

IDLE = Idle()


@dataclass
class Parts:
    """One of each, in the order in which the data walks."""

    config: Config
    source: Source
    detector: Detector
    pace: Pace[Detector]
    embedder: Embedder
    camera: Camera
    tracker: Tracker
    refiner: Refiner
    follower: Follower
    scene: Scene
    publisher: Publisher
    recorder: Idle


def build(config: Config, recorder: Idle = IDLE) -> Parts:
    """Load the models and join the parts; nothing is opened yet.

    Args:
        config: of the daemon.
        recorder: of what tracker and scene receive.

    Raises:
        ModelError: a model cannot be loaded or does not fit its task.
        ConfigError: a class name that the detector does not know, a core that this process may not use.
    """
    cores.take(config.runtime)
    detectors = open_detectors(config)
    detector = detectors[0]
    pace = Pace(config, detectors)
    ahead = looks_ahead(config)
    source = open_source(config.capture, pace if ahead else None, ahead or 1)
    pace.slow = source.slow
    refiner, follower = open_refine(
        config.refine, config.runtime, config.track.max_cosine_distance, config.events.follow_every_s
    )
    return Parts(
        config=config,
        source=source,
        detector=detector,
        pace=pace,
        embedder=open_embedder(config.embed, config.runtime),
        camera=open_camera(config.track),
        tracker=Tracker(config.track),
        refiner=refiner,
        follower=follower,
        scene=Scene(config, detector.names),
        publisher=open_publisher(config, detector.names),
        recorder=recorder,
    )


def open_detectors(config: Config) -> list[Detector]:
    """The detector, and the lighter one of `pace.lighter`, which must know the same classes."""
    plan = msgspec.structs.replace(config.detect, ahead=looks_ahead(config))  # no sessions that nobody would use
    detector = open_detector(plan, config.runtime)
    check_classes(config, detector.names)
    if not config.pace.lighter:
        return [detector]
    lighter = msgspec.structs.replace(plan, model=config.pace.lighter, size=config.pace.lighter_size)
    second = open_detector(lighter, config.runtime)
    if second.names != detector.names:
        raise ConfigError(
            f"pace.lighter: {config.pace.lighter} has {len(second.names)} classes, {', '.join(second.names[:5])} ..., "
            f"detect.model has {len(detector.names)}, {', '.join(detector.names[:5])} ...; give one with the same"
        )
    return [detector, second]


def looks_ahead(config: Config) -> int:
    """Looks that are begun at once before the loop comes; 0: none. What a motion gate does, it says in the loop."""
    return 0 if config.pace.motion_gate else config.detect.ahead
