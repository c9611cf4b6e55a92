"""Network cameras: real RTSP and HTTP servers that are killed, frozen, locked and brought back."""

from __future__ import annotations

import logging
import socket
import time
from pathlib import Path

import numpy as np
import pytest

from edgetrack.capture import open_source
from edgetrack.capture.rtsp import LAG_MAX_S, RtspCamera, StreamClock
from edgetrack.config import RtspCapture
from edgetrack.errors import CaptureError, ConfigError
from tests.capture import clips
from tests.capture.contract import take, wait_for, wait_for_readers
from tests.capture.http_camera import HttpCamera
from tests.capture.rtsp_server import RtspServer, free_port, missing

needs_server = pytest.mark.skipif(bool(missing()), reason=missing())

QUICK = {"stall_s": 1.0, "retry_min_s": 0.1, "retry_max_s": 0.5, "open_timeout_s": 5.0}


def settings(url: str, **options: object) -> RtspCapture:
    return RtspCapture(url=url, **{**QUICK, **options})  # type: ignore[arg-type]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def jpegs(folder: Path) -> list[bytes]:
    return [clips.write_picture(folder / f"{number}.jpg", clips.picture(number)).read_bytes() for number in range(10)]


@needs_server
def test_a_killed_server_comes_back_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    with RtspServer() as server, open_source(settings(server.url)) as source:
        take(source, 3)
        lost = time.monotonic()
        server.kill()
        wait_for(source, "degraded")
        next(iter(source))  # a picture taken before the loss may still have waited for the loop
        server.start()
        first = take(source, 1)[0]
        away_s = time.monotonic() - lost
        state = source.state
    assert (state.state, state.outages) == ("ok", 1)
    assert state.blind_s == pytest.approx(away_s, abs=0.5)
    assert first.time > lost
    assert len(warnings(caplog)) == 1
    wait_for_readers()


@needs_server
def test_a_frozen_server_shows_within_the_stall_time(caplog: pytest.LogCaptureFixture) -> None:
    with RtspServer() as server, open_source(settings(server.url)) as source:
        take(source, 3)
        server.freeze()
        frozen = time.monotonic()
        wait_for(source, "degraded")
        assert time.monotonic() - frozen < QUICK["stall_s"] + 1.5
        time.sleep(1.5)  # beyond the read's own time limit
        assert next(iter(source)) is None
        thawed = time.monotonic()
        server.thaw()
        first = take(source, 1)[0]
        assert first.time > thawed - 1
        assert source.state.outages == 1
    assert len(warnings(caplog)) == 1


@needs_server
def test_a_clip_is_served_in_real_time(tmp_path: Path) -> None:
    """The time between pictures is the camera's, not that of their arrival."""
    clip = clips.write(tmp_path / "clip.mp4", clips.pictures(50, (320, 240)), fps=20)
    with RtspServer(clip, fps=20) as server, open_source(settings(server.url)) as source:
        take(source, 5)
        frames = take(source, 40)
    steps = np.diff([frame.time for frame in frames]) / np.diff([frame.index for frame in frames])
    assert np.median(steps) == pytest.approx(1 / 20, rel=0.1)
    assert frames[0].image.max() > 200


@needs_server
def test_a_camera_lets_in_who_knows_the_password(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / "password").write_text("p@ss/wörd:%20\n")
    (tmp_path / "wrong").write_text("guess?me\n")
    with RtspServer(login="gate north:p@ss/wörd:%20") as server:
        options = {"username": "gate north", "password_file": str(tmp_path / "password")}
        with open_source(settings(server.url, **options)) as source:
            assert take(source, 1)
        options["password_file"] = str(tmp_path / "wrong")
        with open_source(settings(server.url, **options)) as source:
            wait_for(source, "degraded")
            assert "401 Unauthorized" in source.state.reason
            assert "check capture.username and its password" in source.state.reason
    assert "guess" not in caplog.text
    assert "p@ss" not in caplog.text
    assert "p%40ss" not in caplog.text


@needs_server
def test_a_path_that_the_camera_does_not_know_is_told_as_such() -> None:
    with RtspServer() as server, open_source(settings(f"{server.url}-2")) as source:
        wait_for(source, "degraded")
        assert source.state.reason == "Server returned 404 Not Found; check the path in capture.url"


def test_a_camera_that_is_not_there_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    url = f"rtsp://admin:s3cret@127.0.0.1:{free_port()}/stream?password=s3cret"
    caplog.set_level(logging.DEBUG)
    with open_source(settings(url)) as source:
        frames = iter(source)
        assert [next(frames) for _ in range(3)] == [None] * 3
        assert source.state.state == "degraded"
        assert source.state.reason == "Connection refused; check the port in capture.url"
    assert len(warnings(caplog)) == 1
    assert "s3cret" not in caplog.text


def test_a_server_that_never_answers_is_told_as_such() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"rtsp://127.0.0.1:{deaf.getsockname()[1]}/stream"
        with open_source(settings(url, open_timeout_s=0.5)) as source:
            wait_for(source, "degraded")
            while "no picture" in source.state.reason:  # until the attempt itself ends
                assert next(iter(source)) is None
            assert source.state.reason == "no answer in time"


def test_a_host_that_has_no_address_is_told_as_such() -> None:
    with open_source(settings("rtsp://camera.invalid/stream")) as source:
        wait_for(source, "degraded")
        assert "name" in source.state.reason.lower()  # "Name or service not known", "Temporary failure in name ..."


def test_an_address_of_something_else_is_told_as_such() -> None:
    page = [b"<html>no camera</html>"]
    with HttpCamera(page, once="text/html") as server, open_source(settings(server.url)) as source:
        wait_for(source, "degraded")
        assert source.state.reason == "what answers sends no video"


def test_a_video_that_ends_is_fetched_again(tmp_path: Path) -> None:
    """A file on a web server."""
    clip = clips.write(tmp_path / "clip.ts", clips.pictures(12)).read_bytes()
    with HttpCamera([clip], once="video/mp2t") as server, open_source(settings(server.url)) as source:
        wait_for(source, "degraded")
        assert source.state.reason == "the stream ended"
        assert take(source, 1)


def test_motion_jpeg_that_falls_silent_comes_back(tmp_path: Path) -> None:
    with HttpCamera(jpegs(tmp_path)) as camera, open_source(settings(camera.url)) as source:
        take(source, 5)
        camera.silent.set()
        wait_for(source, "degraded")
        camera.silent.clear()
        assert take(source, 5)
        assert source.state.outages == 1


def test_http_cameras_ask_for_passwords_too(tmp_path: Path) -> None:
    with HttpCamera(jpegs(tmp_path), login="me:p@ss:word") as camera:
        (tmp_path / "password").write_text("p@ss:word")
        options = {"username": "me", "password_file": str(tmp_path / "password")}
        with open_source(settings(camera.url, **options)) as source:
            assert take(source, 1)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "camera.local/1", "rtsp://", "rtsp://host:99999/", "rtsp://[::1/"]
)
def test_what_is_no_address_is_one_message(url: str) -> None:
    with pytest.raises(CaptureError, match=r"capture\.url: .* expected rtsp://"), open_source(settings(url)):
        pass


def test_a_password_that_cannot_be_read_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    config = settings("rtsp://127.0.0.1/", username="me", password_file=str(tmp_path / "missing"))
    with pytest.raises(ConfigError, match=r"capture\.password_file"), open_source(config):
        pass


def test_the_place_holds_no_secret() -> None:
    camera = RtspCamera(settings("rtsp://me:secret@camera.local:8554/stream/1?user=me&pwd=secret"))
    assert camera.place == "rtsp://camera.local:8554/stream/1"


def test_stamps_give_even_times_though_frames_arrive_unevenly() -> None:
    random = np.random.default_rng(0)
    clock = StreamClock()
    sent = np.arange(500) / 25
    arrived = 1000 + np.maximum.accumulate(sent + 0.05 + random.exponential(0.02, 500))
    times = np.array([clock(float(stamp), float(at)) for stamp, at in zip(sent + 77, arrived, strict=True)])
    assert (times <= arrived + 1e-6).all()
    assert np.abs(np.diff(times[100:]) - 1 / 25).max() < 0.002
    assert np.abs(np.diff(arrived[100:]) - 1 / 25).max() > 0.04


def test_a_clock_that_runs_slow_is_followed() -> None:
    """A hundred parts in a million, over an hour: a third of a second."""
    clock = StreamClock()
    for number in range(3600):
        time_s = clock(number * (1 - 1e-4), 1000.0 + number)
    assert time_s == pytest.approx(1000 + 3599, abs=0.01)


@pytest.mark.parametrize("stamp", [None, 0.0, 500.0, 5.0 - LAG_MAX_S])
def test_stamps_that_jump_start_anew(stamp: float | None) -> None:
    """The camera has restarted, or lost its clock: arrival is the truth again."""
    clock = StreamClock()
    clock(10.0, 1000.0)
    assert clock(stamp, 1000.04) == pytest.approx(1000.04)


def test_stamps_that_stand_still_are_left_alone() -> None:
    clock = StreamClock()
    assert [clock(1.0, at) for at in (10.0, 10.1, 10.2)] == [10.0, 10.1, 10.2]
