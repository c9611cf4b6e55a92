"""The demo as a person runs it, with a real broker."""

import argparse
from pathlib import Path

import pytest

from edgetrack.config import NoEmbed, ReidEmbed
from edgetrack.demo import add_options, main
from edgetrack.demo.broker import OwnBroker, listens
from edgetrack.demo.listener import Heard
from edgetrack.demo.screen import table
from edgetrack.demo.show import TrueCounts, demo_config, wrong_counts
from edgetrack.errors import PublishError
from edgetrack.render.scene import Scene


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return parser.parse_args(arguments)


def test_counts_received_equal_the_truth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film = tmp_path / "demo.mp4"
    assert main(options("--fast", "--seconds", "12", "--video", str(film))) == 0
    said = capsys.readouterr().out
    assert "equal the truth" in said
    assert str(film) in said
    assert film.stat().st_size > 10_000


@pytest.mark.parametrize(("hard", "embed"), [(False, NoEmbed), (True, ReidEmbed)])
def test_looks_are_compared_where_it_is_crowded(hard: bool, embed: type, tmp_path: Path) -> None:
    config = demo_config(options("--fast"), Scene(0, hard, seconds=1), "mqtt://127.0.0.1", "5", str(tmp_path))
    assert isinstance(config.embed, embed)


def test_the_broker_is_gone_afterwards() -> None:
    with OwnBroker() as broker:
        port = int(broker.url.rpartition(":")[2])
        assert listens(port)
    assert not listens(port)


def test_a_broker_that_is_not_there_is_an_error_of_publishing() -> None:
    with pytest.raises(PublishError, match="cannot be reached"):
        main(options("--fast", "--seconds", "2", "--no-video", "--broker", "mqtt://127.0.0.1:9"))


def test_a_crossing_missed_and_one_too_many_do_not_cancel() -> None:
    heard = Heard(counts={"road": {"car": (2, 0)}})
    assert wrong_counts(heard, {"road": {"car": (1, 1)}}) == 2


def test_the_table_marks_what_differs() -> None:
    heard = Heard(counts={"road": {"car": (2, 0), "person": (1, 1)}})
    lines = table(heard, {"road": {"car": (1, 0), "person": (1, 1)}}, {})
    assert [line.endswith("<") for line in lines if "road" in line] == [True, False]


def test_a_visit_that_is_a_matter_of_some_pictures_is_not_marked() -> None:
    """Somebody steps into the shop of street 0 a third of a second before its end: 5 visits or 6."""
    scene = Scene(0)
    _, visits = TrueCounts(scene)(len(scene))
    assert visits["shop"] == {"person": (5, 6)}
    marked = {n: table(Heard(visits={"shop": {"person": n}}), {}, visits)[2].endswith("<") for n in (4, 5, 6, 7)}
    assert marked == {4: True, 5: False, 6: False, 7: True}
