"""Whether embeddings tell identities apart, on coloured boxes and on a rendered street."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edgetrack.cli import main
from edgetrack.errors import ConfigError
from edgetrack.evaluate.reid import Judged, Looks, embedder_of, equal_error, films, judge, reid_report
from edgetrack.types import Image
from tests.capture.clips import write_picture

COLOURS = ((200, 40, 40), (40, 200, 40), (40, 40, 200), (180, 180, 40))
SIZE = (60, 20)  # height and width of a box, px


def picture(first: int) -> Image:
    """All colours side by side, beginning with `first`."""
    image = np.full((80, 120, 3), 90, np.uint8)
    for place in range(len(COLOURS)):
        left = 5 + 28 * place
        image[10 : 10 + SIZE[0], left : left + SIZE[1]] = COLOURS[(first + place) % len(COLOURS)]
    return image


def boxes() -> np.ndarray:
    return np.array([[5 + 28 * k, 10, 5 + 28 * k + SIZE[1], 10 + SIZE[0]] for k in range(len(COLOURS))], float)


def looks(alike: bool = False) -> Iterator[Looks]:
    """Four pictures; `alike`: every box is called by its place, whatever its colour."""
    for first in range(4):
        names = np.arange(4) if alike else (first + np.arange(4)) % 4
        yield Looks("colours", first, 1, picture(first), boxes(), names + 1, np.zeros(4, np.int32))


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    (tmp_path / "img1").mkdir()
    rows = []
    for number in range(1, 4):
        write_picture(tmp_path / "img1" / f"{number:06d}.png", picture(number))
        for place, box in enumerate(boxes()):
            who = (number + place) % 4 + 1
            rows.append(f"{number},{who},{box[0]},{box[1]},{SIZE[1]},{SIZE[0]},1,1,1.0")
    (tmp_path / "gt.txt").write_text("\n".join(rows))
    return tmp_path


def judged(shown: Iterable[Looks]) -> Judged:
    return judge(dict([embedder_of("histogram")]), "colours", shown)[0]


def test_what_looks_different_is_told_apart() -> None:
    found = judged(looks())
    assert (found.crops, found.identities, found.rank1, found.equal_error) == (16, 4, 1.0, 0.0)
    assert found.same[1] < 0.01 < found.different[0]


def test_what_looks_like_another_is_not() -> None:
    assert judged(looks(alike=True)).rank1 == 0


def test_looks_that_are_too_near_in_time_are_not_compared() -> None:
    near = (Looks(k.place, k.frame, 9, k.picture, k.xyxy, k.identity, k.class_id) for k in looks())
    with pytest.raises(ConfigError, match="nobody is seen twice beside others"):
        judged(near)


@pytest.mark.parametrize(("different", "error"), [([0.5, 0.6], 0.0), ([0.1, 0.2], 0.5)])
def test_the_equal_error_is_none_for_parted_and_half_for_mixed_distances(different: list[float], error: float) -> None:
    assert equal_error(np.array([0.1, 0.2]), np.array(different)) == pytest.approx(error, abs=0.01)


def test_a_sequence_gives_its_pictures_with_their_people(sequence: Path) -> None:
    found = list(films(sequence, 1.0))
    assert [look.frame for look in found] == [1, 2, 3]
    assert found[0].identity.tolist() == [2, 3, 4, 1]


def test_the_command_prints_a_row_for_each_embedder(sequence: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "reid", str(sequence), "--embed", "histogram", "edgetrack-reid-int8"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["embedder", "histogram", "edgetrack-reid-int8"]
    assert main(["evaluate", "reid", str(sequence), "--embed", "histogram", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["rank1"] == 1.0


def test_a_folder_without_truth_is_told_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"expected gt\.txt, and img1/ or video\.mp4"):
        reid_report([tmp_path], ["histogram"])


def test_nothing_to_judge_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="name sequences, or streets with --scenes 100:110"):
        reid_report([], ["histogram"])


def test_identities_of_two_sequences_of_one_name_are_not_mixed(sequence: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / sequence.name
    shutil.copytree(sequence, other)
    assert {look.place for folder in (sequence, other) for look in films(folder, 1.0)} == {str(sequence), str(other)}


def test_two_embedders_of_one_name_are_a_mistake(sequence: Path) -> None:
    with pytest.raises(ConfigError, match="two are called the same"):
        reid_report([sequence], ["histogram", "histogram"])
