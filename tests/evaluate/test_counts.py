"""Counts are scored against the truth line by line, direction by direction."""

import re
from pathlib import Path

import msgspec
import pytest

from edgetrack.errors import ConfigError
from edgetrack.evaluate.counts import Truth, evaluate, read_truth
from edgetrack.evaluate.published import Crossing, Visit

TRUTH = msgspec.convert(
    {
        "fps": 25.0,
        "lines": [
            {"name": "door", "crossings": [{"frame": 100, "direction": "in"}, {"frame": 110, "direction": "in"}]},
            {"name": "gate", "crossings": [{"frame": 200, "direction": "out"}]},
        ],
        "zones": [{"name": "porch", "visits": [{"enter": 50, "leave": 150}, {"enter": 60, "leave": 110}]}],
    },
    Truth,
)


def crossing(line: str, frame: int, direction: str) -> Crossing:
    return Crossing(line, frame, direction, track_id=1)


RIGHT = [crossing("door", 100, "in"), crossing("door", 110, "in"), crossing("gate", 200, "out")]


def test_the_truth_itself_scores_full_marks() -> None:
    scores = evaluate(TRUTH, RIGHT, [Visit("porch", 1, 50, 150), Visit("porch", 2, 60, 110)])
    assert (scores.count_error, scores.f1, scores.visit_error, scores.dwell_ratio) == (0, 1, 0, 1)


def test_errors_of_two_directions_do_not_cancel() -> None:
    scores = evaluate(TRUTH, [crossing("door", 100, "in"), crossing("door", 110, "out"), RIGHT[2]])
    assert scores.count_error == pytest.approx(2 / 3)


def test_errors_of_two_lines_do_not_cancel() -> None:
    scores = evaluate(TRUTH, [RIGHT[0], crossing("gate", 200, "out"), crossing("gate", 201, "out")])
    assert scores.count_error == pytest.approx(2 / 3)


@pytest.mark.parametrize(("late", "matched"), [(25, 1), (26, 0)])
def test_a_crossing_is_right_up_to_a_second_away(late: int, matched: int) -> None:
    assert evaluate(TRUTH, [crossing("gate", 200 + late, "out")]).matched == matched


def test_one_true_crossing_is_matched_once() -> None:
    scores = evaluate(TRUTH, [crossing("gate", 200, "out")] * 3)
    assert (scores.matched, scores.precision) == (1, pytest.approx(1 / 3))


def test_the_nearest_is_matched_first() -> None:
    """105 lies between the two; 101 takes the first of them, so that both are matched."""
    assert evaluate(TRUTH, [crossing("door", 105, "in"), crossing("door", 101, "in")]).matched == 2


def test_a_visit_that_has_not_ended_counts_without_dwell() -> None:
    scores = evaluate(TRUTH, [], [Visit("porch", 1, 50, 150), Visit("porch", 2, 60, None)])
    assert (scores.visit_error, scores.dwelt_s) == (0, 4.0)


def test_lines_that_the_truth_does_not_know_are_passed_over() -> None:
    assert evaluate(TRUTH, [*RIGHT, crossing("elsewhere", 5, "in")]).count_error == 0


def test_sequences_add_up() -> None:
    one = evaluate(TRUTH, RIGHT[:2])
    assert ((one + one).crossings, (one + one).count_error) == (6, one.count_error)


def test_the_shared_truth_can_be_read(shared: Path) -> None:
    truths = [read_truth(path) for path in sorted((shared / "data/counting").glob("*.json"))]
    assert sum(len(line.crossings) for truth in truths for line in truth.lines) == 131


def test_a_file_of_something_else_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "truth.json").write_text('{"fps": 25}')
    with pytest.raises(ConfigError, match=r"truth\.json: Object missing required field `lines`"):
        read_truth(tmp_path / "truth.json")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"fps":0,"lines":[],"zones":[]}', "Expected `float` > 0.0 - at `$.fps`"),
        ('{"fps":25,"lines":[],"zones":[],"size":[0,0]}', "Expected `int` >= 1 - at `$.size[0]`"),
    ],
)
def test_a_truth_that_would_be_divided_by_is_told(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "truth.json").write_text(text)
    with pytest.raises(ConfigError, match=re.escape(said)):
        read_truth(tmp_path / "truth.json")
