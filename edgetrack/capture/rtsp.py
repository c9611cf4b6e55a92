"""A network camera, over RTSP or HTTP."""

from __future__ import annotations

import socket
import time
from collections.abc import Generator
from functools import partial
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

import av
from av.container import InputContainer

from edgetrack import secret
from edgetrack.capture.decode import FAULTS, Pictures, live_frames, video_stream
from edgetrack.capture.latest import Shot
from edgetrack.capture.reason import NO_ANSWER, why
from edgetrack.config import RtspCapture
from edgetrack.errors import CaptureError

DRIFT = 1e-3  # of the time passed, by which two clocks may differ; quartz does ten times better
LAG_MAX_S = 10.0  # behind its stamps, until a stream's clock counts as wrong


class StreamClock:
    """Stamps of a camera as moments of time.monotonic().

    Frames arrive unevenly (key frames are large, networks queue), while a filter wants the true time between them. The
    camera's own stamps are even, but of an unknown origin. The frame that arrived with the least delay tells the
    origin best: it is the smallest difference between arrival and stamp, forgotten slowly, since clocks drift.
    """

    def __init__(self) -> None:
        self._origin_s: float | None = None
        self._stamp_s = self._arrived_s = 0.0

    def __call__(self, stamp_s: float | None, arrived_s: float) -> float:
        """When the frame with this stamp would have arrived without delay; arrival itself where the stamp is no use."""
        if stamp_s is None:
            return arrived_s
        origin_s = arrived_s - stamp_s
        if self._origin_s is not None and stamp_s > self._stamp_s and origin_s < self._origin_s + LAG_MAX_S:
            origin_s = min(origin_s, self._origin_s + DRIFT * (arrived_s - self._arrived_s))
        self._origin_s, self._stamp_s, self._arrived_s = origin_s, stamp_s, arrived_s
        return origin_s + stamp_s


class RtspCamera:
    """Reads one stream; `latest.Latest` brings it back when it is lost."""

    lost = FAULTS

    def __init__(self, config: RtspCapture) -> None:
        self._config = config
        self._url = config.url
        self._picture = Pictures()
        self.open_s = config.open_timeout_s

    @property
    def place(self) -> str:
        """The address without login and query, which some cameras misuse for one."""
        try:
            parts = urlsplit(self._config.url)
        except ValueError:
            return "capture.url"
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))

    def check(self) -> None:
        try:
            parts = urlsplit(self._config.url)
            known = parts.scheme in ("rtsp", "rtsps", "http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            known = False
        if not known:
            raise CaptureError(
                f"capture.url: {self.place!r} is no address of a camera, expected rtsp://host[:port]/path"
            )
        self._url = self._with_login(parts)

    def _with_login(self, parts: SplitResult) -> str:
        password = secret.password("capture", self._config.password_file, self._config.password_env)
        if not self._config.username:
            return self._config.url
        login = quote(self._config.username, safe="") + (f":{quote(password, safe='')}" if password else "")
        return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc.rpartition('@')[2]}"))

    def shots(self) -> Generator[Shot | None, None, None]:
        with self._opened() as container:
            clock = StreamClock() if container.format.name == "rtsp" else None  # elsewhere stamps are made up
            for frame in live_frames(container, video_stream(container)):
                now = time.monotonic()
                if frame is None:
                    yield None
                else:
                    yield Shot(partial(self._picture, frame), clock(frame.time, now) if clock else now)

    def _opened(self) -> InputContainer:
        """The connection; FFmpeg's reasons for having none made plain."""
        config = self._config
        options = {"fpsprobesize": "0"}  # no frame rate is guessed: opening takes a key frame, not three seconds more
        if self._url.startswith("rtsp"):
            options |= {"rtsp_transport": config.transport, "allowed_media_types": "video"}
        began = time.monotonic()
        try:
            socket.getaddrinfo(urlsplit(self._url).hostname, None)  # tells what FFmpeg calls an input/output error
            return av.open(self._url, options=options, timeout=(config.open_timeout_s, config.stall_s))
        except socket.gaierror as error:
            raise OSError(f"{why(error)}; check capture.url and this device's DNS") from error
        except av.HTTPUnauthorizedError as error:
            raise OSError(f"{why(error)}; check capture.username and its password") from error
        except av.HTTPNotFoundError as error:
            raise OSError(f"{why(error)}; check the path in capture.url") from error
        except ConnectionRefusedError as error:
            raise OSError(f"{why(error)}; check the port in capture.url") from error
        except av.InvalidDataError as error:
            late = time.monotonic() - began >= config.open_timeout_s
            raise OSError(NO_ANSWER if late else "what answers sends no video") from error
