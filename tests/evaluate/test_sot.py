"""Followers are judged on sequences from several starts."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from edgetrack.cli import main
from edgetrack.errors import ConfigError
from edgetrack.evaluate import sot
from edgetrack.evaluate.opencv import maker
from edgetrack.evaluate.sot_report import sot_report, success_plot
from edgetrack.types import Image
from tests.refine.white_follower import square, white_follower

LEFTS = [20 + 4 * k for k in range(40)]


class Stubborn:
    """Never moves; less sure with every picture."""

    def start(self, image: Image, xyxy: NDArray[np.float64]) -> None:
        self.box, self.pictures = np.array(xyxy, np.float64), 0

    def follow(self, image: Image) -> tuple[NDArray[np.float64], float]:
        self.pictures += 1
        return self.box, 1 / self.pictures


def film(frames: int = 40, speed: float = 4.0) -> sot.Film:
    image = np.zeros((60, 80, 3), np.uint8)
    xyxy = np.array([[20 + speed * k, 10, 52 + speed * k, 42] for k in range(frames)], np.float64)
    return sot.Film("film", [image] * frames, xyxy)


def write_sequence(folder: Path, separator: str = ",") -> Path:
    (folder / "img").mkdir(parents=True)
    for k, left in enumerate(LEFTS):
        context = av.CodecContext.create("png", "w")
        context.width, context.height, context.pix_fmt = 320, 240, "rgb24"
        context.time_base = Fraction(1)
        picture = av.VideoFrame.from_ndarray(square(left, 60), "rgb24")
        (folder / "img" / f"{k + 1:04d}.png").write_bytes(b"".join(map(bytes, context.encode(picture))))
    rows = [separator.join(map(str, (left, 60, 32, 32))) for left in LEFTS]
    (folder / "groundtruth_rect.txt").write_text("\n".join(rows) + "\n")
    return folder


def test_a_target_that_stands_still_is_followed_perfectly_by_who_never_moves() -> None:
    scores = sot.record(sot.run(Stubborn, film(speed=0), 5))
    assert (scores["OPE"], scores["prec"]) == (pytest.approx(100 * 20 / 21), 100)  # no IoU exceeds 1


def test_the_picture_of_the_start_is_not_judged() -> None:
    assert len(sot.run(Stubborn, film(frames=10), 1).iou) == 9


def test_every_start_follows_to_the_end() -> None:
    run = sot.run(Stubborn, film(frames=10), 5)
    assert np.bincount(run.start).tolist() == [9, 7, 5, 3, 1]


def test_success_is_the_share_over_each_threshold() -> None:
    """A shift of 8 of 32 pixels leaves an IoU of 24 / 40."""
    run = sot.run(Stubborn, film(frames=2, speed=8), 1)
    assert run.success().tolist() == [1.0] * 12 + [0.0] * 9


def test_pictures_without_truth_are_not_judged() -> None:
    sequence = film(frames=10)
    sequence.xyxy[4:6] = np.nan
    assert len(sot.run(Stubborn, sequence, 1).iou) == 7


def test_a_failure_starts_it_again_five_pictures_later() -> None:
    """4 pixels a picture leave the box of 32 after 8; so 8 + 5 pictures from start to start."""
    _, failures = sot.with_restarts(Stubborn, film(frames=40))
    assert failures == 3


@pytest.mark.parametrize(("failures", "pictures", "chance"), [(0, 100, 1.0), (1, 30, 0.3679), (2, 60, 0.3679)])
def test_robustness_is_the_chance_of_thirty_pictures_without_a_failure(failures: int, pictures: int, chance: float):
    assert sot.robustness(failures, pictures) == pytest.approx(chance, abs=1e-4)


def test_the_command_judges_with_restarts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_sequence(tmp_path / "walk")
    model = white_follower(tmp_path / "white.onnx")
    assert main(["evaluate", "sot", str(tmp_path / "walk"), "--model", str(model), "--restarts"]) == 0
    _, head, *rows = capsys.readouterr().out.splitlines()
    columns = dict(zip(head.split(), rows[-1].split(), strict=True))
    assert float(columns["acc"]) > 80
    assert (columns["fails"], columns["rob"]) == ("0.0", "100.0")


def test_confidence_that_falls_before_the_overlap_does_is_a_perfect_alarm() -> None:
    assert sot.record(sot.run(Stubborn, film(), 1))["alarm"] == 100


@pytest.mark.parametrize(
    ("score", "auc"), [([0.9, 0.8, 0.2, 0.1], 1.0), ([0.1, 0.2, 0.8, 0.9], 0.0), ([0.5] * 4, 0.5), ([0, 1, 0, 1], 0.5)]
)
def test_the_alarm_is_the_chance_of_the_right_order(score: list[float], auc: float) -> None:
    assert sot.roc_auc(np.array(score, np.float64), np.array([True, True, False, False])) == auc


@pytest.mark.parametrize("separator", [",", "\t", " "])
def test_otb_separates_in_three_ways(tmp_path: Path, separator: str) -> None:
    sequence = sot.read_sequence(write_sequence(tmp_path / "walk", separator))
    assert sequence.xyxy[1].tolist() == [24, 60, 56, 92]
    assert len(sequence.images) == 40


def test_a_truth_of_another_length_is_refused(tmp_path: Path) -> None:
    folder = write_sequence(tmp_path / "walk")
    (folder / "groundtruth_rect.txt").write_text("1,2,3,4\n")
    with pytest.raises(ConfigError, match="1 lines for 40 pictures"):
        sot.read_sequence(folder)


def test_a_folder_without_truth_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no groundtruth_rect\.txt"):
        list(sot.sequences([tmp_path]))


def test_the_command_prints_a_table_and_draws_the_plot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_sequence(tmp_path / "films" / "walk")
    model, plot = white_follower(tmp_path / "white.onnx"), tmp_path / "success.svg"
    assert main(["evaluate", "sot", str(tmp_path / "films"), "--model", str(model), "--plot", str(plot)]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("walk"))
    assert float(row.split()[1]) > 80
    assert "white [0." in plot.read_text()


def test_the_best_stands_first_in_the_legend() -> None:
    drawn = success_plot({"weak": np.linspace(0.5, 0, 21), "strong": np.linspace(1, 0.5, 21)})
    assert drawn.index("strong [0.750]") < drawn.index("weak [0.250]")


def test_a_tracker_that_opencv_does_not_have_is_named() -> None:
    with pytest.raises(ConfigError, match=r"opencv-contrib"):
        maker("walnut")


def test_a_truth_without_boxes_is_refused(tmp_path: Path) -> None:
    folder = write_sequence(tmp_path / "walk")
    (folder / "groundtruth_rect.txt").write_text("nan,nan,nan,nan\n" * 39 + "1,2,30,40\n")
    with pytest.raises(ConfigError, match="fewer than two pictures have a box"):
        sot.read_sequence(folder)


def test_two_sequences_of_one_name_are_a_mistake(tmp_path: Path) -> None:
    folders = [write_sequence(tmp_path / part / "walk") for part in ("train", "test")]
    with pytest.raises(ConfigError, match="two sequences are called the same"):
        sot_report(folders, [])
