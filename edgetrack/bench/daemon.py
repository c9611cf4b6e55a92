"""What the whole daemon costs on this device, against its detector's model alone."""

from __future__ import annotations

import json
import logging
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import msgspec

from edgetrack.bench.alternate import Turn, alternate
from edgetrack.bench.process import Alone, run_alone
from edgetrack.bench.stopwatch import REST, Cost
from edgetrack.config import Config, FileCapture, ImagesCapture, JsonlPublish, MqttPublish
from edgetrack.configfile import load
from edgetrack.demo.broker import OwnBroker
from edgetrack.errors import PublishError
from edgetrack.parts import looks_ahead
from edgetrack.runtime import default_threads

log = logging.getLogger(__name__)

STAGES = ("capture", "scale", "infer", "decode", "embed", "track", "scene", "publish", REST)


@dataclass(frozen=True, slots=True)
class Each:
    """Of one picture, or of one run of the model."""

    wall_ms: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class DaemonCost:
    """Medians over the turns; ratios are taken turn by turn, then their median."""

    machine: str
    model: str
    against: str  # what runs alone: the same, or what it was made from
    providers: tuple[str, ...]
    threads: int
    embed: str
    source: str
    size: tuple[int, int]  # width, height of the pictures, px
    given: tuple[int, int]  # width, height of what the daemon gives to its model, px; alone it has all of its input
    pictures: int  # measured
    broker: str
    paced: bool  # the source sets the pace: the daemon waits, and its efficiency says nothing
    daemon: Each  # CPU of all threads
    bare: Each
    stages: dict[str, Each]  # of the loop's thread
    ahead: int  # sessions of the model beside the loop; 0: it runs in the loop
    infer_cpu_ms: float  # beside the loop
    capture_cpu_ms: float  # beside the loop: reading, decoding, scaling for what runs beside
    deliver_cpu_ms: float  # beside the loop: outbox, MQTT, files
    efficiency: float  # pictures/s of the daemon over runs/s of the model alone
    undisturbed: float | None  # the same by CPU time: on cores that nobody else uses; with one inference thread only
    cpu_ratio: float  # CPU of a picture over CPU of a run
    alone: Alone  # as a process of its own


def measure(config: Config, seconds: float, against: str = "") -> DaemonCost:
    """Run the daemon twice for `seconds`: by turns with the model alone, then as a process of its own.

    Nobody hears of it: brokers of the configuration are stood in for by one on this machine, files and state by a
    folder that goes. A recording is repeated, and read as fast as it goes where the two take turns.

    Args:
        against: file of another model that runs alone, such as the one that the daemon's was made lean from.

    Raises:
        EdgetrackError: the daemon cannot run.
    """
    with TemporaryDirectory(prefix="edgetrack-bench-") as name, stood_in(config, Path(name)) as (own, broker):
        alone = run_alone(own, Path(name), seconds)
        turns, size, given, providers = alternate(unpaced(own), seconds, against)
    return DaemonCost(
        machine=machine(),
        model=Path(config.detect.model).name,
        against=Path(against or config.detect.model).name,
        providers=providers,
        threads=config.runtime.threads or default_threads(),
        embed=str(config.embed.__struct_config__.tag),
        source=Path(getattr(config.capture, "path", "") or str(config.capture.__struct_config__.tag)).name,
        size=size,
        given=given,
        pictures=sum(turn.pictures for turn in turns),
        broker=broker,
        paced=getattr(unpaced(own).capture, "pace", "") != "fast",
        daemon=middle([turn.daemon for turn in turns]),
        bare=middle([turn.bare for turn in turns]),
        stages={stage: middle([turn.stages.get(stage, Cost()) for turn in turns]) for stage in STAGES},
        ahead=looks_ahead(config),
        infer_cpu_ms=of(turns, lambda turn: turn.beside_cpu_s["infer"] * 1e3),
        capture_cpu_ms=of(turns, lambda turn: (turn.beside_cpu_s["capture"] + turn.beside_cpu_s["take"]) * 1e3),
        deliver_cpu_ms=of(turns, lambda turn: turn.beside_cpu_s["deliver"] * 1e3),
        efficiency=of(turns, lambda turn: turn.bare.wall_s / turn.daemon.wall_s),
        undisturbed=of(turns, partial(idle_share, looks_ahead(config))) if config.runtime.threads == 1 else None,
        cpu_ratio=of(turns, lambda turn: turn.daemon.cpu_s / turn.bare.cpu_s),
        alone=alone,
    )


@contextmanager
def stood_in(config: Config, folder: Path) -> Iterator[tuple[Config, str]]:
    """The same daemon, telling nobody, and the name of the broker it talks to; "" for none."""
    asked = sum(isinstance(options, MqttPublish) for options in config.publish)
    try:
        broker = OwnBroker() if asked else None
    except PublishError as error:
        log.warning("bench: without MQTT: %s", error)
        broker = None
    capture = config.capture
    if isinstance(capture, FileCapture | ImagesCapture):
        capture = msgspec.structs.replace(capture, loop=True)
    quiet = msgspec.structs.replace(
        config, capture=capture, state_dir=str(folder / "state"), publish=[JsonlPublish(path=str(folder / "events"))]
    )
    if broker is None:
        yield quiet, ""
        return
    with broker:
        outlets = [MqttPublish(url=broker.url, version=broker.version) for _ in range(asked)]
        yield msgspec.structs.replace(quiet, publish=outlets), broker.name


def unpaced(config: Config) -> Config:
    """The same, reading a recording as fast as it goes."""
    if not hasattr(config.capture, "pace"):
        return config
    return msgspec.structs.replace(config, capture=msgspec.structs.replace(config.capture, pace="fast"))


def middle(costs: Sequence[Cost]) -> Each:
    return Each(median(cost.wall_s for cost in costs) * 1e3, median(cost.cpu_s for cost in costs) * 1e3)


def of(turns: Sequence[Turn], figure: Callable[[Turn], float]) -> float:
    return median(map(figure, turns))


def idle_share(sessions: int, turn: Turn) -> float:
    """CPU of the model alone over that of the busiest thread, or of all of them on the cores there are.

    The next picture is taken and scaled while the model looks at the one before.
    """
    loop = sum(cost.cpu_s for cost in turn.stages.values())
    look, take, capture = (turn.beside_cpu_s[name] for name in ("infer", "take", "capture"))
    busiest = max(look / max(sessions, 1), take + capture)
    whole = turn.daemon.cpu_s / len(os.sched_getaffinity(0))
    return turn.bare.cpu_s / max(loop, busiest, whole)


def machine() -> str:
    """What it was measured on."""
    return f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"


def table(cost: DaemonCost) -> str:
    """For people."""
    threads = f"{cost.threads} thread{'s' if cost.threads > 1 else ''}"
    lines = [
        f"{cost.machine}; {cost.model} on {', '.join(cost.providers)}, {threads}; embed {cost.embed}",
        *([f"against {cost.against}"] if cost.against != cost.model else []),
        f"{cost.source}, {cost.size[0]} x {cost.size[1]} px, {cost.pictures} pictures, the model gets "
        f"{cost.given[0]} x {cost.given[1]}; {cost.broker or 'no broker'}",
        "",
        "each                 frames/s       ms   CPU ms",
    ]
    bare = "the model alone" if cost.against == cost.model else "the other alone"
    for name, each in ((bare, cost.bare), ("the whole daemon", cost.daemon)):
        lines.append(f"{name:19} {1e3 / each.wall_ms:9.1f} {each.wall_ms:8.2f} {each.cpu_ms:8.2f}")
    share = f"{cost.efficiency:9.2f}" if not cost.paced else "        -"
    lines += [f"{'against the model':19} {share} {'':8} {cost.cpu_ratio:8.2f}"]
    if cost.undisturbed is not None:
        lines += [f"{'  on idle cores':19} {cost.undisturbed:9.2f}"]
    lines += ["", "in the loop"]
    for stage, each in cost.stages.items():
        lines.append(f"  {stage:17} {'':9} {each.wall_ms:8.2f} {each.cpu_ms:8.2f}")
    lines += [
        f"beside it, {cost.ahead} session{'s' if cost.ahead > 1 else ''} of the model" if cost.ahead else "beside it"
    ]
    lines += [f"  {'infer':17} {'':18} {cost.infer_cpu_ms:8.2f}"] * bool(cost.ahead)
    lines += [f"  {'read and decode':17} {'':18} {cost.capture_cpu_ms:8.2f}"]
    lines += [f"  {'deliver':17} {'':18} {cost.deliver_cpu_ms:8.2f}", ""]
    alone = cost.alone
    lines += [f"resident memory      {alone.resident_mb:.0f} MB, at most {alone.peak_mb:.0f} MB"]
    lines += [f"busy                 {alone.cores:.2f} cores"]
    lines += [f"first message        {alone.first_message_s:.2f} s after the start of the process"]
    if alone.first_track_s is not None:
        lines += [f"first track          {alone.first_track_s:.2f} s, on picture {alone.frames_before_track}"]
    for name, latency in (("picture to hand-over", alone.latency_ms), ("picture to outlet", alone.arrival_ms)):
        lines += [f"{name:20} " + ", ".join(f"{key} {ms:.1f}" for key, ms in latency.items()) + " ms"] * bool(latency)
    return "\n".join(lines)


def main(config_path: Path, seconds: float = 15.0, as_json: bool = False, against: str = "") -> str:
    """The figures as text for people, or as one JSON object."""
    cost = measure(load(config_path), seconds, against)
    return json.dumps(asdict(cost), indent=2) if as_json else table(cost)
