"""Pictures to calibrate and to judge with, and what is known to be in them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgetrack.boxes import cxcywh_to_xyxy, tlwh_to_xyxy
from edgetrack.capture.images import ImageFolder
from edgetrack.config import ImagesCapture
from edgetrack.errors import ConfigError
from edgetrack.types import Image

FREE = -1  # class of a box that may be found or not
PEDESTRIAN = 1  # of MOT17's classes
VISIBLE = 0.25  # share of a pedestrian below which it may be found or not


@dataclass(frozen=True, slots=True)
class Truth:
    """The objects of one picture."""

    xyxy: NDArray[np.float32]  # (N, 4) pixels
    class_id: NDArray[np.int32]  # (N,)
    identity: NDArray[np.int64] | None = None  # (N,) the same object in another picture of the sequence


@dataclass(frozen=True, slots=True)
class Picture:
    name: str
    sequence: str  # pictures of one sequence show the same place
    image: Image
    truth: Truth | None  # None: nobody said what is in it


@dataclass(frozen=True)
class Album:
    """A folder of pictures, or of MOTChallenge sequences, read anew by each loop over it.

    images: a folder of JPEG or PNG files, a sequence (with img1/), or a folder of sequences.
    labels: a folder of YOLO text files of the pictures' names (`class cx cy width height`, fractions of the picture),
        or of MOTChallenge sequences with gt.txt or gt/gt.txt. Pictures without labels are left out, if it is given.
    limit: at most so many pictures, spread evenly over the folder; 0: all.

    Raises:
        ConfigError: labels cannot be read, or fit none of the pictures.
        CaptureError: there are no pictures.
    """

    images: Path
    labels: Path | None = None
    limit: int = 0

    def __iter__(self) -> Iterator[Picture]:
        total = self._count() if self.limit else 0
        chosen = set(np.linspace(0, total - 1, min(self.limit, total)).round().astype(int)) if total else None
        labelled = itertools.chain.from_iterable(self._sequence(folder) for folder in self._folders())
        for number, (file, folder, truth) in enumerate(labelled):
            if chosen is None or number in chosen:
                image = ImageFolder(ImagesCapture(path=str(folder))).read(file)
                if image is not None:
                    yield Picture(file.name, folder.name, image, None if truth is None else truth.of(image))

    def _count(self) -> int:
        return sum(1 for folder in self._folders() for _ in self._sequence(folder))

    def _folders(self) -> list[Path]:
        folders = sorted(path.parent for path in self.images.glob("*/img1") if path.is_dir())
        return folders or [self.images]

    def _sequence(self, folder: Path) -> Iterator[tuple[Path, Path, _Notes | None]]:
        files = ImageFolder(ImagesCapture(path=str(folder))).files()
        if self.labels is None:
            yield from ((file, folder, None) for file in files)
            return
        notes = _mot(self.labels, folder, files) or _yolo(self.labels, files)
        if not notes:
            wanted = f"{files[0].stem}.txt (YOLO text) or {folder.name}/gt.txt (MOTChallenge)"
            raise ConfigError(f"--labels: {self.labels} has no labels for {folder}; expected {wanted}")
        yield from ((file, folder, notes[file]) for file in files if file in notes)


@dataclass(frozen=True, slots=True)
class _Notes:
    xyxy: NDArray[np.float32]
    class_id: NDArray[np.int32]
    identity: NDArray[np.int64] | None
    fractions: bool

    def of(self, image: Image) -> Truth:
        size = np.tile(np.array(image.shape[1::-1], np.float32), 2) if self.fractions else np.float32(1)
        return Truth(self.xyxy * size, self.class_id, self.identity)


def _yolo(labels: Path, files: list[Path]) -> dict[Path, _Notes]:
    found = {}
    for file in files:
        text = labels / f"{file.stem}.txt"
        if not text.is_file():
            continue
        rows = _numbers(text, None)
        if rows.size and rows.shape[1] not in (5, 6):
            raise ConfigError(
                f"{text}: {rows.shape[1]} numbers a line, expected class, cx, cy, width, height; correct it"
            )
        rows = rows.reshape(-1, 5) if not rows.size else rows
        xyxy = cxcywh_to_xyxy(rows[:, 1:5]).astype(np.float32)
        found[file] = _Notes(xyxy, rows[:, 0].astype(np.int32), None, fractions=True)
    return found


def _mot(labels: Path, folder: Path, files: list[Path]) -> dict[Path, _Notes]:
    places = [place / name for place in (labels / folder.name, labels) for name in ("gt.txt", "gt/gt.txt")]
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        return {}
    rows = _numbers(file, ",")
    if rows.ndim != 2 or rows.shape[1] < 9:
        raise ConfigError(f"{file}: expected 9 numbers a line as in MOT17; correct it")
    found = {}
    for picture in files:
        now = rows[rows[:, 0] == (int(picture.stem) if picture.stem.isdigit() else -1)]
        judged = (now[:, 6] == 1) & (now[:, 7] == PEDESTRIAN) & (now[:, 8] >= VISIBLE)
        xyxy = tlwh_to_xyxy(now[:, 2:6]).astype(np.float32)
        found[picture] = _Notes(xyxy, np.where(judged, 0, FREE).astype(np.int32), now[:, 1].astype(np.int64), False)
    return found


def _numbers(file: Path, delimiter: str | None) -> NDArray[np.float64]:
    try:
        lines = [line for line in file.read_text().splitlines() if line.strip()]
        return np.array([[float(part) for part in line.split(delimiter)] for line in lines], np.float64)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise ConfigError(f"{file}: cannot be read as numbers ({error}); correct it") from None
