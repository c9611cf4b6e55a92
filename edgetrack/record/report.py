"""What a replay found, for people and for programs."""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO

from edgetrack import __version__
from edgetrack.config import Config
from edgetrack.errors import PublishError
from edgetrack.record.replay import Story, replay

BEGINS = {
    "start": [],
    "middle": ["begins in the middle of a run, with the tracks that were open then: what came before is not kept"],
    "cold": ["begins in the middle of a run, without the tracks that were open then: they are new here"],
}


def told(path: Path, config: Config | None, events: Path | None) -> Story:
    """Replay, and write the events to a file, a JSON object a line, if one is named."""
    with ExitStack() as stack:
        file: BinaryIO | None = None
        if events is not None:
            try:
                file = stack.enter_context(events.open("wb"))
            except OSError as error:
                raise PublishError(f"--events {events}: {error.strerror}; name a file in a folder") from error
        return replay(path, config, lambda lines: file.writelines(lines) if file else None)


def report(story: Story, config: Path | None) -> str:
    """A few lines, with a table of crossings and entries."""
    hours = (story.last_utc - story.first_utc) / 3600
    starts = f", {story.starts} starts" if story.starts > 1 else ""
    what = f"{_time(story.first_utc)} to {_time(story.last_utc)} UTC ({hours:.2f} h), {story.pictures} pictures{starts}"
    lines = [f"{story.path}: {story.camera}, {what}, edgetrack {story.version}"]
    lines += [f"{story.events} events, sha256 {story.sha256}", *BEGINS[story.begins], _verdict(story, config)]
    columns = ["recorded", config.name if config else "replayed"]
    counted = set(story.recorded | story.replayed)
    silent = story.places - {"/".join(key.split("/")[:2]) for key in counted}
    keys = sorted(counted | silent)  # what counted nothing is an answer too
    rows = [(key.replace("/", " "), story.recorded[key], story.replayed[key]) for key in keys]
    if rows:
        width = max(len(name) for name, _, _ in rows)
        wide = [max(8, len(column)) for column in columns]
        lines.append(f"{'':{width}}  {columns[0]:>{wide[0]}}  {columns[1]:>{wide[1]}}")
        lines += [f"{name:{width}}  {old:>{wide[0]}}  {new:>{wide[1]}}" for name, old, new in rows]
    return "\n".join(lines)


def as_json(story: Story) -> str:
    fields = {
        "recording": str(story.path),
        "camera": story.camera,
        "version": story.version,
        "first": _time(story.first_utc),
        "last": _time(story.last_utc),
        "begins": story.begins,
        "starts": story.starts,
        "pictures": story.pictures,
        "events": story.events,
        "sha256": story.sha256,
        "same": story.same,
        "damage": story.damage,
        "recorded": dict(sorted(story.recorded.items())),
        "replayed": dict(sorted(story.replayed.items())),
    }
    return json.dumps(fields, indent=2)


def _verdict(story: Story, config: Path | None) -> str:
    if config is not None:
        return f"with the track, zones, lines and events of {config}; counted from zero"
    if story.same:
        return "the same events as when it was recorded"
    if story.same is None:
        return "not compared with the events when it was recorded"
    if story.explained:
        return f"other events than edgetrack {story.version} had; this is {__version__}"
    return "NOT the same events as when it was recorded, by the same version of edgetrack; report it"


def _time(utc: float) -> str:
    return datetime.fromtimestamp(utc, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
