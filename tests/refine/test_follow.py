"""Targets are followed through loss and return, under one id, whatever is asked for."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from edgetrack.config import GoturnRefine, RuntimeConfig, TargetConfig
from edgetrack.errors import FollowError
from edgetrack.refine import Follower, open_refine
from edgetrack.types import Detections, FollowEvent, Frame, Image, Tracks
from tests.refine.white_follower import square, white_follower

DARK = np.full((240, 320, 3), 40, np.uint8)
FPS = 10


class Story:
    """Pictures shown to a follower one after the other, ten a second."""

    def __init__(self, folder: Path, every_s: float = 0.0, **settings: Any) -> None:
        model = str(white_follower(folder / "white.onnx"))
        config = GoturnRefine(model=model, **{"lost_after_s": 0.5, "end_after_s": 20.0, **settings})
        self.follower: Follower
        _, self.follower = open_refine(config, RuntimeConfig(threads=1), every_s=every_s)
        self.index = 0
        self.events: list[FollowEvent] = []

    def show(
        self,
        image: Image,
        times: int = 1,
        detected: Sequence[Sequence[float]] | None = None,
        embedding: NDArray[np.float32] | None = None,
        tracks: Tracks | None = None,
    ) -> FollowEvent | None:
        """The newest event, if there is one."""
        detections = None
        if detected is not None:
            xyxy = np.array(detected, np.float32).reshape(-1, 4)
            score, class_id = np.full(len(xyxy), 0.8, np.float32), np.zeros(len(xyxy), np.int32)
            detections = Detections(xyxy, score, class_id, embedding)
        for _ in range(times):
            time = self.index / FPS
            frame = Frame(image, self.index, time, 1e9 + time, time)
            self.events += self.follower.step(frame, detections, Tracks.empty() if tracks is None else tracks)
            self.index += 1
        return self.events[-1] if self.events else None

    def follow(self, x: float, y: float, side: int = 32) -> int:
        return self.follower.follow_box([x / 320, y / 240, (x + side) / 320, (y + side) / 240])

    @property
    def states(self) -> list[str]:
        """As they were told, each once."""
        told = [event.state for event in self.events]
        return [state for k, state in enumerate(told) if k == 0 or state != told[k - 1]]


def track(x: float, track_id: int = 7, seen: bool = True) -> Tracks:
    return Tracks(
        np.array([track_id]),
        np.array([[x, 80, x + 32, 112]], np.float64),
        np.zeros(1, np.int32),
        np.full(1, 0.9, np.float32),
        np.ones(1, np.bool_),
        np.array([0 if seen else 1]),
        np.array([seen]),
    )


def unit(*numbers: float) -> NDArray[np.float32]:
    row = np.array([numbers], np.float32)
    return row / np.float32(np.linalg.norm(row))


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


# --- being followed --------------------------------------------------------------------------------------------------


def test_a_box_is_followed_whatever_it_is(story: Story):
    story.show(square(100, 80))
    story.follow(100, 80)
    for step in range(1, 20):
        told = story.show(square(100 + 5 * step, 80))
    assert told is not None
    assert_allclose(told.xyxy, [195, 80, 227, 112], atol=1.5)
    assert told.state == "following"


def test_it_is_told_of_at_every_picture(story: Story):
    story.show(square(100, 80))
    story.follow(100, 80)
    story.show(square(100, 80), times=5)
    assert [event.kind for event in story.events] == ["start", *["update"] * 5]


def test_it_is_told_of_at_the_pace_that_is_set(tmp_path: Path):
    story = Story(tmp_path, every_s=0.5)
    story.show(square(100, 80))
    story.follow(100, 80)
    story.show(square(100, 80), times=20)
    assert [event.kind for event in story.events].count("update") == 4


def test_a_target_of_the_configuration_is_followed_from_the_first_picture(tmp_path: Path):
    story = Story(tmp_path, targets=[TargetConfig(name="crane", box=(100 / 320, 80 / 240, 132 / 320, 112 / 240))])
    told = story.show(square(100, 80))
    assert told is not None
    assert (told.kind, told.name) == ("start", "crane")


def test_several_targets_are_followed_at_once(story: Story):
    picture = np.maximum(square(40, 40), square(220, 160))
    story.show(picture)
    ids = [story.follow(40, 40), story.follow(220, 160)]
    story.show(np.maximum(square(45, 44), square(214, 158)))
    where = {event.follow_id: event.xyxy for event in story.events if event.kind == "update"}
    assert_allclose([where[i][:2] for i in ids], [[45, 44], [214, 158]], atol=1.5)


# --- loss and return -------------------------------------------------------------------------------------------------


def test_what_leaves_the_picture_and_comes_back_elsewhere_has_the_same_id(story: Story):
    """No detector helps: the sweep finds it."""
    story.show(square(270, 80))
    story.follow(270, 80)
    story.show(DARK, times=10)
    story.show(square(30, 180), times=40)
    assert story.states == ["following", "searching", "lost", "following"]
    assert {event.follow_id for event in story.events} == {1}
    assert_allclose(story.events[-1].xyxy, [30, 180, 62, 212], atol=1.5)


def test_what_is_hidden_for_a_moment_is_not_lost(story: Story):
    story.show(square(100, 80))
    story.follow(100, 80)
    story.show(DARK, times=3)
    story.show(square(104, 80), times=3)
    assert story.states == ["following", "searching", "following"]


def test_out_of_sight_its_box_goes_on_with_its_speed_and_lost_it_is_where_it_was_last(story: Story):
    story.show(square(100, 80))
    story.follow(100, 80)
    for step in range(1, 21):
        story.show(square(100 + 3 * step, 80))
    searching, lost = story.show(DARK, times=3), story.show(DARK, times=8)
    assert searching is not None
    assert lost is not None
    assert searching.xyxy[0] > 165
    assert (lost.state, lost.xyxy[0]) == ("lost", pytest.approx(160, abs=2))


def test_while_it_is_lost_nothing_more_is_told(story: Story):
    story.show(square(100, 80))
    story.follow(100, 80)
    story.show(DARK, times=30)
    assert [event.state for event in story.events].count("lost") == 1


def test_what_does_not_come_back_ends(tmp_path: Path):
    story = Story(tmp_path, end_after_s=2.0)
    story.show(square(100, 80))
    story.follow(100, 80)
    told = story.show(DARK, times=30)
    assert told is not None
    assert (told.kind, told.state, told.reason) == ("end", "ended", "lost")
    assert story.follower.ids == []


# --- detector and tracker --------------------------------------------------------------------------------------------


def followed_track(story: Story, embedding: NDArray[np.float32] | None = None) -> int:
    """Track 7 is followed, seen twice by the detector, and its look known."""
    box = [[100, 80, 132, 112]]
    story.show(square(100, 80), detected=box, embedding=embedding, tracks=track(100))
    follow_id = story.follower.follow_track(7)
    story.show(square(100, 80), detected=box, embedding=embedding, tracks=track(100))
    return follow_id


def test_a_track_is_followed_by_its_number(story: Story):
    followed_track(story)
    assert (story.events[-1].track_id, story.events[-1].class_id, story.events[-1].seen) == (7, 0, True)


def test_a_box_round_a_track_means_the_track(story: Story):
    story.show(square(100, 80), tracks=track(100))
    story.follow(101, 81)
    story.show(square(100, 80), tracks=track(100))
    assert story.events[-1].track_id == 7


def test_a_track_that_is_followed_already_keeps_its_id(story: Story):
    first = followed_track(story)
    assert story.follower.follow_track(7) == first


def test_a_detection_undoes_drift(story: Story):
    """The net sees the square 4 px beside the detector's box."""
    followed_track(story)
    story.show(square(104, 80), tracks=track(100))
    assert_allclose(story.events[-1].xyxy, [100, 80, 132, 112])


def test_the_net_is_believed_where_the_tracker_has_jumped_to_another(story: Story):
    followed_track(story)
    story.show(square(104, 80), tracks=track(250))
    assert_allclose(story.events[-1].xyxy, [104, 80, 136, 112], atol=1.5)
    assert story.events[-1].track_id is None


def test_a_new_track_in_the_same_place_takes_over(story: Story):
    followed_track(story)
    story.show(square(104, 80), tracks=track(104, track_id=9))
    assert story.events[-1].track_id == 9


def test_a_detection_of_the_same_look_near_by_restarts_it(story: Story):
    """Beyond the net's own windows."""
    follow_id = followed_track(story, unit(1, 0.1))
    story.show(DARK, times=7)
    told = story.show(square(200, 80), detected=[[200, 80, 232, 112]], embedding=unit(1, 0.2))
    assert told is not None
    assert (told.state, told.follow_id, told.seen) == ("following", follow_id, True)
    assert_allclose(told.xyxy, [200, 80, 232, 112])


def test_a_detection_of_another_look_does_not(story: Story):
    followed_track(story, unit(1, 0.1))
    story.show(DARK, times=7)
    told = story.show(square(200, 80), detected=[[200, 80, 232, 112]], embedding=unit(0.1, 1))
    assert told is not None
    assert told.state == "lost"


def test_a_detection_as_near_to_the_look_of_others_as_to_its_own_does_not(story: Story):
    """Everybody wears the same: the embedder cannot tell, and the gate narrows."""
    boxes, same = [[100, 80, 132, 112], [10, 180, 42, 212]], np.concatenate([unit(1, 0.1), unit(1, 0.12)])
    picture = np.maximum(square(100, 80), square(10, 180))
    story.show(picture, detected=boxes, embedding=same, tracks=track(100))
    story.follower.follow_track(7)
    story.show(picture, detected=boxes, embedding=same, tracks=track(100), times=3)
    story.show(DARK, times=7)
    told = story.show(square(200, 80), detected=[[200, 80, 232, 112]], embedding=unit(1, 0.3))
    assert told is not None
    assert told.state == "lost"


def test_a_detection_farther_than_it_can_have_run_does_not(story: Story):
    followed_track(story, unit(1, 0.1))
    story.show(DARK, times=1)
    told = story.show(DARK, detected=[[280, 200, 312, 232]], embedding=unit(1, 0.1))
    assert told is not None
    assert told.state == "searching"


def test_without_an_embedder_the_net_must_know_the_detection(story: Story):
    """A white square beyond the windows round the old place, found because the detector points at it."""
    followed_track(story)
    story.show(DARK, times=8)
    told = story.show(DARK, detected=[[200, 80, 232, 112]])
    assert told is not None
    assert told.state == "lost"
    told = story.show(square(200, 80), detected=[[200, 80, 232, 112]])
    assert told is not None
    assert told.state == "following"


def test_two_targets_do_not_restart_at_the_same_detection(story: Story):
    picture, boxes = np.maximum(square(40, 80), square(100, 80)), [[40, 80, 72, 112], [100, 80, 132, 112]]
    looks = np.concatenate([unit(1, 0), unit(1, 0)])
    both = Tracks(
        *(np.concatenate([getattr(t, f) for t in (track(40, 3), track(100, 7))]) for f in track(40).__slots__)
    )
    story.show(picture, detected=boxes, embedding=looks, tracks=both)
    first, second = story.follower.follow_track(3), story.follower.follow_track(7)
    story.show(picture, detected=boxes, embedding=looks, tracks=both)
    story.show(square(40, 80), times=3, detected=boxes[:1], embedding=looks[:1], tracks=track(40, 3))
    states = {event.follow_id: event.state for event in story.events}
    assert states == {first: "following", second: "searching"}


def test_what_runs_out_of_the_picture_is_out_of_sight_though_the_net_still_sees_some_of_it(story: Story):
    """A bar at the edge stays white, as something there may look like the target; it must be found anew to count."""
    story.show(square(200, 80))
    story.follow(200, 80)
    for x in range(212, 300, 12):
        story.show(square(x, 80))
    edge = DARK.copy()
    edge[80:112, 300:] = 255
    story.show(edge, times=4)
    assert "searching" in story.states


# --- what cannot be ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "box",
    [
        pytest.param([1.2, 0.1, 1.4, 0.3], id="outside the picture"),
        pytest.param([0.5, 0.5, 0.5, 0.9], id="no width"),
        pytest.param([0.5, 0.5, 0.503, 0.504], id="one pixel"),
        pytest.param([0.8, 0.8, 0.2, 0.2], id="right before left"),
        pytest.param([float("nan"), 0, 1, 1], id="NaN"),
    ],
)
def test_a_box_that_cannot_be_followed_is_refused(story: Story, box: list[float]):
    story.show(square(100, 80))
    with pytest.raises(FollowError, match="box: "):
        story.follower.follow_box(box)
    assert story.follower.ids == []


def test_a_box_larger_than_the_picture_is_cut_to_it(story: Story):
    story.show(square(100, 80))
    story.follower.follow_box([-2, -2, 3, 3])
    told = story.show(square(100, 80))
    assert told is not None
    assert_allclose(np.subtract(told.xyxy[2:], told.xyxy[:2]), [320, 240], atol=1)


def test_a_target_of_two_pixels_does_no_harm(story: Story):
    story.show(square(100, 80, side=2))
    story.follow(100, 80, side=2)
    told = story.show(square(101, 80, side=2), times=30)
    assert told is not None
    assert np.isfinite(told.xyxy).all()


def test_fifty_targets_are_as_many_as_are_allowed(tmp_path: Path):
    """The rest is refused with the reason, and those that are there go on."""
    story = Story(tmp_path, max_targets=8)
    story.show(square(100, 80))
    refused = []
    for k in range(50):
        try:
            story.follow(90 + k / 5, 80)
        except FollowError as error:
            refused.append(str(error))
    assert len(refused) == 42
    assert refused[0].startswith("refine.max_targets: 8 are followed already")
    story.show(square(102, 80), times=3)
    assert len(story.follower.ids) == 8


def test_fifty_targets_are_followed_and_lost_where_they_are_allowed(tmp_path: Path):
    story = Story(tmp_path, max_targets=64)
    story.show(square(100, 80))
    for k in range(50):
        story.follow(90 + k / 5, 80)
    story.show(square(102, 80))
    story.show(DARK, times=8)
    assert [event.state for event in story.events].count("lost") == 50


def test_a_picture_of_another_size_carries_all_over(story: Story):
    story.show(square(100, 80))
    story.follow(100, 80)
    story.show(DARK)
    told = story.show(square(200, 160, size=(640, 480), side=64), times=2)
    assert told is not None
    assert (told.state, told.size) == ("following", (640, 480))
    assert_allclose(told.xyxy, [200, 160, 264, 224], atol=3)


def test_nan_from_the_model_is_out_of_sight(story: Story):
    story.show(square(100, 80))
    story.follow(100, 80)
    told = story.show(DARK)
    assert told is not None
    assert (told.state, told.confidence) == ("searching", 0)


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda follower: follower.follow_track(3), "track: 3 is not in the picture; the tracks there are: 7"),
        (lambda follower: follower.unfollow(9), "follow: 9 is not followed; the ids there are: none"),
    ],
)
def test_who_asks_for_what_is_not_there_hears_what_is(story: Story, ask: Any, said: str):
    story.show(square(100, 80), tracks=track(100))
    with pytest.raises(FollowError, match=said):
        ask(story.follower)


def test_before_the_first_picture_nothing_can_be_followed(story: Story):
    with pytest.raises(FollowError, match="no picture yet"):
        story.follow(100, 80)


def test_without_a_net_who_asks_is_told_what_to_set():
    with pytest.raises(FollowError, match="set refine: "):
        Follower().follow_track(1)


def test_what_is_let_go_ends(story: Story):
    story.show(square(100, 80))
    story.follower.unfollow(story.follow(100, 80))
    told = story.show(square(100, 80))
    assert told is not None
    assert (told.kind, told.reason) == ("end", "unfollowed")


def test_when_the_daemon_stops_all_are_let_go(story: Story):
    story.show(square(100, 80))
    story.follow(100, 80)
    ends = story.follower.end("shutdown", utc=1e9, captured=0.0)
    assert [(event.kind, event.reason) for event in ends] == [("start", None), ("end", "shutdown")]
