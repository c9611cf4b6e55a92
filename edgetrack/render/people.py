"""People and cyclists: a skeleton in metres, seen through the camera as strokes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from edgetrack.render.camera import Camera, Ground, Point
from edgetrack.render.dice import Dice
from edgetrack.render.paint import Colour, Part, Stroke, mix, shade

SKIN: tuple[Colour, ...] = (
    (178, 205, 241),
    (140, 180, 224),
    (105, 150, 198),
    (75, 110, 160),
    (50, 75, 115),
    (38, 55, 84),
)
HAIR: tuple[Colour, ...] = ((25, 25, 28), (30, 42, 66), (50, 82, 120), (90, 140, 190), (120, 120, 125), (200, 200, 205))
CLOTH: tuple[Colour, ...] = (
    (40, 40, 44),
    (75, 62, 48),
    (110, 70, 40),
    (150, 100, 50),
    (60, 60, 160),
    (40, 40, 205),
    (50, 130, 210),
    (60, 190, 225),
    (70, 140, 70),
    (110, 160, 60),
    (160, 140, 60),
    (205, 160, 80),
    (150, 80, 130),
    (190, 140, 200),
    (225, 225, 225),
    (200, 205, 190),
    (130, 130, 130),
    (95, 115, 140),
    (140, 170, 200),
)
DARK_CLOTH: tuple[Colour, ...] = (
    (45, 42, 40),
    (80, 60, 45),
    (115, 80, 55),
    (60, 75, 95),
    (100, 100, 100),
    (140, 150, 165),
)
STEP_M = 1.45  # two steps of an adult of 1.75 m


@dataclass(frozen=True, slots=True)
class PersonLook:
    """What stays the same about a person."""

    height_m: float
    girth: float  # 1 is usual
    skin: Colour
    hair: Colour
    long_hair: bool
    hat: Colour | None
    top: Colour
    sleeves: bool
    legs: Colour
    skirt: bool
    coat: bool
    shoes: Colour
    bag: tuple[str, Colour] | None  # backpack, shoulder, trolley
    umbrella: Colour | None


def any_colour(dice: Dice) -> Colour:
    """A cloth's colour, seldom the same twice."""
    return shade(mix(dice.pick(CLOTH), dice.pick(CLOTH), dice.between(0, 0.4)), dice.between(0.7, 1.15))


def person_look(dice: Dice, rain: bool = False) -> PersonLook:
    child = dice.chance(0.1)
    skirt = dice.chance(0.2)
    return PersonLook(
        height_m=dice.between(1.15, 1.45) if child else dice.between(1.56, 1.92),
        girth=dice.between(0.85, 1.3),
        skin=dice.pick(SKIN),
        hair=dice.pick(HAIR),
        long_hair=dice.chance(0.4),
        hat=any_colour(dice) if dice.chance(0.2) else None,
        top=any_colour(dice),
        sleeves=dice.chance(0.75),
        legs=shade(dice.pick(DARK_CLOTH if dice.chance(0.75) else CLOTH), dice.between(0.75, 1.15)),
        skirt=skirt,
        coat=not skirt and dice.chance(0.25),
        shoes=dice.pick(((30, 30, 32), (45, 60, 90), (215, 215, 215), (60, 60, 170))),
        bag=(dice.pick(("backpack", "shoulder", "trolley")), any_colour(dice)) if dice.chance(0.45) else None,
        umbrella=any_colour(dice) if rain and dice.chance(0.4) else None,
    )


class Body:
    """Turns (ahead, aside, up) of somebody who stands and faces somewhere into strokes on the picture."""

    def __init__(self, camera: Camera, where: Ground, heading: float) -> None:
        self._camera, self._where = camera, where
        self._sin, self._cos = math.sin(heading), math.cos(heading)

    def point(self, ahead: float, aside: float, up: float) -> Point:
        """heading 0 looks along x, to the right; aside is to the left of the heading."""
        x, z = self._where
        return x + ahead * self._cos - aside * self._sin, up, z + ahead * self._sin + aside * self._cos

    def limb(
        self, a: tuple[float, float, float], b: tuple[float, float, float], ra: float, rb: float, colour: Colour
    ) -> tuple[float, Stroke]:
        """Its depth, to sort by, and the stroke.

        Args:
            a, b: its ends, (ahead, aside, up) in metres.
            ra, rb: its radius there, metres.
        """
        camera, p, q = self._camera, self.point(*a), self.point(*b)
        sp, sq = camera.scale(p), camera.scale(q)
        stroke = Stroke(
            camera.project(p), camera.project(q), round(ra * sp * 16) / 16, round(rb * sq * 16) / 16, colour
        )
        return (camera.depth(p) + camera.depth(q)) / 2, stroke


Limb = Callable[[tuple[float, float, float], tuple[float, float, float], float, float, Colour], "tuple[float, Stroke]"]


def person(
    look: PersonLook, camera: Camera, where: Ground, heading: float, walked_m: float, moving: float
) -> list[Part]:
    """Strokes from back to front.

    Args:
        walked_m: way so far; turns into the phase of the steps.
        moving: 0 stands, 1 walks.
    """
    h = look.height_m
    phase = walked_m / (STEP_M * h / 1.75) * 2 * math.pi
    body = Body(camera, where, heading)
    limbs: list[tuple[float, Stroke]] = []
    hip, shoulder = 0.52 * h, 0.81 * h
    lift = 0.012 * h * moving * math.cos(2 * phase)
    for side in (1, -1):
        limbs += _leg(look, body.limb, side, phase + (0 if side == 1 else math.pi), hip + lift, moving)
        limbs += _arm(look, body.limb, side, phase + (math.pi if side == 1 else 0), shoulder + lift, moving)
    limbs += _torso(look, body.limb, hip + lift, shoulder + lift)
    limbs += _head(look, body.limb, lift)
    limbs += _luggage(look, body.limb, shoulder + lift)
    limbs.sort(key=lambda item: -item[0])
    return [stroke for _, stroke in limbs]


def _leg(
    look: PersonLook, limb: Limb, side: int, phase: float, hip: float, moving: float
) -> list[tuple[float, Stroke]]:
    h, swing = look.height_m, math.sin(phase)
    thigh = 0.42 * moving * swing
    shin = thigh - moving * (0.12 + 0.55 * max(0.0, math.cos(phase + 0.35)))
    aside, g = side * 0.052 * h, look.girth
    knee = (0.25 * h * math.sin(thigh), aside, hip - 0.25 * h * math.cos(thigh))
    ankle_up = max(knee[2] - 0.25 * h * math.cos(shin), 0.03 * h)
    ankle = (knee[0] + 0.25 * h * math.sin(shin), aside, ankle_up)
    toe = (ankle[0] + 0.085 * h, aside, max(ankle_up - 0.012 * h, 0.016 * h))
    bare = look.skin if look.skirt else look.legs
    return [
        limb((0, aside, hip), knee, 0.052 * h * g, 0.038 * h * g, look.legs),
        limb(knee, ankle, 0.036 * h * g, 0.024 * h, bare),
        limb((ankle[0], aside, ankle[2] - 0.008 * h), toe, 0.024 * h, 0.017 * h, look.shoes),
    ]


def _arm(look: PersonLook, limb: Limb, side: int, phase: float, up: float, moving: float) -> list[tuple[float, Stroke]]:
    h, g = look.height_m, look.girth
    holds = look.umbrella is not None and side == 1
    angle = 0.5 if holds else 0.4 * moving * math.sin(phase)
    aside = side * 0.118 * h * (0.6 + 0.4 * g)
    elbow = (0.165 * h * math.sin(angle), aside * 1.12, up - 0.165 * h * math.cos(angle))
    fore = 2.4 if holds else angle + 0.25 + 0.2 * moving
    hand = (elbow[0] + 0.15 * h * math.sin(fore), aside * 1.1, elbow[2] - 0.15 * h * math.cos(fore))
    sleeve = shade(look.top, 0.9)
    return [
        limb((0, aside, up - 0.01 * h), elbow, 0.034 * h * g, 0.029 * h * g, sleeve),
        limb(elbow, hand, 0.026 * h, 0.021 * h, sleeve if look.sleeves else look.skin),
        limb(hand, (hand[0] + 0.02 * h, hand[1], hand[2] - 0.025 * h), 0.02 * h, 0.017 * h, look.skin),
    ]


def _torso(look: PersonLook, limb: Limb, hip: float, shoulder: float) -> list[tuple[float, Stroke]]:
    h, g = look.height_m, look.girth
    parts = []
    for side in (1, -1):
        parts.append(
            limb(
                (0, side * 0.045 * h * g, hip + 0.015 * h),
                (0.01 * h, side * 0.068 * h, shoulder - 0.045 * h),
                0.06 * h * g,
                0.058 * h,
                look.top,
            )
        )
        if look.skirt or look.coat:
            low = hip - (0.2 if look.coat else 0.16) * h
            colour = look.top if look.coat else look.legs
            parts.append(limb((0, side * 0.04 * h, hip), (0, side * 0.06 * h, low), 0.07 * h * g, 0.07 * h * g, colour))
    return parts


def _head(look: PersonLook, limb: Limb, lift: float) -> list[tuple[float, Stroke]]:
    h = look.height_m
    up = 0.925 * h + lift
    r = 0.06 * h
    parts = [
        limb((0, 0, 0.83 * h + lift), (0.005 * h, 0, 0.88 * h + lift), 0.032 * h, 0.03 * h, shade(look.skin, 0.85)),
        limb((0.012 * h, 0, up - 0.02 * h), (0.006 * h, 0, up + 0.01 * h), r * 0.86, r, look.skin),
    ]
    top = look.hat or look.hair
    parts.append(limb((-0.02 * h, 0, up + 0.012 * h), (-0.006 * h, 0, up + 0.03 * h), r * 0.98, r * 0.92, top))
    if look.hat:
        parts.append(limb((-0.01 * h, 0, up + 0.03 * h), (0.07 * h, 0, up + 0.025 * h), r * 0.6, r * 0.25, look.hat))
    if look.long_hair:
        parts.append(limb((-0.035 * h, 0, up), (-0.045 * h, 0, up - 0.12 * h), r * 0.85, r * 0.7, look.hair))
    return parts


def _luggage(look: PersonLook, limb: Limb, shoulder: float) -> list[tuple[float, Stroke]]:
    h, parts = look.height_m, []
    if look.bag is not None:
        kind, colour = look.bag
        if kind == "backpack":
            a, b = (-0.1 * h, 0.0, shoulder - 0.05 * h), (-0.11 * h, 0.0, shoulder - 0.2 * h)
            parts.append(limb(a, b, 0.075 * h, 0.085 * h, colour))
        elif kind == "shoulder":
            hangs = (0.0, -0.15 * h, shoulder - 0.32 * h)
            parts.append(limb((0, -0.1 * h, shoulder), hangs, 0.01 * h, 0.01 * h, shade(colour, 0.7)))
            parts.append(limb((0.06 * h, *hangs[1:]), (-0.06 * h, *hangs[1:]), 0.06 * h, 0.06 * h, colour))
        else:
            a, b = (-0.28 * h, -0.14 * h, 0.08 * h), (-0.3 * h, -0.14 * h, 0.3 * h)
            parts.append(limb(a, b, 0.085 * h, 0.085 * h, colour))
            parts.append(limb(b, (-0.1 * h, -0.13 * h, 0.48 * h), 0.01 * h, 0.01 * h, (70, 70, 70)))
    if look.umbrella is not None:
        grip, tip = (0.15 * h, 0.1 * h, 0.72 * h), (0.1 * h, 0.05 * h, 1.16 * h)
        parts.append(limb(grip, tip, 0.008 * h, 0.008 * h, (60, 60, 60)))
        for aside in (-1, 0, 1):
            rim = (0.1 * h, 0.05 * h + aside * 0.24 * h, 1.08 * h - abs(aside) * 0.02 * h)
            parts.append(limb((0.1 * h, 0.05 * h, 1.14 * h), rim, 0.07 * h, 0.05 * h, look.umbrella))
        for ahead in (-0.24, 0.24):
            rim = (0.1 * h + ahead * h, 0.05 * h, 1.06 * h)
            parts.append(limb((0.1 * h, 0.05 * h, 1.13 * h), rim, 0.07 * h, 0.05 * h, shade(look.umbrella, 0.9)))
    return parts


@dataclass(frozen=True, slots=True)
class CyclistLook:
    """What stays the same about a cyclist."""

    rider: PersonLook
    frame: Colour
    size: float  # 1 is a wheel of 0.34 m radius
    basket: bool


def cyclist_look(dice: Dice) -> CyclistLook:
    frame = any_colour(dice) if dice.chance(0.7) else (40, 40, 44)
    rider = person_look(dice)
    return CyclistLook(rider, frame, dice.between(0.92, 1.06), dice.chance(0.3))


def cyclist(look: CyclistLook, camera: Camera, where: Ground, heading: float, ridden_m: float) -> list[Part]:
    """A bicycle and its rider, strokes from back to front."""
    s, body = look.size, Body(camera, where, heading)
    limb, wheel = body.limb, 0.34 * look.size
    limbs: list[tuple[float, Stroke]] = []
    rear, front = (-0.52 * s, 0.0, wheel), (0.52 * s, 0.0, wheel)
    for hub in (rear, front):
        rim = [
            (hub[0] + wheel * math.sin(k * math.pi / 7), 0.0, wheel + wheel * math.cos(k * math.pi / 7))
            for k in range(14)
        ]
        for k in range(14):
            limbs.append(limb(rim[k], rim[(k + 1) % 14], 0.022, 0.022, (38, 38, 40)))
        turn = ridden_m / wheel
        for k in range(3):
            angle = turn + k * math.pi / 3
            reach = (0.32 * s * math.sin(angle), 0.32 * s * math.cos(angle))
            spoke = (hub[0] + reach[0], 0.0, wheel + reach[1]), (hub[0] - reach[0], 0.0, wheel - reach[1])
            limbs.append(limb(*spoke, 0.005, 0.005, (150, 150, 150)))
    crank, saddle, head = (-0.06 * s, 0.0, 0.28 * s), (-0.2 * s, 0.0, 0.92 * s), (0.36 * s, 0.0, 0.88 * s)
    for a, b in ((rear, crank), (crank, saddle), (crank, head), (saddle, head), (rear, saddle), (head, front)):
        limbs.append(limb(a, b, 0.022, 0.022, look.frame))
    limbs.append(limb((-0.3 * s, 0, 0.96 * s), (-0.1 * s, 0, 0.95 * s), 0.045, 0.03, (35, 35, 38)))
    limbs.append(limb((0.38 * s, 0.24, 1.04 * s), (0.38 * s, -0.24, 1.04 * s), 0.018, 0.018, (40, 40, 42)))
    if look.basket:
        limbs.append(limb((0.52 * s, 0, 0.85 * s), (0.56 * s, 0, 0.98 * s), 0.13, 0.15, (60, 90, 120)))
    limbs += _rider(look, limb, ridden_m / 0.9, s)
    limbs.sort(key=lambda item: -item[0])
    return [stroke for _, stroke in limbs]


def _rider(look: CyclistLook, limb: Limb, turn: float, s: float) -> list[tuple[float, Stroke]]:
    who, h = look.rider, look.rider.height_m
    hip, neck = (-0.2 * s, 0.0, 1.0 * s), (0.12 * s, 0.0, 1.0 * s + 0.3 * h)
    parts = []
    for side in (1, -1):
        angle = turn + (0 if side == 1 else math.pi)
        px, py, pz = -0.06 * s + 0.17 * math.sin(angle), side * 0.1, 0.28 * s + 0.17 * math.cos(angle)
        knee = ((hip[0] + px) / 2 + 0.24, side * 0.09, (hip[2] + pz) / 2 + 0.1)
        parts.append(limb((hip[0], side * 0.08, hip[2]), knee, 0.09 * who.girth, 0.065, who.legs))
        parts.append(limb(knee, (px - 0.03, py, pz + 0.06), 0.06, 0.042, who.legs))
        parts.append(limb((px - 0.06, py, pz + 0.02), (px + 0.12, py, pz), 0.042, 0.03, who.shoes))
        sleeve = shade(who.top, 0.9)
        elbow = (0.2 * s, side * 0.25, 1.0 * s + 0.13 * h)
        parts.append(limb((neck[0] - 0.02, side * 0.18, neck[2] - 0.06), elbow, 0.06, 0.048, sleeve))
        fist = (0.38 * s, side * 0.22, 1.06 * s)
        parts.append(limb(elbow, fist, 0.045, 0.036, sleeve if who.sleeves else who.skin))
        bottom, top = (hip[0], side * 0.07, hip[2] + 0.04), (neck[0] - 0.03, side * 0.11, neck[2] - 0.09)
        parts.append(limb(bottom, top, 0.11 * who.girth, 0.1, who.top))
    up = neck[2] + 0.17
    parts.append(limb((neck[0] + 0.06, 0, up - 0.02), (neck[0] + 0.05, 0, up + 0.02), 0.095, 0.105, who.skin))
    parts.append(limb((neck[0] + 0.01, 0, up + 0.03), (neck[0] + 0.04, 0, up + 0.06), 0.105, 0.1, who.hat or who.hair))
    if who.bag is not None and who.bag[0] == "backpack":
        parts.append(limb((-0.12 * s, 0, 1.2 * s + 0.1), (0.0, 0, 1.0 * s + 0.25 * h), 0.13, 0.11, who.bag[1]))
    return parts
