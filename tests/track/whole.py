"""Run by hand: HOTA and IDF1 of capture, detector, embedder and tracker together on a real video, and embeddings asked.

    python -m tests.track.whole SEQUENCE DETECTOR.onnx [none | histogram | EMBEDDER.onnx] [--no-rect]

SEQUENCE is one of MOTChallenge's, with video.mp4.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from edgetrack.capture import open_source
from edgetrack.cli import main
from edgetrack.config import DetectConfig, Embed, FileCapture, HistogramEmbed, NoEmbed, ReidEmbed, RuntimeConfig
from edgetrack.detect import open_detector, open_embedder
from edgetrack.track.tracker import Tracker


def tracks(video: Path, model: str, embed: Embed, rect: bool) -> Iterator[str]:
    """Lines of a MOTChallenge result: confirmed tracks in every picture in which a detection backs them."""
    runtime = RuntimeConfig(threads=1)
    detector, embedder = (
        open_detector(DetectConfig(model=model, classes=["person"], rect=rect), runtime),
        open_embedder(embed, runtime),
    )
    tracker = Tracker()
    pictures = embeddings = 0
    with open_source(FileCapture(path=str(video))) as source:
        for frame in source:
            if frame is None:
                continue
            seen = detector.detect(frame.picture)
            wanted = tracker.wanted(frame.time, seen)
            pictures, embeddings = pictures + 1, embeddings + int(wanted.sum())
            seen = embedder.embed(frame.picture, seen, wanted)
            found = tracker.step(frame.time, seen)
            found = found[found.confirmed & found.seen]
            for track_id, (x0, y0, x1, y1) in zip(found.track_id.tolist(), found.xyxy.tolist(), strict=True):
                yield f"{frame.index + 1},{track_id},{x0:.2f},{y0:.2f},{x1 - x0:.2f},{y1 - y0:.2f},1,-1,-1,-1\n"
    print(f"{embeddings / pictures:.2f} embeddings a picture")


if __name__ == "__main__":
    rect = "--no-rect" not in sys.argv
    given = [word for word in sys.argv[1:] if word != "--no-rect"]
    sequence, model, look = Path(given[0]), given[1], (given[2:] or ["histogram"])[0]
    kinds: dict[str, Embed] = {"none": NoEmbed(), "histogram": HistogramEmbed()}
    with TemporaryDirectory() as folder:
        with open(f"{folder}/{sequence.name}.txt", "w", encoding="ascii") as file:
            file.writelines(tracks(sequence / "video.mp4", model, kinds.get(look) or ReidEmbed(model=look), rect))
        sys.exit(main(["evaluate", "mot", "--results", folder, str(sequence)]))
