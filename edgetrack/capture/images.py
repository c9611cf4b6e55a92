"""A folder of pictures as a video: any JPEG or PNG files, or a MOTChallenge sequence."""

from __future__ import annotations

import configparser
import logging
import re
from collections.abc import Generator
from pathlib import Path
from typing import Literal

import av

from edgetrack.capture.decode import FAULTS, Pictures, clockwise, video_stream
from edgetrack.capture.orient import Orient
from edgetrack.capture.reason import why
from edgetrack.capture.recording import Timed
from edgetrack.config import ImagesCapture
from edgetrack.errors import CaptureError
from edgetrack.types import Image, Picture, image_of

log = logging.getLogger(__name__)

RATE = 25.0  # frames/s where neither the configuration nor a seqinfo.ini tells
SUFFIXES = {".jpg", ".jpeg", ".png"}


class ImageFolder:
    """Reads a folder's pictures in natural order of name: 2.jpg comes before 10.jpg."""

    def __init__(self, config: ImagesCapture) -> None:
        self._root = Path(config.path)
        self._fps = config.fps
        self._loop = config.loop
        self._orient = Orient(config)
        self._picture = Pictures()
        self._broken: set[Path] = set()
        self.pace: Literal["realtime", "fast"] = config.pace

    @property
    def place(self) -> str:
        return str(self._root)

    def check(self) -> None:
        self._files()

    def pictures(self) -> Generator[Timed, None, None]:
        files, fps = self._files()
        step, read = 0, 0
        while True:
            for file in files:
                picture = self._picture_in(file)
                if picture is not None:
                    read += 1
                    yield Timed(picture, step / fps)
                step += 1  # a broken picture leaves a gap in time, as in the scene
            if not read:
                raise CaptureError(f"{self._root}: none of {len(files)} pictures can be decoded; give whole files")
            if not self._loop:
                return

    def files(self) -> list[Path]:
        """The pictures in order."""
        return self._files()[0]

    def read(self, file: Path) -> Image | None:
        """(H, W, 3) uint8 BGR, upright; None, told of once, where the file is broken."""
        picture = self._picture_in(file)
        return None if picture is None else image_of(picture)

    def _picture_in(self, file: Path) -> Picture | None:
        try:
            with av.open(f"file:{file}", metadata_errors="replace") as container:
                for frame in container.decode(video_stream(container)):
                    return self._orient(self._picture(frame), clockwise(frame))
            reason = "no picture in it"
        except FAULTS as error:
            reason = why(error)
        if file not in self._broken:
            self._broken.add(file)
            log.warning("%s: %s; left out", file, reason)
        return None

    def _files(self) -> tuple[list[Path], float]:
        """The pictures in order, and their number per second."""
        folder, suffixes, fps = self._root, SUFFIXES, RATE
        if not folder.is_dir():
            found = "is a file; set capture.kind: file" if folder.exists() else "no such folder; correct the path"
            raise CaptureError(f"{folder}: {found}")
        if (folder / "seqinfo.ini").is_file():
            folder, suffixes, fps = _sequence(folder / "seqinfo.ini")
        elif (folder / "img1").is_dir():
            folder = folder / "img1"
        try:
            files = [file for file in folder.iterdir() if file.suffix.lower() in suffixes and file.name[0] != "."]
        except OSError as error:
            raise CaptureError(f"{folder}: {why(error)}; give a folder that this user may read") from error
        if not files:
            wanted = ", ".join(sorted(suffixes))
            raise CaptureError(f"{folder}: no pictures in it, expected {wanted}; correct the path")
        return sorted(files, key=_natural), self._fps or fps


def _sequence(ini: Path) -> tuple[Path, set[str], float]:
    """Folder, suffixes and frames/s of a MOTChallenge sequence."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(ini, encoding="utf-8")
        section = parser["Sequence"]
        fps = section.getfloat("frameRate", RATE)
        if not 0 < fps < 1000:
            raise ValueError(f"frameRate is {fps:g}")
    except (configparser.Error, KeyError, ValueError, OSError) as error:
        found = str(error).partition("\n")[0]
        raise CaptureError(f"{ini}: {found}, expected [Sequence] with imDir, imExt, frameRate; correct it") from error
    return ini.parent / section.get("imDir", "img1"), {section.get("imExt", ".jpg").lower()}, fps


def _natural(file: Path) -> list[tuple[int, str]]:
    """Sorts numbers by value and the rest by letters."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"([0-9]+)", file.name)]
