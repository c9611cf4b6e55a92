"""The controls that the stand-in camera and picamera2 name."""

from enum import Enum
from types import SimpleNamespace

from . import ControlId, ControlType


class NoiseReductionModeEnum(Enum):
    Off = 0
    Fast = 1
    HighQuality = 2
    Minimal = 3


AnalogueGain = ControlId("AnalogueGain", ControlType.Float)
AnalogueGainMode = ControlId("AnalogueGainMode")
ExposureTime = ControlId("ExposureTime")
ExposureTimeMode = ControlId("ExposureTimeMode")
FrameDuration = ControlId("FrameDuration", ControlType.Integer64)
FrameDurationLimits = ControlId("FrameDurationLimits", ControlType.Integer64)
NoiseReductionMode = ControlId("NoiseReductionMode")
SensorTimestamp = ControlId("SensorTimestamp", ControlType.Integer64)

draft = SimpleNamespace(NoiseReductionModeEnum=NoiseReductionModeEnum)
