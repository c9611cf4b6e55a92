"""Every setting once: its name, default, unit, range and meaning. `edgetrack.configfile` reads them from YAML.

Positions in the picture are fractions (0, 0 top left, 1, 1 bottom right) of the picture as it leaves capture, so that
a configuration outlives a change of resolution. Paths are relative to the configuration file. A number has a range,
and its unit stands in its name or at the start of its description.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct, field

Fraction = Annotated[float, Meta(ge=0, le=1)]
Point = Annotated[
    tuple[Fraction, Fraction],
    Meta(description="[x, y], fractions of the picture: pixels divided by its width and height"),
]
Polygon = Annotated[
    list[Point],
    Meta(min_length=3, max_length=200, description="corners [x, y] in order around the area, fractions of the picture"),
]
Name = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_-]{0,62}$", description="part of MQTT topics: a-z, 0-9, _ and -")]
TimeOfDay = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="like 06:30, 24 h, in quotes")]
Seconds = Annotated[float, Meta(ge=0, le=86400)]
Side = Annotated[int, Meta(ge=16, le=8192)]  # of a model's input, px
Shift = Annotated[float, Meta(ge=-255, le=255)]
Divisor = Annotated[float, Meta(gt=0, le=255)]
Verb = Literal[  # what `edgetrack.request` knows; a test compares them
    "follow", "reload", "reset_counts", "snapshot", "unfollow"
]
Provider = Annotated[str, Meta(pattern="^(tensorrt|cuda|openvino|xnnpack|qnn|cpu)$")]

# Paths, told apart for `edgetrack.configfile`: what must exist, and what may be a name in the catalogue of models.
ModelFile = Annotated[str, Meta(min_length=1, extra={"path": "model"})]
LighterFile = Annotated[str, Meta(extra={"path": "model"})]
InputFile = Annotated[str, Meta(extra={"path": "file"})]
InputFolder = Annotated[str, Meta(extra={"path": "folder"})]
OutputFile = Annotated[str, Meta(extra={"path": "output"})]


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Common to all settings: immutable, by name only, unknown keys are errors."""


# --- capture ---------------------------------------------------------------------------------------------------------


Loop = Annotated[bool, Meta(description="start again at the end; time goes on")]
ReadingPace = Annotated[
    Literal["realtime", "fast"], Meta(description="realtime: as a camera would deliver it; fast: as fast as it goes")
]


class CaptureOptions(Settings, frozen=True, kw_only=True):
    """Settings that every source has."""

    rotate: Annotated[Literal[0, 90, 180, 270], Meta(description="degrees clockwise, for a camera mounted askew")] = 0
    mirror: Annotated[bool, Meta(description="left becomes right, after rotation")] = False
    masks: Annotated[
        list[Polygon], Meta(description="privacy: polygons blacked out before anything else sees the picture")
    ] = field(default_factory=list)


class LiveOptions(CaptureOptions, frozen=True, kw_only=True):
    """Settings of sources that deliver at their own pace and can fail and come back."""

    stall_s: Annotated[
        float, Meta(gt=0, le=600, description="s without a picture until the source counts as down and is reopened")
    ] = 5.0
    tamper_s: Annotated[
        float,
        Meta(
            ge=0,
            le=3600,
            description="s of pictures that stand still or suddenly show nothing until health says so; 0: off",
        ),
    ] = 60.0
    retry_min_s: Annotated[float, Meta(ge=0.1, le=60, description="s, first pause before reopening")] = 0.5
    retry_max_s: Annotated[float, Meta(ge=0.1, le=3600, description="s, longest pause before reopening")] = 30.0


class FileCapture(CaptureOptions, frozen=True, kw_only=True, tag_field="kind", tag="file"):
    """A video file, every frame of it, with the file's own times."""

    path: Annotated[InputFile, Meta(min_length=1, description="video file")]
    loop: Loop = False
    pace: ReadingPace = "fast"


class ImagesCapture(CaptureOptions, frozen=True, kw_only=True, tag_field="kind", tag="images"):
    """A folder of pictures in order of name; a MOTChallenge sequence (seqinfo.ini, img1/) gives its own frame rate."""

    path: Annotated[
        InputFolder, Meta(min_length=1, description="folder of JPEG or PNG files, or of a MOTChallenge sequence")
    ]
    fps: Annotated[
        Annotated[float, Meta(gt=0, le=1000)] | None, Meta(description="frames/s; null: from seqinfo.ini, else 25")
    ] = None
    loop: Loop = False
    pace: ReadingPace = "fast"


class RtspCapture(LiveOptions, frozen=True, kw_only=True, tag_field="kind", tag="rtsp"):
    """A network camera: rtsp://, rtsps://, http:// or https://."""

    url: Annotated[str, Meta(min_length=1, description="address; keep the password out of it: username, password_file")]
    username: Annotated[str, Meta(description="for the camera's login")] = ""
    password_file: Annotated[
        InputFile, Meta(description="file that holds the password alone; ${CREDENTIALS_DIRECTORY} is known")
    ] = ""
    password_env: Annotated[str, Meta(description="environment variable that holds the password")] = ""
    transport: Annotated[Literal["tcp", "udp"], Meta(description="RTSP media transport")] = "tcp"
    open_timeout_s: Annotated[float, Meta(gt=0, le=120, description="s to wait for a connection")] = 10.0


class V4l2Capture(LiveOptions, frozen=True, kw_only=True, tag_field="kind", tag="v4l2"):
    """A USB camera."""

    device: Annotated[str, Meta(min_length=1, description="/dev/video0, a /dev/v4l/by-id/ path, or the camera's name")]
    width: Annotated[int, Meta(ge=16, le=8192, description="px to ask for")] = 1280
    height: Annotated[int, Meta(ge=16, le=8192, description="px to ask for")] = 720
    fps: Annotated[float, Meta(gt=0, le=240, description="frames/s to ask for")] = 30.0
    format: Annotated[Literal["auto", "mjpeg", "yuyv422", "h264"], Meta(description="pixel format to ask for")] = "auto"


class GstreamerCapture(LiveOptions, frozen=True, kw_only=True, tag_field="kind", tag="gstreamer"):
    """A GStreamer pipeline that ends in an appsink with BGR; the way to a CSI camera on a Jetson (system OpenCV)."""

    pipeline: Annotated[str, Meta(min_length=1, description="gst-launch syntax, last element appsink")]


class PicameraCapture(LiveOptions, frozen=True, kw_only=True, tag_field="kind", tag="picamera"):
    """A camera module on a Raspberry Pi, through picamera2."""

    camera: Annotated[int, Meta(ge=0, le=3, description="number, as rpicam-hello --list-cameras shows it")] = 0
    width: Annotated[int, Meta(ge=64, le=8192, multiple_of=2, description="px, even")] = 1280
    height: Annotated[int, Meta(ge=64, le=8192, multiple_of=2, description="px, even")] = 720
    fps: Annotated[float, Meta(gt=0, le=240, description="frames/s")] = 30.0
    buffers: Annotated[int, Meta(ge=2, le=16, description="frame buffers; each holds one picture of CMA memory")] = 4


class SceneCapture(CaptureOptions, frozen=True, kw_only=True, tag_field="kind", tag="scene"):
    """A street rendered by edgetrack itself, with known truth: needs no camera."""

    seed: Annotated[int, Meta(ge=0, le=2**31, description="another seed is another street")] = 0
    hard: Annotated[bool, Meta(description="night or rain, a crowd, a shaking camera")] = False
    seconds: Annotated[float, Meta(ge=1, le=86400, description="s until it ends")] = 40.0
    fps: Annotated[float, Meta(ge=1, le=120, description="frames/s")] = 15.0
    width: Annotated[int, Meta(ge=64, le=4096, description="px")] = 640
    height: Annotated[int, Meta(ge=64, le=4096, description="px")] = 360
    pace: ReadingPace = "fast"


Capture = FileCapture | ImagesCapture | RtspCapture | V4l2Capture | GstreamerCapture | PicameraCapture | SceneCapture


# --- detect ----------------------------------------------------------------------------------------------------------


class InputFormat(Settings, frozen=True, kw_only=True):
    """How a model wants its picture; each null is taken from the head's usual form."""

    colour: Annotated[Literal["bgr", "rgb"] | None, Meta(description="order of channels")] = None
    scale: Annotated[
        Annotated[float, Meta(gt=0, le=255)] | None,
        Meta(description="factor on 0..255 before mean and std; 0.00392157 gives 0..1"),
    ] = None
    mean: Annotated[tuple[Shift, Shift, Shift] | None, Meta(description="subtracted after scale, per channel")] = None
    std: Annotated[tuple[Divisor, Divisor, Divisor] | None, Meta(description="divisor after mean, per channel")] = None
    fit: Annotated[
        Literal["centre", "top_left", "stretch"] | None,
        Meta(description="letterbox centred or to the top left, or stretched without keeping the shape"),
    ] = None


class DetectConfig(Settings, frozen=True, kw_only=True):
    """The object detector: any YOLO-like ONNX model, float or int8."""

    model: Annotated[ModelFile, Meta(description="ONNX file, or the name of a model in the catalogue")]
    head: Annotated[
        Literal["auto", "yolox", "yolov5", "yolov8", "end2end", "picodet", "nanodet"],
        Meta(description="form of the outputs; auto: recognised from their shapes"),
    ] = "auto"
    size: Annotated[
        tuple[Side, Side] | None,
        Meta(description="[width, height] px of the model's input, where the file leaves it open"),
    ] = None
    rect: Annotated[
        bool,
        Meta(
            description="on a CPU, leave out the grey beside the picture in the model's input, where the model lets it"
        ),
    ] = True
    input: Annotated[InputFormat, Meta(description="how the model wants its picture")] = InputFormat()
    labels: Annotated[
        InputFile, Meta(description="file with one class name a line; empty: from the model, else COCO")
    ] = ""
    classes: Annotated[list[str], Meta(max_length=1000, description="names to report; empty: all of them")] = field(
        default_factory=list
    )
    min_score: Annotated[
        float, Meta(ge=0, le=1, description="detections below are dropped; the tracker itself trusts strong ones more")
    ] = 0.25
    min_scores: Annotated[
        dict[str, Fraction], Meta(max_length=1000, description="min_score for single classes, {car: 0.5}")
    ] = field(default_factory=dict)
    nms_iou: Annotated[
        float, Meta(ge=0, le=1, description="overlap above which the weaker of one class is dropped")
    ] = 0.5
    max_detections: Annotated[int, Meta(ge=1, le=1000, description="per picture, best first")] = 300
    ahead: Annotated[
        int,
        Meta(
            ge=0,
            le=8,
            description="looks begun at once before the loop comes for them, a session of the model each; 0: none",
        ),
    ] = 1
    every: Annotated[
        Annotated[int, Meta(ge=1, le=100)] | Literal["auto"],
        Meta(description="look at every Nth picture of the camera, the filter predicts between; auto: pace decides"),
    ] = 1


# --- pace ------------------------------------------------------------------------------------------------------------


class PaceConfig(Settings, frozen=True, kw_only=True):
    """What a device at its limit gives up, in order, and when: docs/limits.md. The ladder wants detect.every: auto."""

    max_load: Annotated[
        float,
        Meta(ge=0.05, le=1, description="share of the time that loop or model may be busy before it looks less often"),
    ] = 0.85
    max_latency_ms: Annotated[
        float, Meta(ge=1, le=60000, description="ms from capture to publishers, median, before it looks less often")
    ] = 500.0
    max_temperature_c: Annotated[
        Annotated[float, Meta(ge=20, le=120)] | None,
        Meta(description="degrees before it looks less often; null: 3 below where the system slows down, else 80"),
    ] = None
    min_looks_s: Annotated[float, Meta(ge=0.5, le=60, description="looks/s that the ladder does not go below")] = 6.0
    lighter: Annotated[
        LighterFile,
        Meta(description="ONNX file or name of a quicker detector with the same classes, a rung; empty: none"),
    ] = ""
    lighter_size: Annotated[
        tuple[Side, Side] | None,
        Meta(description="[width, height] px of its input, where the file leaves it open"),
    ] = None
    motion_gate: Annotated[
        bool, Meta(description="the detector rests while nothing in the picture changes; docs/limits.md has its cost")
    ] = False
    gate_look_s: Annotated[
        float, Meta(ge=0.1, le=600, description="s without a look after which the gate lets one through anyway")
    ] = 5.0


# --- embed -----------------------------------------------------------------------------------------------------------


class ReidEmbed(Settings, frozen=True, kw_only=True, tag_field="kind", tag="reid"):
    """Appearance by a re-identification network."""

    model: Annotated[ModelFile, Meta(description="ONNX file, or the name of a model in the catalogue")]
    input: Annotated[InputFormat, Meta(description="how the model wants its picture")] = InputFormat()


class HistogramEmbed(Settings, frozen=True, kw_only=True, tag_field="kind", tag="histogram"):
    """Appearance by colour histograms of horizontal stripes: no model, weaker than one."""

    stripes: Annotated[int, Meta(ge=1, le=16, description="horizontal parts of the box")] = 6
    bins: Annotated[int, Meta(ge=2, le=16, description="per colour channel")] = 8


class NoEmbed(Settings, frozen=True, kw_only=True, tag_field="kind", tag="none"):
    """Motion alone."""


Embed = ReidEmbed | HistogramEmbed | NoEmbed


# --- track -----------------------------------------------------------------------------------------------------------


class TrackConfig(Settings, frozen=True, kw_only=True):
    """DeepSORT (Wojke et al. 2017); with `exact` as its reference implementation, else improved: docs/tracking.md.

    Scores count as shares of the typical score of the objects of a class that are being followed, since one detector
    is 0.95 sure of what another reports with 0.5.
    """

    exact: Annotated[
        bool, Meta(description="reproduce the reference implementation box for box: max_age in frames, dt = 1 frame")
    ] = False
    max_age: Annotated[int, Meta(ge=1, le=100000, description="frames without a match until deletion, if exact")] = 30
    max_age_s: Annotated[Seconds, Meta(description="s without a match until deletion, unless exact")] = 2.0
    n_init: Annotated[
        Annotated[int, Meta(ge=1, le=100)] | None,
        Meta(description="matches in a row until a track is confirmed; null: 3 if exact, else 2"),
    ] = None
    max_cosine_distance: Annotated[
        float, Meta(ge=0, le=2, description="appearance gate; unless exact, of finding a lost track by its looks")
    ] = 0.2
    max_iou_distance: Annotated[float, Meta(ge=0, le=1, description="1 - IoU gate of matching by overlap")] = 0.7
    gallery: Annotated[int, Meta(ge=1, le=1000, description="embeddings kept per track, if exact")] = 100
    motion_weight: Annotated[
        float,
        Meta(ge=0, le=1, description="lambda, if exact: weight of the Mahalanobis against the cosine distance"),
    ] = 0.0
    class_aware: Annotated[bool, Meta(description="a track matches detections of its own class only")] = True
    new_track_score: Annotated[
        float, Meta(ge=0, le=1, description="share of the typical score that starts a track, unless exact; 0: all do")
    ] = 0.75
    second_pass: Annotated[
        bool, Meta(description="unless exact: weak detections only prolong tracks just seen (ByteTrack, Zhang 2022)")
    ] = True
    strong_score: Annotated[
        float, Meta(ge=0, le=1, description="share of the typical score from which a detection is not weak")
    ] = 0.8
    score_noise: Annotated[
        bool, Meta(description="unless exact: the less sure a box, the less it corrects (NSA Kalman filter, Du 2021)")
    ] = True
    camera_motion: Annotated[
        bool,
        Meta(description="the camera sways or turns: tracks go with the scene (as in BoT-SORT, Aharon 2022)"),
    ] = False
    adaptive_noise: Annotated[
        bool,
        Meta(description="unless exact: how far boxes are off is learned, so that innovations are white (Mehra 1970)"),
    ] = True
    appearance_veto: Annotated[
        bool,
        Meta(description="unless exact: overlap is void with a box unlike the track (compare BoT-SORT, Aharon 2022)"),
    ] = True
    max_unlikeness: Annotated[
        float, Meta(ge=0, le=2, description="cosine distance to the average embedding that appearance_veto allows")
    ] = 0.35
    embed_every_s: Annotated[
        float,
        Meta(ge=0, le=60, description="unless exact: s between embeddings of a track that its box tells; 0: each look"),
    ] = 0.3
    embed_at_most: Annotated[
        Annotated[int, Meta(ge=1, le=1000)] | None,
        Meta(description="embeddings a look, who has gone longest without first; not at embed_every_s: 0; null: all"),
    ] = 8
    recovery: Annotated[
        bool,
        Meta(description="unless exact: a lost track is found again by its average embedding (Wojke 2017, Du 2023)"),
    ] = True


# --- refine ----------------------------------------------------------------------------------------------------------


class TargetConfig(Settings, frozen=True, kw_only=True):
    """A thing that is followed from the first picture on, whatever it is."""

    name: Annotated[Name, Meta(description="in its events: a-z, 0-9, _ and -; no two targets share one")]
    box: Annotated[
        tuple[Fraction, Fraction, Fraction, Fraction],
        Meta(description="[left, top, right, bottom] in the first picture, fractions of the picture"),
    ]


class GoturnRefine(Settings, frozen=True, kw_only=True, tag_field="kind", tag="goturn"):
    """Targets that are asked for, or tracks that no detection backs, are followed by a network (Held et al. 2016)."""

    model: Annotated[ModelFile, Meta(description="ONNX file of a follower, or the name of a model in the catalogue")]
    head: Annotated[
        Literal["auto", "correlate", "concat", "goturn-caffe"],
        Meta(description="form of the network; auto: recognised from its inputs"),
    ] = "auto"
    mode: Annotated[
        Literal["follow", "bridge", "both"],
        Meta(
            description="follow: what is asked for, by request or in targets; "
            "bridge: confirmed tracks while the detector rests (detect.every)"
        ),
    ] = "follow"
    targets: Annotated[list[TargetConfig], Meta(max_length=64, description="to follow from the first picture on")] = (
        field(default_factory=list)
    )
    max_targets: Annotated[
        int,
        Meta(
            ge=1,
            le=64,
            description="followed at once, and bridged at once; more requests are refused, more tracks predicted",
        ),
    ] = 8
    min_confidence: Annotated[
        float, Meta(ge=0, le=1, description="expected IoU below which a target is searched for, or a track given up")
    ] = 0.6
    lost_after_s: Annotated[Seconds, Meta(description="s of searching until a followed target counts as lost")] = 2.0
    end_after_s: Annotated[
        Seconds, Meta(description="s after its last sight until a followed target is given up; 0: never")
    ] = 60.0
    bridge_missed: Annotated[
        bool, Meta(description="bridge also what the detector looked for and missed: often what hides it is followed")
    ] = False


class NoRefine(Settings, frozen=True, kw_only=True, tag_field="kind", tag="none"):
    """Tracks that no detection backs are predicted by motion alone."""


Refine = GoturnRefine | NoRefine


# --- scene -----------------------------------------------------------------------------------------------------------


class ZoneConfig(Settings, frozen=True, kw_only=True):
    """An area on the ground; a track is inside when its foot point (bottom centre of the box) is."""

    name: Annotated[Name, Meta(description="in topics and events: a-z, 0-9, _ and -; no two zones share one")]
    polygon: Polygon
    classes: Annotated[list[str], Meta(max_length=1000, description="names that count; empty: all reported ones")] = (
        field(default_factory=list)
    )
    min_s: Annotated[
        Seconds, Meta(description="s inside before an entry counts, and outside before a leaving does")
    ] = 0.5
    dwell_s: Annotated[
        list[Seconds], Meta(max_length=100, description="s inside after which a dwell event is sent, each once a visit")
    ] = field(default_factory=list)


class LineConfig(Settings, frozen=True, kw_only=True):
    """A line on the ground; `in` is from the left of start->end to its right as seen in the picture."""

    name: Annotated[Name, Meta(description="in topics and events: a-z, 0-9, _ and -; no two lines share one")]
    start: Annotated[Point, Meta(description="where the line begins: [x, y], fractions of the picture")]
    end: Annotated[Point, Meta(description="where it ends: [x, y], fractions of the picture")]
    classes: Annotated[list[str], Meta(max_length=1000, description="names that count; empty: all reported ones")] = (
        field(default_factory=list)
    )
    hysteresis: Annotated[
        Fraction, Meta(description="distance from the line that proves a side, as a fraction of the picture's height")
    ] = 0.01
    min_s: Annotated[Seconds, Meta(description="s on the new side before a crossing counts")] = 0.0


class CountsConfig(Settings, frozen=True, kw_only=True):
    """When counts of lines and peaks of zones begin anew; a device that was off then resets when it is on again."""

    reset_at: Annotated[
        list[TimeOfDay], Meta(max_length=24, description='times of day, ["00:00"]; empty: never by themselves')
    ] = field(default_factory=list)
    timezone: Annotated[
        str, Meta(description="whose times they are, such as Europe/Berlin; empty: this device's own")
    ] = ""


class EventsConfig(Settings, frozen=True, kw_only=True):
    """What is told of tracks."""

    update_every_s: Annotated[Seconds, Meta(description="s between updates of one track; 0: every frame")] = 1.0
    follow_every_s: Annotated[Seconds, Meta(description="s between updates of one followed target; 0: every frame")] = (
        0.0
    )


# --- runtime, health -------------------------------------------------------------------------------------------------


Options = dict[str, str]


class ProviderOptions(Settings, frozen=True, kw_only=True):
    """What providers are told, as ONNX Runtime names it."""

    tensorrt: Annotated[Options, Meta(description="such as trt_fp16_enable: '1'")] = field(default_factory=dict)
    cuda: Annotated[Options, Meta(description="such as gpu_mem_limit: '1073741824'")] = field(default_factory=dict)
    openvino: Annotated[Options, Meta(description="such as device_type: GPU")] = field(default_factory=dict)
    xnnpack: Annotated[Options, Meta(description="such as intra_op_num_threads: '2'")] = field(default_factory=dict)
    qnn: Annotated[Options, Meta(description="such as htp_performance_mode: burst")] = field(default_factory=dict)


class RuntimeConfig(Settings, frozen=True, kw_only=True):
    """How ONNX Runtime runs the models."""

    providers: Annotated[
        list[Provider],
        Meta(min_length=1, description="in order of preference: tensorrt, cuda, openvino, xnnpack, qnn, cpu"),
    ] = field(default_factory=lambda: ["cpu"])
    options: Annotated[ProviderOptions, Meta(description="over what is usual for each provider")] = ProviderOptions()
    strict: Annotated[
        bool, Meta(description="refuse to start where a model does not run on the first provider; run --strict too")
    ] = False
    threads: Annotated[int, Meta(ge=0, le=64, description="for one inference; 0: cores - 1, at least 1")] = 0
    allow_spinning: Annotated[
        bool, Meta(description="waiting threads burn their core: a little faster, much hotter")
    ] = False
    cores: Annotated[
        list[Annotated[int, Meta(ge=0, le=1023)]],
        Meta(max_length=1024, description="cores to keep to, [2, 3]; empty: all that the service may use"),
    ] = field(default_factory=list)
    nice: Annotated[int, Meta(ge=0, le=19, description="gives way to processes of a lower number; 19: to all")] = 0


class HealthConfig(Settings, frozen=True, kw_only=True):
    """The daemon's reports on itself."""

    every_s: Annotated[float, Meta(ge=1, le=3600, description="s between health reports")] = 30.0


# --- publish ---------------------------------------------------------------------------------------------------------


class RequestsConfig(Settings, frozen=True, kw_only=True):
    """What may be asked of the daemon through this broker."""

    allow: Annotated[
        list[Verb],
        Meta(max_length=100, description="who may write to .../request/<verb> may ask; empty: nothing is listened to"),
    ] = field(default_factory=list)
    max_bytes: Annotated[int, Meta(ge=64, le=65536, description="bytes of one request; a longer one is refused")] = 4096
    max_per_minute: Annotated[
        int, Meta(ge=1, le=6000, description="requests a minute; the first beyond is refused, the rest are ignored")
    ] = 60
    snapshot_max_kb: Annotated[
        int, Meta(ge=8, le=1024, description="kB of the JPEG in an answer to snapshot; quality, then size give way")
    ] = 192


class HomeAssistantConfig(Settings, frozen=True, kw_only=True):
    """Home Assistant finds this camera by itself on this broker: docs/home-assistant.md."""

    enabled: Annotated[bool, Meta(description="tell Home Assistant of lines, zones and health")] = False
    prefix: Annotated[str, Meta(pattern="^[^+#]+$", description="its discovery prefix, without + and #")] = (
        "homeassistant"
    )
    name: Annotated[str, Meta(max_length=100, description="of the device there; empty: <device> <camera>")] = ""


class MqttPublish(Settings, frozen=True, kw_only=True, tag_field="kind", tag="mqtt"):
    """An MQTT broker: mqtt://host:1883, or mqtts://host:8883 with TLS and verification."""

    url: Annotated[str, Meta(pattern="^mqtts?://", description="mqtt://host[:1883] or mqtts://host[:8883]")]
    version: Annotated[Literal["5", "3.1.1"], Meta(description="5 reports denied topics, 3.1.1 cannot")] = "5"
    prefix: Annotated[str, Meta(pattern="^[^+#]+$", description="first levels of every topic, without + and #")] = (
        "edgetrack/v1"
    )
    client_id: Annotated[str, Meta(description="empty: edgetrack-<device>-<camera>")] = ""
    username: Annotated[str, Meta(description="for the broker's login; empty: none")] = ""
    password_file: Annotated[
        InputFile, Meta(description="file that holds the password alone; ${CREDENTIALS_DIRECTORY} is known")
    ] = ""
    password_env: Annotated[str, Meta(description="environment variable that holds the password")] = ""
    ca_file: Annotated[InputFile, Meta(description="PEM of the authority; empty: the system's own")] = ""
    cert_file: Annotated[InputFile, Meta(description="PEM of the client's certificate, for mutual TLS")] = ""
    key_file: Annotated[InputFile, Meta(description="PEM of its key")] = ""
    keepalive_s: Annotated[int, Meta(ge=5, le=3600, description="s until the broker misses the device")] = 30
    max_inflight: Annotated[int, Meta(ge=1, le=1000, description="messages under way to the broker at once")] = 20
    max_queued: Annotated[
        int, Meta(ge=100, le=1000000, description="messages kept while the broker is away; beyond, updates go first")
    ] = 10000
    requests: Annotated[RequestsConfig, Meta(description="what may be asked over this broker")] = RequestsConfig()
    home_assistant: Annotated[HomeAssistantConfig, Meta(description="whether Home Assistant is on this broker")] = (
        HomeAssistantConfig()
    )


class JsonlPublish(Settings, frozen=True, kw_only=True, tag_field="kind", tag="jsonl"):
    """One JSON object a line, to a file or, with "-", to standard output."""

    path: Annotated[OutputFile, Meta(min_length=1, description='file, appended to; "-": standard output')]


class PrometheusPublish(Settings, frozen=True, kw_only=True, tag_field="kind", tag="prometheus"):
    """Health, counts and occupancies for Prometheus to fetch from http://<address>:<port>/metrics."""

    address: Annotated[
        str, Meta(min_length=1, description="127.0.0.1: this device alone may fetch; 0.0.0.0: whoever reaches it may")
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="to fetch from")] = 9464


Publish = MqttPublish | JsonlPublish | PrometheusPublish


class OutboxConfig(Settings, frozen=True, kw_only=True):
    """What must not be lost is on disk before it is published, and goes when every broker has it."""

    enabled: Annotated[bool, Meta(description="false: all is kept in memory only, and lost with the power")] = True
    max_mb: Annotated[float, Meta(ge=1, le=100000, description="MB on disk; beyond, the oldest events go")] = 512.0
    max_age_h: Annotated[float, Meta(gt=0, le=87600, description="h after which events that no broker took go")] = 168.0
    commit_every_s: Annotated[
        float,
        Meta(ge=0, le=60, description="s between writes when much happens; a single event is written at once"),
    ] = 0.2


# --- the whole -------------------------------------------------------------------------------------------------------


class Config(Settings, frozen=True, kw_only=True):
    """One daemon: one camera, in the order in which the data walks."""

    EXAMPLE: ClassVar[str] = "configs/edgetrack.yaml"

    device: Annotated[Name, Meta(description="this machine, in every topic: a-z, 0-9, _ and -")] = "edgetrack"
    camera: Annotated[Name, Meta(description="this camera, in every topic: a-z, 0-9, _ and -")] = "camera"
    capture: Annotated[Capture, Meta(description="where pictures come from")]
    detect: Annotated[DetectConfig, Meta(description="what is in a picture")]
    pace: Annotated[PaceConfig, Meta(description="how often the detector looks, and when less often")] = PaceConfig()
    embed: Annotated[Embed, Meta(description="what an object looks like, so that it is known again")] = NoEmbed()
    track: Annotated[TrackConfig, Meta(description="who is who from picture to picture")] = TrackConfig()
    refine: Annotated[Refine, Meta(description="following by looks, where no detection helps")] = NoRefine()
    zones: Annotated[list[ZoneConfig], Meta(max_length=100, description="areas to watch")] = field(default_factory=list)
    lines: Annotated[list[LineConfig], Meta(max_length=100, description="lines to count at")] = field(
        default_factory=list
    )
    counts: Annotated[CountsConfig, Meta(description="when counts begin anew")] = CountsConfig()
    events: Annotated[EventsConfig, Meta(description="what is told of tracks")] = EventsConfig()
    runtime: Annotated[RuntimeConfig, Meta(description="how models are run")] = RuntimeConfig()
    health: Annotated[HealthConfig, Meta(description="the daemon's reports on itself")] = HealthConfig()
    publish: Annotated[list[Publish], Meta(description="where events go; each gets all of them")] = field(
        default_factory=list
    )
    outbox: Annotated[OutboxConfig, Meta(description="what is kept until it is delivered")] = OutboxConfig()
    state_dir: Annotated[
        str,
        Meta(
            pattern="^([/~].*)?$",
            description="folder, absolute, for what outlives a restart; "
            "empty: $STATE_DIRECTORY (systemd), else ~/.local/state/edgetrack",
        ),
    ] = ""
