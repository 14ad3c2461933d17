"""The points of a person and of hands that networks find, and how they are joined."""

from typing import Final

PERSON_POINTS: Final = (
    "nose",
    *("left_eye_inner", "left_eye", "left_eye_outer"),
    *("right_eye_inner", "right_eye", "right_eye_outer"),
    *("left_ear", "right_ear", "mouth_left", "mouth_right"),
    *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow"),
    *("left_wrist", "right_wrist", "left_pinky", "right_pinky"),
    *("left_index", "right_index", "left_thumb", "right_thumb"),
    *("left_hip", "right_hip", "left_knee", "right_knee"),
    *("left_ankle", "right_ankle", "left_heel", "right_heel"),
    *("left_foot_index", "right_foot_index"),
)
"""Names of the points in the order of the network's output. They are those of BlazePose
(Bazarevsky et al., "BlazePose: On-device Real-time Body Pose tracking", 2020)."""

BODY_POINTS: Final = (
    "nose",
    *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow"),
    *("left_wrist", "right_wrist", "left_hip", "right_hip"),
    *("left_knee", "right_knee", "left_ankle", "right_ankle"),
)
"""The points that the features `pose` are made of. Those of the face, the fingers and
the feet lie so near to these that in most videos they tell nothing more."""

BONES: Final = (
    ("nose", "left_ear"),
    ("nose", "right_ear"),
    ("left_shoulder", "right_shoulder"),
    ("left_hip", "right_hip"),
    *(
        (f"{side}_{one}", f"{side}_{other}")
        for side in ("left", "right")
        for one, other in (
            ("shoulder", "elbow"),
            ("elbow", "wrist"),
            ("wrist", "pinky"),
            ("wrist", "index"),
            ("wrist", "thumb"),
            ("shoulder", "hip"),
            ("hip", "knee"),
            ("knee", "ankle"),
            ("ankle", "heel"),
            ("ankle", "foot_index"),
        )
    ),
)
"""Pairs of points between which a line is drawn."""

SIDES: Final = ("left", "right")
"""The person's own left and right, in the order of `PERSON_WITH_HANDS`."""

FINGERS: Final = ("thumb", "index", "middle", "ring", "pinky")

HAND_POINTS: Final = (
    "wrist",
    *("thumb_cmc", "thumb_mcp", "thumb_ip", "thumb_tip"),
    *(
        f"{finger}_{joint}"
        for finger in FINGERS[1:]
        for joint in ("mcp", "pip", "dip", "tip")
    ),
)
"""Names of the 21 points of a hand in the order of the network's output. They are those
of MediaPipe Hands (Zhang et al., 2020): four joints of each finger after the wrist."""


def hand_point(side: str, point: str) -> str:
    """Return the name of a point of one of a person's hands.

    Examples
    --------
    >>> hand_point("left", "thumb_tip")
    'left_hand_thumb_tip'
    """
    return f"{side}_hand_{point}"


PERSON_WITH_HANDS: Final = (
    *PERSON_POINTS,
    *(hand_point(side, point) for side in SIDES for point in HAND_POINTS),
)
"""Names of the 75 points of a person whose hands are looked at, too."""

BODY_AND_HANDS: Final = (
    *BODY_POINTS[:9],
    *(
        hand_point(side, f"{finger}_tip")
        for side in SIDES
        for finger in ("thumb", "index", "pinky")
    ),
)
"""The points that the features `pose` are made of where hands are looked at: the nose,
shoulders, elbows, wrists and hips, and three fingertips of each hand. At most 16 points
of several people are described one by one, so the legs are left out."""

HAND_BONES: Final = tuple(
    (hand_point(side, HAND_POINTS[a]), hand_point(side, HAND_POINTS[b]))
    for side in SIDES
    for a, b in (
        *((0 if n % 4 == 1 else n - 1, n) for n in range(1, len(HAND_POINTS))),
        *((5, 9), (9, 13), (13, 17)),
    )
)
"""Pairs of points of hands between which a line is drawn: along each finger from the
wrist, and across the palm."""
