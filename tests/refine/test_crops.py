import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from edgetrack.image import Resizer
from edgetrack.refine.crops import FILL, cut, into, out_of, side, squares

boxes = st.builds(
    lambda x, y, w, h: np.array([[x, y, x + w, y + h]]),
    st.floats(-100, 2000),
    st.floats(-100, 2000),
    st.floats(2, 900),
    st.floats(2, 900),
)


def test_a_square_box_gets_half_as_much_again():
    assert_allclose(side(np.array([[0.0, 0.0, 40.0, 40.0]])), [60])


@given(boxes)
def test_a_template_holds_its_whole_box(xyxy: NDArray[np.float64]):
    assert side(xyxy)[0] >= (xyxy[:, 2:] - xyxy[:, :2]).max()


@given(boxes)
def test_fractions_lead_back_to_pixels(xyxy: NDArray[np.float64]):
    square = squares(xyxy, zoom=2.0)
    assert_allclose(out_of(square, into(square, xyxy)), xyxy, atol=1e-6)


@given(boxes)
def test_squares_are_square_and_on_whole_pixels(xyxy: NDArray[np.float64]):
    square = squares(xyxy)[0]
    assert square[2] - square[0] == square[3] - square[1] >= 2
    assert (square == np.round(square)).all()


def test_beyond_the_edge_is_fill():
    picture = np.zeros((50, 50, 3), np.uint8)
    pixels = cut(picture, np.array([-50.0, 0.0, 50.0, 100.0]), 56, Resizer())
    assert (pixels[:, :27, :27] == FILL).all()
    assert (pixels[:, :27, 30:] == 0).all()


def test_a_window_far_larger_than_the_picture_costs_no_memory():
    """A box as large as a picture of 4K would ask for a window of half a gigabyte."""
    picture = np.full((20, 40, 3), 200, np.uint8)
    pixels = cut(picture, np.array([-1e6, -1e6, 1e6, 1e6]), 112, Resizer())
    assert pixels.shape == (3, 112, 112)


def test_large_and_small_windows_show_the_same_place():
    """Both ways to cut agree to a pixel of the crop at the size where they change over."""
    picture = np.zeros((100, 100, 3), np.uint8)
    picture[40:60, 40:60] = 255
    exact = cut(picture, np.array([-50.0, -50.0, 150.0, 150.0]), 112, Resizer())[0]
    coarse = cut(picture, np.array([-51.0, -51.0, 151.0, 151.0]), 112, Resizer())[0]
    places = [np.argwhere(pixels > 180).mean(axis=0) for pixels in (exact, coarse)]
    assert_allclose(places[0], places[1], atol=1)
