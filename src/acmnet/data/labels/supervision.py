"""What a training may be given of a label file."""

from typing import Final, Literal, get_args

Supervision = Literal["names", "points", "segments", "all"]
"""What training is given: the names of the actions alone; also points; also segments
and watched spans; or everything that the label file holds."""

SUPERVISIONS: Final[tuple[Supervision, ...]] = get_args(Supervision)
"""The four values of `Supervision`."""
