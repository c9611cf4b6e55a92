"""A GStreamer pipeline, through the system's OpenCV: the way to a CSI camera on a Jetson.

The OpenCV that pip installs has no GStreamer; that of Debian, Ubuntu and JetPack has. A virtual environment sees it if
it was made with --system-site-packages; its NumPy must be of the major version that OpenCV was built for.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator
from typing import Any

from edgetrack.capture.latest import Shot
from edgetrack.config import GstreamerCapture
from edgetrack.errors import CaptureError
from edgetrack.types import Image

REMEDY = "sudo apt install python3-opencv, and make the virtual environment with --system-site-packages"


class GstreamerCamera:
    """Runs one pipeline; `latest.Latest` starts it again when it ends."""

    lost: tuple[type[Exception], ...] = (OSError,)
    open_s = 10.0  # nvarguscamerasrc takes seconds
    place = "capture.pipeline"

    def __init__(self, config: GstreamerCapture) -> None:
        self._pipeline = config.pipeline
        self._cv2: Any = None

    def check(self) -> None:
        if not re.search(r"!\s*appsink\b[^!]*$", self._pipeline):
            raise CaptureError(
                "capture.pipeline: does not end in appsink; add ! videoconvert ! video/x-raw,format=BGR ! appsink"
            )
        try:
            import cv2  # type: ignore[import-not-found, unused-ignore]
        except (ImportError, AttributeError) as error:  # AttributeError: a NumPy of another major version
            raise CaptureError(f"capture.kind gstreamer: cannot import cv2: {error}; {REMEDY}") from error
        if not re.search(r"GStreamer:\s+YES", cv2.getBuildInformation()):
            raise CaptureError(f"{cv2.__file__}: OpenCV {cv2.__version__} has no GStreamer; pip uninstall it; {REMEDY}")
        self._cv2 = cv2
        self.lost = (OSError, cv2.error)

    def shots(self) -> Generator[Shot | None, None, None]:
        capture = self._cv2.VideoCapture(self._pipeline, self._cv2.CAP_GSTREAMER)
        try:
            if not capture.isOpened():
                raise OSError("the pipeline does not start; try it with gst-launch-1.0")
            while True:
                good, image = capture.read()
                if not good:
                    return
                yield Shot(_known(image), time.monotonic())
        finally:
            capture.release()


def _known(image: Image) -> Callable[[], Image]:
    """The picture, which is BGR or not at all what was asked for."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype.name != "uint8":
        raise CaptureError(
            f"capture.pipeline: pictures are {image.shape} {image.dtype}, expected BGR;"
            " put videoconvert ! video/x-raw,format=BGR before appsink"
        )
    return lambda: image
