"""Cars: two convex bodies in metres, seen through the camera as faces."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edgetrack.render.camera import Camera, Ground, Pixel, Point
from edgetrack.render.dice import Dice
from edgetrack.render.paint import Colour, Face, Part, mix, shade

PAINT: tuple[Colour, ...] = (
    (230, 230, 228),
    (190, 190, 188),
    (120, 120, 118),
    (48, 46, 45),
    (30, 30, 140),
    (40, 40, 200),
    (130, 70, 25),
    (190, 130, 60),
    (70, 90, 40),
    (60, 170, 220),
    (50, 90, 150),
    (170, 195, 205),
)
GLASS: Colour = (92, 80, 68)


@dataclass(frozen=True, slots=True)
class CarLook:
    """Metres; `hood` and `boot` are the shares of the length before and behind the cabin."""

    length: float
    width: float
    height: float
    waist: float  # where the windows begin
    hood: float
    boot: float
    rake: float  # how far windscreen and rear window lean in, m
    colour: Colour
    roof: Colour
    lights: bool


def car_look(dice: Dice, lights: bool = False) -> CarLook:
    colour = shade(mix(dice.pick(PAINT), dice.pick(PAINT), dice.between(0, 0.25)), dice.between(0.85, 1.1))
    kind = dice.pick(("saloon", "hatch", "hatch", "suv", "van", "taxi"))
    if kind == "taxi":
        colour = (60, 200, 235)
    roof = shade(colour, 1.04) if dice.chance(0.85) else (45, 45, 46)
    shapes = {  # length, width, height, waist, hood, boot, rake
        "saloon": (4.6, 1.8, 1.44, 0.88, 0.27, 0.2, 0.5),
        "taxi": (4.6, 1.8, 1.46, 0.9, 0.27, 0.2, 0.5),
        "hatch": (4.0, 1.74, 1.5, 0.92, 0.26, 0.03, 0.45),
        "suv": (4.5, 1.88, 1.72, 1.02, 0.27, 0.03, 0.35),
        "van": (5.0, 1.95, 2.1, 1.15, 0.16, 0.01, 0.3),
    }
    length, width, height, waist, hood, boot, rake = shapes[kind]
    grow = dice.between(0.93, 1.07)
    return CarLook(
        length * grow, width * dice.between(0.96, 1.04), height * dice.between(0.96, 1.05), waist, hood, boot,
        rake * dice.between(0.8, 1.2), colour, roof, lights,
    )  # fmt: skip


class Solid:
    """Projects a car's own (ahead, aside, up) and paints the faces that look at the camera."""

    MIDDLE: Point = (0.0, 0.0, 0.7)  # outside is away from here

    def __init__(self, camera: Camera, where: Ground, heading: float) -> None:
        self._camera, self._where = camera, where
        self._sin, self._cos = math.sin(heading), math.cos(heading)
        x, z = where
        self._eye = (-x * self._cos - z * self._sin, x * self._sin - z * self._cos, camera.view.height_m)
        self.parts: list[Part] = []

    def place(self, at: Point) -> Pixel:
        ahead, aside, up = at
        x, z = self._where
        return self._camera.project(
            (x + ahead * self._cos - aside * self._sin, up, z + ahead * self._sin + aside * self._cos)
        )

    def _looks_here(self, corners: Sequence[Point]) -> bool:
        p, q, r = corners[0], corners[1], corners[2]
        u = tuple(b - a for a, b in zip(p, q, strict=True))
        v = tuple(b - a for a, b in zip(p, r, strict=True))
        normal = (u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0])
        outwards = sum(n * (a - m) for n, a, m in zip(normal, p, self.MIDDLE, strict=True))
        towards = sum(n * (e - a) for n, a, e in zip(normal, p, self._eye, strict=True))
        return outwards * towards > 0

    def face(self, corners: Sequence[Point], colour: Colour, gain: float = 1.0, swell: float = 0.3) -> bool:
        """Paint it if its outer side is turned to the camera."""
        if not self._looks_here(corners):
            return False
        self.parts.append(Face([self.place(corner) for corner in corners], shade(colour, gain), swell))
        return True

    def disc(self, x: float, aside: float, up: float, radius: float, colour: Colour, always: bool = False) -> None:
        """An upright disc along the car's length."""
        ring = [
            (x + radius * math.cos(k * math.pi / 6), aside, up + radius * math.sin(k * math.pi / 6)) for k in range(12)
        ]
        if always or self._looks_here(ring):
            self.parts.append(Face([self.place(corner) for corner in ring], colour, 0.2))


def car(look: CarLook, camera: Camera, where: Ground, heading: float) -> list[Part]:
    """Faces from back to front."""
    solid = Solid(camera, where, heading)
    half, w = look.length / 2, look.width / 2
    for x in _axles(look):
        for aside in (w, w * 0.8, -w * 0.8, -w):
            solid.disc(x, aside, 0.31, 0.31, (30, 30, 32), always=True)
    _body(solid, look, half, w)
    _cabin(solid, look, half, w)
    return solid.parts


def _axles(look: CarLook) -> tuple[float, float]:
    return -0.31 * look.length, 0.31 * look.length


def _body(solid: Solid, look: CarLook, half: float, w: float) -> None:
    low, mid, top, colour = 0.24, 0.62, look.waist, look.colour
    nose, tail = (top - 0.16 if look.hood > 0.2 else top - 0.05), top - 0.04
    front, back = half - look.hood * look.length, -half + look.boot * look.length
    ahead, astern = half - 0.08, -half + 0.06
    for x0, y0, x1, y1, gain in ((front, top, ahead, nose, 1.08), (astern, tail, back, top, 1.05)):
        solid.face([(x0, w, y0), (x1, w, y1), (x1, -w, y1), (x0, -w, y0)], colour, gain)
    flank = [(-half + 0.05, low), (-half, mid), (astern, tail), (back, top)]
    flank += [(front, top), (ahead, nose), (half, mid), (half - 0.06, low)]
    for aside, gain in ((-w, 0.86), (w, 0.78)):
        if solid.face([(x, aside, y) for x, y in flank], colour, gain):
            _flank(solid, look, half, aside, gain)
    for x, bumper, lip, up in ((half, half - 0.06, ahead, nose), (-half, -half + 0.05, astern, tail)):
        solid.face([(x, -w, mid), (x, w, mid), (lip, w, up), (lip, -w, up)], colour, 0.92)
        if solid.face([(bumper, -w, low), (bumper, w, low), (x, w, mid), (x, -w, mid)], colour, 0.72):
            _end(solid, look, x, w, mid)


def _flank(solid: Solid, look: CarLook, half: float, aside: float, gain: float) -> None:
    def plate(x0: float, x1: float, y0: float, y1: float, colour: Colour) -> None:
        solid.face([(x0, a, y0), (x1, a, y0), (x1, a, y1), (x0, a, y1)], colour, swell=0.0)

    a = aside * 1.005
    plate(-half + 0.12, half - 0.12, 0.22, 0.34, (40, 40, 42))
    for x in (-0.1 * look.length, 0.14 * look.length):
        plate(x, x + 0.03, 0.36, look.waist - 0.02, shade(look.colour, gain * 0.7))
        plate(x - 0.3, x - 0.14, look.waist - 0.2, look.waist - 0.16, shade(look.colour, gain * 0.55))
    for x in _axles(look):
        for radius, up, colour in (
            (0.37, 0.33, shade(look.colour, gain * 0.4)),
            (0.31, 0.31, (34, 34, 36)),
            (0.18, 0.31, (150, 150, 148)),
        ):
            solid.disc(x, a, up, radius, colour)


def _end(solid: Solid, look: CarLook, x: float, w: float, mid: float) -> None:
    def plate(a0: float, a1: float, y0: float, y1: float, colour: Colour) -> None:
        solid.face([(out, a0, y0), (out, a0, y1), (out, a1, y1), (out, a1, y0)], colour, swell=0.2)

    out = x * 1.004
    lamp: Colour = (225, 240, 250) if x > 0 else (40, 40, 190)
    if look.lights:
        lamp = (255, 255, 255) if x > 0 else (70, 70, 255)
    plate(-w * 0.95, w * 0.95, 0.24, 0.38, (45, 45, 47))
    plate(-0.26, 0.26, 0.42, 0.54, (215, 225, 225))
    for side in (-1, 1):
        plate(side * w * 0.6, side * w * 0.93, mid - 0.04, mid + 0.12, lamp)


def _cabin(solid: Solid, look: CarLook, half: float, w: float) -> None:
    y0, y1 = look.waist - 0.01, look.height
    back0, front0 = -half + look.boot * look.length + 0.03, half - look.hood * look.length
    back1, front1 = back0 + look.rake * 0.8, front0 - look.rake * 1.4
    in0, in1 = w * 0.98, w * 0.8

    def at(x0: float, x1: float, aside: float, share: float) -> Point:
        """On the way from waist to roof; aside -1..1."""
        return x0 + (x1 - x0) * share, aside * (in0 + (in1 - in0) * share), y0 + (y1 - y0) * share

    for x0, x1 in ((back0, back1), (front0, front1)):
        for edge, a, b, colour in ((1.0, 0.0, 1.0, shade(look.colour, 0.9)), (0.88, 0.08, 0.9, GLASS)):
            solid.face([at(x0, x1, -edge, a), at(x0, x1, edge, a), at(x0, x1, edge, b), at(x0, x1, -edge, b)], colour)
    middle = (back0 + front0) / 2 - 0.1
    for side, gain in ((-1, 0.85), (1, 0.8)):
        frame = [
            at(back0, back1, side, 0),
            at(front0, front1, side, 0),
            at(front0, front1, side, 1),
            at(back0, back1, side, 1),
        ]
        solid.face(frame, look.colour, gain)
        for l0, l1, r0, r1 in (
            (back0 + 0.12, back1 + 0.12, middle - 0.04, middle - 0.04),
            (middle + 0.04, middle + 0.04, front0 - 0.12, front1 - 0.12),
        ):
            pane = [at(l0, l1, side, 0.12), at(r0, r1, side, 0.12), at(r0, r1, side, 0.86), at(l0, l1, side, 0.86)]
            solid.face(pane, GLASS, gain + 0.15, 0.0)
    solid.face([(back1, in1, y1), (front1, in1, y1), (front1, -in1, y1), (back1, -in1, y1)], look.roof, 1.1)
