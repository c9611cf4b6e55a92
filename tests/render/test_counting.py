"""The rule of counting, against truth derived elsewhere and by hand."""

import json
from pathlib import Path

import pytest

from edgetrack.render.counting import crossings, inside, visits

UP = (50.0, 100.0), (50.0, 0.0)  # upright, from bottom to top: in is to the right


def test_walking_to_the_right_over_an_upright_line_is_in() -> None:
    assert crossings([(x, 50.0) for x in (20, 40, 60, 80)], *UP, 3) == [(2, "in")]


def test_coming_back_counts_back() -> None:
    walk = [(x, 50.0) for x in (20, 80, 80, 20)]
    assert [direction for _, direction in crossings(walk, *UP, 3)] == ["in", "out"]


def test_dithering_within_the_hysteresis_counts_nothing() -> None:
    assert crossings([(x, 50.0) for x in (20, 49, 51, 49, 51, 20)], *UP, 3) == []


def test_round_the_end_of_the_line_counts_nothing() -> None:
    assert crossings([(20.0, 120.0), (80.0, 120.0)], *UP, 3) == []


def test_a_short_gap_does_not_end_a_visit() -> None:
    square = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)]
    walk = [(5.0, 5.0)] * 6 + [(15.0, 5.0)] * 2 + [(5.0, 5.0)] * 3 + [(15.0, 5.0)] * 5 + [(5.0, 5.0)] * 2
    assert visits(walk, square, 3) == [(0, 11)]
    assert not inside((15.0, 5.0), square)


def walks(path: Path) -> dict[int, tuple[int, list[tuple[float, float]]]]:
    """Foot points of every identity of a MOT15 ground truth, gaps filled by straight lines."""
    rows: dict[int, dict[int, list[float]]] = {}
    for line in path.read_text().splitlines():
        frame, track, *tlwh, flag = (float(v) for v in line.split(",")[:7])
        if flag:
            rows.setdefault(int(track), {})[int(frame)] = [tlwh[0] + tlwh[2] / 2, tlwh[1] + tlwh[3]]
    found = {}
    for track, feet in rows.items():
        frames, whole = sorted(feet), []
        for a, b in zip(frames, [*frames[1:], frames[-1] + 1], strict=True):
            p, q = feet[a], feet.get(b, feet[a])
            whole += [(p[0] + (q[0] - p[0]) * k / (b - a), p[1] + (q[1] - p[1]) * k / (b - a)) for k in range(b - a)]
        found[track] = frames[0], whole
    return found


@pytest.mark.parametrize("name", ["TUD-Campus", "TUD-Stadtmitte"])
def test_the_rule_gives_the_truth_of_real_sequences(shared: Path, name: str) -> None:
    truth = json.loads((shared / "data" / "counting" / f"{name}.json").read_text())
    people = walks(shared / "data" / "mot-gt" / "MOT15" / name / "gt.txt")
    for line in truth["lines"]:
        found = sorted(
            (first + k, track, direction)
            for track, (first, feet) in people.items()
            for k, direction in crossings(feet, tuple(line["p0"]), tuple(line["p1"]), line["hysteresis_px"])
        )
        assert found == sorted((c["frame"], c["id"], c["direction"]) for c in line["crossings"])
    for zone in truth["zones"]:
        found_visits = sorted(
            (track, first + enter, first + leave)
            for track, (first, feet) in people.items()
            for enter, leave in visits(feet, zone["polygon"], zone["min_frames"])
        )
        assert found_visits == sorted((v["id"], v["enter"], v["leave"]) for v in zone["visits"])
