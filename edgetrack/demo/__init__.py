"""The whole daemon on a rendered street whose truth is known: needs no camera, broker, network or configuration."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgetrack.arguments import number, whole


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `edgetrack demo`."""
    parser.add_argument("--seed", type=whole(0, 2**31), default=0, help="another seed is another street (default: 0)")
    parser.add_argument("--hard", action="store_true", help="night or rain, a crowd, a shaking camera")
    parser.add_argument("--seconds", type=number(1, 86400), default=40.0, help="of the scene (default: 40)")
    parser.add_argument("--fast", action="store_true", help="as fast as this machine can, not as a camera would")
    parser.add_argument("--loop", action="store_true", help="again and again, until Ctrl-C")
    parser.add_argument("--broker", metavar="URL", help="mqtt://HOST:PORT of one that runs (default: start one)")
    parser.add_argument("--model", type=Path, help="another detector (default: edgetrack-nano, int8)")
    parser.add_argument("--video", type=Path, default=Path("edgetrack-demo.mp4"), help="annotated film to write")
    parser.add_argument("--no-video", action="store_true", help="write no film")


def main(options: argparse.Namespace) -> int:
    """Run it; 0 if the counts that came over MQTT equal the truth, else 1.

    Raises:
        PublishError: no broker can be started or reached.
        ModelError: the detector is missing.
    """
    from edgetrack.demo.show import show

    return show(options)
