"""What can be chosen of I3D; it is read without importing torch."""

from typing import Final, Literal

Stream = Literal["rgb", "flow"]
Crop = Literal["centre", "ten"]
Precision = Literal["fp32", "bf16", "openvino", "openvino-bf16"]

RGB_WEIGHTS: Final = "i3d-rgb-kinetics400"
"""Name of the installed weights of the RGB stream."""
FLOW_WEIGHTS: Final = "i3d-flow"
"""Name of the installed weights of the flow stream."""
