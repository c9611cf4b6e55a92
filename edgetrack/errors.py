"""What can go wrong, and the exit code each kind leaves behind.

A message names the place, what was found, what was expected and what to do, in that order and in one line:
`models/yolox.onnx: input is (1, 3, 640, 640), detect.size is 416; set detect.size: 640`.
"""

from typing import ClassVar


class EdgetrackError(Exception):
    """An error that its reader can mend; the command line prints it without a traceback."""

    exit_code: ClassVar[int] = 1


class ConfigError(EdgetrackError):
    """The configuration cannot be used."""

    exit_code = 2


class CaptureError(EdgetrackError):
    """The camera or the video cannot be opened or read."""

    exit_code = 3


class ModelError(EdgetrackError):
    """A model file cannot be loaded, or does not fit its task."""

    exit_code = 4


class PublishError(EdgetrackError):
    """Events cannot be published where the configuration says."""

    exit_code = 5


class FollowError(EdgetrackError):
    """Something cannot be followed; who asked is told, the daemon goes on."""
