"""Boxes of identities over time, and the text files of the benchmarks that hold them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgetrack.boxes import tlwh_to_xyxy, xyxy_to_tlwh
from edgetrack.errors import ConfigError

Ints = NDArray[np.int64]
Floats = NDArray[np.floating[Any]]

# What a box of the truth does to the results that fall on it.
SCORED = 0  # a result on it is right
REMOVES = 1  # a result matched to it counts neither way: distractors of MOT17, vans and hidden objects of KITTI
OTHER = 2  # takes part in that matching, nothing else: MOT17's cars
REGION = 3  # an unmatched result that lies in it by more than half counts neither way: KITTI's DontCare

MOT17_PEDESTRIAN = 1
MOT17_DISTRACTORS = (2, 7, 8, 12)  # person on vehicle, static person, distractor, reflection
KITTI_ALIKE = {"car": "van", "pedestrian": "person_sitting"}
KITTI_MAX_OCCLUDED = 2  # of 0..3
KITTI_MIN_HEIGHT_PX = 25.0  # smaller unmatched results count neither way


@dataclass(frozen=True, slots=True)
class Trajectories:
    """Boxes of identities over a sequence; row i of every array is one box."""

    frame: Ints  # (R,) any order; MOTChallenge counts from 1, KITTI from 0
    track_id: Ints  # (R,) at most one box a frame and identity
    xyxy: Floats  # (R, 4) pixels
    role: Ints  # (R,) SCORED for results; other roles in the truth only

    def __post_init__(self) -> None:
        n = len(self.frame)
        if self.track_id.shape != (n,) or self.xyxy.shape != (n, 4) or self.role.shape != (n,):
            raise ValueError(
                f"trajectories: shapes are {self.frame.shape}, {self.track_id.shape}, {self.xyxy.shape}, "
                f"{self.role.shape}, expected ({n},), ({n},), ({n}, 4), ({n},)"
            )

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, rows: NDArray[Any]) -> Trajectories:
        return replace(
            self, frame=self.frame[rows], track_id=self.track_id[rows], xyxy=self.xyxy[rows], role=self.role[rows]
        )

    @classmethod
    def of(cls, frame: NDArray[Any], track_id: NDArray[Any], xyxy: NDArray[Any]) -> Trajectories:
        """All of them scored."""
        frame = np.asarray(frame, np.int64)
        xyxy = np.asarray(xyxy, np.float64).reshape(-1, 4)
        return cls(frame, np.asarray(track_id, np.int64), xyxy, np.full(len(frame), SCORED, np.int64))

    @classmethod
    def empty(cls) -> Trajectories:
        return cls.of(np.empty(0), np.empty(0), np.empty((0, 4)))


def read_results(path: Path | str) -> Trajectories:
    """A tracker's answer in MOTChallenge text: `frame,id,left,top,width,height[,...]`."""
    table = _table(Path(path), columns=6)
    return _unique(Path(path), Trajectories.of(table[:, 0], table[:, 1], tlwh_to_xyxy(table[:, 2:6])))


def read_truth(path: Path | str) -> Trajectories:
    """The truth in MOTChallenge text.

    Ten columns are MOT15: boxes whose 7th field is 0 are left out. Nine columns are MOT16 and later: the 7th field
    says whether a box is scored, the 8th is its class; pedestrians are scored, and the boxes of persons on vehicles,
    static persons, distractors and reflections forgive the results on them (as MOTChallenge's own evaluation does).
    """
    table = _table(Path(path), columns=7)
    truth = Trajectories.of(table[:, 0], table[:, 1], tlwh_to_xyxy(table[:, 2:6]))
    flagged = table[:, 6] != 0
    if table.shape[1] != 9:
        return _unique(Path(path), truth[flagged])
    kind = table[:, 7].astype(np.int64)
    role = np.where(flagged & (kind == MOT17_PEDESTRIAN), SCORED, OTHER)
    role[np.isin(kind, MOT17_DISTRACTORS)] = REMOVES
    return _unique(Path(path), replace(truth, role=role.astype(np.int64)))


def read_kitti(path: Path | str, kind: str) -> Trajectories:
    """KITTI tracking labels or results of one class, `"car"` or `"pedestrian"`; frames count from 0.

    Truncated and mostly hidden objects, vans (for cars) and sitting persons (for pedestrians) forgive the results
    matched to them, DontCare regions those inside. Score with `min_height_px=KITTI_MIN_HEIGHT_PX`.
    """
    path = Path(path)
    if kind not in KITTI_ALIKE:
        raise ConfigError(f"{path}: class is {kind!r}, expected one of {', '.join(KITTI_ALIKE)}")
    words = [line.split() for line in read_text(path).splitlines() if line.strip()]
    short = next((i for i, w in enumerate(words, 1) if len(w) < 10), None)
    if short is not None:
        raise ConfigError(f"{path}:{short}: expected at least 10 fields of KITTI tracking labels")
    name = np.array([w[2].lower() for w in words], dtype=object)
    try:
        number = np.array([[float(v) for v in (*w[:2], *w[3:5], *w[6:10])] for w in words], np.float64).reshape(-1, 8)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}; expected KITTI tracking labels") from error
    _finite(path, number)
    hard = (number[:, 2] > 0) | (number[:, 3] > KITTI_MAX_OCCLUDED)
    role = np.full(len(words), OTHER)
    role[(name == kind) & ~hard] = SCORED
    role[((name == kind) & hard) | (name == KITTI_ALIKE[kind])] = REMOVES
    role[name == "dontcare"] = REGION
    truth = replace(Trajectories.of(number[:, 0], number[:, 1], number[:, 4:]), role=role.astype(np.int64))
    return _unique(path, truth[role != OTHER])


def write_results(path: Path | str, tracks: Trajectories) -> None:
    """MOTChallenge text, in order of frame and identity."""
    order = np.lexsort((tracks.track_id, tracks.frame))
    rows = zip(
        tracks.frame[order].tolist(), tracks.track_id[order].tolist(), xyxy_to_tlwh(tracks.xyxy[order]), strict=True
    )
    text = "".join(f"{f},{i},{b[0]:.3f},{b[1]:.3f},{b[2]:.3f},{b[3]:.3f},1,-1,-1,-1\n" for f, i, b in rows)
    Path(path).write_text(text)


def read_seqinfo(folder: Path | str) -> dict[str, str]:
    """The entries of seqinfo.ini, names in lower case: framerate, seqlength, imwidth, imheight."""
    text = read_text(Path(folder) / "seqinfo.ini")
    pairs = [line.partition("=") for line in text.splitlines() if "=" in line]
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def read_detections(path: Path | str) -> tuple[Ints, Floats, Floats]:
    """MOTChallenge detections: (R,) frame, (R, 4) xyxy, (R,) score."""
    table = _table(Path(path), columns=7)
    return table[:, 0].astype(np.int64), tlwh_to_xyxy(table[:, 2:6]), table[:, 6]


def read_text(path: Path) -> str:
    """Text of a file that a person named."""
    try:
        return path.read_text(encoding="utf-8-sig")  # editors on Windows begin a file with a mark
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}; expected a text file") from error


def _table(path: Path, columns: int) -> Floats:
    lines = read_text(path).replace(",", " ").splitlines()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # an empty file is a tracker that saw nothing
            table = np.loadtxt(lines, dtype=np.float64, ndmin=2)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}; expected MOTChallenge text, one box a line") from error
    if table.size == 0:
        return np.empty((0, columns))
    if table.shape[1] < columns:
        raise ConfigError(f"{path}: {table.shape[1]} fields a line, expected at least {columns} of MOTChallenge text")
    _finite(path, table[:, : max(columns, 8)])  # and the class, where there is one
    return table


def _finite(path: Path, table: Floats) -> None:
    wrong = np.flatnonzero(~np.isfinite(table).all(axis=1))
    if len(wrong):
        row = ", ".join(f"{value:g}" for value in table[wrong[0]])
        raise ConfigError(f"{path}: box {wrong[0] + 1} is {row}; expected finite numbers")


def _unique(path: Path, boxes: Trajectories) -> Trajectories:
    named = boxes[boxes.role != REGION]
    keys, count = np.unique(np.stack([named.frame, named.track_id]), axis=1, return_counts=True)
    if len(named) and count.max() > 1:
        frame, track_id = keys[:, np.argmax(count > 1)]
        raise ConfigError(f"{path}: frame {frame} has identity {track_id} more than once; expected one box each")
    return boxes
