"""A tree like /sys, as a Raspberry Pi or a Jetson shows it."""

from __future__ import annotations

from pathlib import Path


class Sysfs:
    """Files that a test writes; `root` is what `Sensors` takes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(exist_ok=True)

    def write(self, **files: object) -> None:
        """`a__b="text"` writes a/b."""
        for name, text in files.items():
            self.put(name.replace("__", "/"), text)

    def put(self, name: str, text: object) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")

    def zone(self, number: int, kind: str, temperature_c: float, **trips_c: float) -> None:
        """A thermal zone; trips by kind: passive=95."""
        folder = f"class/thermal/thermal_zone{number}"
        self.put(f"{folder}/type", kind)
        self.put(f"{folder}/temp", round(temperature_c * 1000))
        for k, (trip, c) in enumerate(trips_c.items()):
            self.put(f"{folder}/trip_point_{k}_type", trip)
            self.put(f"{folder}/trip_point_{k}_temp", round(c * 1000))

    def cooler(self, number: int, kind: str, state: int) -> None:
        self.put(f"class/thermal/cooling_device{number}/type", kind)
        self.put(f"class/thermal/cooling_device{number}/cur_state", state)


def pi(root: Path, temperature_c: float = 50.0, throttled: int = 0) -> Sysfs:
    """A Raspberry Pi: one zone without a passive trip point, a fan that runs, the firmware's word."""
    sysfs = Sysfs(root)
    sysfs.zone(0, "cpu-thermal", temperature_c, critical=110)
    sysfs.cooler(0, "pwm-fan", 3)
    sysfs.put("devices/platform/soc/soc:firmware/get_throttled", f"{throttled:x}")
    return sysfs


def jetson(root: Path, cpu_c: float = 50.0, alert: int = 0, over_current: int = 5) -> Sysfs:
    """A Jetson Orin: many zones, one of them off, alerts as cooling devices, a counter of over-current."""
    sysfs = Sysfs(root)
    sysfs.zone(0, "cpu-thermal", cpu_c, passive=99, critical=104.5)
    sysfs.zone(1, "gpu-thermal", 48.0, passive=99)
    sysfs.put("class/thermal/thermal_zone2/type", "cv0-thermal")  # off: no temperature
    sysfs.cooler(0, "pwm-fan", 1)
    sysfs.cooler(1, "cpu-throttle-alert", alert)
    sysfs.put("class/hwmon/hwmon3/name", "soctherm_oc")
    sysfs.put("class/hwmon/hwmon3/oc3_event_cnt", over_current)
    return sysfs
