"""Draw simple pictures of an acting person and of places, seen by a moving camera.

All coordinates and grey levels are rounded to whole numbers (coordinates in fractions
of a pixel) before anything is drawn, so that pictures are the same on every machine.
"""

import math
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

WIDTH: Final = 160
HEIGHT: Final = 120
MARGIN: Final = 24
"""Pixels on each side of the picture into which the camera may turn."""

Frame = npt.NDArray[np.uint8]
"""An RGB picture of shape (HEIGHT, WIDTH, 3)."""
Place = npt.NDArray[np.uint8]
"""A place as (4, 4, HEIGHT + 48, WIDTH + 48, 3): the first two axes are copies that are
moved up and to the left by quarters of a pixel; 48 is twice `MARGIN`."""
Point = tuple[float, float]
Colour = tuple[int, int, int]
Angles = tuple[float, float]
"""Angles of the upper and the lower part of a limb, in degrees from straight down
towards the side that the actor faces."""
Pose = tuple[float, ...]

REPETITIONS_PER_S: Final = {
    "bow": 1.1,
    "clap": 2.2,
    "jump": 1.5,
    "kick": 1.4,
    "spin": 1.0,
    "wave": 1.9,
}
"""Each action, and how often it is repeated in a second."""
COLOURS: Final[dict[str, tuple[Colour, Colour, Colour]]] = {
    "theatre": ((110, 30, 40), (130, 95, 60), (150, 40, 50)),
    "gym": ((190, 195, 180), (200, 150, 90), (120, 90, 60)),
    "street": ((150, 185, 215), (125, 125, 130), (150, 110, 90)),
    "landscape": ((140, 190, 230), (90, 140, 70), (60, 110, 60)),
    "title": ((25, 25, 35), (25, 25, 35), (225, 225, 215)),
    "crowd": ((185, 180, 170), (160, 150, 140), (140, 150, 160)),
    "still": ((200, 170, 190), (150, 120, 150), (90, 130, 170)),
}
"""Colours of each place: of what is far, of what is near, and of the things there."""

_FINE: Final = 4  # steps in a pixel
_BITS: Final = 4  # bits of the fraction in the coordinates that cv2 draws at
_RAMP_S: Final = (
    0.3  # seconds from standing to acting; half of them lie outside the instance
)
_WALK: Final = 22.0  # pixels a second


class Camera:
    """The direction in which the camera looks: it pans to and fro, and shakes."""

    def __init__(self, random: np.random.Generator, place: str) -> None:
        reach = {"landscape": 18.0, "title": 0.0, "still": 0.0}.get(place, 8.0)
        self.pan = reach * float(random.uniform(0.3, 1))
        self.shake = float(random.uniform(0.2, 1)) if reach else 0.0
        self.phases = [float(x) for x in random.uniform(0, 2 * math.pi, size=3)]
        self.rates = [float(x) for x in random.uniform((0.3, 8, 8), (0.8, 16, 16))]

    def shoot(self, place: Place, time_s: float) -> "Pen":
        """Return a pen that draws on what the camera sees at a time after its start."""
        pan, across, down = (
            math.sin(rate * time_s + phase)
            for rate, phase in zip(self.rates, self.phases, strict=True)
        )
        x = round(_FINE * (MARGIN + self.pan * pan + self.shake * across))
        y = round(_FINE * (MARGIN + 0.2 * self.pan * pan + self.shake * down))
        moved = place[y % _FINE, x % _FINE]
        left, top = x // _FINE, y // _FINE
        frame = moved[top : top + HEIGHT, left : left + WIDTH].copy()
        return Pen(frame, x / _FINE, y / _FINE)


class Pen:
    """Draws onto the camera's picture at coordinates of the place."""

    def __init__(self, frame: Frame, left: float, top: float) -> None:
        self.frame, self.left, self.top = frame, left, top

    def _point(self, at: Point) -> tuple[int, int]:
        scale = 1 << _BITS
        return round((at[0] - self.left) * scale), round((at[1] - self.top) * scale)

    def disc(self, at: Point, radius: float, colour: Colour) -> None:
        """Draw a filled circle."""
        size = round(radius * (1 << _BITS))
        cv2.circle(self.frame, self._point(at), size, colour, -1, cv2.LINE_AA, _BITS)

    def limb(self, start: Point, end: Point, width: float, colour: Colour) -> None:
        """Draw a thick line with round ends."""
        ends, thick = (self._point(start), self._point(end)), max(2, round(width))
        cv2.line(self.frame, *ends, colour, thick, cv2.LINE_AA, _BITS)


class Actor:
    """A person with the same looks in a whole video, and a way to act in each shot."""

    def __init__(self, random: np.random.Generator) -> None:
        self.size = float(random.uniform(62, 84))  # pixels from sole to crown
        self.skin = _jittered(random, (215, 170, 140), 25)
        self.shirt = _jittered(random, (150, 70, 80), 70)
        self.trousers = _jittered(random, (40, 40, 90), 25)

    def enter(self, random: np.random.Generator) -> None:
        """Draw at random where the actor stands in a shot, the speed and the side."""
        self.x = MARGIN + WIDTH * float(random.uniform(0.3, 0.7))
        self.ground = MARGIN + HEIGHT * float(random.uniform(0.84, 0.92))
        self.facing = float(random.choice((-1.0, 1.0)))
        self.haste = float(random.uniform(0.85, 1.15))
        self.phase = float(random.uniform())
        # walks in from and out to a side, or stands
        self.steps = [_WALK * float(x) for x in random.choice((-1.0, 0.0, 1.0), size=2)]

    def act(self, pen: Pen, action: str, before_s: float, after_s: float) -> None:
        """Draw the actor, who acts, and before and after that stands or walks.

        ``before_s`` is the time until the action starts, ``after_s`` that since its
        end; both are negative while it lasts.
        """
        outside_s = max(before_s, after_s)
        done = self.phase - before_s * REPETITIONS_PER_S[action] * self.haste
        strength = min(1.0, max(0.0, 0.5 - outside_s / _RAMP_S))
        pose = _blended(_pose(), _acting(action, done), strength)
        away_s = max(0.0, outside_s - _RAMP_S)
        self._move(pen, pose, away_s, self.steps[before_s < after_s])

    def idle(self, pen: Pen, time_s: float) -> None:
        """Draw the actor, who stands or walks to and fro."""
        self._move(pen, _pose(), 1.5 + 1.5 * math.sin(0.8 * time_s), self.steps[0])

    def _move(self, pen: Pen, pose: Pose, away_s: float, step: float) -> None:
        """Draw the actor who has walked for a number of seconds."""
        if step:
            pose = _blended(pose, _walking(1.1 * away_s), min(1.0, 3 * away_s))
        self._draw(pen, self.x + step * away_s, pose)

    def _draw(self, pen: Pen, x: float, pose: Pose) -> None:
        """Draw a pose; the limbs at the back are drawn first."""
        lean, *limbs, raised, width = pose
        size, across = self.size, self.size * width * self.facing

        def reached(at: Point, degrees: float, length: float) -> Point:
            turn = math.radians(degrees)
            along, down = length * math.sin(turn), length * math.cos(turn)
            return at[0] + across * along, at[1] + size * down

        hip = x, self.ground - (0.46 + raised) * size
        neck, head = reached(hip, 180 - lean, 0.3), reached(hip, 180 - lean, 0.42)
        thick, side = 0.075 * size, 0.07 * across
        for is_back in (True, False):
            upper, lower, thigh, shin = limbs[4:] if is_back else limbs[:4]
            beside = -side if is_back else side
            leg, shoulder = (hip[0] + beside / 2, hip[1]), (neck[0] + beside, neck[1])
            knee, elbow = reached(leg, thigh, 0.23), reached(shoulder, upper, 0.17)
            pen.limb(leg, knee, 1.2 * thick, self.trousers)
            pen.limb(knee, reached(knee, shin, 0.23), thick, self.trousers)
            if not is_back:
                pen.limb(hip, neck, 2.2 * thick, self.shirt)
                pen.disc(head, 0.085 * size, self.skin)
            pen.limb(shoulder, elbow, thick, self.shirt)
            pen.limb(elbow, reached(elbow, lower, 0.17), thick, self.skin)


class Crowd:
    """People who pass by."""

    def __init__(self, random: np.random.Generator) -> None:
        n = int(random.integers(5, 10))
        self.starts = random.uniform(0, WIDTH + 2 * MARGIN, size=n).tolist()
        self.grounds = random.uniform(0.7 * HEIGHT, HEIGHT, size=n).tolist()
        self.sizes = random.uniform(6, 12, size=n).tolist()
        self.steps = (random.uniform(8, 35, n) * random.choice((-1, 1), n)).tolist()
        self.coats = [_jittered(random, (120, 110, 110), 90) for _ in range(n)]

    def draw(self, pen: Pen, time_s: float) -> None:
        """Draw all people at a time after the start."""
        for i, size in enumerate(self.sizes):
            x = (self.starts[i] + self.steps[i] * time_s) % (WIDTH + 2 * MARGIN)
            ground = MARGIN + self.grounds[i]
            pen.disc((x, ground - size), size, self.coats[i])
            pen.disc((x, ground - 2.4 * size), 0.6 * size, (205, 165, 140))


def draw_place(random: np.random.Generator, name: str) -> Place:
    """Return a drawing of a place of `COLOURS`; its details are drawn at random."""
    far, near, things = COLOURS[name]
    width, height = _FINE * (WIDTH + 2 * MARGIN), _FINE * (HEIGHT + 2 * MARGIN)
    room = np.empty((height, width, 3), np.uint8)
    horizon = round(height * float(random.uniform(0.6, 0.7)))
    room[:horizon] = _jittered(random, far, 20)
    room[horizon:] = _jittered(random, near, 20)
    for k in range(12):
        x = round(width * (k + float(random.uniform(0, 0.6))) / 12)
        y = round(horizon * float(random.uniform(0.2, 0.9)))
        _draw_thing(room, name, (k, x, y, horizon), _jittered(random, things, 45))
    rough = random.integers(0, 30, (height // 12, width // 12, 1), dtype=np.uint8)
    grain = cv2.resize(rough, (width, height), interpolation=cv2.INTER_LINEAR_EXACT)
    cv2.subtract(room, cv2.merge([grain] * 3), room)
    seen = np.asarray(cv2.blur(room, (_FINE, _FINE)), dtype=np.uint8)
    steps = seen.reshape(height // _FINE, _FINE, width // _FINE, _FINE, 3)
    return np.ascontiguousarray(steps.transpose(1, 3, 0, 2, 4))


def _draw_thing(
    room: Frame, name: str, at: tuple[int, int, int, int], colour: Colour
) -> None:
    """Draw the k-th thing of a place, at x and y above the horizon."""
    k, x, y, horizon = at
    height, width = room.shape[:2]
    if name == "theatre":  # a fold of the curtain
        cv2.rectangle(room, (x, 0), (x + 36, horizon - 8), colour, -1)
    elif name == "gym":  # a wall bar, and a line on the floor
        cv2.rectangle(room, (0, 40 * k), (width, 40 * k + 8), colour, -1)
        cv2.line(room, (x, height), (width // 2, horizon), colour, 6, cv2.LINE_AA)
    elif name == "street":  # a house with windows
        cv2.rectangle(room, (x, y // 2), (x + 60, horizon), colour, -1)
        for row in range(y // 2 + 16, horizon - 40, 48):
            cv2.rectangle(room, (x + 16, row), (x + 44, row + 26), (90, 90, 80), -1)
    elif name == "landscape":  # a hill
        cv2.circle(room, (x, horizon + 30), 30 + y // 6, colour, -1, cv2.LINE_AA)
    elif name == "title":  # a line of text
        row = 160 + 32 * k
        cv2.rectangle(room, (200, row), (200 + y, row + 14), colour, -1)
    else:  # what lies about
        cv2.circle(room, (x, height - y), 20 + y // 12, colour, -1, cv2.LINE_AA)


def _pose(
    lean: float = 0,
    near_arm: Angles = (8, 14),
    far_arm: Angles = (-8, -4),
    near_leg: Angles = (6, 4),
    far_leg: Angles = (-6, -8),
    raised: float = 0,
    width: float = 1,
) -> Pose:
    """Return a pose; without arguments the actor stands.

    ``lean`` is the trunk's angle from upright. ``raised`` is how much higher the hips
    are than in standing, as a fraction of the actor's height. ``width`` is how much the
    actor faces the camera.
    """
    return (lean, *near_arm, *near_leg, *far_arm, *far_leg, raised, width)


def _blended(first: Pose, second: Pose, share: float) -> Pose:
    """Return the pose between two poses; ``share`` is the part of the second."""
    return tuple(a + share * (b - a) for a, b in zip(first, second, strict=True))


def _walking(cycles: float) -> Pose:
    """Return the pose of walking after a number of pairs of steps."""
    s, c = math.sin(2 * math.pi * cycles), math.cos(2 * math.pi * cycles)
    return _pose(
        lean=4,
        near_arm=(-24 * s, 10 - 24 * s),
        far_arm=(24 * s, 10 + 24 * s),
        near_leg=(24 * s, 24 * s - 12 - 12 * c),
        far_leg=(-24 * s, 12 * c - 12 - 24 * s),
    )


def _acting(action: str, cycles: float) -> Pose:
    """Return the pose of an action after a number of repetitions."""
    s, c = math.sin(2 * math.pi * cycles), math.cos(2 * math.pi * cycles)
    up = (1 - c) / 2
    if action == "bow":
        return _pose(lean=95 * up)
    if action == "clap":
        upper, lower = 20 + 40 * up, 230 - 110 * up
        return _pose(near_arm=(upper, lower), far_arm=(-upper, -lower))
    if action == "jump":
        return _pose(
            near_arm=(60 + 90 * s, 70 + 95 * s),
            far_arm=(-60 - 90 * s, -70 - 95 * s),
            near_leg=(25 - 25 * s, 5 * s - 25),
            far_leg=(10 - 30 * s, -35 - 5 * s),
            raised=0.22 * max(0.0, s) - 0.04,
        )
    if action == "kick":
        arms = (-35 * up, 10 - 20 * up), (60 * up, 90 * up)
        return _pose(-18 * up, *arms, near_leg=(105 * up, 115 * up - 30 * s))
    if action == "spin":
        return _pose(0, (88, 88), (-88, -88), (12, 12), (-12, -12), width=c)
    return _pose(near_arm=(150 + 12 * s, 180 + 50 * s))


def _jittered(random: np.random.Generator, colour: Colour, by: int) -> Colour:
    """Return a colour near another one, drawn at random."""
    moved = np.asarray(colour) + random.integers(-by, by + 1, size=3)
    red, green, blue = np.clip(moved, 0, 255).tolist()
    return red, green, blue
