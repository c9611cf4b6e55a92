"""What may be said to every `edgetrack train`, and how each begins."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

log = logging.getLogger(__name__)

Net = TypeVar("Net", bound=nn.Module)


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
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--start", type=Path, default=None, help="checkpoint to go on from")
    parser.add_argument("--export-only", action="store_true", help="write the ONNX files from --start without training")
    return parser


def begin(chosen: argparse.Namespace, make: Callable[[], Net], name: str) -> Net:
    """The net to train: a new one, or that of the checkpoint to go on from."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(chosen.seed)
    net = make()
    if chosen.start:
        net.load_state_dict(torch.load(chosen.start, weights_only=True)["net"])
    log.info("%s: %d parameters", name, sum(p.numel() for p in net.parameters()))
    return net
