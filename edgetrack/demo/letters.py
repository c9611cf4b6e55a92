"""A small alphabet for pictures: 5 x 7 pixels a letter, one byte a column, the lowest bit on top."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COLUMNS = {
    "0": "3E5149453E", "1": "00427F4000", "2": "4261514946", "3": "2141454B31", "4": "1814127F10", "5": "2745454539",
    "6": "3C4A494930", "7": "0171090503", "8": "3649494936", "9": "064949291E", "a": "2054545478", "b": "7F48444438",
    "c": "3844444420", "d": "384444487F", "e": "3854545418", "f": "087E090102", "g": "0C5252523E", "h": "7F08040478",
    "i": "00447D4000", "j": "2040443D00", "k": "7F10284400", "l": "00417F4000", "m": "7C04180478", "n": "7C08040478",
    "o": "3844444438", "p": "7C14141408", "q": "081414187C", "r": "7C08040408", "s": "4854545420", "t": "043F444020",
    "u": "3C4040207C", "v": "1C2040201C", "w": "3C4030403C", "x": "4428102844", "y": "0C5050503C", "z": "4464544C44",
    "-": "0808080808", ".": "0060600000", "/": "2010080402", "#": "147F147F14", ":": "0036360000", "+": "08083E0808",
    ",": "0050300000", " ": "0000000000",
}  # fmt: skip
ADVANCE = 6  # columns from one letter to the next


def stencil(text: str, scale: int) -> NDArray[np.bool_]:
    """(7 * scale, 6 * scale * len(text)) where ink goes; letters that are missing are blank."""
    columns = bytes.fromhex("".join(COLUMNS.get(letter, COLUMNS[" "]) + "00" for letter in text.lower()))
    bits = np.unpackbits(np.frombuffer(columns, np.uint8)[None], axis=0, bitorder="little")[:7]
    return np.asarray(bits.astype(np.bool_).repeat(scale, 0).repeat(scale, 1))
