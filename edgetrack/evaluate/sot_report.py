"""Followers side by side: a table or JSON, and the success plot as SVG."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgetrack.config import RuntimeConfig
from edgetrack.errors import ConfigError
from edgetrack.evaluate import sot
from edgetrack.evaluate.opencv import maker
from edgetrack.refine import Goturn

log = logging.getLogger(__name__)

COLOURS = ("#1b6ca8", "#d1495b", "#3c8d40", "#8d5a97", "#c77d0a", "#4f5d75", "#00a6a6", "#7a4419")


def sot_report(
    folders: Sequence[Path],
    models: Sequence[str],
    against: Sequence[str] = (),
    starts: int = 5,
    restarts: bool = False,
    plot: Path | None = None,
    as_json: bool = False,
) -> str:
    """Success AUC from `starts` starts and from the first, precision, alarm and speed, by follower and sequence.

    Args:
        folders: OTB-style, or folders of such.
        models: files of followers, on one thread each.
        against: OpenCV's trackers by name.
        restarts: also accuracy and failures with re-initialisation.
        plot: where to draw the success plot, SVG.
        as_json: instead of a table.
    """
    makers: dict[str, Callable[[], sot.Follower]] = {}
    for model in models:
        makers[Path(model).stem] = _once(Goturn(model, RuntimeConfig(threads=1)))
    makers |= {name.partition("=")[0]: maker(name) for name in against}
    if len(makers) < len(models) + len(against):
        raise ConfigError("--model, --against: two are called the same; give files of different names")
    films = list(sot.sequences(folders))
    if len({film.name for film in films}) < len(films):
        raise ConfigError("two sequences are called the same; give folders of different names")
    rows, success = {}, {}
    for name, make in makers.items():
        rows[name], success[name] = _judged(name, make, films, starts, restarts)
    if plot:
        plot.write_text(success_plot(success), encoding="utf-8")
    return json.dumps(rows, indent=2) if as_json else _table(rows)


def _judged(
    name: str, make: Callable[[], sot.Follower], films: Sequence[sot.Film], starts: int, restarts: bool
) -> tuple[dict[str, dict[str, float]], NDArray[np.float64]]:
    """Figures of one follower by sequence, then of all together; and its curve of success."""
    runs, rows = [], {}
    for film in films:
        runs.append(sot.run(make, film, starts))
        rows[film.name] = sot.record(runs[-1]) | (_vot(make, film) if restarts else {})
        log.info("%s: %s: TRE %.1f", name, film.name, rows[film.name]["TRE"])
    together = sot.together(runs)
    if restarts:
        for key, joined in (("acc", np.mean), ("fails", np.sum), ("rob", np.mean)):
            together[key] = float(joined([row[key] for row in rows.values()]))
    return {**rows, "together": together}, sot.curves(runs)


def _once(follower: sot.Follower) -> Callable[[], sot.Follower]:
    return lambda: follower


def _vot(make: Callable[[], sot.Follower], film: sot.Film) -> dict[str, float]:
    accuracy, failures = sot.with_restarts(make, film)
    robustness = sot.robustness(failures, len(film.images))
    return {"acc": 100 * accuracy, "fails": float(failures), "rob": 100 * robustness}


def _table(rows: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    width = max(len(film) for films in rows.values() for film in films) + 2
    lines = []
    for follower, films in rows.items():
        keys = list(next(iter(films.values())))
        lines.append(f"{follower}\n{'sequence'.ljust(width)}" + "".join(f"{key:>9}" for key in keys))
        lines += [film.ljust(width) + "".join(f"{row[key]:>9.1f}" for key in keys) for film, row in films.items()]
        lines.append("")
    return "\n".join(lines).rstrip()


def success_plot(success: Mapping[str, NDArray[np.float64]]) -> str:
    """SVG: share of pictures over IoU threshold, best first in the legend."""
    left, top, width, height = 50, 20, 400, 300
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 260}" height="{top + height + 50}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="none" stroke="#999"/>',
        f'<text x="{left + width / 2}" y="{top + height + 38}" text-anchor="middle">IoU threshold</text>',
        f'<text x="14" y="{top + height / 2}" text-anchor="middle" transform="rotate(-90 14 {top + height / 2})">'
        "share of pictures</text>",
    ]
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = left + tick * width, top + (1 - tick) * height
        parts.append(f'<text x="{x}" y="{top + height + 18}" text-anchor="middle">{tick:g}</text>')
        parts.append(f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{tick:g}</text>')
    best = sorted(success.items(), key=lambda item: -float(item[1].mean()))
    for k, (name, curve) in enumerate(best):
        colour = COLOURS[k % len(COLOURS)]
        points = " ".join(
            f"{left + x * width:.1f},{top + (1 - y) * height:.1f}" for x, y in zip(sot.THRESHOLDS, curve, strict=True)
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        label = f"{name} [{float(curve.mean()):.3f}]"
        parts.append(f'<text x="{left + width + 12}" y="{top + 16 + 18 * k}" fill="{colour}">{label}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"
