"""Which parts of a network can be int8: form and ranges measured, then fragile blocks given back to float."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgetrack.errors import ConfigError
from edgetrack.modelling import qdq
from edgetrack.modelling.download import digest
from edgetrack.modelling.pictures import Album, Picture
from edgetrack.modelling.ranges import METHODS, Method, Ranges
from edgetrack.modelling.trial import answers, compared, inputs_of, likeness, opened, speed
from edgetrack.runtime import default_threads

Say = Callable[[str], None]

PROBES = 24  # pictures for the damage of a single block
FORMS: tuple[qdq.Form, ...] = ("u8s8", "s8s8")


@dataclass(frozen=True)
class Choice:
    """One way to quantize: `floats` are numbers of blocks."""

    form: qdq.Form
    method: Method
    floats: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Outcome:
    choice: Choice
    before: dict[str, float]  # figures of the float model
    after: dict[str, float]

    @property
    def loss(self) -> float:
        """Of the measures that truth decides, the worst: a single one on few pictures may be luck."""
        deciding = ("AP50", "AP50:95") if "AP50" in self.before else tuple(self.before)[:1]
        return max(self.before[name] - self.after[name] for name in deciding)


class Bench:
    """Quantizes a model in many ways and says what each costs."""

    def __init__(self, source: str, album: Album, folder: Path) -> None:
        self.source = source
        self.prepared = qdq.prepare(source)
        model = opened(source)
        self.pictures: Sequence[Picture] = list(album)
        if not self.pictures:
            raise ConfigError(f"--calibrate: {album.images} has no picture with labels; give others")
        self.ranges: Ranges = qdq.observe(self.prepared, inputs_of(model, self.pictures), default_threads())
        self.reference = answers(model, self.pictures)
        step = max(1, len(self.pictures) // PROBES)
        self._probes = self.pictures[::step]
        self._probe_reference = answers(model, self._probes)
        self.measure = next(iter(compared(self.reference, self.reference)[0]))
        self._folder = folder

    def write(self, choice: Choice, target: Path, facts: dict[str, str] | None = None) -> None:
        blocks = set(range(len(self.prepared.blocks))) - choice.floats
        qdq.quantize(self.prepared, self.ranges.limits(choice.method), choice.form, blocks, target, facts or {})

    def facts(self, outcome: Outcome) -> dict[str, str]:
        """For the file's metadata."""
        choice = outcome.choice
        return {
            "edgetrack_int8": f"{choice.form}, ranges by {choice.method} of {len(self.pictures)} pictures",
            "edgetrack_float_blocks": f"{in_words(choice.floats)} of {len(self.prepared.blocks)}",
            "edgetrack_float_sha256": digest(Path(self.source)),
        }

    def outcome(self, choice: Choice) -> Outcome:
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            file = Path(folder) / "candidate.onnx"
            self.write(choice, file)
            found = answers(opened(str(file)), self.pictures)
        return Outcome(choice, *compared(self.reference, found))

    def damage(self, form: qdq.Form, method: Method, block: int) -> float:
        """What this block alone in int8 changes, 0 to 1."""
        rest = frozenset(range(len(self.prepared.blocks))) - {block}
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            file = Path(folder) / "candidate.onnx"
            self.write(Choice(form, method, rest), file)
            found = answers(opened(str(file)), self._probes)
        return 1 - likeness(self._probe_reference, found)

    def speeds(self, choices: Sequence[Choice]) -> list[float]:
        """Median ms of the float model, then of each choice."""
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            files = [Path(folder) / f"{number}.onnx" for number in range(len(choices))]
            for choice, file in zip(choices, files, strict=True):
                self.write(choice, file)
            return speed([self.source, *map(str, files)])


def search(bench: Bench, max_loss: float, say: Say) -> Outcome:
    """The fastest form with the ranges that cost least and as few blocks in float as `max_loss` allows.

    Where even the last resort loses more, the best that was found.
    """
    form = _form(bench, say)
    tried = [bench.outcome(Choice(form, method)) for method in METHODS]
    for outcome in tried:
        say(f"all in int8, ranges by {outcome.choice.method}: {_figures(outcome)}")
    best = min(tried, key=lambda outcome: outcome.loss)
    if best.loss <= max_loss:
        return best
    order = _fragile_first(bench, best.choice, say)
    return _fewest_floats(bench, best, order, max_loss, say)


def _form(bench: Bench, say: Say) -> qdq.Form:
    plain, *took = bench.speeds([Choice(form, "minmax") for form in FORMS])
    each = ", ".join(f"{form} {ms:.1f} ms" for form, ms in zip(FORMS, took, strict=True))
    say(f"speed of one inference on one thread: float {plain:.1f} ms, {each}")
    return FORMS[took.index(min(took))]


def _fragile_first(bench: Bench, choice: Choice, say: Say) -> list[int]:
    damages = {number: bench.damage(choice.form, choice.method, number) for number in range(len(bench.prepared.blocks))}
    order = sorted(damages, key=lambda number: -damages[number])
    for number in order:
        first, last = bench.prepared.blocks[number][0], bench.prepared.blocks[number][-1]
        say(f"block {number + 1} of {len(order)}, {first} to {last}, alone in int8 changes {damages[number]:.4f}")
    return order


def _fewest_floats(bench: Bench, best: Outcome, order: Sequence[int], max_loss: float, say: Say) -> Outcome:
    """Halve between none, which lost too much, and all but one block in float, most fragile first."""
    lossy, kept = 0, len(order)
    while kept - lossy > 1:
        middle = (lossy + kept) // 2
        outcome = bench.outcome(Choice(best.choice.form, best.choice.method, frozenset(order[:middle])))
        say(f"{middle} of {len(order)} blocks in float ({in_words(order[:middle])}): {_figures(outcome)}")
        if outcome.loss <= max_loss:
            best, kept = outcome, middle
        else:
            lossy = middle
            if best.loss > max_loss:
                best = min(best, outcome, key=lambda found: found.loss)
    return best


def _figures(outcome: Outcome) -> str:
    each = ", ".join(f"{name} {after:.3f} ({outcome.before[name]:.3f})" for name, after in outcome.after.items())
    return f"{each}, loss {outcome.loss:+.3f}"


def in_words(blocks: Collection[int]) -> str:
    return ", ".join(str(number + 1) for number in sorted(blocks)) or "none"
