"""All that a tracker's next steps depend on, as numbers: to be kept, and taken up by another tracker."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from edgetrack.config import TrackConfig
from edgetrack.track import kalman
from edgetrack.track.gallery import Gallery
from edgetrack.track.innovation import BoxNoise
from edgetrack.track.matching import SETTLED, TRACK, Live

MOST = 1e18  # of any number of the filter; its squares stay finite
MAX_GALLERY_BYTES = 2**30  # that a damaged state may ask for

Whole = Annotated[int, Meta(ge=0, le=2**53)]
Finite = Annotated[float, Meta(ge=-MOST, le=MOST)]  # and no NaN

ROW = np.dtype(
    [
        ("track_id", "<i8"),
        ("class_id", "<i4"),
        ("score", "<f4"),
        ("hits", "<i8"),
        ("last_look", "<i8"),
        ("last_seen", "<f8"),
        ("described", "u1"),
        ("described_at", "<f8"),
        ("innovation", "<f8", 3),
    ]
)  # TRACK but for the slot, the same on every machine
REALS = [name for name in ROW.names or () if ROW[name].base.kind == "f"]


class TrackerState(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """A copy; arrays as little-endian bytes, T tracks, the eldest first."""

    time: Finite | None  # of the last step; None: there was none
    looks: Whole
    looked: bool  # on the last step
    next_id: Annotated[int, Meta(ge=1, le=2**53)]
    typical: dict[int, Annotated[float, Meta(gt=0, le=2)]]  # score, by class
    box_noise: BoxNoise
    rows: bytes  # (T,) of ROW
    filter: bytes  # (22, T) float64, as in kalman
    width: Annotated[int, Meta(ge=1, le=2**16)] | None  # of embeddings; None: there were none
    average: bytes = b""  # (T, width) float32; unless exact
    written: bytes = b""  # (T,) int64, if exact: embeddings so far
    farthest: bytes = b""  # (T,) float32, if exact: from the first of its gallery
    looked_like: bytes = b""  # (sum of gallery sizes, width) float32, if exact

    @property
    def weight(self) -> int:
        """Bytes that it takes in memory, about."""
        return sum(len(x) for x in (self.rows, self.filter, self.average, self.written, self.looked_like))

    def live(self, config: TrackConfig) -> Live:
        """The tracks, for a tracker of the `config` that this state is of.

        Raises:
            ValueError: this is the state of no such tracker.
        """
        kept = _array(self.rows, ROW, "rows")
        n = len(kept)
        self._check(kept)
        rows = np.zeros(n, TRACK)
        for name in ROW.names or ():
            rows[name] = kept[name]
        live = Live(rows, _array(self.filter, "<f8", "filter", (kalman.ROWS, n)))
        _want(bool((np.abs(live.state) <= MOST).all()), "filter: holds NaN or is beyond all measure")
        if self.width is not None and config.exact:
            self._restore_gallery(live, config.gallery, self.width)
        elif self.width is not None:
            live.average = _finite(_array(self.average, "<f4", "average", (n, self.width)), "average")
        return live

    def _check(self, rows: NDArray[np.void]) -> None:
        """What a tracker takes for granted of its tracks."""
        if not len(rows):
            return
        ids, looks, time = rows["track_id"], rows["last_look"], -np.inf if self.time is None else self.time
        for name in REALS:
            _finite(rows[name], name)
        _want(bool((ids[1:] > ids[:-1]).all()) and ids[0] > 0 and ids[-1] < self.next_id, "track_id: not in order")
        _want(bool(((looks >= 0) & (looks <= self.looks) & (rows["hits"] > 0)).all()), "last_look: not yet looked")
        _want(bool((rows["last_seen"] <= time).all()), "last_seen: later than the last step")
        _want(bool((rows["described"] <= SETTLED).all()), "described: more often than is counted")

    def _restore_gallery(self, live: Live, depth: int, width: int) -> None:
        n = len(live.rows)
        written, farthest = _array(self.written, "<i8", "written", (n,)), _array(self.farthest, "<f4", "farthest", (n,))
        _want(bool((written >= 0).all()), "written: less than nothing")
        _want(n * depth * width * 4 <= MAX_GALLERY_BYTES, "gallery: beyond all measure")
        filled = np.minimum(written, depth)
        looked_like = _array(self.looked_like, "<f4", "looked_like", (int(filled.sum()), width))
        live.gallery = Gallery(depth, width)
        live.rows["slot"] = live.gallery.take(n)
        live.gallery.fill(
            live.rows["slot"], written, _finite(farthest, "farthest"), _finite(looked_like, "looked_like")
        )


def columns(live: Live) -> dict[str, bytes]:
    """The fields of a TrackerState that hold arrays, copied."""
    rows = np.zeros(len(live.rows), ROW)
    for name in ROW.names or ():
        rows[name] = live.rows[name]
    kept = {"rows": rows.tobytes(), "filter": little_endian(live.state, "<f8")}
    if live.average is not None:
        kept["average"] = little_endian(live.average, "<f4")
    if live.gallery is not None:
        slots = live.rows["slot"]
        kept["written"] = little_endian(live.gallery.written[slots], "<i8")
        kept["farthest"] = little_endian(live.gallery.farthest[slots], "<f4")
        kept["looked_like"] = b"".join(little_endian(look, "<f4") for look in live.gallery.filled(slots))
    return kept


def weight(live: Live) -> int:
    """Bytes that a state takes, about; known without making it."""
    bytes_ = live.rows.nbytes + live.state.nbytes
    if live.average is not None:
        bytes_ += live.average.nbytes
    if live.gallery is not None:
        bytes_ += sum(look.nbytes for look in live.gallery.filled(live.rows["slot"]))
    return bytes_


def little_endian(array: NDArray[Any], kind: str) -> bytes:
    return np.ascontiguousarray(array, kind).tobytes()


def _array(content: bytes, kind: Any, name: str, shape: tuple[int, ...] = (-1,)) -> NDArray[Any]:
    """A copy of one's own, in this machine's order of bytes."""
    dtype = np.dtype(kind)
    wanted = dtype.itemsize * int(np.prod(shape)) if shape != (-1,) else len(content) // dtype.itemsize * dtype.itemsize
    _want(len(content) == wanted, f"{name}: {len(content)} bytes, expected {wanted}")
    return np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _finite(array: NDArray[Any], name: str) -> NDArray[Any]:
    _want(bool(np.isfinite(array).all()), f"{name}: holds NaN or infinity")
    return array


def _want(good: bool, otherwise: str) -> None:
    if not good:
        raise ValueError(f"state of the tracker: {otherwise}")
