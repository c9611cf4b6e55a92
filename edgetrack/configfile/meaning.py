"""What no single value shows: settings that contradict each other, areas without area, passwords in addresses."""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import msgspec

from edgetrack.config import (
    CaptureOptions,
    Config,
    CountsConfig,
    GoturnRefine,
    HomeAssistantConfig,
    JsonlPublish,
    LineConfig,
    LiveOptions,
    MqttPublish,
    Point,
    PrometheusPublish,
    RequestsConfig,
    RtspCapture,
    TargetConfig,
    ZoneConfig,
)
from edgetrack.configfile.mistake import Notes
from edgetrack.configfile.words import QUERY_PASSWORD, did_you_mean
from edgetrack.configfile.yamltree import Node

MIN_AREA = 1e-6  # of the picture: about one pixel of a megapixel
MIN_LENGTH = 1e-3  # of the picture's sides: about one pixel
PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True)
class Where:
    """Where in the file some settings stand."""

    node: Node
    key: str
    notes: Notes

    def below(self, room: str, i: int) -> Where:
        """The settings of one item of a list."""
        rooms: Any = self.node.value
        return Where(rooms[room].value[i], f"{room}[{i}]", self.notes)

    def note(self, key: str, text: str, hint: bool = False) -> None:
        """Note a mistake at a key of these settings, or at the settings where the key is not written."""
        keys = self.node.value if isinstance(self.node.value, dict) else {}
        place = keys[key].place if key in keys else self.node.key
        self.notes.add(place, f"{self.key}.{key}".strip("."), text, hint)


@singledispatch
def settle(settings: Any, where: Where) -> Any:
    """The settings, tidied; what contradicts itself is noted."""
    return settings


@settle.register
def _(config: Config, where: Where) -> Config:
    if not config.publish:
        where.note("publish", "nothing is published; add - kind: mqtt, or - kind: jsonl", hint=True)
    if config.pace.lighter and config.detect.every != "auto":
        where.note("pace", "lighter is never used; set detect.every: auto, or remove it", hint=True)
    reported = dict.fromkeys(config.detect.classes)
    if reported:
        for name in sorted(set(config.detect.min_scores) - set(reported)):
            where.note(
                "detect", f"min_scores.{name} has no effect; add {name} to detect.classes or remove it", hint=True
            )
        for room in ("zones", "lines"):
            for i, settings in enumerate(getattr(config, room)):
                for name in (name for name in settings.classes if name not in reported):
                    text = f"detect.classes leaves out '{name}'; add it there or remove it here"
                    where.below(room, i).note("classes", text + did_you_mean(name, reported))
    return config


@settle.register
def _(capture: CaptureOptions, where: Where) -> CaptureOptions:
    masks = [_polygon(mask, where, f"masks[{i}]", "masks") for i, mask in enumerate(capture.masks)]
    capture = msgspec.structs.replace(capture, masks=masks)
    if isinstance(capture, LiveOptions) and capture.retry_min_s > capture.retry_max_s:
        key = "retry_max_s" if "retry_max_s" in (where.node.value or {}) else "retry_min_s"  # type: ignore[operator]
        text = (
            f"retry_min_s {capture.retry_min_s:g} is over retry_max_s {capture.retry_max_s:g}; make it the smaller one"
        )
        where.note(key, text)
    if isinstance(capture, RtspCapture):
        _network_camera(capture, where)
    return capture


def _network_camera(capture: RtspCapture, where: Where) -> None:
    url = _address(capture.url, ("rtsp", "rtsps", "http", "https"), "rtsp://camera.local/stream1", where)
    if url and QUERY_PASSWORD.search(f"{url.path}?{url.query}"):
        where.note("url", "seems to hold a password; use username and password_file if the camera allows it", hint=True)
    _password(capture, where)


@settle.register
def _(zone: ZoneConfig, where: Where) -> ZoneConfig:
    return msgspec.structs.replace(zone, polygon=_polygon(zone.polygon, where, "polygon", "polygon"))


@settle.register
def _(line: LineConfig, where: Where) -> LineConfig:
    if max(abs(line.start[0] - line.end[0]), abs(line.start[1] - line.end[1])) < MIN_LENGTH:
        where.note("end", "start and end are the same point; draw the line across the way that is counted")
    return line


@settle.register
def _(refine: GoturnRefine, where: Where) -> GoturnRefine:
    if refine.targets and refine.mode == "bridge":
        where.note("targets", "mode: bridge follows no targets; set mode: both, or remove them", hint=True)
    if len(refine.targets) > refine.max_targets:
        text = f"{len(refine.targets)} targets, but max_targets is {refine.max_targets}; raise it or remove some"
        where.note("targets", text)
    return refine


@settle.register
def _(target: TargetConfig, where: Where) -> TargetConfig:
    left, top, right, bottom = target.box
    if right - left < MIN_LENGTH or bottom - top < MIN_LENGTH:
        where.note("box", "has no area; write [left, top, right, bottom], fractions of the picture")
    return target


@settle.register
def _(mqtt: MqttPublish, where: Where) -> MqttPublish:
    url = _address(mqtt.url, ("mqtt", "mqtts"), "mqtts://broker.local:8883", where)
    if url is None:
        return mqtt
    if url.path.strip("/") or url.query or url.fragment:
        where.note("url", "has a path after the host; topics begin with prefix; write scheme://host:port alone")
    _transport(mqtt, url, where)
    _password(mqtt, where)
    _levels(mqtt.prefix, "edgetrack/v1", where)
    if "snapshot" in mqtt.requests.allow and url.scheme == "mqtt" and not _is_local(url.hostname or ""):
        text = (
            "pictures that requests.allow asks for cross the network unencrypted; write mqtts:// where the broker can"
        )
        where.note("url", text, hint=True)
    return mqtt


@settle.register
def _(home: HomeAssistantConfig, where: Where) -> HomeAssistantConfig:
    _levels(home.prefix, "homeassistant", where)
    return home


@settle.register
def _(requests: RequestsConfig, where: Where) -> RequestsConfig:
    twice = sorted({verb for verb in requests.allow if requests.allow.count(verb) > 1})
    if twice:
        where.note("allow", f"names {', '.join(twice)} twice; remove one", hint=True)
    return requests


def _levels(prefix: str, example: str, where: Where) -> None:
    if "//" in prefix or prefix.startswith(("/", "$")) or prefix.endswith("/"):
        where.note("prefix", f"'{prefix}' has an empty or reserved level; write it like {example}")


def _transport(mqtt: MqttPublish, url: SplitResult, where: Where) -> None:
    for key in ("ca_file", "cert_file", "key_file"):
        if url.scheme == "mqtt" and getattr(mqtt, key):
            where.note(key, "serves TLS, but mqtt:// is not encrypted; write mqtts:// in url, or remove it")
    if bool(mqtt.cert_file) != bool(mqtt.key_file):
        given, absent = ("cert_file", "key_file") if mqtt.cert_file else ("key_file", "cert_file")
        where.note(given, f"is given without {absent}; mutual TLS needs both; add {absent}")
    other = "mqtt" if url.scheme == "mqtts" else "mqtts"
    if url.port == PORTS[other]:
        where.note("url", f"port {url.port} is usually that of {other}://; check the scheme", hint=True)
    secret = mqtt.password_file or mqtt.password_env
    if secret and url.scheme == "mqtt" and not _is_local(url.hostname or ""):
        where.note(
            "url", "the password crosses the network unencrypted; write mqtts:// where the broker can", hint=True
        )
    if secret and not mqtt.username and mqtt.version == "3.1.1":
        where.note("version", "MQTT 3.1.1 knows no password without a user name; add username")


@settle.register
def _(counts: CountsConfig, where: Where) -> CountsConfig:
    if not counts.timezone:
        return counts
    try:
        ZoneInfo(counts.timezone)
    except (OSError, ValueError, ZoneInfoNotFoundError):
        near = (
            did_you_mean(counts.timezone, available_timezones())
            or "; write it like Europe/Berlin, or apt install tzdata"
        )
        where.note("timezone", f"'{counts.timezone[:60]}' is no time zone that this device knows{near}")
    if not counts.reset_at:
        where.note("timezone", "has no effect without reset_at; add the times, or remove it", hint=True)
    return counts


# --- addresses and passwords -----------------------------------------------------------------------------------------


def _address(text: str, schemes: Sequence[str], example: str, where: Where) -> SplitResult | None:
    """A split address; None, and the mistake noted, where it is none. The address itself is never shown."""
    if "@" in text.partition("?")[0]:
        remedy = "use username, and password_file or password_env"
        where.note("url", f"has a user name or password in it, which logs would show; take it out of url and {remedy}")
        return None
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as error:
        port_is_bad = "port" in str(error).lower()  # Python's words: "Port out of range", "... cast to integer"
        problem = "the port is not a number from 1 to 65535" if port_is_bad else "the host is malformed"
        where.note("url", f"{problem}; write it like {example}")
        return None
    if url.scheme not in schemes:
        known = " or ".join(f"{scheme}://" for scheme in schemes)
        scheme = f"starts with {url.scheme[:20]}://" if "://" in text else "has no scheme"
        where.note("url", f"{scheme}; expected {known}; write it like {example}{did_you_mean(url.scheme, schemes)}")
        return None
    if port == 0:
        where.note("url", f"the port is not a number from 1 to 65535; write it like {example}")
        return None
    if not url.hostname or re.search(r"[\s\\_,;<>\"'{}|^`]", url.hostname.replace("_", "")):
        where.note("url", f"has no host, or one with characters that hosts cannot have; write it like {example}")
        return None
    return url


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _password(settings: MqttPublish | RtspCapture, where: Where) -> None:
    if settings.password_file and settings.password_env:
        where.note("password_env", "is given beside password_file; a password has one source; remove one of the two")
    if settings.password_env and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", settings.password_env):
        where.note("password_env", "is no name of a variable; give the name, such as MQTT_PASSWORD, not the password")
    elif settings.password_env and settings.password_env not in where.notes.environment:
        where.note("password_env", "the variable it names is not set here; the service needs it", hint=True)
    if (
        isinstance(settings, RtspCapture)
        and (settings.password_file or settings.password_env)
        and not settings.username
    ):
        where.note("username", "is missing beside the password; add it")


# --- geometry --------------------------------------------------------------------------------------------------------


def _polygon(corners: list[Point], where: Where, name: str, key: str) -> list[Point]:
    """The corners without a last one that repeats the first."""
    problem = ""
    if len(corners) > 1 and corners[0] == corners[-1]:
        corners = corners[:-1]
    repeated = next((i for i, (a, b) in enumerate(itertools.pairwise(corners)) if a == b), None)
    if len(corners) < 3:
        problem = f"has {len(corners)} different corners; an area needs 3"
    elif repeated is not None:
        problem = f"corner {repeated + 2} repeats the one before; remove it"
    else:
        crossing = _crossing(corners)
        if crossing:
            a, b = (f"{i + 1}-{(i + 1) % len(corners) + 1}" for i in crossing)
            problem = f"the edges {a} and {b} cross; list the corners in order around the area"
        elif _area(corners) < MIN_AREA:
            problem = "has no area; its corners lie on one line; move one of them"
    if problem:
        where.note(key, f"{name}: {problem}" if name != key else problem)
    return corners


def _area(corners: Sequence[Point]) -> float:
    """Shoelace formula."""
    around = zip(corners, [*corners[1:], corners[0]], strict=True)
    return abs(sum(a[0] * b[1] - a[1] * b[0] for a, b in around)) / 2


def _crossing(corners: Sequence[Point]) -> tuple[int, int] | None:
    """The first two edges that cross, by the number of their first corner; touching is not crossing."""
    edges = list(zip(corners, [*corners[1:], corners[0]], strict=True))
    for i, j in itertools.combinations(range(len(edges)), 2):
        (a, b), (c, d) = edges[i], edges[j]
        if _side(a, b, c) * _side(a, b, d) < 0 and _side(c, d, a) * _side(c, d, b) < 0:
            return i, j
    return None


def _side(a: Point, b: Point, c: Point) -> float:
    """Over 0 where c lies to one side of a->b, below 0 on the other, 0 on it."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


# --- lists -----------------------------------------------------------------------------------------------------------


def tell_apart(nodes: Sequence[Node], items: Sequence[Any], key: str, notes: Notes) -> None:
    """Note what must differ between the items of one list and does not: names, clients of one broker, files."""
    first: dict[Any, int] = {}
    for i, (node, item) in enumerate(zip(nodes, items, strict=True)):
        place, identity, said = _identity(node, item)
        if identity is None:
            continue
        if identity in first:
            notes.add(place, f"{key}[{i}]{said[0]}", f"{said[1]} {key}[{first[identity]}]; {said[2]}")
        else:
            first[identity] = i


def _identity(node: Node, item: Any) -> tuple[tuple[int, int], Any, tuple[str, str, str]]:
    def place(key: str) -> tuple[int, int]:
        return node.value[key].place if isinstance(node.value, dict) and key in node.value else node.place

    if isinstance(item, (ZoneConfig, LineConfig, TargetConfig)):
        return place("name"), item.name, (".name", f"'{item.name}' is also the name of", "give each its own")
    if isinstance(item, MqttPublish):
        said = ("", "goes to the same broker under the same client_id as", "the broker would throw one out; remove one")
        return place("client_id"), (item.url, item.client_id), said
    if isinstance(item, PrometheusPublish):
        return (
            place("port"),
            item.port,
            (".port", f"{item.port} is also the port of", "give each its own, or remove one"),
        )
    if isinstance(item, JsonlPublish):
        return place("path"), item.path, (".path", "writes to the same file as", "remove one")
    return node.place, None, ("", "", "")
