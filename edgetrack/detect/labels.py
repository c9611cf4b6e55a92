"""Names of the classes: from a file, from the model's own metadata, or those of COCO."""

from __future__ import annotations

import ast
import difflib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgetrack.config import DetectConfig
from edgetrack.errors import ConfigError, ModelError

log = logging.getLogger(__name__)

MAX_METADATA = 1 << 20  # characters; a list of names longer than this is none
COCO_LINES = (
    "person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,parking meter",
    "bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,frisbee",
    "skis,snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,wine glass",
    "cup,fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch",
    "potted plant,bed,dining table,toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink",
    "refrigerator,book,clock,vase,scissors,teddy bear,hair drier,toothbrush",
)
COCO = tuple(name for line in COCO_LINES for name in line.split(","))


def from_metadata(path: str, metadata: Mapping[str, str]) -> tuple[str, ...] | None:
    """The names that the exporter wrote, `{0: 'person', 1: 'car'}` or a list; None where there are none."""
    text = metadata.get("names", "")
    if not text:
        return None
    try:
        found = ast.literal_eval(text) if len(text) <= MAX_METADATA else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        found = None
    if isinstance(found, Mapping) and sorted(found, key=str) == sorted(range(len(found)), key=str):
        found = [found[i] for i in range(len(found))]
    if not isinstance(found, list | tuple) or not found or not all(isinstance(name, str) for name in found):
        log.warning(
            "%s: its class names cannot be read (%.60s); set detect.labels to a file with one a line", path, text
        )
        return None
    return tuple(found)


def from_file(path: str) -> tuple[str, ...]:
    """One name a line; empty lines and spaces round the names are nothing."""
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()  # Windows editors begin with a mark
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"detect.labels: {path} cannot be read ({error}); give a text file, one name a line"
        ) from None
    names = tuple(line.strip() for line in lines if line.strip())
    if not names:
        raise ConfigError(f"detect.labels: {path} holds no names; write one a line")
    return names


def names_of(config: DetectConfig, own: tuple[str, ...] | None, classes: int | None) -> tuple[str, ...]:
    """The name of every class.

    Args:
        own: the model's, from its metadata.
        classes: how many the outputs have; None where they do not tell.

    Raises:
        ConfigError: the file of labels has another number of names.
        ModelError: the model's metadata has.
    """
    if config.labels:
        names = from_file(config.labels)
        if classes not in (None, len(names)):
            raise ConfigError(
                f"detect.labels: {config.labels} has {len(names)} names, the outputs of {config.model} have {classes} "
                "classes; give one name for each, in the order of training"
            )
        return names
    if own is not None:
        if classes not in (None, len(own)):
            raise ModelError(
                f"{config.model}: its outputs have {classes} classes, its metadata names {len(own)}; "
                "set detect.head if the form was misread, or detect.labels"
            )
        return own
    if classes in (None, len(COCO)):
        if classes is None:
            log.warning(
                "%s: says neither how many classes nor their names; taking COCO's, set detect.labels", config.model
            )
        return COCO
    log.warning(
        "%s: does not name its %d classes; calling them class0 and so on, set detect.labels, or detect.head if the "
        "form was misread",
        config.model,
        classes,
    )
    return tuple(f"class{i}" for i in range(classes or 0))


def floor_of(config: DetectConfig, names: Sequence[str]) -> NDArray[np.float32]:
    """(C,) the least score of each class, infinite for those that `detect.classes` leaves out.

    Raises:
        ConfigError: a name that the model does not have.
    """
    for place, given in (("detect.classes", config.classes), ("detect.min_scores", config.min_scores)):
        for name in given:
            if name not in names:
                near = difflib.get_close_matches(name, names, n=1)
                few = ", ".join(names[:20]) + (" ..." if len(names) > 20 else "")
                hint = f"did you mean {near[0]!r}?" if near else f"choose of {few}"
                raise ConfigError(f"{place}: {config.model} has no class {name!r}; {hint}")
    wanted = set(config.classes or names)
    scores = [config.min_scores.get(name, config.min_score) if name in wanted else np.inf for name in names]
    return np.array(scores, np.float32)
