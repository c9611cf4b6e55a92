"""The properties by which picamera2 tells one camera from another."""

from enum import Enum
from types import SimpleNamespace

from . import ControlId


class ColorFilterArrangementEnum(Enum):
    RGGB = 0
    MONO = 4


ColorFilterArrangement = ControlId("ColorFilterArrangement")
Location = ControlId("Location")
Model = ControlId("Model")
Rotation = ControlId("Rotation")

draft = SimpleNamespace(ColorFilterArrangementEnum=ColorFilterArrangementEnum)
