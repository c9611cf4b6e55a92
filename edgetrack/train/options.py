"""What may be said to every `edgetrack train`, and how each begins."""

from __future__ import annotations

import argparse
import logging
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from edgetrack.arguments import whole
from edgetrack.errors import ConfigError

log = logging.getLogger(__name__)

Net = TypeVar("Net", bound=nn.Module)

MOST = 10_000_000
some, any_number = whole(1, MOST), whole(0, MOST)  # of argparse's `type`


def parser_of(what: str, does: str | None, work: str) -> argparse.ArgumentParser:
    """With the options that all of them know.

    Args:
        what: is trained.
        does: in a sentence.
        work: the folder for what is made on the way, unless another is named.
    """
    parser = argparse.ArgumentParser(f"edgetrack train {what}", description=does)
    parser.add_argument("--out", type=Path, default=Path("models"), help="folder for the ONNX files")
    parser.add_argument("--work", type=Path, default=Path(work), help="folder for what is drawn, and for checkpoints")
    parser.add_argument("--seed", type=whole(0, 99_999), default=1)
    parser.add_argument("--threads", type=whole(1, 1024), default=1)
    parser.add_argument("--start", type=Path, default=None, help="checkpoint to go on from")
    parser.add_argument("--export-only", action="store_true", help="write the ONNX files from --start without training")
    return parser


def fours(low: int, high: int) -> Callable[[str], int]:
    """Of argparse's `type`: a multiple of four, since batches are made of four parts."""

    def read(text: str) -> int:
        number = whole(low, high)(text)
        if number % 4:
            raise argparse.ArgumentTypeError(f"is {number}, expected a multiple of 4")
        return number

    return read


def begin(chosen: argparse.Namespace, make: Callable[[], Net], name: str) -> Net:
    """The net to train: a new one, or that of the checkpoint to go on from.

    Raises:
        ConfigError: there is nothing to export, or that is no checkpoint of such a net.
    """
    if chosen.export_only and chosen.start is None:
        raise ConfigError("--export-only: a new net has learnt nothing; name a checkpoint with --start")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(chosen.seed)
    net = make()
    if chosen.start:
        _load(net, chosen.start, name)
    log.info("%s: %d parameters", name, sum(p.numel() for p in net.parameters()))
    return net


def _load(net: nn.Module, path: Path, name: str) -> None:
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise TypeError("not a file of PyTorch's")
        net.load_state_dict(torch.load(path, weights_only=True)["net"])
    except OSError as error:
        raise ConfigError(f"--start {path}: {error.strerror}; name a checkpoint that training wrote") from error
    except (RuntimeError, KeyError, TypeError, pickle.UnpicklingError) as error:
        why = str(error).strip().partition("\n")[0][:200]
        raise ConfigError(f"--start {path}: no checkpoint of {name} ({why}); name one that training wrote") from error
