"""A real RTSP camera for tests: GStreamer's own server, under Debian's Python, to be killed, frozen and brought back.

    with RtspServer(clip) as server:
        ...                # server.url
        server.freeze()    # the connection stays, pictures stop
        server.thaw()
        server.kill()      # as a power cut would: no goodbye
        server.start()     # again, at the same address

Needs gir1.2-gst-rtsp-server-1.0, python3-gi and the GStreamer plugins base, good, bad and ugly from Debian.
"""

from __future__ import annotations

import argparse
import functools
import os
import signal
import socket
import subprocess
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

PYTHON = "/usr/bin/python3"
PACKAGES = "gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-{base,good,bad,ugly}"
PROBE = """
import gi
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer
Gst.init()
assert all(map(Gst.ElementFactory.find, ["x264enc", "rtph264pay", "intervideosrc"]))
assert any(map(Gst.ElementFactory.find, ["avdec_h264", "openh264dec"]))
"""


@functools.cache
def missing() -> str:
    """Why the server cannot run here, for a skip; empty where it can."""
    if not os.access(PYTHON, os.X_OK) or subprocess.run([PYTHON, "-c", PROBE], capture_output=True).returncode:
        return f"no GStreamer RTSP server here: sudo apt install {PACKAGES}"
    return ""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RtspServer:
    """One camera at rtsp://127.0.0.1:port/camera.

    Args:
        clip: a video, served again and again in real time; None: a bouncing ball.
        fps, width, height: of the stream.
        login: "user:password" that the camera asks for.
    """

    def __init__(
        self, clip: Path | None = None, *, fps: int = 10, width: int = 320, height: int = 240, login: str = ""
    ) -> None:
        self.port = free_port()
        self.url = f"rtsp://127.0.0.1:{self.port}/camera"
        self._arguments = [f"--port={self.port}", f"--fps={fps}", f"--width={width}", f"--height={height}"]
        self._arguments += [f"--clip={clip}"] if clip else []
        self._arguments += [f"--login={login}"] if login else []
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> Self:
        """Returns when the address answers."""
        command = [PYTHON, str(Path(__file__)), *self._arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            raise RuntimeError(f"the RTSP server did not start: {' '.join(command)}")
        return self

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


def serve(options: argparse.Namespace) -> None:
    """The child process: runs until it is killed."""
    import gi  # type: ignore[import-not-found]

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtspServer  # type: ignore[import-not-found]

    Gst.init(None)
    caps = f"video/x-raw,width={options.width},height={options.height},framerate={options.fps}/1"
    source = "videotestsrc is-live=true pattern=ball"
    if options.clip:
        repeated(Gst, options.clip, caps)
        source = "intervideosrc channel=clip timeout=-1"
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_shared(True)
    factory.set_launch(
        f"( {source} ! {caps} ! videoconvert ! video/x-raw,format=I420"
        f" ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max={options.fps} ! rtph264pay name=pay0 pt=96 )"
    )
    server = GstRtspServer.RTSPServer(address="127.0.0.1", service=str(options.port))
    if options.login:
        locked(GstRtspServer, server, factory, *options.login.split(":", 1))
    server.get_mount_points().add_factory("/camera", factory)
    server.attach(None)
    print("ready", flush=True)
    GLib.MainLoop().run()


def repeated(gst: Any, clip: str, caps: str) -> None:
    """A pipeline that plays the clip in real time into the channel, from the start again at its end."""
    player = gst.parse_launch(
        f"filesrc name=file ! decodebin ! videoconvert ! videoscale ! videorate ! {caps} ! intervideosink channel=clip"
    )
    player.get_by_name("file").set_property("location", clip)
    bus = player.get_bus()
    bus.add_signal_watch()
    bus.connect("message::eos", lambda *_: player.seek_simple(gst.Format.TIME, gst.SeekFlags.FLUSH, 0))
    player.set_state(gst.State.PLAYING)


def locked(rtsp: Any, server: Any, factory: Any, user: str, password: str) -> None:
    """Let in only who knows the password (digest, as most cameras)."""
    from gi.repository import GstRtsp

    token = rtsp.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth = rtsp.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    auth.add_digest(user, password, token)
    server.set_auth(auth)
    permissions = rtsp.RTSPPermissions()
    permissions.add_permission_for_role("viewer", "media.factory.access", True)
    permissions.add_permission_for_role("viewer", "media.factory.construct", True)
    factory.set_permissions(permissions)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name, kind in (("port", int), ("fps", int), ("width", int), ("height", int), ("clip", str), ("login", str)):
        parser.add_argument(f"--{name}", type=kind, default=kind())
    serve(parser.parse_args())
