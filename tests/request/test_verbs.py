"""What the verbs do, asked over a real broker."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any, get_args

import av
import jsonschema
import numpy as np
import pytest
from numpy.typing import NDArray

from edgetrack.config import FileCapture, Verb
from edgetrack.request import VERBS, schema
from tests.daemon import Subscriber
from tests.publish.asker import Asker
from tests.publish.broker import Broker
from tests.publish.broker import Subscriber as Collector
from tests.request.parts import mqtt, serving, settings


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
        answer = asker.ask(verb, {"transaction": 1})
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


def test_snapshot_is_as_narrow_as_asked_for(tmp_path: Path, broker: Broker) -> None:
    with serving(settings(tmp_path, broker), broker), Asker(broker) as asker:
        picture = asker.ask("snapshot", {"width": 160})["result"]
    assert picture["size"] == [160, 96]
    assert decoded(picture).shape == (96, 160, 3)


def test_snapshot_keeps_to_the_size_that_is_allowed(tmp_path: Path, broker: Broker) -> None:
    config = settings(tmp_path, broker, publish=[mqtt(broker, ("snapshot",), snapshot_max_kb=8)])
    with serving(config, broker, walk=False) as daemon, Asker(broker) as asker:
        frame = next(iter(daemon.parts.source))
        assert frame is not None
        noise = np.random.default_rng(1).integers(0, 255, (720, 1280, 3), np.uint8)
        daemon.frame = type(frame)(noise, 0, 0.0, 0.0, 0.0)
        picture = asker.ask("snapshot")["result"]
    assert len(base64.b64decode(picture["jpeg"])) <= 8000
    assert decoded(picture).shape[1::-1] == tuple(picture["size"])


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
