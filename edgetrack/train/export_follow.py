"""From a trained follower to ONNX: float, and int8 with the statistics of drawn examples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edgetrack.refine.crops import SEARCH_PX, TEMPLATE_PX
from edgetrack.train.concatnet import Concat, DeployedConcat
from edgetrack.train.follow import stored
from edgetrack.train.follownet import Deployed, Goturn
from edgetrack.train.onnxfile import fused, quantize, write

CALIBRATED_ON = 512  # examples


def export(net: Goturn | Concat, folder: Path, work: Path, name: str, command: str) -> None:
    """Write NAME.onnx and NAME-int8.onnx; comparison and vote stay in float."""
    facts = {
        "task": "follow",
        "trained_on": "things drawn and streets rendered by edgetrack.train and edgetrack.render; no photographs",
        "command": command,
    }
    template = torch.zeros(2, 3, TEMPLATE_PX, TEMPLATE_PX, dtype=torch.uint8)
    search = torch.zeros(2, 3, SEARCH_PX, SEARCH_PX, dtype=torch.uint8)
    inputs = {"first": template, "recent": template, "search": search, "shape": torch.full((2, 6), 0.5)}
    if isinstance(net, Concat):
        del inputs["first"]
    deployed = DeployedConcat(fused(net)) if isinstance(net, Concat) else Deployed(fused(net))
    plain = folder / f"{name}.onnx"
    write(deployed, plain, inputs, ["xyxy", "confidence"], facts, rows="targets")
    quantize(plain, examples(work, list(inputs)), ["Conv", "Add"], comparison)


def examples(work: Path, inputs: Sequence[str]) -> Iterator[dict[str, NDArray[Any]]]:
    """Drawn ones, eight at a time."""
    shard = stored(work)[0]
    for k in range(0, CALIBRATED_ON, 8):
        yield {name: np.array(getattr(shard, name)[k : k + 8]) for name in inputs}


def comparison(graph: Any) -> list[str]:
    """Names of the last convolution, and of the additions that do not join two feature maps."""
    makers = {output: node.op_type for node in graph.node for output in node.output}
    last = [node.name for node in graph.node if node.op_type == "Conv"][-1]
    additions = (node for node in graph.node if node.op_type == "Add")
    return [last, *(a.name for a in additions if any(makers.get(name) not in ("Relu", "Conv") for name in a.input))]
