"""What the daemon published can be scored: the same scene, through the wire format and back."""

import json
import re
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edgetrack.errors import ConfigError
from edgetrack.evaluate import counts_report, mot_report
from edgetrack.evaluate.published import crossings, read_payloads, tracks, visits
from edgetrack.evaluate.sequences import write_results
from edgetrack.publish.encoder import Encoder
from edgetrack.publish.jsonl import line
from edgetrack.scene import Scene
from edgetrack.types import Event
from tests.scene.walks import DOOR, NAMES, PORCH, config, stroll

WALK = [(float(x), 240.0) for x in range(100, 540, 10)]  # 44 frames, through the zone and the line in it


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """The daemon's frames count from 0."""
    scene = Scene(config([DOOR], [PORCH], update_every_s=0.0), NAMES)
    events: list[Event] = stroll(scene, WALK, first=0) + scene.end("shutdown", 0.0, 0.0)
    encoder = Encoder("device", "camera", NAMES)
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"".join(line(message) for event in events for message in encoder.encode(event)))
    return path


def test_boxes_come_back_in_pixels_with_frames_from_one(published: Path) -> None:
    boxes = tracks(read_payloads(published))
    assert boxes.frame.tolist() == list(range(1, 45))
    np.testing.assert_allclose(boxes.xyxy[0], [90, 200, 110, 240], atol=0.01)


def test_a_start_and_an_update_on_one_frame_are_one_box(tmp_path: Path, published: Path) -> None:
    start = json.loads(published.read_text().splitlines()[0])
    update = start | {"payload": start["payload"] | {"type": "update"}}
    (tmp_path / "both.jsonl").write_text(f"{json.dumps(start)}\n{json.dumps(update)}\n")
    assert len(tracks(read_payloads(tmp_path / "both.jsonl"))) == 1


def test_crossings_and_visits_come_back(published: Path) -> None:
    payloads = read_payloads(published)
    assert (crossings(payloads), visits(payloads)) == ([("door", 23, "in", 1)], [("porch", 1, 7, 39)])


def test_lines_of_mosquitto_sub_are_read_too(published: Path) -> None:
    messages = [json.loads(text) for text in published.read_text().splitlines()]
    heard = published.with_name("heard.txt")
    spoken = [f"{m['topic']} {json.dumps(m['payload'])}" for m in messages]
    heard.write_text("\n".join(["edgetrack/v1/device/camera/status online", *spoken]))
    assert crossings(read_payloads(heard)) == crossings(read_payloads(published))


def test_a_message_that_came_twice_counts_once(published: Path) -> None:
    text = published.read_text()
    published.write_text(text + text)
    assert len(crossings(read_payloads(published))) == 1


def test_two_runs_in_one_file_are_an_error(published: Path) -> None:
    other = json.loads(published.read_text().splitlines()[0])
    other["payload"]["boot"] = "00000000"
    published.write_text(published.read_text() + json.dumps(other))
    with pytest.raises(ConfigError, match="2 runs of the daemon, expected one"):
        read_payloads(published)


def test_a_broken_line_is_an_error_that_names_it(published: Path) -> None:
    published.write_text(published.read_text() + '{"topic": ')
    with pytest.raises(ConfigError, match=r"events\.jsonl:\d+: .*expected one JSON object a line"):
        read_payloads(published)


def test_the_report_of_counts_is_a_table_or_json(published: Path) -> None:
    truth = {
        "fps": 25.0,
        "lines": [{"name": "door", "crossings": [{"frame": 23, "direction": "in"}]}],
        "zones": [{"name": "porch", "visits": [{"enter": 7, "leave": 39}]}],
    }
    path = published.with_name("street.json")
    path.write_bytes(msgspec.json.encode(truth))
    as_json = json.loads(counts_report(path, published, as_json=True))["street"]
    table = counts_report(path, published).splitlines()
    assert [as_json[key] for key in ("CountErr", "F1", "VisitErr", "Dwell")] == [0, 100, 0, 100]
    assert [row.split()[0] for row in table] == ["sequence", "street"]


def test_the_report_of_tracks_has_a_line_for_all_together(published: Path) -> None:
    boxes = tracks(read_payloads(published))
    folders = [published.parent / name for name in ("a", "b")]
    for folder in folders:
        folder.mkdir()
        write_results(folder / "gt.txt", boxes)
    rows = [row.split() for row in mot_report(folders, published).splitlines()]
    assert [(row[0], row[1]) for row in rows[1:]] == [("a", "100.0"), ("b", "100.0"), ("together", "100.0")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"payload": 5}', "events.jsonl:1: the payload is 5, expected a JSON object"),
        ('{"type": "start"}', "missing required field `frame`; expected messages that edgetrack published"),
        ('{"type": "update", "frame": "1"}', "Expected `int`, got `str` - at `$.frame`"),
    ],
)
def test_what_edgetrack_does_not_publish_is_told(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "events.jsonl").write_text(text)
    with pytest.raises(ConfigError, match=re.escape(said)):
        tracks(read_payloads(tmp_path / "events.jsonl"))


def test_two_sequences_of_one_name_have_a_row_each(tmp_path: Path) -> None:
    folders = [tmp_path / part / "walk" for part in ("train", "test")]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "gt.txt").write_text("1,1,0,0,9,9,1,1,1\n")
        (tmp_path / "walk.txt").write_text("1,1,0,0,9,9,1,1,1\n")
    rows = json.loads(mot_report(folders, results=tmp_path / "walk.txt", as_json=True))
    assert list(rows) == [*map(str, folders), "together"]
