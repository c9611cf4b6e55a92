"""The wire contract: what an event looks like to a subscriber, and on which topic it comes.

`schema()` is made of the same structs that encode, so that neither can say what the other does not.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from edgetrack.types import (
    CaptureState,
    Direction,
    EndReason,
    FollowPhase,
    FollowReason,
    FollowState,
    PaceState,
    PublishState,
    TrackPhase,
)

PREFIX = "edgetrack/v1"  # of every topic, unless publish.mqtt.prefix says otherwise

Time = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$", description="UTC, RFC 3339")]
Fraction = Annotated[float, Meta(description="of the picture's width or height; below 0 or above 1 lies outside")]
Box = Annotated[tuple[Fraction, Fraction, Fraction, Fraction], Meta(description="left, top, right, bottom")]
Foot = Annotated[tuple[Fraction, Fraction], Meta(description="bottom centre of the box: where it stands")]
Size = Annotated[tuple[int, int], Meta(description="width and height of the picture, px")]
Count = Annotated[int, Meta(ge=0)]
Transaction = Annotated[str, Meta(max_length=200)] | int
Fault = Literal[
    "malformed", "too_large", "too_many", "retained", "unknown", "not_allowed", "busy", "failed"
]  # of a request
Milliseconds = Annotated[float, Meta(ge=0)]


class Envelope(Struct, kw_only=True, omit_defaults=True, tag_field="schema"):
    """What every payload says of its origin."""

    device: str
    camera: str
    boot: Annotated[str, Meta(pattern="^[0-9a-f]{8}$", description="drawn at random at every start of the daemon")]
    seq: Annotated[
        int,
        Meta(
            ge=0,
            description="what happens once (start, end, crossings, visits) is numbered without a gap per device and "
            "camera; everything else carries the number of the last of those before it",
        ),
    ]
    ts: Annotated[Time, Meta(description="when it happened")]
    mono_ns: Annotated[int, Meta(ge=0, description="the device's monotonic clock at the picture that proved it")]
    latency_ms: Annotated[Milliseconds, Meta(description="from that picture to the hand-over for publishing")]
    clock: Annotated[
        Literal["synced", "unsynced", "corrected"],
        Meta(description="of ts; unsynced: the device did not know the date; corrected: it learned it before sending"),
    ] = "synced"
    replayed: Annotated[bool, Meta(description="true: kept while the broker was away")] = False


class Sighting(Envelope, kw_only=True):
    """A track at one moment."""

    type: str
    track: Annotated[int, Meta(ge=1, description="never used twice within one boot")]
    class_: Annotated[str, Meta(description="name of the class")] = msgspec.field(name="class")
    score: Annotated[float, Meta(ge=0, le=1, description="of the last detection")]
    box: Box
    foot: Foot
    size: Size
    frame: Annotated[int, Meta(ge=0, description="number of the picture")]
    age_s: Annotated[float, Meta(ge=0, description="since the track was confirmed")]
    seen: Annotated[bool, Meta(description="false: the box is predicted, no detection backs it now")]
    zones: Annotated[list[str], Meta(description="those it is in")]


class Track(Sighting, kw_only=True, tag="edgetrack.track/1"):
    """A track begins, goes on or ends."""

    type: TrackPhase
    reason: Annotated[EndReason | None, Meta(description="of an end")] = None


class Crossing(Sighting, kw_only=True, tag="edgetrack.crossing/1"):
    """A track crossed a line; `in` is from the left of start->end to its right as seen in the picture."""

    type: Literal["line_crossed"]
    line: str
    direction: Direction


class Visit(Sighting, kw_only=True, tag="edgetrack.visit/1"):
    """A track entered a zone, stays in it for long, or left it."""

    type: Literal["zone_entered", "zone_left", "dwell"]
    zone: str
    duration_s: Annotated[Annotated[float, Meta(ge=0)] | None, Meta(description="inside: zone_left, dwell")] = None


class PaceStep(Envelope, kw_only=True, tag="edgetrack.pace/1"):
    """The detector looks less often from here on (the device is at its limit), or more often again."""

    type: Literal["pace"]
    direction: Literal["down", "up"]
    reason: Annotated[str, Meta(description="why less often; of a step up: why not every picture; empty at the top")]
    rung: Annotated[int, Meta(ge=0, description="of the ladder; 0 is the top, every picture")]
    last: Annotated[int, Meta(ge=0, description="the lowest rung")]
    every: Annotated[int, Meta(ge=1, description="pictures for one look")]
    model: str
    max_fps: Annotated[float | None, Meta(description="of the camera; absent: its own rate")] = None


class Following(Envelope, kw_only=True, tag="edgetrack.follow/1"):
    """A target that was asked for: where it is, and whether it is in sight."""

    type: Annotated[FollowPhase, Meta(description="change: of its state; all but update are numbered")]
    follow: Annotated[int, Meta(ge=1, description="its id, the same through loss and return")]
    state: FollowState
    confidence: Annotated[float, Meta(ge=0, le=1, description="in the box: the IoU expected, or a detection's score")]
    box: Annotated[
        Box, Meta(description="left, top, right, bottom; out of sight: where it should be, lost: where it was last")
    ]
    size: Size
    frame: Annotated[int, Meta(ge=0, description="number of the picture")]
    age_s: Annotated[float, Meta(ge=0, description="since it was asked for")]
    seen: Annotated[bool, Meta(description="a detection backs the box")]
    name: Annotated[str, Meta(description="of a target in the configuration, or as it was asked for")] = ""
    track: Annotated[Annotated[int, Meta(ge=1)] | None, Meta(description="the track that it is, now or last")] = None
    class_: Annotated[str | None, Meta(description="of that track")] = msgspec.field(name="class", default=None)
    reason: Annotated[FollowReason | None, Meta(description="of an end")] = None


class InOut(Struct):
    in_: Count = msgspec.field(name="in")
    out: Count


class Counts(Envelope, kw_only=True, tag="edgetrack.count/1"):
    """All crossings of a line since `since`; cumulative, so that no lost message loses a count.

    They go on after a restart, unless the line was moved.
    """

    line: str
    total: InOut
    by_class: dict[str, InOut]
    since: Time
    epoch: Annotated[str, Meta(pattern="^[0-9a-f]{8}$", description="drawn anew whenever counting starts from zero")]
    uptime_gaps_s: Annotated[float, Meta(ge=0, description="of the time since then, nobody was counting for so long")]


class Occupancy(Envelope, kw_only=True, tag="edgetrack.occupancy/1"):
    """Who is in a zone now, and the most there have been at once since `since`, by class."""

    zone: str
    total: Annotated[int, Meta(ge=0, description="of all classes, now")]
    now: dict[str, Count]
    peak: dict[str, Count]
    since: Time


class Report(Envelope, kw_only=True, tag="edgetrack.health/1"):
    """How the daemon is doing."""

    state: Literal["starting", "ok", "degraded", "stopping"]
    reason: Annotated[str, Meta(description="what is wrong; empty when ok")]
    uptime_s: float
    fps: Annotated[float, Meta(description="frames/s through the whole loop since the last report")]
    tracks: Count
    delays_ms: Annotated[
        dict[str, float], Meta(description="capture to hand-over: p50, p95, max since the last report")
    ]
    stage_ms: Annotated[dict[str, float], Meta(description="mean per frame of every stage")]
    capture: CaptureState
    publish: list[PublishState]
    memory_mb: float
    temperature_c: Annotated[float | None, Meta(description="hottest thermal zone; absent where there is none")] = None
    throttled: Annotated[list[str], Meta(description="what slows the device down now, in words")] = []
    pace: Annotated[PaceState | None, Meta(description="how often the detector looks, and why not more often")] = None


class Start(Envelope, kw_only=True, tag="edgetrack.info/1"):
    """What the daemon is."""

    version: str
    config_hash: str
    model: str
    head: str
    providers: Annotated[list[str], Meta(description="what the detector really runs on")]
    refused: Annotated[dict[str, str], Meta(description="providers that were wanted and are not used -> why")]
    embedder: str
    classes: Annotated[list[str], Meta(description="those that are reported")]
    lines: Annotated[dict[str, Any], Meta(description="name -> start and end, fractions; classes, if not all count")]
    zones: Annotated[dict[str, Any], Meta(description="name -> polygon, fractions")]
    source: Annotated[str, Meta(description="kind of camera")]


class Response(Envelope, kw_only=True, tag="edgetrack.response/1"):
    """The answer to a request; `ts` and `latency_ms` are of the answer, counted from the arrival of the request."""

    request: Annotated[str, Meta(description="the verb")]
    transaction: Annotated[Transaction | None, Meta(description="as in the request, if it had one")] = None
    ok: bool
    error: Annotated[Fault | None, Meta(description="what kind of trouble, if not ok")] = None
    reason: Annotated[str | None, Meta(description="of the error, for people")] = None
    result: Annotated[Any, Meta(description="of the verb, if ok")] = None


PAYLOADS = (Track, Crossing, Visit, Following, PaceStep, Counts, Occupancy, Report, Start, Response)
TOPICS = {
    Track: "track/<class>",
    Crossing: "event/line_crossed",
    Visit: "event/<type>",
    PaceStep: "event/pace",
    Following: "event/follow",
    Counts: "line/<line>/count",
    Occupancy: "zone/<zone>/occupancy",
    Report: "health",
    Start: "info",
    Response: "response/<verb>",
}


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of every payload; each definition names its topic."""
    _, definitions = msgspec.json.schema_components(PAYLOADS, ref_template="#/$defs/{name}")
    for kind, topic in TOPICS.items():
        definitions[kind.__name__]["title"] = f"<prefix>/<device>/<camera>/{topic}"
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "edgetrack events",
        "oneOf": [{"$ref": f"#/$defs/{kind.__name__}"} for kind in PAYLOADS],
        "$defs": definitions,
    }
