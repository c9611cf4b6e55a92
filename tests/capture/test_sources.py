"""One contract, every source that can run here; that of GStreamer and the Raspberry Pi camera run it elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from edgetrack.capture import PLACES, open_source
from edgetrack.config import Capture, FileCapture, ImagesCapture, RtspCapture, SceneCapture
from edgetrack.types import Picture
from tests.capture import clips, contract
from tests.capture.http_camera import HttpCamera
from tests.capture.rtsp_server import RtspServer, missing

SIZE = (320, 240)


def video(folder: Path) -> Path:
    return clips.write(folder / "clip.mp4", clips.pictures(30, SIZE))


def still(folder: Path) -> Path:
    for number in range(15):
        clips.write_picture(folder / f"{number}.jpg", clips.picture(number, SIZE))
    return folder


@pytest.fixture(params=["file", "file realtime", "images", "scene", "rtsp", "http"])
def capture(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Capture]:
    """The settings of a source whose camera runs."""
    with ExitStack() as running:
        if request.param == "rtsp":
            if missing():
                pytest.skip(missing())
            yield RtspCapture(url=running.enter_context(RtspServer(width=SIZE[0], height=SIZE[1])).url)
        elif request.param == "http":
            pictures = [path.read_bytes() for path in sorted(still(tmp_path).iterdir())]
            yield RtspCapture(url=running.enter_context(HttpCamera(pictures)).url)
        elif request.param == "scene":
            yield SceneCapture(width=SIZE[0], height=SIZE[1], fps=30)
        elif request.param == "images":
            yield ImagesCapture(path=str(still(tmp_path)))
        else:
            yield FileCapture(path=str(video(tmp_path)), pace="realtime" if "realtime" in request.param else "fast")


def test_a_source_keeps_its_promises(capture: Capture) -> None:
    contract.check(open_source(capture), live=isinstance(capture, RtspCapture), size=SIZE)


class Looks:
    """Of a model that is done at once."""

    def due(self, index: int) -> bool:
        return True

    def begin(self, picture: Picture, index: int, done: Callable[[], None]) -> object:
        done()
        return index


def test_a_source_keeps_its_promises_when_looks_are_begun_ahead_of_the_loop(capture: Capture) -> None:
    contract.check(open_source(capture, Looks()), live=isinstance(capture, RtspCapture), size=SIZE)


def test_privacy_and_rotation_hold_for_every_source(capture: Capture) -> None:
    top_half = [(0.0, 0.0), (1.0, 0.0), (1.0, 0.5), (0.0, 0.5)]
    with open_source(msgspec.structs.replace(capture, rotate=90, masks=[top_half])) as source:
        image = contract.take(source, 1)[0].image
    assert image.shape == (SIZE[0], SIZE[1], 3)
    assert not image[: SIZE[0] // 2].any()


def test_every_kind_of_capture_has_its_source() -> None:
    kinds = {kind.__struct_config__.tag for kind in Capture.__args__}
    assert kinds == set(PLACES)
