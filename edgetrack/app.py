"""The loop that joins the parts, and what signals ask of it."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from edgetrack import __version__
from edgetrack.config import Config
from edgetrack.configfile import check_classes, config_hash
from edgetrack.errors import EdgetrackError
from edgetrack.health import Monitor
from edgetrack.notify import Systemd
from edgetrack.parts import Parts
from edgetrack.request import VERBS, Daemon, Reloaded, Service
from edgetrack.types import Frame, Info, Tracks

log = logging.getLogger(__name__)

RELOADABLE = ("zones", "lines", "counts", "events", "health")  # what changes without losing a track or a connection


@dataclass
class Wishes:
    """What signals ask of the loop; it looks at them once a frame, and at least once a second."""

    stop: threading.Event = field(default_factory=threading.Event)
    reload: threading.Event = field(default_factory=threading.Event)


def run(parts: Parts, wishes: Wishes, systemd: Systemd, load: Callable[[], Config]) -> None:
    """Track until the source ends or somebody wishes to stop.

    Args:
        parts: what `build` made.
        wishes: set by signals.
        systemd: told of every state; the watchdog is fed from here, the data path.
        load: reads the configuration again, for a reload.

    Raises:
        CaptureError: the source cannot be opened, or cannot go on.
    """
    monitor = Monitor(parts.config.health.every_s)
    daemon = Daemon(parts, lambda: reload(parts, load, systemd, monitor))
    with parts.publisher as publisher, parts.recorder, parts.source as source, Service(VERBS, publisher) as service:
        begin(parts)
        systemd.ready()
        for frame in source:
            systemd.alive()
            monitor.lap("capture")
            if wishes.stop.is_set():
                break
            if wishes.reload.is_set():
                wishes.reload.clear()
                with contextlib.suppress(EdgetrackError):  # it has said what is wrong
                    daemon.reload()
            keep_periods(parts, frame)
            if frame is not None:
                daemon.frame, daemon.tracks = frame, observe(parts, frame, daemon.tracks, monitor)
            service.serve(daemon)
            tell(parts, monitor, systemd, daemon.tracks)
        systemd.stopping()
        end(parts, daemon.frame)
        tell(parts, monitor, systemd, daemon.tracks, stopping=True)
        parts.recorder.leave()
        publisher.leave()  # while the camera closes
    why = "stopped" if wishes.stop.is_set() else "the source ended"
    log.info("%s after %d pictures", why, source.state.frames)


def begin(parts: Parts) -> None:
    """Go on where the daemon before stopped, and say what this one is."""
    publisher, source, scene = parts.publisher, parts.source, parts.scene
    publisher.blind = lambda: source.state.blind_s
    scene.restore(publisher.restored)
    parts.recorder.begin(parts.config, parts.detector.names, parts.tracker, scene)
    publisher.put_right()  # while models were loaded; nobody has counted yet
    publisher.publish([describe(parts), *scene.snapshot(time.time(), time.monotonic())])


def keep_periods(parts: Parts, frame: Frame | None) -> None:
    """Counts begin anew when their time has come, and say so rightly once the clock is right."""
    now = (time.time(), time.monotonic()) if frame is None else (frame.utc, frame.captured)
    parts.publisher.publish(parts.scene.put_right(parts.publisher.put_right(), *now))
    renewed = parts.scene.renew(*now)
    parts.recorder.reset(renewed)
    parts.publisher.publish(renewed)


def observe(parts: Parts, frame: Frame, before: Tracks, monitor: Monitor) -> Tracks:
    """One picture through all the rooms.

    Args:
        frame: the picture.
        before: the tracks as they were after the last one.
        monitor: told what each room took.

    Returns:
        The tracks as they are now.
    """
    parts.tracker.rescale(parts.scene.size, frame.size)
    detections = None  # did not look; empty: looked and saw nothing
    detector = parts.pace.turn(frame, before)
    if detector is not None:
        detections = detector.detect(frame.picture, frame.begun)
        monitor.lap("detect")
        wanted = parts.tracker.wanted(frame.time, detections)
        detections = parts.embedder.embed(frame.picture, detections, wanted)
        monitor.lap("embed")
    shift = parts.camera.shift(frame.picture)
    tracks = parts.tracker.step(frame.time, detections, shift)
    monitor.lap("track")
    refined = parts.refiner.refine(frame.picture, tracks)
    if len(refined):
        tracks = parts.tracker.correct(refined)
    follows = parts.follower.step(frame, detections, tracks)
    monitor.lap("refine")
    events = parts.scene.observe(frame, tracks)
    monitor.lap("scene")
    parts.recorder.picture(frame, detections, refined, events, shift)
    parts.publisher.publish([*events, *follows, *parts.pace.done(frame)])
    monitor.lap("publish")
    monitor.done(frame)
    return tracks


def end(parts: Parts, last: Frame | None) -> None:
    """Every track ends with the daemon.

    Args:
        last: the newest frame there was.
    """
    utc = time.time() if last is None else max(last.utc, time.time())  # a file's own time may run ahead
    ends = parts.scene.end("shutdown", utc, time.monotonic())
    parts.recorder.end("shutdown", utc, ends)
    parts.publisher.publish([*ends, *parts.follower.end("shutdown", utc, time.monotonic())])


def tell(parts: Parts, monitor: Monitor, systemd: Systemd, tracks: Tracks, stopping: bool = False) -> None:
    """Publish a health report if one is due."""
    confirmed = int(tracks.confirmed.sum())
    ends = (*parts.publisher.states, *parts.recorder.states)
    health = monitor.report(parts.source.state, ends, parts.pace.state, confirmed, stopping)
    if health is None:
        return
    parts.publisher.publish([health])
    systemd.status(
        f"{health.state}{': ' if health.reason else ''}{health.reason}; {health.fps:.1f} frames/s, {confirmed} tracks"
    )


def reload(parts: Parts, load: Callable[[], Config], systemd: Systemd, monitor: Monitor) -> Reloaded:
    """Take over what can change in a running daemon, all of it or nothing; say what needs a restart.

    Raises EdgetrackError, once it is in the log, where nothing was changed.
    """
    systemd.reloading()
    try:
        new = load()
        check_classes(new, parts.detector.names)
        settings = [name for name in Config.__struct_fields__ if getattr(new, name) != getattr(parts.config, name)]
        changed = {name: getattr(new, name) for name in settings if name in RELOADABLE}
        config = msgspec.structs.replace(parts.config, **changed)
        parts.scene.reconfigure(config)
        parts.recorder.change(config)
    except EdgetrackError as error:
        for line in str(error).splitlines():
            log.error("reload: nothing was changed: %s", line)
        systemd.ready()
        raise
    parts.config = config
    monitor.every_s = config.health.every_s
    parts.follower.every_s = config.events.follow_every_s
    parts.publisher.publish([describe(parts), *parts.scene.snapshot(time.time(), time.monotonic())])
    log.info("reload: changed %s", ", ".join(changed) or "nothing")
    restart = [name for name in settings if name not in RELOADABLE]
    if restart:
        log.warning("reload: %s changed in the file, but needs a restart to take effect", ", ".join(restart))
    systemd.ready()
    return Reloaded(changed=list(changed), restart=restart)


def describe(parts: Parts) -> Info:
    """What this daemon is, for those who subscribe."""
    config, detector = parts.config, parts.detector
    return Info(
        version=__version__,
        utc=time.time(),
        captured=time.monotonic(),
        config_hash=config_hash(config),
        model=config.detect.model.rsplit("/", 1)[-1],
        head=detector.head,
        providers=tuple(detector.providers),
        refused=detector.refused,
        embedder=str(config.embed.__struct_config__.tag),
        classes=tuple(name for name in detector.names if not config.detect.classes or name in config.detect.classes),
        lines={
            line.name: {"start": line.start, "end": line.end} | ({"classes": line.classes} if line.classes else {})
            for line in config.lines
        },
        zones={zone.name: {"polygon": zone.polygon} for zone in config.zones},
        capture=str(config.capture.__struct_config__.tag),
    )
