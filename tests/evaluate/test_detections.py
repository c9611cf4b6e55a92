"""Detections of a file go through the tracker and are scored."""

import json
from pathlib import Path

import pytest

from edgetrack.errors import ConfigError
from edgetrack.evaluate import counts_report, mot_report
from edgetrack.evaluate.detections import run_detections


def test_detections_of_a_motchallenge_sequence_become_tracks(shared: Path) -> None:
    report = mot_report([shared / "data/mot-gt/MOT15/TUD-Stadtmitte"], as_json=True)
    scores = json.loads(report)["TUD-Stadtmitte"]
    assert scores["HOTA"] > 40
    assert scores["Prcn"] > 90


def test_kitti_is_scored_by_class(shared: Path) -> None:
    data = shared / "data/mot-gt"
    report = mot_report([data / "KITTI-label_02/0000.txt"], detections=str(data / "KITTI-det_pointrcnn"), as_json=True)
    scores = json.loads(report)
    assert list(scores) == ["0000 car", "0000 pedestrian", "together"]
    assert scores["0000 car"]["HOTA"] > 60


def test_kitti_is_summed_by_class(shared: Path) -> None:
    data = shared / "data/mot-gt"
    sequences = [data / "KITTI-label_02/0000.txt", data / "KITTI-label_02/0010.txt"]
    scores = json.loads(mot_report(sequences, detections=str(data / "KITTI-det_pointrcnn"), as_json=True))
    assert list(scores)[4:] == ["cars together", "pedestrians together", "together"]
    assert scores["cars together"]["FP"] == scores["0000 car"]["FP"] + scores["0010 car"]["FP"]


def test_a_folder_without_a_frame_rate_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "seqinfo.ini").write_text("[Sequence]\nseqLength=10\n")
    with pytest.raises(ConfigError, match=r"seqinfo\.ini: 'framerate'; expected numbers frameRate and seqLength"):
        run_detections(tmp_path)


def test_missing_kitti_detections_are_an_error_that_says_where_they_were_looked_for(shared: Path) -> None:
    with pytest.raises(ConfigError, match=r"no detections at det_frcnn\.txt; name a file or folder"):
        mot_report([shared / "data/mot-gt/KITTI-label_02/0000.txt"])


def test_detections_are_counted_on_the_lines_of_the_truth(shared: Path) -> None:
    """The square from above: 60 crossings, of which public detections show about three quarters."""
    truth, folder = shared / "data/counting/MOT17-04.json", shared / "data/mot-gt/MOT17/MOT17-04"
    scores = json.loads(counts_report(truth, folder, as_json=True))["MOT17-04"]
    assert scores["CountErr"] < 30
    assert scores["Prcn"] > 90


@pytest.mark.parametrize(("rate", "length"), [("0", "10"), ("nan", "10"), ("inf", "10"), ("25", "0")])
def test_a_sequence_without_time_is_told(tmp_path: Path, rate: str, length: str) -> None:
    (tmp_path / "seqinfo.ini").write_text(f"[Sequence]\nframeRate={rate}\nseqLength={length}\n")
    with pytest.raises(ConfigError, match=f"frameRate is {rate}, seqLength is {length}; expected numbers"):
        run_detections(tmp_path)
