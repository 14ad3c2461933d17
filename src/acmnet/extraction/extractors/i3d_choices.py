"""The options of the I3D extractors, which can be read without importing torch."""

from typing import Final, Literal

Stream = Literal["rgb", "flow"]
Crop = Literal["centre", "ten"]
Precision = Literal[
    "auto", "fp32", "bf16", "openvino", "openvino-bf16", "openvino-int8"
]
"""Number formats of I3D, and what computes it; "auto" is the fastest exact enough."""

UNMEASURED_FORMAT: Final = "bf16"
"""What "auto" is where nobody has looked for the fastest number format: on a GPU, on a
cluster, and where the videos are short."""

RGB_WEIGHTS: Final = "i3d-rgb-kinetics400"
"""Name of the installed weights of the RGB stream."""
FLOW_WEIGHTS: Final = "i3d-flow"
"""Name of the installed weights of the flow stream."""

LEAST_COSINE: Final = 0.995
"""Least cosine between the features of a snippet and those in fp32 with which a faster
number format may take the place of fp32 (D-100)."""


def without_search(precision: Precision) -> Precision:
    """Return a number format, and `UNMEASURED_FORMAT` for "auto"."""
    return UNMEASURED_FORMAT if precision == "auto" else precision
