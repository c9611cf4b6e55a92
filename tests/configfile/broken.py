"""Configurations with one mistake each, and the line that tells it."""

GOOD = "capture: {kind: file, path: clip.mp4}\ndetect: {model: model.onnx}\n"  # two lines
RTSP = "detect: {model: model.onnx}\ncapture:\n  kind: rtsp\n"  # three lines
MQTT = GOOD + "publish:\n  - kind: mqtt\n    url: mqtt://broker.local\n"  # five lines
GOTURN = GOOD + "refine:\n    kind: goturn\n    model: model.onnx\n"  # five lines
ZONE = GOOD + "zones:\n  - name: porch\n    polygon: "  # the polygon stands at 5:14

# What stands after the place and the key, whole.
EXACT = {
    # YAML's traps
    GOOD + "camera: off\n": '3:9: camera: off means false to YAML; write "off" in quotes if the text is meant',
    GOOD + "camera: 12:30\n": (
        '3:9: camera: 12:30 is the number 750 to YAML; write "12:30" in quotes if the text is meant'
    ),
    GOOD + "device: 042\n": ('3:9: device: 042 is the number 42 to YAML; write "042" in quotes if the text is meant'),
    GOOD + "device: 2026-11-20\n": (
        '3:9: device: 2026-11-20 is a date to YAML; write "2026-11-20" in quotes if the text is meant'
    ),
    GOOD + "device:\n": (
        "3:8: device: is empty; expected text (this machine, in every topic: a-z, 0-9, _ and -); "
        "give a value or remove the key"
    ),
    GOOD + "track: {max_age_s: 010}\n": (
        "3:20: track.max_age_s: 010 is 8 to some YAML readers and 10 to others; "
        "expected a number from 0 to 86400 (s without a match until deletion, unless exact); write 10 without the zero"
    ),
    GOOD + "track: {max_age_s: 1_000}\n": (
        "3:20: track.max_age_s: found '1_000'; "
        "expected a number from 0 to 86400 (s without a match until deletion, unless exact); write 1000"
    ),
    GOOD + "track: {class_aware: no}\n": (
        "3:22: track.class_aware: found 'no'; "
        "expected true or false (a track matches detections of its own class only); write false"
    ),
    GOOD + "health: {every_s: 30s}\n": (
        "3:19: health.every_s: found '30s'; "
        "expected a number from 1 to 3600 (s between health reports); write the number alone: 30"
    ),
    GOOD + "track:\n\tn_init: 3\n": "4:1: a tab; YAML indents with spaces only; replace it by spaces",
    # keys
    GOOD + "detekt: {}\n": "3:1: detekt: unknown key; did you mean 'detect'?",
    GOOD + "min_score: 0.5\n": "3:1: min_score: unknown key here; it belongs under detect",
    GOOD + "camera: a\ncamera: b\n": "4:1: camera: is given twice, first in line 3; remove one of the two",
    RTSP + "  url: rtsp://cam\n  loop: true\n": (
        "5:3: capture.loop: is a key of kind file, images, not of rtsp; remove it"
    ),
    RTSP + "  url: rtsp://cam\n  password: hunter2\n": (
        "5:3: capture.password: unknown key; "
        "use password_file or password_env, which keep the password out of this file"
    ),
    "detect: {model: model.onnx}\n": "1:1: capture: is missing; add it: where pictures come from",
    GOOD + "publish: [{kind: mqt, url: mqtt://broker.local}]\n": (
        "3:18: publish[0].kind: found 'mqt'; expected one of mqtt, jsonl, prometheus; did you mean 'mqtt'?"
    ),
    # ranges and types
    GOOD + "runtime: {threads: -1}\n": (
        "3:20: runtime.threads: found -1; expected a whole number from 0 to 64 "
        "(for one inference; 0: cores - 1, at least 1)"
    ),
    GOOD + "device: Gate 1\n": (
        "3:9: device: found 'Gate 1'; expected text (this machine, in every topic: a-z, 0-9, _ and -); write gate-1"
    ),
    GOOD + "zones: {name: porch}\n": (
        "3:8: zones: found a mapping of keys; expected a list (areas to watch); put - before its first key"
    ),
    GOOD + "embed: none\n": "3:8: embed: found 'none'; expected one of reid, histogram, none; write {kind: none, ...}",
    # meaning
    "capture: {kind: file, path: clip.mp4}\ndetect: {model: model.onnx, classes: [person, car]}\n"
    "lines: [{name: a, start: [0, 0], end: [1, 1], classes: [preson]}]\n": (
        "3:56: lines[0].classes: detect.classes leaves out 'preson'; add it there or remove it here; "
        "did you mean 'person'?"
    ),
    ZONE + "[[0, 0], [1, 1], [1, 0], [0, 1]]\n": (
        "5:14: zones[0].polygon: the edges 1-2 and 3-4 cross; list the corners in order around the area"
    ),
    ZONE + "[[0, 0], [640, 0], [1, 1]]\n": (
        "5:24: zones[0].polygon[1][0]: found 640; expected a number from 0 to 1 "
        "([x, y], fractions of the picture: pixels divided by its width and height)"
    ),
    RTSP + "  url: rtsp://admin:hunter2@cam/1\n": (
        "4:8: capture.url: has a user name or password in it, which logs would show; "
        "take it out of url and use username, and password_file or password_env"
    ),
    MQTT + "    ca_file: model.onnx\n": (
        "6:14: publish[0].ca_file: serves TLS, but mqtt:// is not encrypted; write mqtts:// in url, or remove it"
    ),
    MQTT + "    password_file: hunter2\n": (
        "6:20: publish[0].password_file: there is no such file; "
        "give the path of a file that holds the password, not the password itself"
    ),
    "capture: {kind: file, path: clip.mp5}\ndetect: {model: model.onnx}\n": (
        "1:29: capture.path: FOLDER/clip.mp5: no such file; did you mean 'clip.mp4'?"
    ),
    "capture: {kind: picamera, width: 641}\ndetect: {model: model.onnx}\n": (
        "1:34: capture.width: found 641; expected an even whole number from 64 to 8192 (px, even)"
    ),
    # the whole file
    "": "1:1: is empty; expected capture: and detect:; "
    "start from one of configs/, or from what `edgetrack schema example` prints",
    "- capture\n": "1:1: found a list of 1; expected keys such as capture: and detect:; "
    "start from one of configs/, or from what `edgetrack schema example` prints",
    GOOD + "---\n" + GOOD: "3:1: a second document starts here; one file configures one camera; remove the ---",
}

# Where it is told, and a part of what is said.
PLACED = {
    # YAML
    "# nothing but a comment\n": ("1:1: ", "is empty"),
    "capture\n": ("1:1: ", "expected keys"),
    "42\n": ("1:1: ", "found 42"),
    "capture: {kind: file\n": ("2:1: ", "}"),
    "capture: [\n": ("2:1: ", "not YAML"),
    "a: 'b\n": ("2:1: ", "close the quotes"),
    'a: "b\\q"\n': ("1:6: ", "backslash"),
    'a: "C:\\Users\\me"\n': ("1:", "backslash"),
    "zones:\n  - name:porch\n    polygon: []\n": ("3:12: ", "a space after each colon"),
    "publish:\n  - kind: jsonl\n    path: -\n": ("3:11: ", '"-" in quotes'),
    "capture:\n  kind: file\n path: x\n": ("3:2: ", "indentation"),
    "capture: kind: file\n": ("1:14: ", "in quotes"),
    "a: @b\n": ("1:4: ", "quotes"),
    "a: `b`\n": ("1:4: ", "quotes"),
    "a: %b\n": ("1:4: ", "quotes"),
    "%b\n": ("1:3: ", "in quotes"),
    GOOD + "device: *gate\n": ("3:9: ", "in quotes"),
    GOOD + "device: &a *a\n": ("3:12: ", "not YAML"),
    GOOD + "device: !secret gate\n": ("3:9: ", "tag"),
    GOOD + "device: !!python/object:os.system gate\n": ("3:9: ", "tag"),
    GOOD + "track: !!map {}\n": ("3:8: ", "tag"),
    GOOD + "<<: {device: gate}\n": ("3:1: ", "write the keys out"),
    GOOD + "[a, b]: c\n": ("3:1: ", "a list stands where a key"),
    GOOD + "{a: b}: c\n": ("3:1: ", "a mapping stands where a key"),
    "a: &a [x]\n? *a\n: c\n": ("2:3: ", "an alias stands where a key"),
    "a: &a [*a]\n": ("1:8: ", "without its anchor"),
    "a: " + "[" * 100 + "]" * 100 + "\n": ("1:27: ", "levels deep"),
    "a: " + "{b: " * 100 + "}" * 100 + "\n": ("1:", "levels deep"),
    "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{chr(c + 1)}: &{chr(c + 1)} [{','.join(['*' + chr(c)] * 9)}]\n" for c in range(ord("a"), ord("j"))): (
        "",
        "check the aliases",
    ),
    GOOD + "device: a\x07b\n": ("3:10: ", "U+0007"),
    GOOD + "device: a\ufeffb\n": ("3:10: ", "U+FEFF"),
    GOOD + 'device: "a\\nb"\n': ("3:9: device", "line break"),
    GOOD + "device: |\n  gate\n": ("3:9: device", "line break"),
    GOOD + 'device: "a\\0b"\n': ("3:9: device", "control character"),
    # YAML's traps
    GOOD + "camera: yes\n": ("3:9: camera", "means true"),
    GOOD + "camera: true\n": ("3:9: camera", "means true"),
    GOOD + "camera: null\n": ("3:9: camera", "means nothing"),
    GOOD + "camera: ~\n": ("3:9: camera", "means nothing"),
    GOOD + "camera: 7\n": ("3:9: camera", '7 is a number to YAML; write "7"'),
    GOOD + "camera: 1e3\n": ("3:9: camera", "is the number 1000"),
    GOOD + "camera: 0x1F\n": ("3:9: camera", "is the number 31"),
    GOOD + "camera: 1_000\n": ("3:9: camera", "is the number 1000"),
    GOOD + "camera: 0b101\n": ("3:9: camera", "is the number 5"),
    GOOD + "camera: 1:2:3.5\n": ("3:9: camera", "is the number 3723.5"),
    GOOD + "camera: .inf\n": ("3:9: camera", "is the number inf"),
    GOOD + "camera: 2026-11-20 10:00:00\n": ("3:9: camera", "is a date"),
    GOOD + 'camera: ""\n': ("3:9: camera", "expected text"),
    GOOD + "camera: [a]\n": ("3:9: camera", "found a list of 1"),
    GOOD + "camera: {a: b}\n": ("3:9: camera", "found a mapping"),
    GOOD + "runtime: {threads: 08}\n": ("3:20: runtime.threads", "write 8 without the zero"),
    GOOD + "runtime: {threads: 1.0}\n": ("3:20: runtime.threads", "write 1"),
    GOOD + "runtime: {threads: 1.5}\n": ("3:20: runtime.threads", "whole number"),
    GOOD + 'runtime: {threads: "2"}\n': ("3:20: runtime.threads", "remove the quotes"),
    GOOD + "runtime: {threads: two}\n": ("3:20: runtime.threads", "found 'two'"),
    GOOD + "runtime: {threads: true}\n": ("3:20: runtime.threads", "found true"),
    GOOD + "runtime: {threads: }\n": ("3:20: runtime.threads", "found nothing"),
    GOOD + "runtime: {threads: 0b11}\n": ("3:20: runtime.threads", "write 3"),
    GOOD + "runtime: {threads: 1:30}\n": ("3:20: runtime.threads", "write 90"),
    GOOD + f"runtime: {{threads: {'9' * 5000}}}\n": ("3:20: runtime.threads", "whole number"),
    GOOD + f"runtime: {{threads: 0x{'f' * 5000}}}\n": ("3:20: runtime.threads", "whole number"),
    GOOD + "health: {every_s: .nan}\n": ("3:19: health.every_s", "found .nan"),
    GOOD + "health: {every_s: .inf}\n": ("3:19: health.every_s", "found .inf"),
    GOOD + "health: {every_s: 1e999}\n": ("3:19: health.every_s", "found 1e999"),
    GOOD + "health: {every_s: 1,5}\n": ("3:21: health.5", "unknown key"),
    GOOD + "health:\n  every_s: 1,5\n": ("4:12: health.every_s", "write 1.5"),
    GOOD + "health:\n  every_s: 50%\n": ("4:12: health.every_s", "write 0.5"),
    GOOD + "track: {exact: 1}\n": ("3:16: track.exact", "write true"),
    GOOD + "track: {exact: off}\n": ("3:16: track.exact", "write false"),
    GOOD + 'track: {exact: "true"}\n': ("3:16: track.exact", "remove the quotes"),
    GOOD + "track: {exact: maybe}\n": ("3:16: track.exact", "true or false"),
    MQTT + "    version: 5\n": ("6:14: publish[0].version", 'write "5" in quotes'),
    MQTT + "    version: 3.1\n": ("6:14: publish[0].version", "one of"),
    MQTT + '    version: "4"\n': ("6:14: publish[0].version", "one of"),
    # keys and shapes
    GOOD + "track:\n": ("3:7: track", "remove the key"),
    GOOD + "zones:\n": ("3:7: zones", "write [] or remove the key"),
    GOOD + "zones: [porch]\n": ("3:9: zones[0]", "expected a mapping of keys: name, polygon"),
    GOOD + "zones: [{name: a}]\n": ("3:9: zones[0].polygon", "is missing"),
    GOOD + "lines: [{name: a, start: [0, 0]}]\n": ("3:9: lines[0].end", "is missing"),
    GOOD + "lines: [{name: a, start: [0], end: [1, 1]}]\n": ("3:26: lines[0].start", "expected 2"),
    GOOD + "lines: [{name: a, start: 0, end: [1, 1]}]\n": ("3:26: lines[0].start", "write [0, 0]"),
    GOOD + 'lines: [{name: a, start: "0.5, 1", end: [1, 1]}]\n': ("3:26: lines[0].start", "write [0.5, 1]"),
    ZONE + "[0, [1, 0], [1, 1]]\n": ("5:15: zones[0].polygon[0]", "write [x, y]"),
    GOOD + "lines: [{name: a, start: [0, x], end: [1, 1]}]\n": ("3:30: lines[0].start[1]", "found 'x'"),
    GOOD + "password: hunter2\n": ("3:1: password", "password_file"),
    GOOD + "mqtt: {host: a}\n": ("3:1: mqtt", "kind: mqtt"),
    GOOD + "Device: a\n": ("3:1: Device", "did you mean 'device'"),
    GOOD + "xyzzy: a\n": ("3:1: xyzzy", "known here: device, camera"),
    GOOD + "cameras: []\n": ("3:1: cameras", "did you mean 'camera'"),
    GOOD + "track: {max-age: 3}\n": ("3:9: track.max-age", "did you mean 'max_age'"),
    GOOD + "track: {zones: []}\n": ("3:9: track.zones", "belongs under the top"),
    GOOD + "1: a\n": ("3:1: 1", "unknown key"),
    GOOD + "embed: {kind: none, bins: 4}\n": ("3:21: embed.bins", "is a key of kind histogram"),
    GOOD + "embed: {bins: 4}\n": ("3:1: embed.kind", "add kind: histogram"),
    GOOD + "embed: {}\n": ("3:1: embed.kind", "is missing"),
    GOOD + "embed: {kind: }\n": ("3:15: embed.kind", "found nothing"),
    GOOD + "embed: {kind: [none]}\n": ("3:15: embed.kind", "found a list"),
    GOOD + "publish: {kind: mqtt, url: mqtt://b}\n": ("3:10: publish", "put - before"),
    GOOD + "publish: mqtt://user:hunter2@b\n": ("3:10: publish", "expected a list"),
    GOOD + "publish: [mqtt://user:hunter2@b]\n": ("3:11: publish[0]", "one of mqtt, jsonl"),
    "capture: rtsp://user:hunter2@b\ndetect: {model: model.onnx}\n": ("1:10: capture", "kind"),
    "capture: {path: clip.mp4}\ndetect: {model: model.onnx}\n": ("1:1: capture.kind", "is missing"),
    "capture: {kind: file, path: clip.mp4}\ndetect: yolo\n": ("2:9: detect", "expected a mapping"),
    "capture: {kind: file, path: clip.mp4}\ndetect: {}\n": ("2:1: detect.model", "ONNX"),
    "capture: {kind: file}\ndetect: {model: model.onnx}\n": ("1:1: capture.path", "is missing"),
    # ranges
    GOOD + "embed: {kind: histogram, bins: 1}\n": ("3:32: embed.bins", "from 2 to 16"),
    GOOD + "track: {max_iou_distance: 1.1}\n": ("3:27: track.max_iou_distance", "from 0 to 1"),
    GOOD + "runtime: {providers: []}\n": ("3:22: runtime.providers", "1 or more"),
    GOOD + "runtime: {providers: [tensort]}\n": ("3:23: runtime.providers[0]", "did you mean 'tensorrt'"),
    GOOD + "runtime: {providers: cpu}\n": ("3:22: runtime.providers", "write [cpu]"),
    "capture: {kind: file, path: clip.mp4, rotate: 45}\ndetect: {model: model.onnx}\n": (
        "1:47: capture.rotate",
        "one of 0, 90, 180, 270",
    ),
    "capture: {kind: file, path: clip.mp4, rotate: false}\ndetect: {model: model.onnx}\n": (
        "1:47: capture.rotate",
        "one of 0, 90",
    ),
    "capture: {kind: file, path: clip.mp4, pace: realtme}\ndetect: {model: model.onnx}\n": (
        "1:45: capture.pace",
        "did you mean 'realtime'",
    ),
    "capture: {kind: v4l2, device: /dev/video0, fps: 0}\ndetect: {model: model.onnx}\n": (
        "1:49: capture.fps",
        "over 0",
    ),
    "capture: {kind: images, path: ., fps: -1}\ndetect: {model: model.onnx}\n": ("1:39: capture.fps", "over 0"),
    "capture: {kind: file, path: clip.mp4}\ndetect: {model: model.onnx, size: 640}\n": (
        "2:35: detect.size",
        "write [640, 640]",
    ),
    "capture: {kind: file, path: clip.mp4}\ndetect: {model: model.onnx, classes: person}\n": (
        "2:38: detect.classes",
        "write [person]",
    ),
    "capture: {kind: file, path: clip.mp4}\ndetect: {model: model.onnx, classes: [person, off]}\n": (
        "2:47: detect.classes[1]",
        "means false",
    ),
    "capture: {kind: file, path: clip.mp4}\ndetect: {model: model.onnx, min_scores: {car: 2}}\n": (
        "2:47: detect.min_scores.car",
        "from 0 to 1",
    ),
    "capture: {kind: file, path: clip.mp4}\ndetect: {model: model.onnx, min_scores: [car]}\n": (
        "2:41: detect.min_scores",
        "a mapping of names",
    ),
    "capture: {kind: file, path: clip.mp4}\ndetect: {model: model.onnx, input: {std: [0, 1, 1]}}\n": (
        "2:43: detect.input.std[0]",
        "over 0",
    ),
    "capture: {kind: file, path: clip.mp4}\ndetect: {model: model.onnx, head: yolov6}\n": (
        "2:35: detect.head",
        "did you mean",
    ),
    # meaning
    ZONE + "[[0, 0], [1, 1]]\n": ("5:14: zones[0].polygon", "3 or more"),
    ZONE + "[[0, 0], [1, 1], [0, 0]]\n": ("5:14: zones[0].polygon", "needs 3"),
    ZONE + "[[0, 0], [0.5, 0.5], [1, 1]]\n": ("5:14: zones[0].polygon", "no area"),
    ZONE + "[[0, 0], [0, 0], [1, 1], [0, 1]]\n": ("5:14: zones[0].polygon", "corner 2 repeats"),
    ZONE + "[" + "[0, 0], " * 201 + "]\n": ("5:14: zones[0].polygon", "at most 200"),
    ZONE + "[[0, 0], [1, 0], [1, 1]]\n  - {name: porch, polygon: [[0, 0], [1, 0], [1, 1]]}\n": (
        "6:12: zones[1].name",
        "also the name of zones[0]",
    ),
    ZONE + "[[0, 0], [1, 0], [1, 1]]\n    classes: [cat]\n    dwell_s: 30\n": ("7:14: zones[0].dwell_s", "write [30]"),
    GOTURN + "    targets: [{name: bag, box: [0.5, 0.5, 0.4, 0.6]}]\n": ("6:32: refine.targets[0].box", "has no area"),
    GOTURN + "    targets: [{name: a, box: [0, 0, 1, 1]}, {name: a, box: [0, 0, 1, 1]}]\n": (
        "6:52: refine.targets[1].name",
        "also the name of refine.targets[0]",
    ),
    GOTURN + "    max_targets: 1\n    targets: [{name: a, box: [0, 0, 1, 1]}, {name: b, box: [0, 0, 1, 1]}]\n": (
        "7:14: refine.targets",
        "2 targets, but max_targets is 1",
    ),
    GOOD + "lines: [{name: a, start: [0.5, 0.5], end: [0.5, 0.5]}]\n": ("3:43: lines[0].end", "the same point"),
    "capture: {kind: file, path: clip.mp4, masks: [[[0, 0], [1, 1], [1, 0], [0, 1]]]}\ndetect: {model: model.onnx}\n": (
        "1:46: capture.masks",
        "masks[0]: the edges",
    ),
    "capture: {kind: file, path: clip.mp4}\ndetect: {model: model.onnx, classes: [car]}\n"
    "zones: [{name: a, polygon: [[0, 0], [1, 0], [1, 1]], classes: [cat]}]\n": (
        "3:63: zones[0].classes",
        "did you mean 'car'",
    ),
    RTSP + "  url: camera.local/stream\n": ("4:8: capture.url", "has no scheme"),
    RTSP + "  url: rstp://cam/stream\n": ("4:8: capture.url", "did you mean 'rtsp'"),
    RTSP + "  url: ftp://cam/stream\n": ("4:8: capture.url", "starts with ftp://"),
    RTSP + "  url: rtsp:///stream\n": ("4:8: capture.url", "no host"),
    RTSP + "  url: rtsp://cam:99999/stream\n": ("4:8: capture.url", "65535"),
    RTSP + "  url: rtsp://cam:port/stream\n": ("4:8: capture.url", "65535"),
    RTSP + "  url: rtsp://cam:0/stream\n": ("4:8: capture.url", "65535"),
    RTSP + "  url: rtsp://[::1/stream\n": ("4:8: capture.url", "malformed"),
    RTSP + "  url: 'rtsp://my cam/stream'\n": ("4:8: capture.url", "characters"),
    RTSP + '  url: ""\n': ("4:8: capture.url", "expected text"),
    RTSP + "  url: rtsp://hunter2@cam/1\n": ("4:8: capture.url", "password"),
    RTSP + "  url: rtsp://cam/1\n  retry_min_s: 20\n  retry_max_s: 10\n": ("6:16: capture.retry_max_s", "20 is over"),
    RTSP + "  url: rtsp://cam/1\n  password_env: CAMERA\n": ("2:1: capture.username", "is missing"),
    RTSP + "  url: rtsp://cam/1\n  username: a\n  password_env: hunter2!\n": ("6:17: capture.password_env", "no name"),
    RTSP + "  url: rtsp://cam/1\n  username: a\n  password_env: A\n  password_file: model.onnx\n": (
        "6:17: capture.password_env",
        "one source",
    ),
    MQTT.replace("mqtt://", "tcp://"): ("5:10: publish[0].url", "write mqtt://broker.local"),
    MQTT.replace("mqtt://", "ssl://"): ("5:10: publish[0].url", "write mqtts://broker.local"),
    MQTT.replace("mqtt://", ""): ("5:10: publish[0].url", "mqtt://host"),
    MQTT.replace("broker.local", "u:hunter2@broker.local"): ("5:10: publish[0].url", "password"),
    MQTT.replace("broker.local", "broker.local:99999"): ("5:10: publish[0].url", "65535"),
    MQTT.replace("broker.local", ""): ("5:10: publish[0].url", "no host"),
    MQTT.replace("broker.local", "broker.local/topic"): ("5:10: publish[0].url", "prefix"),
    MQTT.replace("mqtt:/", "mqtts:/") + "    cert_file: model.onnx\n": ("6:16: publish[0].cert_file", "add key_file"),
    MQTT.replace("mqtt:/", "mqtts:/") + "    key_file: model.onnx\n": ("6:15: publish[0].key_file", "add cert_file"),
    MQTT.replace("mqtt:/", "mqtts:/") + "    ca_file: none.pem\n": ("6:14: publish[0].ca_file", "no such file"),
    MQTT + "    prefix: a/#\n": ("6:13: publish[0].prefix", "without + and #"),
    MQTT + "    prefix: /a\n": ("6:13: publish[0].prefix", "empty or reserved level"),
    MQTT + "    home_assistant: {enabled: true, prefix: ha/}\n": (
        "6:45: publish[0].home_assistant.prefix",
        "empty or reserved level",
    ),
    MQTT + "    requests: {allow: [restart]}\n": ("6:24: publish[0].requests.allow[0]", "reload, reset_counts"),
    GOOD + "publish: [{kind: prometheus}, {kind: prometheus}]\n": (
        "3:31: publish[1].port",
        "also the port of publish[0]",
    ),
    GOOD + "counts: {reset_at: [24:00]}\n": ("3:21: counts.reset_at[0]", "in quotes"),
    GOOD + 'counts: {reset_at: ["24:00"]}\n': ("3:21: counts.reset_at[0]", "like 06:30"),
    GOOD + 'counts: {reset_at: ["00:00"], timezone: Europe/Berln}\n': (
        "3:41: counts.timezone",
        "did you mean 'Europe/Berlin'",
    ),
    MQTT + "    version: 3.1.1\n    password_env: A\n": ("6:14: publish[0].version", "add username"),
    MQTT + "  - {kind: mqtt, url: mqtt://broker.local}\n": ("6:5: publish[1]", "same broker"),
    GOOD + "publish: [{kind: jsonl, path: a.jsonl}, {kind: jsonl, path: ./a.jsonl}]\n": (
        "3:61: publish[1].path",
        "same file as publish[0]",
    ),
    GOOD + "publish: [{kind: jsonl, path: none/a.jsonl}]\n": ("3:31: publish[0].path", "does not exist"),
    GOOD + "publish: [{kind: jsonl, path: .}]\n": ("3:31: publish[0].path", "is a folder"),
    GOOD + "publish: [{kind: jsonl, path: clip.mp4/a}]\n": ("3:31: publish[0].path", ""),
    "capture: {kind: file, path: .}\ndetect: {model: model.onnx}\n": ("1:29: capture.path", "is a folder"),
    "capture: {kind: images, path: clip.mp4}\ndetect: {model: model.onnx}\n": ("1:31: capture.path", "no folder"),
    "capture: {kind: images, path: none}\ndetect: {model: model.onnx}\n": ("1:31: capture.path", "no such folder"),
    "capture: {kind: file, path: ${NONE}/clip.mp4}\ndetect: {model: model.onnx}\n": ("1:", ""),
    'capture: {kind: file, path: "${NONE}/clip.mp4"}\ndetect: {model: model.onnx}\n': ("1:29: capture.path", "not set"),
    "capture: {kind: file, path: ~nobody-of-this-name/clip}\ndetect: {model: model.onnx}\n": (
        "1:29: capture.path",
        "home",
    ),
    "capture: {kind: file, path: " + "a" * 300 + "}\ndetect: {model: model.onnx}\n": (
        "1:29: capture.path",
        "no such file",
    ),
    "capture: {kind: file, path: clip.mp4}\ndetect: {model: yolo}\n": (
        "2:17: detect.model",
        "no model is called 'yolo'",
    ),
    "capture: {kind: file, path: clip.mp4}\ndetect: {model: ./none.onnx}\n": ("2:17: detect.model", "no such file"),
    "capture: {kind: file, path: clip.mp4}\ndetect: {model: model.onnx, labels: none.txt}\n": (
        "2:37: detect.labels",
        "no such",
    ),
}

# Bytes that are no YAML text.
RAW = {
    b"capture: caf\xe9\n": ("1:13: ", "0xE9 is not UTF-8"),
    b"\xff\xfec\x00": ("1:1: ", "UTF-16"),
    "capture: {}".encode("utf-16-be"): ("1:1: ", "binary"),
    b"\x89PNG\r\n\x1a\n\0\0": ("1:1: ", "binary"),
    b"\x1f\x8b\x08": ("1:2: ", "not UTF-8"),
    b"a: b\n" * 300_000: ("1:1: ", "over 1 MB"),
    (GOOD + "device: " + "pass" * 240_000).encode(): ("3:9: device", "a text of 960000 characters"),
    (GOOD + "health: {every_s: " + "9" * 900_000 + "}").encode(): ("3:19: health", "a text of 900000 characters"),
    (GOOD.replace("onnx}", "onnx, classes: [" + "a, " * 20_000 + "]}")).encode(): (
        "2:38: detect.classes",
        "at most 1000",
    ),
    b"[" * 900_000: ("1:", "levels deep"),  # column 25, or where libyaml itself gives up
    b"- " * 400_000: ("1:49: ", "levels deep"),
}
