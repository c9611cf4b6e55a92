"""What the verbs do, asked over a real broker."""

from __future__ import annotations

import base64
import dataclasses
import io
from pathlib import Path
from typing import Any, get_args

import av
import jsonschema
import numpy as np
import pytest
from numpy.typing import NDArray

from edgetrack.config import FileCapture, NoRefine, Verb
from edgetrack.request import VERBS, schema
from tests.daemon import Subscriber
from tests.publish.asker import Asker
from tests.publish.broker import Broker
from tests.publish.broker import Subscriber as Collector
from tests.request.parts import mqtt, serving, settings

NEEDS: dict[str, dict[str, Any]] = {"follow": {"track": 1}}  # of requests that cannot be empty


def decoded(picture: dict[str, Any]) -> NDArray[np.uint8]:
    with av.open(io.BytesIO(base64.b64decode(picture["jpeg"])), format="mjpeg") as container:
        return next(container.decode(video=0)).to_ndarray(format="bgr24")


def test_the_configuration_allows_what_is_registered() -> None:
    assert get_args(Verb) == tuple(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_requests_and_answers_fit_the_schema(tmp_path: Path, broker: Broker, verb: str) -> None:
    document = schema()
    result = {"$defs": document["$defs"], "$ref": f"#/$defs/{VERBS[verb].result.__name__}"}
    with serving(settings(tmp_path, broker), broker), Asker(broker) as asker:
        answer = asker.ask(verb, {"transaction": 1, **NEEDS.get(verb, {})})
    jsonschema.Draft202012Validator(document).validate(answer)
    jsonschema.Draft202012Validator(result).validate(answer["result"])


@pytest.mark.parametrize("verb", VERBS)
def test_a_key_that_a_verb_does_not_know_is_refused(tmp_path: Path, broker: Broker, verb: str) -> None:
    with serving(settings(tmp_path, broker), broker, walk=False), Asker(broker) as asker:
        answer = asker.ask(verb, {"transaction": 3, "urgent": True})
    assert (answer["error"], answer["transaction"]) == ("malformed", 3)
    assert "urgent" in answer["reason"]


# --- reset_counts ----------------------------------------------------------------------------------------------------


def test_reset_counts_begins_a_new_epoch_from_zero(tmp_path: Path, broker: Broker, subscriber: Subscriber) -> None:
    with serving(settings(tmp_path, broker), broker), Asker(broker) as asker:
        before = subscriber.wait_for("/line/door/count", '"in":1').payload
        answer = asker.ask("reset_counts")
        after = subscriber.wait_for("/line/door/count", '"in":0').payload
    assert answer["result"] == {"lines": ["door"], "zones": ["porch"]}
    assert after["epoch"] != before["epoch"]
    assert after["since"] > before["since"]
    assert after["uptime_gaps_s"] == 0


def test_reset_counts_begins_the_peaks_anew(tmp_path: Path, broker: Broker, subscriber: Subscriber) -> None:
    with serving(settings(tmp_path, broker), broker), Asker(broker) as asker:
        subscriber.wait_for("/zone/porch/occupancy", '"peak":{"person":1}')
        asker.ask("reset_counts")
        assert subscriber.wait_for("/zone/porch/occupancy", '"peak":{}').payload["total"] == 0


def test_reset_counts_leaves_alone_what_is_not_named(tmp_path: Path, broker: Broker, subscriber: Subscriber) -> None:
    with serving(settings(tmp_path, broker), broker) as daemon, Asker(broker) as asker:
        assert asker.ask("reset_counts", {"zones": ["porch"]})["result"] == {"lines": [], "zones": ["porch"]}
        [door, _] = daemon.parts.scene.snapshot(0.0, 0.0)
    assert door.counts == {0: (1, 0)}  # type: ignore[union-attr]


def test_a_line_that_is_not_there_is_told_and_nothing_is_reset(tmp_path: Path, broker: Broker) -> None:
    with serving(settings(tmp_path, broker), broker) as daemon, Asker(broker) as asker:
        answer = asker.ask("reset_counts", {"lines": ["door", "dorr"]})
        [door, _] = daemon.parts.scene.snapshot(0.0, 0.0)
    assert answer["error"] == "failed"
    assert "'dorr' is not configured; did you mean 'door'?" in answer["reason"]
    assert door.counts == {0: (1, 0)}  # type: ignore[union-attr]


# --- snapshot --------------------------------------------------------------------------------------------------------


def test_snapshot_gives_the_newest_picture(tmp_path: Path, broker: Broker) -> None:
    with serving(settings(tmp_path, broker), broker) as daemon, Asker(broker) as asker:
        picture = asker.ask("snapshot")["result"]
    assert daemon.frame is not None
    assert (picture["frame"], picture["size"]) == (39, [320, 192])
    assert np.abs(decoded(picture).astype(int) - daemon.frame.image).mean() < 2


def test_snapshot_shows_nothing_behind_a_mask(tmp_path: Path, broker: Broker) -> None:
    mask = [(0.75, 0.0), (1.0, 0.0), (1.0, 1.0), (0.75, 1.0)]  # where the square is at the end
    capture = FileCapture(path=str(tmp_path / "walk.mp4"), masks=[mask])
    with serving(settings(tmp_path, broker, capture=capture), broker), Asker(broker) as asker:
        picture = decoded(asker.ask("snapshot")["result"])
    assert picture[:, 248:].max() < 20


def test_snapshot_draws_boxes_if_asked_to(tmp_path: Path, broker: Broker) -> None:
    with serving(settings(tmp_path, broker), broker), Asker(broker) as asker:
        plain, boxed = (decoded(asker.ask("snapshot", {"boxes": boxes})["result"]) for boxes in (False, True))
    different = np.argwhere(np.abs(plain.astype(int) - boxed).max(axis=2) > 60)
    (top, left), (bottom, right) = different.min(axis=0), different.max(axis=0)
    assert np.allclose([left, top, right, bottom], [288, 80, 319, 111], atol=3)


def test_snapshot_draws_no_box_where_nothing_was_seen(tmp_path: Path, broker: Broker) -> None:
    with serving(settings(tmp_path, broker), broker) as daemon, Asker(broker) as asker:
        daemon.tracks = dataclasses.replace(daemon.tracks, missed=daemon.tracks.missed + 1)
        plain, boxed = (asker.ask("snapshot", {"boxes": boxes})["result"]["jpeg"] for boxes in (False, True))
    assert plain == boxed


def test_snapshot_is_as_narrow_as_asked_for(tmp_path: Path, broker: Broker) -> None:
    with serving(settings(tmp_path, broker), broker), Asker(broker) as asker:
        picture = asker.ask("snapshot", {"width": 160})["result"]
    assert picture["size"] == [160, 96]
    assert decoded(picture).shape == (96, 160, 3)


def of_noise(tmp_path: Path, broker: Broker, **options: Any) -> Any:
    """The result of a snapshot of what takes much room."""
    config = settings(tmp_path, broker, publish=[mqtt(broker, ("snapshot",), **options)])
    with serving(config, broker, walk=False) as daemon, Asker(broker) as asker:
        frame = next(iter(daemon.parts.source))
        assert frame is not None
        noise = np.random.default_rng(1).integers(0, 255, (720, 1280, 3), np.uint8)
        daemon.frame = type(frame)(noise, 0, 0.0, 0.0, 0.0)
        return asker.ask("snapshot")["result"]


def test_snapshot_keeps_to_the_size_that_is_allowed(tmp_path: Path, broker: Broker) -> None:
    picture = of_noise(tmp_path, broker, snapshot_max_kb=8)
    assert len(base64.b64decode(picture["jpeg"])) <= 8000
    assert decoded(picture).shape[1::-1] == tuple(picture["size"])


def test_snapshot_is_small_enough_for_the_broker(tmp_path: Path) -> None:
    with Broker(tmp_path / "small", extra=["max_packet_size 20000"]) as small:
        assert decoded(of_noise(tmp_path, small)).size


def test_without_a_picture_snapshot_says_so(tmp_path: Path, broker: Broker) -> None:
    with serving(settings(tmp_path, broker), broker, walk=False), Asker(broker) as asker:
        answer = asker.ask("snapshot")
    assert answer["error"] == "failed"
    assert "no picture yet" in answer["reason"]


def test_a_raw_snapshot_is_a_jpeg_on_a_topic_of_its_own_and_is_not_retained(tmp_path: Path, broker: Broker) -> None:
    with (
        serving(settings(tmp_path, broker), broker),
        Asker(broker) as asker,
        Collector(broker, "edgetrack/v1/gate-01/north/snapshot") as shown,
    ):
        answer = asker.ask("snapshot", {"raw": True})["result"]
        [picture] = shown.wait_for(lambda messages: len(messages) == 1)
    assert (answer["jpeg"], answer["size"]) == ("", [320, 192])
    assert decoded({"jpeg": base64.b64encode(picture.payload)}).shape == (192, 320, 3)
    assert not picture.retain


# --- follow and unfollow ---------------------------------------------------------------------------------------------


def test_a_track_is_followed_and_let_go_by_its_number(tmp_path: Path, broker: Broker) -> None:
    with serving(settings(tmp_path, broker), broker) as daemon, Asker(broker) as asker:
        assert asker.ask("follow", {"track": 1})["result"] == {"follow": 1}
        assert daemon.parts.follower.ids == [1]
        assert asker.ask("unfollow", {"track": 1})["result"] == {"ended": [1]}
        assert daemon.parts.follower.ids == []


def test_what_is_in_a_box_is_followed(tmp_path: Path, broker: Broker) -> None:
    with serving(settings(tmp_path, broker), broker), Asker(broker) as asker:
        assert asker.ask("follow", {"box": [0.1, 0.1, 0.2, 0.3], "name": "bag"})["ok"]
        assert asker.ask("follow", {"box": [0.5, 0.1, 0.6, 0.3]})["result"] == {"follow": 2}
        assert asker.ask("unfollow")["result"] == {"ended": [1, 2]}


@pytest.mark.parametrize(
    ("ask", "error", "reason"),
    [
        ({"track": 99}, "failed", "track: 99 is not in the picture; the tracks there are: 1"),
        ({"box": [1.5, 0.1, 1.8, 0.3]}, "failed", "has less than 2 x 2 pixels in the picture"),
        ({"box": [0.5, 0.5, 0.5, 0.5]}, "failed", "has less than 2 x 2 pixels in the picture"),
        ({"box": [0.5, 0.5, 0.6]}, "malformed", "length 4"),
        ({"box": [0.5, 0.5, 1e9, 0.6]}, "malformed", "<= 10"),
        ({}, "failed", "expected one of track and box"),
        ({"track": 1, "box": [0.1, 0.1, 0.2, 0.2]}, "failed", "expected one of track and box"),
        ({"track": 0}, "malformed", ">= 1"),
    ],
)
def test_what_cannot_be_followed_is_told(
    tmp_path: Path, broker: Broker, ask: dict[str, Any], error: str, reason: str
) -> None:
    with serving(settings(tmp_path, broker), broker) as daemon, Asker(broker) as asker:
        answer = asker.ask("follow", ask)
        assert daemon.parts.follower.ids == []
    assert (answer["ok"], answer["error"]) == (False, error)
    assert reason in answer["reason"]


def test_a_daemon_that_follows_nothing_says_what_to_set(tmp_path: Path, broker: Broker) -> None:
    with serving(settings(tmp_path, broker, refine=NoRefine()), broker) as _, Asker(broker) as asker:
        assert "set refine: {kind: goturn" in asker.ask("follow", {"track": 1})["reason"]
