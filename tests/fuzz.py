"""Bad input without end: python -m tests.fuzz --inputs 1000000

Configurations, requests, outputs of models, video files and recordings are damaged in every way a generator knows, and
given to what reads them on a device. Each must be taken, or refused with an EdgetrackError; a traceback, a warning of
numpy, or an input that takes longer than HANG_S fails, and its seed is printed: --only KIND --first SEED repeats it.
"""

from __future__ import annotations

import argparse
import faulthandler
import logging
import os
import random
import sys
import tempfile
import threading
import time
import warnings
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import av
import msgspec
import numpy as np
from numpy.typing import NDArray

from edgetrack.capture.file import VideoFile
from edgetrack.config import (
    DetectConfig,
    EventsConfig,
    FileCapture,
    HistogramEmbed,
    LineConfig,
    RequestsConfig,
    RuntimeConfig,
    TrackConfig,
    ZoneConfig,
)
from edgetrack.configfile import load
from edgetrack.detect.forms import recognise
from edgetrack.detect.heads import cells
from edgetrack.detect.histogram import HistogramEmbedder
from edgetrack.detect.labels import floor_of
from edgetrack.detect.yolo import YoloDetector
from edgetrack.errors import EdgetrackError
from edgetrack.parts import build
from edgetrack.publish.desk import Desk
from edgetrack.publish.encoder import Encoder
from edgetrack.record import Idle, Recorder
from edgetrack.record.replay import replay
from edgetrack.record.tape import BLOCK, MAGIC
from edgetrack.request import VERBS, Daemon, Reloaded, Service
from edgetrack.scene import Scene
from edgetrack.track.tracker import Tracker
from edgetrack.types import Frame, Tracks
from tests.parts import blob_detector, walking_square, write_clip
from tests.publish.outage import rss_mb
from tests.record.parts import Daemon as StreetDaemon
from tests.record.parts import settings, street

HANG_S = 30.0
SHARE = {"config": 0.1, "request": 0.5, "model": 0.15, "video": 0.05, "recording": 0.2}
One = Callable[[int], None]  # takes the seed of one input

CONFIGS = Path(__file__).parents[1] / "configs"
SPECIAL = np.array([np.nan, np.inf, -np.inf, 3.4e38, -3.4e38, 1e-45, -0.0, 0.0, 1.0, 1e6, -1e6], np.float32)
NUMBERS = (-1, 0, 1, 2, 1e-300, 1e9, 2**31, 2**53, 1e18)


def damaged(content: bytes, draw: random.Random) -> bytes:
    """Bits flipped, parts cut out, doubled, swapped or overwritten; one to four times."""
    for _ in range(draw.randint(1, 4)):
        a, b = sorted((draw.randint(0, len(content)), draw.randint(0, len(content))))
        b = min(b, a + draw.choice([1, 4, 40, 4000]))
        part = content[a:b]
        noise = draw.randbytes(draw.randint(0, 8))
        swapped = bytes(byte ^ 1 << draw.randint(0, 7) for byte in part)
        content = content[:a] + draw.choice([b"", part * 2, noise, swapped, part[::-1], noise * 50]) + content[b:]
    return content


def config_inputs(folder: Path) -> One:
    """Lines of the shipped configurations mixed, words exchanged, bytes damaged."""
    texts = [path.read_text() for path in sorted(CONFIGS.glob("*.yaml")) if path.name != "edgetrack.yaml"]
    words = sorted({word for text in texts for word in text.replace(",", " ").split() if "#" not in word})
    words += ["null", "~", "1e999", "-1", ".nan", "0x1F", "2026-01-01", "&a", "*a", "<<:", "!!python/object", "[", "}"]
    words += ["{}", "|", ">", "'", '"', "\t", "\u2028", "%", "---", "...", "? ", "99999999999999999999", "true", "no"]
    path = folder / "fuzzed.yaml"

    def one(seed: int) -> None:
        draw = random.Random(seed)
        lines = [line for line in draw.choice(texts).splitlines() if not line.startswith("#")]
        for _ in range(draw.randint(1, 3)):
            line = draw.randrange(len(lines))
            parts = lines[line].split(" ")
            parts[draw.randrange(len(parts))] = draw.choice(words)
            lines[line] = " ".join(parts)
            if draw.random() < 0.3:
                lines.insert(draw.randrange(len(lines)), draw.choice(draw.choice(texts).splitlines()))
        content = "\n".join(lines).encode()
        path.write_bytes(damaged(content, draw) if draw.random() < 0.5 else content)
        load(path, {}, files=False)

    return one


def request_inputs(folder: Path) -> One:
    """Payloads of requests to the desk and the service of a daemon, whose verbs run."""
    config = load(write_daemon(folder))
    daemon = Daemon(build(config), Reloaded)
    daemon.frame = Frame(np.zeros((48, 64, 3), np.uint8), 0, 0.0, 1.7e9, time.monotonic())
    desk = Desk(RequestsConfig(allow=list(VERBS)), "edgetrack/v1/gate-01/north", lambda: None)
    answers: list[object] = []
    publisher = SimpleNamespace(requests=desk.take, answer=lambda *answer, **fault: answers.append(answer))
    service = Service(VERBS, publisher)  # type: ignore[arg-type]
    bodies = [b"{}", b"", b'{"transaction":"a1"}', b'{"lines":["door"],"zones":[]}', b'{"boxes":true,"width":64}']
    bodies += [b"[" * 2000, b'{"a":' * 500, b'{"transaction":1e400}', b'{"width":99999999999999999999}', b"\xff\xfe{}"]

    def one(seed: int) -> None:
        draw = random.Random(seed)
        verb = draw.choice([*VERBS, *VERBS, "", "x" * 100, "../info", "\udcff"])
        body = draw.choice(bodies)
        body = damaged(body, draw) if draw.random() < 0.8 else body
        properties = SimpleNamespace(ResponseTopic=draw.choice(["", "a/b", "edgetrack/v1/gate-01/north/info", "#"]))
        message = SimpleNamespace(
            topic=f"edgetrack/v1/gate-01/north/request/{verb}",
            payload=body,
            retain=draw.random() < 0.05,
            properties=properties,
        )
        answers.clear()
        desk._requests.append(desk._screened(message, late=draw.random() < 0.05))  # type: ignore[arg-type]
        service.serve(daemon)
        until = time.monotonic() + HANG_S
        while not answers:  # the service's thread makes snapshots
            assert time.monotonic() < until, "no answer"
            time.sleep(0.0001)

    return one


def write_daemon(folder: Path) -> Path:
    write_clip(folder / "walk.mp4", walking_square(4))
    blob_detector(folder / "blobs.onnx")
    path = folder / "daemon.yaml"
    path.write_text(
        "capture: {kind: file, path: walk.mp4}\ndetect: {model: blobs.onnx}\n"
        "lines: [{name: door, start: [0.5, 0.9], end: [0.5, 0.1]}]\n"
    )
    return path


class Outputs:
    """Stands where ONNX Runtime does, and gives what a broken model might."""

    path = "fuzz.onnx"

    def __init__(self) -> None:
        self.outputs: list[NDArray[np.float32]] = []

    def run(self, _: object) -> list[NDArray[np.float32]]:
        return self.outputs


def model_inputs(folder: Path) -> One:
    """Outputs of every form, ordinary, huge, NaN and infinite, through detector, histogram, tracker, scene and JSON."""
    size, names = (320, 192), ("person", "car", "bicycle")
    n = sum(cells(size, stride) for stride in (8, 16, 32))
    shapes: list[list[tuple[int, ...]]] = [[(1, n, 8)], [(1, 3 * n, 8)], [(1, 7, n)], [(1, 100, 6)], [(1, n, 35)]]
    shapes.append([(1, cells(size, stride), width) for width in (3, 32) for stride in (8, 16, 32)])
    config = DetectConfig(model=str(blob_detector(folder / "blobs.onnx", size)), min_score=0.3, max_detections=20)
    detector = YoloDetector(config, RuntimeConfig(threads=1))
    detector.model = Outputs()  # type: ignore[assignment]
    forms = [recognise(size, some, "auto", 3) for some in shapes]
    assert [form.name for form in forms if form] == ["yolox", "yolov5", "yolov8", "end2end", "nanodet", "picodet"]
    detector.names, detector._floor = names, floor_of(config, names)
    door = LineConfig(name="door", start=(0.5, 1.0), end=(0.5, 0.0))
    porch = ZoneConfig(name="porch", polygon=[(0.5, 0.0), (1.0, 0.0), (1.0, 1.0)], dwell_s=[1], min_s=0)
    whole = msgspec.structs.replace(
        load(write_daemon(folder)), lines=[door], zones=[porch], events=EventsConfig(update_every_s=0)
    )
    image = np.random.default_rng(0).integers(0, 255, (192, 320, 3)).astype(np.uint8)
    embedder, encoder = HistogramEmbedder(HistogramEmbed(stripes=2, bins=4)), Encoder("gate-01", "north", names)
    state = SimpleNamespace(tracker=Tracker(whole.track), scene=Scene(whole, names), index=0)

    def one(seed: int) -> None:
        draw = np.random.default_rng(seed)
        which = int(draw.integers(len(shapes)))
        detector._forms = {size: forms[which]}  # type: ignore[dict-item]
        detector.model.outputs = [_output(draw, shape) for shape in shapes[which]]  # type: ignore[attr-defined]
        if state.index % 500 == 499:
            state.tracker, state.scene = Tracker(whole.track), Scene(whole, names)
        state.index += 1
        frame = Frame(image, state.index, state.index / 15, 1.7e9 + state.index / 15, time.monotonic())
        detections = embedder.embed(image, detector.detect(image))
        tracks = state.tracker.step(frame.time, detections)
        refined = Tracks(
            **{
                name: getattr(tracks, name) for name in ("track_id", "class_id", "score", "confirmed", "missed", "seen")
            },
            xyxy=np.where(draw.random(tracks.xyxy.shape) < 0.1, draw.choice(SPECIAL, tracks.xyxy.shape), tracks.xyxy),
        )
        tracks = state.tracker.correct(refined if draw.random() < 0.1 else refined[:0])
        for event in state.scene.observe(frame, tracks):
            for message in encoder.encode(event):
                msgspec.json.decode(message.payload)

    return one


def _output(draw: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Few objects among much that is below the threshold, as of a detector; some numbers of another world."""
    output = draw.normal(0, 1, shape).astype(np.float32) * np.float32(draw.choice([0.1, 1, 30, 1e4, 1e30]))
    if draw.random() < 0.5:
        output[draw.random(shape) > 0.01] = 0
    spoilt = draw.random(shape) < draw.choice([0, 0.0001, 0.01, 0.5])
    output[spoilt] = draw.choice(SPECIAL, int(spoilt.sum()))
    return output


def video_inputs(folder: Path) -> One:
    """Clips of several containers and codecs, their bytes damaged."""
    films = {"walk.mp4": "libx264", "walk.mkv": "libx264", "walk.avi": "mjpeg", "walk.ts": "mpeg2video"}
    contents = []
    for name, codec in films.items():
        with av.open(str(folder / name), "w") as container:
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height = 64, 48
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for picture in walking_square(6, (64, 48), 8):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
            container.mux(stream.encode())
        contents.append((name, (folder / name).read_bytes()))

    def one(seed: int) -> None:
        draw = random.Random(seed)
        name, content = draw.choice(contents)
        path = folder / f"fuzzed-{name}"
        path.write_bytes(damaged(content, draw))
        film = VideoFile(FileCapture(path=str(path)))
        film.check()
        with closing(film.pictures()) as pictures:
            for number, _ in enumerate(pictures):
                if number > 200:  # damage that asks for a film of hours
                    break

    return one


def recording_inputs(folder: Path) -> One:
    """A recording that begins among tracks, damaged: as it is, in a block of right checksum, or in its numbers."""
    contents = [warm_recording(folder / f"{exact}.rec", exact) for exact in (False, True)]
    path = folder / "fuzzed.rec"

    def one(seed: int) -> None:
        draw = random.Random(seed)
        content, kind = draw.choice(contents), draw.randrange(3)
        block = zlib.decompress(content[len(MAGIC) + BLOCK.size :])
        if kind == 0:
            path.write_bytes(damaged(content, draw))
        else:
            packed = zlib.compress(damaged(block, draw) if kind == 1 else other_numbers(block, draw), 1)
            path.write_bytes(MAGIC + BLOCK.pack(len(packed), zlib.crc32(packed)) + packed)
        replay(path)

    return one


def other_numbers(block: bytes, draw: random.Random) -> bytes:
    """One to three numbers are others, or bytes of arrays; most of them in the head, nothing else has changed."""
    entries = msgspec.msgpack.decode(block)
    for _ in range(draw.randint(1, 3)):
        place, keys = entries[0] if draw.random() < 0.8 else entries, []
        while isinstance(place, (list, dict)) and place:
            keys = [place, draw.choice(list(place) if isinstance(place, dict) else range(len(place)))]
            place = place[keys[1]]
        if isinstance(place, bytes) and place:
            at = draw.randrange(len(place))
            new = draw.choice([draw.randbytes(1), np.float32(draw.choice(SPECIAL)).tobytes(), b"\xff" * 8, bytes(8)])
            keys[0][keys[1]] = (place[:at] + new + place[at + len(new) :])[: len(place)]
        elif isinstance(place, (int, float)):
            keys[0][keys[1]] = draw.choice([type(place)(draw.choice(NUMBERS)), not place])
    return msgspec.msgpack.encode(entries)


def warm_recording(path: Path, exact: bool) -> bytes:
    """Of a daemon that had seen something before: its head holds tracks, looks, crossings and visits."""
    daemon = StreetDaemon(Idle(), settings(track=TrackConfig(exact=exact, gallery=10)))
    film = list(street(60, width=8))
    daemon.see(film[:40])
    with Recorder(path, 100) as recorder:
        daemon.record(recorder)
        daemon.see(film[40:])
    return path.read_bytes()


KINDS: dict[str, Callable[[Path], One]] = {
    "config": config_inputs,
    "request": request_inputs,
    "model": model_inputs,
    "video": video_inputs,
    "recording": recording_inputs,
}


def run(kind: str, inputs: int, first: int = 0, minutes: float = 1e9) -> str:
    """So many inputs of one kind; what came of them. Raises, with the seed told, where one is not borne."""
    done, refused, slowest, warm_mb, end = 0, 0, 0.0, 0.0, time.monotonic() + 60 * minutes
    with tempfile.TemporaryDirectory() as folder:
        one = KINDS[kind](Path(folder))
        while done < inputs and time.monotonic() < end:
            if done <= inputs // 5:
                warm_mb = rss_mb()
            began = time.perf_counter()
            try:
                refused += not borne(one, first + done)
            except BaseException:
                sys.stderr.write(f"{kind}: seed {first + done}\n")
                raise
            slowest = max(slowest, time.perf_counter() - began)
            done += 1
        grown = rss_mb() - warm_mb
    return (
        f"{kind}: {done} inputs, {refused} refused in words, the slowest {slowest * 1e3:.0f} ms, "
        f"memory {warm_mb:.0f} MiB after a fifth of them, {grown:+.1f} MiB at the end, "
        f"{threading.active_count()} threads, {len(os.listdir('/proc/self/fd'))} descriptors"
    )


def borne(one: One, seed: int) -> bool:
    """Whether the input was taken; False: it was refused in words. What takes longer than HANG_S ends the process."""
    faulthandler.dump_traceback_later(HANG_S, exit=True)
    try:
        one(seed)
    except EdgetrackError as error:
        if not str(error):
            raise ValueError("refused without a word") from error
        return False
    finally:
        faulthandler.cancel_dump_traceback_later()
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--only", choices=sorted(KINDS))
    parser.add_argument("--minutes", type=float, default=1e9, help="of each kind, at most")
    parser.add_argument("--first", type=int, default=0, metavar="SEED")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    av.logging.set_level(None)
    warnings.simplefilter("error")
    for kind in [arguments.only] if arguments.only else list(KINDS):
        inputs = arguments.inputs if arguments.only else round(arguments.inputs * SHARE[kind])
        print(run(kind, inputs, arguments.first, arguments.minutes), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
