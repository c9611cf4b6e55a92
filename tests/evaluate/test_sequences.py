"""Files of the benchmarks are read as the benchmarks mean them, and mistakes in them are named."""

from pathlib import Path

import numpy as np
import pytest

from edgetrack.errors import ConfigError
from edgetrack.evaluate.sequences import (
    OTHER,
    REGION,
    REMOVES,
    SCORED,
    Trajectories,
    read_kitti,
    read_results,
    read_seqinfo,
    read_truth,
    write_results,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "boxes.txt"


def test_ten_columns_are_mot15_whose_flag_zero_is_left_out(file: Path) -> None:
    file.write_text("1,1,10,20,30,40,1,-1,-1,-1\n1,2,10,20,30,40,0,-1,-1,-1\n")
    truth = read_truth(file)
    assert (truth.track_id.tolist(), truth.xyxy.tolist(), truth.role.tolist()) == ([1], [[10, 20, 40, 60]], [SCORED])


def test_nine_columns_are_mot17_with_classes(file: Path) -> None:
    """A pedestrian, one that is not scored, a static person, a car."""
    rows = ["1,1,0,0,9,9,1,1,0.5", "1,2,0,0,9,9,0,1,0.5", "1,3,0,0,9,9,0,7,1", "1,4,0,0,9,9,0,3,1"]
    file.write_text("\n".join(rows))
    assert read_truth(file).role.tolist() == [SCORED, OTHER, REMOVES, OTHER]


def test_kitti_roles_follow_class_truncation_and_occlusion(file: Path) -> None:
    rest = "-1.0 10 20 30 60 1 1 1 0 0 0 0"
    rows = [
        f"0 1 Car 0 0 {rest}",
        f"0 2 Car 1 0 {rest}",
        f"0 3 Car 0 3 {rest}",
        f"0 4 Van 0 0 {rest}",
        f"0 -1 DontCare -1 -1 {rest}",
        f"0 5 Pedestrian 0 0 {rest}",
    ]
    file.write_text("\n".join(rows))
    truth = read_kitti(file, "car")
    assert (truth.track_id.tolist(), truth.role.tolist()) == (
        [1, 2, 3, 4, -1],
        [SCORED, REMOVES, REMOVES, REMOVES, REGION],
    )


def test_a_tracker_that_saw_nothing_writes_an_empty_file(file: Path) -> None:
    file.write_text("")
    assert len(read_results(file)) == 0


def test_results_come_back_as_they_were_written(file: Path) -> None:
    tracks = Trajectories.of(np.array([2, 1]), np.array([7, 7]), np.array([[1, 2, 3, 4], [5, 6.5, 7, 8.25]]))
    write_results(file, tracks)
    back = read_results(file)
    assert (back.frame.tolist(), back.xyxy.tolist()) == ([1, 2], [[5, 6.5, 7, 8.25], [1, 2, 3, 4]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,1,x,0,9,9,1\n", "boxes.txt: could not convert string 'x'"),
        ("1,1,0\n", "boxes.txt: 3 fields a line, expected at least 6"),
        ("1,1,0,0,9,9,1\n1,1,5,5,9,9,1\n", "boxes.txt: frame 1 has identity 1 more than once"),
    ],
)
def test_a_bad_line_is_an_error_that_names_the_file(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_results(file)


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.txt: cannot be read"):
        read_truth(tmp_path / "none.txt")


def test_a_class_that_kitti_does_not_judge_is_an_error(file: Path) -> None:
    with pytest.raises(ConfigError, match="class is 'tram', expected one of car, pedestrian"):
        read_kitti(file, "tram")


def test_seqinfo_is_read_in_lower_case(tmp_path: Path) -> None:
    (tmp_path / "seqinfo.ini").write_text("[Sequence]\nname=A\nframeRate=30\nseqLength=600\n")
    assert read_seqinfo(tmp_path) == {"name": "A", "framerate": "30", "seqlength": "600"}


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999"])
def test_a_box_that_is_no_number_is_told(file: Path, value: str) -> None:
    file.write_text(f"1,1,0,0,9,9,1,1,1\n2,1,0,{value},9,9,1,1,1\n")
    for read in (read_truth, read_results):
        with pytest.raises(ConfigError, match=r"box 2 is 2, 1, 0, -?(nan|inf), 9.*; expected finite numbers"):
            read(file)


def test_a_label_of_kitti_that_is_no_number_is_told(file: Path) -> None:
    file.write_text("0 1 Car 0 0 -1.0 10 nan 30 60 1 1 1 0 0 0 0")
    with pytest.raises(ConfigError, match="expected finite numbers"):
        read_kitti(file, "car")


def test_a_file_written_on_windows_is_read(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf1,1,10,20,30,40\r\n")
    assert read_results(file).xyxy.tolist() == [[10, 20, 40, 60]]
