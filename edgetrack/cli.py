"""The commands; an error that its reader can mend becomes one message and an exit code.

Exit codes: 0 good, 1 a fault of edgetrack's own, 2 configuration, 3 camera, 4 model, 5 publishing.
Libraries are imported by the verb that needs them, so that `edgetrack check` starts quickly.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from edgetrack import __version__
from edgetrack.arguments import number, span, whole, wholes
from edgetrack.demo import add_options as demo_options
from edgetrack.errors import ConfigError, EdgetrackError
from edgetrack.modelling.options import add_verbs as model_verbs
from edgetrack.registry import load

if TYPE_CHECKING:
    from edgetrack.app import Wishes
    from edgetrack.config import Config

log = logging.getLogger(__name__)

TRAINED = ("detector", "embedder", "goturn")  # what edgetrack.train makes


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    log_to_stderr(arguments.log_level)
    code = run_verb(arguments)
    if argv is None and any(thread.name.startswith("capture ") for thread in threading.enumerate()):
        logging.shutdown()  # a camera's driver does not return; Python would end under its feet, with SIGSEGV at times
        sys.stdout.flush()
        os._exit(code)
    return code


def run_verb(arguments: argparse.Namespace) -> int:
    """Its exit code, once what it has to say is said."""
    try:
        code: int = arguments.verb(arguments)
        sys.stdout.flush()
        return code
    except EdgetrackError as error:
        for line in str(error).splitlines():
            log.error("%s", line)
        return error.exit_code
    except BrokenPipeError:  # the reader of our output has left: `edgetrack ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="edgetrack",
        description="Multi-object tracking for edge devices: camera in, track events and counts over MQTT out.",
        epilog="Exit codes: 0 good, 1 a fault of edgetrack's own, or what demo or replay compare differs, "
        "2 configuration, 3 camera, 4 model, 5 publishing.",
    )
    top.add_argument("--version", action="version", version=f"edgetrack {__version__}")
    top.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"], help="default: info")
    verbs = top.add_subparsers(required=True, metavar="COMMAND")

    verb = verbs.add_parser("demo", help="the whole daemon on a rendered street, its counts beside the truth")
    demo_options(verb)
    verb.set_defaults(verb=demo)

    _add_daemon(verbs)
    models = verbs.add_parser("model", help="fetch, know, quantize and judge models")
    model_verbs(models.add_subparsers(required=True, metavar="WHAT"))
    bench = verbs.add_parser("bench", help="what things cost on this device")
    _add_bench(bench.add_subparsers(required=True, metavar="WHAT"))
    evaluate = verbs.add_parser("evaluate", help="accuracy against ground truth")
    _add_evaluate(evaluate.add_subparsers(required=True, metavar="WHAT"))
    verb = verbs.add_parser("train", help="make the shipped weights again", add_help=False)
    verb.add_argument("what", choices=TRAINED, nargs="?")
    verb.add_argument("options", nargs=argparse.REMAINDER, help="train WHAT --help shows them")
    verb.set_defaults(verb=train)

    verb = verbs.add_parser("schema", help="print JSON Schema, an example of a configuration, or the systemd unit")
    verb.add_argument(
        "what", choices=["config", "events", "example", "unit"], help="config, events: for editors and subscribers"
    )
    verb.add_argument("camera", nargs="?", help="of the example: rtsp, usb, picamera, jetson, file; default: every key")
    verb.set_defaults(verb=schema)
    return top


def _add_daemon(verbs: Any) -> None:
    verb = verbs.add_parser("run", help="run the daemon")
    verb.add_argument("config", type=Path, metavar="CONFIG", help="YAML file; configs/edgetrack.yaml lists every key")
    verb.add_argument("--record", type=Path, metavar="FILE", help="write what tracker and scene receive, for replay")
    verb.add_argument("--record-mb", type=float, default=1024.0, metavar="MB", help="of all its files; default: 1024")
    _add_strict(verb)
    verb.set_defaults(verb=run)

    verb = verbs.add_parser("replay", help="what was recorded through tracker and scene again: the same events")
    verb.add_argument("recording", type=Path, metavar="FILE", help="what run --record wrote; older parts are found")
    verb.add_argument("config", type=Path, nargs="?", metavar="CONFIG", help="what would these lines have counted?")
    verb.add_argument("--events", type=Path, metavar="FILE", help="write the events, a JSON object a line")
    verb.add_argument("--json", action="store_true")
    verb.set_defaults(verb=replay)

    verb = verbs.add_parser("check", help="validate a configuration without running it")
    verb.add_argument("config", type=Path, metavar="CONFIG")
    verb.add_argument("--probe", action="store_true", help="also open the camera, the models and the broker")
    _add_strict(verb)
    verb.set_defaults(verb=check)


def _add_bench(kinds: Any) -> None:
    verb = kinds.add_parser("run", help="the whole daemon of a configuration against its detector alone")
    verb.add_argument("config", type=Path, metavar="CONFIG")
    verb.add_argument("--seconds", type=number(1, 3600), default=15.0, help="of each measurement; default: 15")
    verb.add_argument(
        "--against", default="", metavar="FILE", help="the model that runs alone; default: the configuration's own"
    )
    verb.add_argument("--json", action="store_true")
    verb.set_defaults(verb=bench_run)

    verb = kinds.add_parser("tracker", help="the tracker alone, galleries full, ms per frame")
    verb.add_argument("--objects", type=wholes(1, 5000), default=[5, 20, 50, 100, 200], metavar="N,N", help="at once")
    verb.add_argument("--json", action="store_true")
    verb.set_defaults(verb=bench_tracker)


def _add_evaluate(kinds: Any) -> None:
    verb = kinds.add_parser("mot", help="HOTA, MOTA, IDF1 of tracks; MOTChallenge or KITTI format")
    verb.add_argument(
        "sequences", nargs="+", type=Path, metavar="SEQUENCE", help="folder of a MOTChallenge sequence, or KITTI labels"
    )
    verb.add_argument("--results", type=Path, help="what to score: a file, or a folder with one file a sequence")
    _add_detections(verb)
    verb.set_defaults(verb=evaluate_mot)

    verb = kinds.add_parser("counts", help="line crossings and zone visits against the truth")
    verb.add_argument("truth", type=Path, metavar="TRUTH.json")
    verb.add_argument(
        "events",
        type=Path,
        metavar="EVENTS",
        help="what jsonl wrote, or a MOTChallenge folder whose detections to follow",
    )
    _add_detections(verb)
    verb.set_defaults(verb=evaluate_counts)
    _add_sot(kinds)
    _add_reid(kinds)


def _add_sot(kinds: Any) -> None:
    verb = kinds.add_parser("sot", help="one target followed through OTB-style sequences")
    verb.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="a sequence, or a folder of sequences")
    verb.add_argument("--model", action="append", metavar="ONNX", help="default: the int8 follower that is shipped")
    verb.add_argument(
        "--against", nargs="*", default=[], metavar="NAME", help="with OpenCV: csrt, kcf, mil, lk, meanshift ..."
    )
    verb.add_argument("--starts", type=whole(1, 100), default=5, metavar="N", help="of TRE; default: 5")
    verb.add_argument("--restarts", action="store_true", help="also accuracy and robustness as in VOT 2014")
    verb.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw success over the threshold of IoU")
    verb.add_argument("--json", action="store_true")
    verb.set_defaults(verb=evaluate_sot)


def _add_reid(kinds: Any) -> None:
    verb = kinds.add_parser("reid", help="do embeddings tell people apart? Rank 1 and distances of same and different")
    verb.add_argument(
        "sequences", nargs="*", type=Path, metavar="SEQUENCE", help="MOTChallenge, with img1/ or video.mp4"
    )
    verb.add_argument(
        "--embed",
        nargs="+",
        default=["edgetrack-reid-int8", "histogram"],
        metavar="MODEL",
        help="files, names, or histogram; default: edgetrack-reid-int8 histogram",
    )
    verb.add_argument("--scenes", type=span, default=range(0), metavar="FIRST:LAST", help="also rendered streets")
    verb.add_argument("--hard", action="store_true", help="those by night, in rain, crowded")
    verb.add_argument(
        "--apart", type=number(0, 3600), default=1.0, metavar="S", help="s between looks at one; default: 1"
    )
    verb.add_argument("--json", action="store_true")
    verb.set_defaults(verb=evaluate_reid)


def _add_strict(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--strict", action="store_true", help="refuse where a model does not run on the first of runtime.providers"
    )


def _add_detections(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--detections", default="det_frcnn.txt", metavar="FILE", help="to follow; default: det_frcnn.txt")
    verb.add_argument("--min-score", type=float, default=0.5, help="of those detections; default: 0.5")
    verb.add_argument("--json", action="store_true")


# --- verbs -----------------------------------------------------------------------------------------------------------


def demo(arguments: argparse.Namespace) -> int:
    from edgetrack.demo import main as show

    return show(arguments)


def run(arguments: argparse.Namespace) -> int:
    from edgetrack import app
    from edgetrack.configfile import load
    from edgetrack.notify import Systemd
    from edgetrack.parts import build
    from edgetrack.record import Idle, Recorder

    def config() -> Config:
        return _strictly(load(arguments.config), arguments.strict)

    recorder = Idle() if arguments.record is None else Recorder(arguments.record, arguments.record_mb)
    with wishes_from_signals() as wishes:
        app.run(build(config(), recorder), wishes, Systemd(), config)
    return 0


def _strictly(config: Config, strict: bool) -> Config:
    """The same configuration, strict about what models run on."""
    from msgspec.structs import replace

    return replace(config, runtime=replace(config.runtime, strict=True)) if strict else config


def replay(arguments: argparse.Namespace) -> int:
    from edgetrack.configfile import load
    from edgetrack.record.report import as_json, report, told

    config = None if arguments.config is None else load(arguments.config, files=False)
    story = told(arguments.recording, config, arguments.events)
    if story.damage:
        log.warning("%s; all else was used", story.damage)
    print(as_json(story) if arguments.json else report(story, arguments.config))
    return 0 if story.explained else 1


def check(arguments: argparse.Namespace) -> int:
    from edgetrack import configfile

    for mistake in configfile.check(arguments.config):
        if mistake.hint:
            print(mistake)
    config = _strictly(configfile.load(arguments.config), arguments.strict)
    if arguments.probe:
        from edgetrack.probe import probe

        errors = []
        for answer in probe(config):
            if isinstance(answer, EdgetrackError):
                errors.append(answer)
                log.error("%s", answer)
            else:
                print(answer)
        if errors:
            return errors[0].exit_code
    print(f"{arguments.config}: good")
    return 0


def schema(arguments: argparse.Namespace) -> int:
    if arguments.what in ("example", "unit"):
        from edgetrack.configfile import example, shipped

        unit, camera = arguments.what == "unit", arguments.camera
        print(shipped.unit() if unit else shipped.example_for(camera) if camera else example(), end="")
        return 0
    if arguments.what == "config":
        from edgetrack.configfile import schema as document
    else:
        from edgetrack.request import schema as document
    print(json.dumps(document(), indent=2))
    return 0


def bench_run(arguments: argparse.Namespace) -> int:
    from edgetrack.bench import daemon

    print(daemon.main(arguments.config, arguments.seconds, arguments.json, arguments.against))
    return 0


def bench_tracker(arguments: argparse.Namespace) -> int:
    from edgetrack.bench import tracker

    print(tracker.main(arguments.objects, arguments.json))
    return 0


def evaluate_mot(arguments: argparse.Namespace) -> int:
    from edgetrack.evaluate import mot_report

    a = arguments
    print(mot_report(a.sequences, a.results, a.detections, a.min_score, as_json=a.json))
    return 0


def evaluate_counts(arguments: argparse.Namespace) -> int:
    from edgetrack.evaluate import counts_report

    a = arguments
    print(counts_report(a.truth, a.events, a.detections, a.min_score, as_json=a.json))
    return 0


def evaluate_sot(arguments: argparse.Namespace) -> int:
    from edgetrack.demo.shipped import shipped_model
    from edgetrack.evaluate.sot_report import sot_report

    a = arguments
    models = a.model or [str(shipped_model("edgetrack-goturn-int8.onnx"))]
    print(sot_report(a.folders, models, a.against, a.starts, a.restarts, a.plot, a.json))
    return 0


def evaluate_reid(arguments: argparse.Namespace) -> int:
    from edgetrack.evaluate.reid import reid_report

    a = arguments
    print(reid_report(a.sequences, a.embed, a.scenes, a.hard, a.apart, as_json=a.json))
    return 0


def train(arguments: argparse.Namespace) -> int:
    if arguments.what is None:
        print(f"usage: edgetrack train {{{','.join(TRAINED)}}} ...; edgetrack train {TRAINED[0]} --help")
        return 2
    main = load(f"edgetrack.train.{arguments.what}:main", "pip install 'edgetrack[train]'", ConfigError)
    code: int = main(arguments.options)
    return code


# --- signals and logs ------------------------------------------------------------------------------------------------


@contextmanager
def wishes_from_signals() -> Iterator[Wishes]:
    """SIGTERM and SIGINT wish for a stop, SIGHUP for a reload; a second SIGINT interrupts at once."""
    from edgetrack.app import Wishes

    wishes = Wishes()

    def stop(number: int, _: object) -> None:
        if wishes.stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        wishes.stop.set()

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGHUP, lambda *_: wishes.reload.set())
    try:
        yield wishes
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class JournalFormatter(logging.Formatter):
    """`<3>message`: journald reads the priority from the prefix (sd-daemon(3)) and stamps the time itself."""

    PRIORITY: ClassVar = {"DEBUG": 7, "INFO": 6, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{self.PRIORITY.get(record.levelname, 6)}>"
        return "\n".join(prefix + line for line in super().format(record).splitlines())


def log_to_stderr(level: str) -> None:
    """Plain lines for people, prefixed ones where systemd has connected stderr to the journal."""
    handler = logging.StreamHandler()
    if "JOURNAL_STREAM" in os.environ:
        handler.setFormatter(JournalFormatter("%(name)s: %(message)s"))
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


if __name__ == "__main__":
    raise SystemExit(main())
