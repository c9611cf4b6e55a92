"""What is said to `edgetrack train` is checked before hours of work; needs PyTorch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from edgetrack.errors import ConfigError
from edgetrack.train import detector, embedder, goturn
from edgetrack.train.follownet import Goturn


@pytest.mark.parametrize("train", [detector, embedder, goturn], ids=lambda train: train.__name__.rpartition(".")[2])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file or directory; name a checkpoint that training wrote"),
        (b"", "no checkpoint of edgetrack-"),
        (b"GIF89a", "no checkpoint of edgetrack-"),
    ],
)
def test_a_start_that_is_no_checkpoint_is_told(tmp_path: Path, train: object, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / "some.pt").write_bytes(content)
    with pytest.raises(ConfigError, match=said):
        train.main(["--work", str(tmp_path), "--start", str(tmp_path / "some.pt")])  # type: ignore[attr-defined]


def test_a_checkpoint_of_another_net_is_told(tmp_path: Path) -> None:
    torch.save({"net": Goturn().state_dict()}, tmp_path / "goturn.pt")
    with pytest.raises(ConfigError, match=r"no checkpoint of edgetrack-nano \(Error.*in loading state_dict for Nano"):
        detector.main(["--work", str(tmp_path), "--start", str(tmp_path / "goturn.pt")])


def test_nothing_is_exported_that_has_learnt_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a new net has learnt nothing; name a checkpoint with --start"):
        goturn.main(["--export-only", "--work", str(tmp_path), "--out", str(tmp_path)])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("train", "words", "said"),
    [
        (embedder, ["--identities", "30"], "is 30, expected a multiple of 4"),
        (goturn, ["--batch", "2"], "expected a whole number from 4"),
        (goturn, ["--rate", "nan"], "expected a number from 0 to 1"),
        (detector, ["--pictures", "0"], "expected a whole number from 1"),
        (detector, ["--threads", "0"], "expected a whole number from 1"),
    ],
)
def test_a_number_that_cannot_be_trained_with_is_told(
    capsys: pytest.CaptureFixture[str], train: object, words: list[str], said: str
) -> None:
    with pytest.raises(SystemExit):
        train.main(words)  # type: ignore[attr-defined]
    assert said in capsys.readouterr().err
