"""Follow what moves in a video: boxes, identities and paths, written as a video and as one picture to look at.

    python docs/examples/track_video.py street.mp4 yolox-nano.onnx out/ [osnet.onnx]

Notebook style: every `# %%` begins a cell. In a notebook, set the four names of the first cell by hand.
"""

# %% What to follow, with which eyes
import sys
from collections import defaultdict, deque
from pathlib import Path

import av
import numpy as np

from edgetrack import Tracker
from edgetrack.capture import open_source
from edgetrack.config import DetectConfig, FileCapture, NoEmbed, ReidEmbed, RuntimeConfig
from edgetrack.detect import open_detector, open_embedder
from edgetrack.image import jpeg, outline, resize

video, model, out = sys.argv[1:4]
embedder_model = sys.argv[4] if len(sys.argv) > 4 else ""
Path(out).mkdir(parents=True, exist_ok=True)

# %% The parts: a source of pictures, a detector, an embedder if there is one, the tracker
source = open_source(FileCapture(path=video))
detector = open_detector(DetectConfig(model=model, min_score=0.2), RuntimeConfig())
embedder = open_embedder(ReidEmbed(model=embedder_model) if embedder_model else NoEmbed(), RuntimeConfig())
tracker = Tracker()

# %% Drawing: a colour for every identity, its number, and where its feet went
GLYPHS = {  # 3 x 5 dots, a row in each figure
    "0": "75557", "1": "26227", "2": "71747", "3": "71717", "4": "55711",
    "5": "74717", "6": "74757", "7": "71122", "8": "75757", "9": "75717",
}  # fmt: skip


def colour(track_id: int) -> tuple[int, int, int]:
    """Far from that of its neighbours: hues a golden angle apart."""
    phase = np.array([0, 2.1, 4.2]) + 2.4 * track_id
    blue, green, red = (150 + 105 * np.sin(phase)).astype(int).tolist()
    return blue, green, red


def write_number(picture: np.ndarray, number: int, left: int, top: int, bgr: tuple[int, int, int], dot: int) -> None:
    """Dark figures on a plate of the identity's colour, above `top`."""
    rows = [[int(GLYPHS[figure][row]) for figure in str(number)] for row in range(5)]
    dots = np.array([[four >> bit & 1 for four in row for bit in (3, 2, 1, 0)] for row in rows], bool)
    dots = np.pad(dots, ((1, 1), (0, 1))).repeat(dot, axis=0).repeat(dot, axis=1)
    x, y = max(left, 0), max(top - len(dots), 0)
    plate = picture[y : y + len(dots), x : x + dots.shape[1]]
    plate[:] = np.where(dots[: len(plate), : plate.shape[1], None], 0, bgr)


def draw(picture: np.ndarray, tracks, paths: dict[int, deque]) -> None:
    dot = max(1, picture.shape[0] // 240)
    for track_id, box in zip(tracks.track_id.tolist(), tracks.xyxy, strict=True):
        bgr = colour(track_id)
        for x, y in paths[track_id]:
            picture[max(y - dot, 0) : y + dot, max(x - dot, 0) : x + dot] = bgr
        outline(picture, box, bgr, 2 * dot)
        write_number(picture, track_id, int(box[0]), int(box[1]), bgr, 2 * dot)


# %% The loop: detect, embed, track; only confirmed tracks that a detection backs are drawn
paths: dict[int, deque] = defaultdict(lambda: deque(maxlen=60))
everybody: set[int] = set()
pictures, times = [], []
with source, av.open(f"{out}/tracks.mp4", "w") as film:
    stream = None
    for frame in source:
        if frame is None:  # no new picture yet
            continue
        detections = embedder.embed(frame.picture, detector.detect(frame.picture))
        tracks = tracker.step(frame.time, detections)
        sure = tracks[tracks.confirmed & tracks.seen]
        for track_id, (left, _, right, bottom) in zip(sure.track_id.tolist(), sure.xyxy.tolist(), strict=True):
            paths[track_id].append((int((left + right) / 2), int(bottom)))
        everybody.update(sure.track_id.tolist())
        picture = frame.image.copy()
        draw(picture, sure, paths)
        if stream is None:
            height, width = (side - side % 2 for side in picture.shape[:2])
            stream = film.add_stream("mpeg4", rate=25, options={"qscale": "4"}, width=width, height=height)
            stream.pix_fmt = "yuv420p"
        film.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture[:height, :width]), "bgr24")))
        pictures.append(resize(picture, 480, round(480 * picture.shape[0] / picture.shape[1])))
        times.append(frame.time)
    film.mux(stream.encode())

# %% What came of it: six moments of the video in one picture
chosen = [pictures[k] for k in np.linspace(0, len(pictures) - 1, 8).astype(int)[1:-1]]
sheet = np.vstack([np.hstack(chosen[:3]), np.hstack(chosen[3:])])
Path(f"{out}/tracks.jpg").write_bytes(jpeg(sheet, 3))
print(f"{len(pictures)} pictures, {times[-1]:.1f} s, {len(everybody)} identities: {out}/tracks.mp4, {out}/tracks.jpg")
