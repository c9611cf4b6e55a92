"""Bridging: what the detector lost, or does not look at, is followed from where it was last seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgetrack.config import GoturnRefine
from edgetrack.refine.crops import LEAST_PX
from edgetrack.refine.goturn import Regressor, Target
from edgetrack.types import Picture, Tracks, image_of


class Bridge:
    """Follows confirmed tracks from the picture in which a detection backed them last.

    A target is made only when it is needed, from the picture before. The window is laid round the track's prediction.
    A target whose confidence falls is given up, and left to prediction and re-identification, until it is detected
    again. Of more targets than `max_targets`, those followed already stay, then those missed by the detector come,
    then the eldest. Unless `bridge_missed`, nothing is followed that the detector looked for and missed: it may be
    hidden, and the net would follow what hides it.
    """

    def __init__(self, config: GoturnRefine, net: Regressor) -> None:
        self.config = config
        self._net = net
        self._targets: dict[int, Target] = {}
        self._given_up: set[int] = set()
        self._before: tuple[Picture, Tracks] | None = None

    def refine(self, picture: Picture, tracks: Tracks) -> Tracks:
        self._forget(tracks)
        rows = self._chosen(tracks)
        if len(rows):
            chosen = tracks[rows]
            targets = [self._targets[int(track_id)] for track_id in chosen.track_id]
            self._net.follow(image_of(picture), targets, chosen.xyxy)
            trust = np.array([target.confidence for target in targets], np.float32)
            kept = trust >= self.config.min_confidence
            for track_id in chosen.track_id[~kept].tolist():
                del self._targets[track_id]
                self._given_up.add(track_id)
            found = replace(chosen, xyxy=np.stack([target.xyxy for target in targets]), score=trust)[kept]
        else:
            found = tracks[rows]
        self._before = picture, tracks
        return found

    def _forget(self, tracks: Tracks) -> None:
        """Those that are gone, and those that are detected."""
        lost = set(tracks.track_id[~tracks.seen].tolist())
        self._targets = {track_id: target for track_id, target in self._targets.items() if track_id in lost}
        self._given_up &= lost

    def _chosen(self, tracks: Tracks) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
        """Rows of the tracks that are followed now; makes targets of new ones."""
        size = tracks.xyxy[:, 2:] - tracks.xyxy[:, :2]
        lost = tracks.confirmed & ~tracks.seen & (size >= LEAST_PX).all(axis=1)
        if not self.config.bridge_missed:
            lost &= tracks.missed == 0
        wanted = np.flatnonzero(lost)
        followed = [int(tracks.track_id[row]) in self._targets for row in wanted]
        order = np.lexsort((tracks.track_id[wanted], tracks.missed[wanted] == 0, ~np.array(followed, bool)))
        chosen: list[int] = []
        for row in wanted[order].tolist():
            if len(chosen) == self.config.max_targets:
                break
            if self._has_target(int(tracks.track_id[row])):
                chosen.append(row)
        return np.array(chosen, np.intp)

    def _has_target(self, track_id: int) -> bool:
        """Whether it can be followed: it is already, or a detection backed it in the picture before."""
        if track_id in self._targets or track_id in self._given_up or self._before is None:
            return track_id in self._targets
        picture, tracks = self._before
        rows = np.flatnonzero((tracks.track_id == track_id) & tracks.seen)
        if not len(rows):
            return False
        try:
            self._targets[track_id] = self._net.start(image_of(picture), tracks.xyxy[rows[0]])
        except ValueError:  # nearly outside the picture
            return False
        return True
