"""The rendered street as a source."""

import numpy as np

from edgetrack.capture import open_source
from edgetrack.config import SceneCapture
from edgetrack.render.scene import Scene


def test_a_scene_gives_its_pictures_in_order_and_ends() -> None:
    config = SceneCapture(seed=4, seconds=1, fps=10, width=160, height=96)
    with open_source(config) as source:
        frames = [frame for frame in source if frame is not None]
    assert [frame.index for frame in frames] == list(range(10))
    assert [round(frame.time, 6) for frame in frames] == [k / 10 for k in range(10)]
    wanted, _ = Scene(4, width=160, height=96, fps=10, seconds=1).picture(7)
    assert np.array_equal(frames[7].image, wanted)
