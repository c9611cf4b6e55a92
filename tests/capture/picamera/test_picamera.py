"""The picamera source through the application's own door, on the real picamera2 and a camera made for these tests."""

from __future__ import annotations

import gc
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from edgetrack.capture import Source, open_source
from edgetrack.capture.picamera import POLL_S, RESTARTS_MAX, Picamera, colours_of
from edgetrack.config import PicameraCapture
from edgetrack.errors import CaptureError
from edgetrack.image import Resizer, cut
from edgetrack.planes import Decoded
from edgetrack.types import Frame
from tests.capture import contract
from tests.capture.contract import PATIENCE_S, readers, take

pytest.importorskip("picamera2", reason="the real picamera2 on a stand-in camera: run .ci/picamera")

pytestmark = [
    pytest.mark.filterwarnings("ignore:setDaemon:DeprecationWarning"),  # picamera2's preview thread
    # picamera2 trips over an allocator that never came to be, whenever that is collected
    pytest.mark.filterwarnings("ignore:.*DmaAllocator.__del__:pytest.PytestUnraisableExceptionWarning"),
]

RED, GREEN, BLUE = (220, 30, 10), (20, 200, 60), (40, 90, 250)  # R, G, B


@pytest.fixture(autouse=True)
def quick_restarts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Picamera, "open_s", 0.2)


def source(**settings: Any) -> Source:
    quick = {"width": 320, "height": 240, "fps": 50, "stall_s": 5.0, "retry_min_s": 0.1, "retry_max_s": 0.2}
    return open_source(PicameraCapture(**{**quick, **settings}))


def looks(running: Source) -> Iterator[Frame | None]:
    """What the loop sees, for as long as a busy test machine may need."""
    until = time.monotonic() + PATIENCE_S
    for frame in running:
        assert time.monotonic() < until
        yield frame


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def stripes(width: int, height: int, number: int) -> np.ndarray:
    """Red, green and blue from left to right, each from an even column on; R, G, B."""
    picture = np.empty((height, width, 3), np.uint8)
    for i, colour in enumerate((RED, GREEN, BLUE)):
        picture[:, i * width // 6 * 2 :] = colour
    return picture


def assert_stripes(frame: Frame, width: int, height: int) -> None:
    """Pixel by pixel; planes round twice."""
    off = frame.image.astype(int) - stripes(width, height, 0)[:, :, ::-1]
    assert np.abs(off).max() <= (0 if isinstance(frame.picture, np.ndarray) else 2)


def numbered(width: int, height: int, number: int) -> np.ndarray:
    return np.full((height, width, 3), number % 150, np.uint8)


def number_of(frame: Frame) -> int:
    return int(frame.picture[0, 0, 0] if isinstance(frame.picture, np.ndarray) else frame.picture.luma[0, 0])


@pytest.fixture(params=["YUV420", "RGB888"])
def either(camera: Any, request: pytest.FixtureRequest) -> Any:
    """The camera, which gives planes, or does not."""
    if request.param == "RGB888":
        camera.formats.remove("YUV420")
    return camera


def test_it_keeps_the_promises_of_every_source(camera: Any) -> None:
    contract.check(source(), live=True, size=(320, 240))


# --- the picture


def test_a_picture_is_blue_green_red(either: Any) -> None:
    either.paint = stripes
    with source() as running:
        (frame,) = take(running, 1)
    assert_stripes(frame, 320, 240)


@pytest.mark.parametrize(("width", "height"), [(322, 240), (326, 242), (640, 480)])
def test_the_padding_of_rows_is_cut(either: Any, width: int, height: int) -> None:
    either.paint = stripes
    with source(width=width, height=height) as running:
        (frame,) = take(running, 1)
    assert_stripes(frame, width, height)


def test_a_stride_that_the_camera_widens_changes_nothing_in_the_picture(either: Any) -> None:
    either.paint = stripes

    def widen(stream: Any) -> None:
        stream.stride = 4096

    either.faults.adjust = widen
    with source() as running:
        (frame,) = take(running, 1)
    assert_stripes(frame, 320, 240)


def test_a_size_that_the_camera_adjusts_is_the_size_of_the_picture(
    either: Any, caplog: pytest.LogCaptureFixture
) -> None:
    from libcamera import Size

    def shrink(stream: Any) -> None:
        stream.size = Size(min(stream.size.width, 304), min(stream.size.height, 228))

    either.faults.adjust = shrink
    with source() as running:
        (frame,) = take(running, 1)
    assert frame.size == (304, 228)
    assert "gives 304 x 228, not 320 x 240" in caplog.text


def test_a_picture_does_not_change_when_its_buffer_is_used_again(either: Any) -> None:
    either.paint = numbered
    with source() as running:
        first = take(running, 1)[0]
        value = number_of(first)
        take(running, 12)
    whole = first.picture if isinstance(first.picture, np.ndarray) else first.picture.luma
    assert (whole == value).all()


def test_rotation_applies_to_the_camera_module_too(either: Any) -> None:
    either.paint = stripes
    with source(rotate=180) as running:
        (frame,) = take(running, 1)
    assert np.abs(frame.image[120, 40].astype(int) - list(reversed(BLUE))).max() <= 2


def test_what_is_masked_is_in_no_plane(either: Any) -> None:
    either.paint = stripes
    with source(masks=[[(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)]]) as running:
        (frame,) = take(running, 1)
    assert isinstance(frame.picture, np.ndarray)
    assert not frame.picture[:, :160].any()
    assert frame.picture[:, 160:].any(axis=2).all()


# --- planes


def test_a_picture_comes_in_planes(camera: Any) -> None:
    with source() as running:
        (frame,) = take(running, 1)
    assert isinstance(frame.picture, Decoded)


@pytest.mark.parametrize("size", [(320, 240), (1280, 720)])
def test_the_colours_of_a_jpeg_are_asked_for_at_any_size(camera: Any, size: tuple[int, int]) -> None:
    """picamera2 itself asks for other ones from 1280 x 720 on."""
    from libcamera import ColorSpace

    asked = []
    camera.faults.adjust = lambda stream: asked.append(stream.color_space)
    with source(width=size[0], height=size[1]):
        pass
    assert [(space.ycbcrEncoding, space.range) for space in asked] == [
        (ColorSpace.YcbcrEncoding.Rec601, ColorSpace.Range.Full)
    ]


@pytest.mark.parametrize("space", ["Sycc", "Smpte170m", "Rec709"])
@pytest.mark.parametrize("colour", [RED, GREEN, BLUE, (255, 255, 255), (0, 0, 0), (255, 0, 0), (0, 0, 255)])
def test_a_colour_is_itself_whatever_colour_space_the_camera_gives(
    camera: Any, space: str, colour: tuple[int, int, int]
) -> None:
    """As BGR, as a cut part and as a model's input; video's range has 219 steps for 255 levels and loses up to 3."""
    import libcamera

    camera.faults.recolour = getattr(libcamera.ColorSpace, space)()
    camera.paint = lambda width, height, number: np.full((height, width, 3), colour, np.uint8)
    with source() as running:
        (frame,) = take(running, 1)
    part = cut(frame.picture, 11, 11, 31, 31)
    scaled = np.stack(Resizer().planes(frame.picture, 104, 78), axis=-1)
    for image in (frame.image, part, scaled):
        assert np.abs(image.astype(int) - list(reversed(colour))).max() <= (2 if space == "Sycc" else 3)


def test_a_camera_that_does_not_know_its_colours_is_read_as_video_is(camera: Any) -> None:
    """A USB camera may have none; a decoder without word of them takes BT.601, black 16."""
    picam2 = SimpleNamespace(libcamera_config=SimpleNamespace(at=lambda _: SimpleNamespace(color_space=None)))
    assert colours_of(picam2) == (Colorspace.ITU601, ColorRange.UNSPECIFIED)


def test_bytes_behind_the_picture_do_no_harm(camera: Any) -> None:
    camera.paint, camera.spare = stripes, 4096
    with source() as running:
        (frame,) = take(running, 1)
    assert_stripes(frame, 320, 240)


def test_a_camera_without_planes_is_asked_for_bgr_and_the_log_says_so(
    camera: Any, caplog: pytest.LogCaptureFixture
) -> None:
    camera.formats = ["RGB888"]
    with caplog.at_level(logging.INFO), source() as running:
        (frame,) = take(running, 1)
    assert isinstance(frame.picture, np.ndarray)
    assert "picamera 0: gives RGB888 of 320 x 240, not planes; asked for RGB888" in caplog.text


def test_planes_of_an_odd_size_are_not_taken(camera: Any) -> None:
    from libcamera import Size

    def odd(stream: Any) -> None:
        stream.size = Size(319, 239)

    camera.faults.adjust, camera.paint = odd, stripes
    with source() as running:
        (frame,) = take(running, 1)
    assert_stripes(frame, 319, 239)


def test_asking_again_leaves_no_buffers_of_the_first_time(camera: Any) -> None:
    camera.formats = ["RGB888"]
    with source(buffers=4) as running:
        take(running, 1)
        open_now = [fd for fd in Path("/proc/self/fd").iterdir() if fd.exists()]
        held = {fd.stat().st_ino for fd in open_now if "memfd:picamera2" in os.readlink(fd)}
    assert len(held) == 4


# --- buffers and jobs


def test_every_buffer_goes_back_to_the_camera(camera: Any) -> None:
    with source(buffers=4) as running:
        take(running, 20)
        camera.faults.stalled = True
        wait_for(lambda: len(camera.queued) == 4)


def test_waits_that_time_out_take_no_buffer(camera: Any) -> None:
    """Six timeouts with four buffers: were each wait a job of its own, the camera would starve for ever."""
    with source(buffers=4) as running:
        take(running, 3)
        camera.faults.stalled = True
        time.sleep(6 * POLL_S)
        camera.faults.stalled = False
        take(running, 20)
        camera.faults.stalled = True
        wait_for(lambda: len(camera.queued) == 4)
    assert len(camera.started_with) == 1


def test_a_request_that_comes_while_nobody_waits_is_released_at_the_end(camera: Any) -> None:
    part = Picamera(PicameraCapture(width=320, height=240, fps=50, buffers=4))
    part.check()
    shots = part.shots()
    camera.faults.stalled = True
    while next(shots) is not None:
        pass
    camera.faults.stalled = False
    wait_for(lambda: len(camera.queued) == 3)
    camera.faults.stalled = True
    shots.close()
    part.close()
    assert camera.queued_at_stop == [4]


def test_two_buffers_are_enough(camera: Any) -> None:
    with source(buffers=2) as running:
        assert len(take(running, 20)) == 20


def test_a_loop_that_is_busy_gets_the_newest_picture_and_the_others_count_as_dropped(camera: Any) -> None:
    camera.paint = numbered
    with source() as running:
        first = take(running, 1)[0]
        time.sleep(0.5)
        newest = camera.number
        second = take(running, 1)[0]
        state = running.state
    assert number_of(second) >= newest - 2
    assert second.index - first.index > 10
    assert state.dropped == second.index - 1
    assert state.frames == 2


def test_frames_with_errors_are_not_shown_but_counted(camera: Any) -> None:
    camera.paint = numbered
    camera.faults.error_every = 3
    with source() as running:
        shown = take(running, 12)
        state = running.state
    assert all(number_of(frame) % 3 for frame in shown)
    assert camera.error_frames > 0
    assert state.dropped >= shown[-1].index + 1 - 12 > 0


# --- time


def test_the_time_of_a_picture_is_when_the_sensor_took_it(camera: Any) -> None:
    """However long the ISP and picamera2 keep it."""
    camera.faults.late_s = 0.3
    with source(fps=10) as running:
        (frame,) = take(running, 1)
        age, wall_age = time.monotonic() - frame.captured, time.time() - frame.utc
    assert age >= 0.3
    assert wall_age == pytest.approx(age, abs=0.05)
    assert frame.time == frame.captured


def test_without_a_stamp_the_time_is_that_of_arrival(camera: Any) -> None:
    camera.faults.late_s = 0.3
    camera.faults.no_timestamp = True
    entered = time.monotonic()
    with source() as running:
        (frame,) = take(running, 1)
    assert frame.captured >= entered + 0.3


def test_a_stamp_of_another_clock_does_not_date_a_picture_hours_back(camera: Any) -> None:
    camera.faults.clock_behind_s = 36_000
    with source() as running:
        (frame,) = take(running, 1)
    assert time.monotonic() - frame.captured < 10


def test_time_never_goes_back(camera: Any) -> None:
    with source() as running:
        times = [frame.time for frame in take(running, 20)]
    assert times == sorted(times)


# --- silence


def test_a_silent_camera_yields_none_at_least_once_a_second(camera: Any) -> None:
    with source() as running:
        take(running, 2)
        camera.faults.stalled = True
        seen = [(time.monotonic(), frame) for frame in islice(looks(running), 5)]
    gaps = np.diff([when for when, _ in seen])
    assert seen[-1][1] is None
    assert gaps.max() < 1.0


def test_a_sensor_that_fell_silent_is_started_again_on_the_same_object(camera: Any) -> None:
    with source(stall_s=0.5) as running:
        before = take(running, 3)[-1]
        camera.time_out()
        after = next(frame for frame in looks(running) if frame is not None and frame.time > before.time + 0.4)
        take(running, 10)
        state = running.state
    assert after.index > before.index
    assert (state.state, state.outages) == ("ok", 1)
    assert state.blind_s >= 0.4
    assert len(camera.started_with) == 2
    assert camera.configured == 1


def test_new_starts_take_no_memory_and_no_file_descriptors(camera: Any) -> None:
    """The buffers of the first start are used again: what made others' daemons grow with each outage."""
    from picamera2.allocators import dmaallocator

    def held() -> tuple[int, int]:
        gc.collect()  # picamera2 does not close the selector of a preview thread that ends
        return len(os.listdir("/proc/self/fd")), dmaallocator.DmaHeap.allocated

    with source(stall_s=0.3, buffers=4) as running:
        take(running, 1)
        before = held()
        for outage in range(1, 4):
            camera.time_out()
            next(frame for frame in looks(running) if frame is not None and running.state.outages == outage)
        wait_for(lambda: held()[0] <= before[0])  # the last preview thread may still be ending
        after = held()
    assert len(camera.started_with) == 4
    assert after[1] == before[1] == 4


def test_a_new_start_keeps_the_frame_rate(camera: Any) -> None:
    with source(stall_s=0.5, fps=40) as running:
        take(running, 1)
        camera.time_out()
        wait_for(lambda: next(iter(running)) is not None and len(camera.started_with) == 2)
    assert [settings["FrameDurationLimits"] for settings in camera.started_with] == [(25_000, 25_000)] * 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_death_of_picamera2s_own_thread_is_survived(camera: Any) -> None:
    """A request that cannot be queued again ends its event loop, or the reader's release: pictures stop either way."""
    with source(stall_s=0.5) as running:
        before = take(running, 3)[-1]
        for _ in range(3):
            camera.faults.refuse_queue = 2
            wait_for(lambda: camera.faults.refuse_queue == 0 and next(iter(running)) is not None)
        assert take(running, 20)[-1].index > before.index
        assert running.state.state == "ok"


def test_while_it_is_silent_the_state_says_so(camera: Any) -> None:
    with source(stall_s=0.5) as running:
        take(running, 1)
        camera.faults.stalled = True
        next(frame for frame in looks(running) if running.state.state == "degraded")
        assert running.state.reason == "no picture for 0.5 s"


def test_a_camera_that_stays_silent_needs_a_new_process(camera: Any) -> None:
    with source(stall_s=0.3) as running:
        take(running, 1)
        camera.faults.stalled = True
        with pytest.raises(CaptureError, match=r"picamera 0: no picture after 5 starts.*restart the daemon.*cable"):
            list(looks(running))
    assert len(camera.started_with) <= RESTARTS_MAX + 1
    assert camera.configured == 1
    assert not camera.acquired


def test_a_camera_that_vanishes_needs_a_new_process_too(camera: Any) -> None:
    with source(stall_s=0.3) as running:
        take(running, 1)
        camera.faults.gone = True
        with pytest.raises(CaptureError, match="no picture after 5 starts"):
            list(looks(running))


def test_a_driver_that_hangs_in_stop_needs_a_new_process(camera: Any) -> None:
    let_go = camera.faults.stop_waits_for = threading.Event()
    try:
        with source(stall_s=0.3) as running:
            take(running, 1)
            camera.faults.stalled = True
            with pytest.raises(CaptureError, match="picamera 0: the driver hangs; only a new process frees it"):
                list(looks(running))
    finally:
        let_go.set()
    wait_for(lambda: not camera.acquired)


# --- leaving


@pytest.mark.parametrize("stalled", [False, True])
def test_leaving_lets_the_camera_go(camera: Any, stalled: bool) -> None:
    with source() as running:
        take(running, 3)
        camera.faults.stalled = stalled
    assert not camera.acquired
    assert not camera.streaming
    wait_for(lambda: not readers())  # leaving waits half a second for it, and no longer


def test_leaving_does_not_wait_for_a_driver_that_hangs(camera: Any) -> None:
    let_go = threading.Event()
    try:
        with source() as running:
            take(running, 1)
            camera.faults.stop_waits_for = let_go
            left = time.monotonic()
        assert time.monotonic() - left < 2
        assert camera.acquired
    finally:
        let_go.set()
    wait_for(lambda: not camera.acquired)


def test_it_can_be_entered_again(camera: Any) -> None:
    running = source()
    for _ in range(3):
        with running:
            take(running, 3)
    assert not camera.acquired


# --- opening


def test_a_number_that_no_camera_has_names_those_there_are(camera: Any) -> None:
    with (
        pytest.raises(CaptureError, match=r"picamera 2: libcamera lists 0: standin; set capture.camera"),
        source(camera=2),
    ):
        pass


def test_without_any_camera_it_says_so(camera: Any) -> None:
    import libcamera

    libcamera.CameraManager.singleton().cameras.clear()
    with pytest.raises(CaptureError, match=r"picamera 0: libcamera lists none; .*cable"), source():
        pass


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_camera_in_use_elsewhere_is_named_busy(camera: Any) -> None:
    camera.faults.busy = True
    with pytest.raises(CaptureError, match=r"picamera 0: .*busy; another process has it: sudo fuser"), source():
        pass
    gc.collect()  # picamera2 leaves a pipe open when its constructor fails, which Python reports here


def test_too_little_memory_for_the_buffers_says_how_to_need_less(camera: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from picamera2.allocators import dmaallocator

    monkeypatch.setattr(dmaallocator.DmaHeap, "full", True)
    with pytest.raises(CaptureError, match=r"no memory for 4 buffers of 320 x 240 .*lower capture.buffers"), source():
        pass
    assert not camera.acquired


def test_a_camera_with_neither_planes_nor_bgr_is_refused(camera: Any) -> None:
    camera.formats = ["YUYV"]
    with (
        pytest.raises(CaptureError, match="picamera 0: the camera gives YUYV, not YUV420 or RGB888; use kind: v4l2"),
        source(),
    ):
        pass
    assert not camera.acquired


def test_a_camera_without_a_frame_rate_control_runs_at_its_own(camera: Any) -> None:
    from libcamera import controls

    del camera.controls[controls.FrameDurationLimits]
    with source() as running:
        take(running, 2)
    assert "FrameDurationLimits" not in camera.started_with[0]


def test_a_frame_rate_beyond_the_camera_is_told(camera: Any, caplog: pytest.LogCaptureFixture) -> None:
    from libcamera import ControlInfo, controls

    camera.controls[controls.FrameDurationLimits] = ControlInfo(20_000, 60_000_000, 33_333)
    with caplog.at_level(logging.WARNING), source(fps=100):
        pass
    assert "gives at most 50.0 frames/s at this size, not 100" in caplog.text


def test_only_one_stream_is_asked_for(camera: Any) -> None:
    """A raw stream would double the memory, a queued picture would be an old one."""
    running = source()
    with running:
        take(running, 1)
        assert all(len(request.buffers) == 1 for request in list(camera.queued))
