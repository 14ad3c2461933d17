"""Which precision a device computes in where bf16 is asked for."""

from typing import Final, Literal, TypeVar

import torch

Asked = TypeVar("Asked", bound=str)
IMITATED: Final = "this processor has no bf16: fp32 is used instead"


def computed_in(
    precision: Asked, device: str | torch.device
) -> Asked | Literal["fp32"]:
    """Return the precision that is computed in where one is asked for.

    A CPU without AVX-512 imitates bf16: I3D then takes 220 times as long as in fp32, a
    training step 5 times (docs/decisions.md, D-038). So fp32 takes its place, which is
    the more exact of the two.

    Parameters
    ----------
    precision : str
        Everything but ``"bf16"`` is returned as it is.
    device : str or torch.device
        Of torch.
    """
    is_lacking = precision == "bf16" and not _computes_bf16(torch.device(device).type)
    return "fp32" if is_lacking else precision


def _computes_bf16(kind: str) -> bool:
    if kind == "cpu":  # others than x86 were not measured
        return torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return True
