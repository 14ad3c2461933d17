"""The number format that a device really computes in."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal, TypeVar

if TYPE_CHECKING:
    import torch

Asked = TypeVar("Asked", bound=str)
NO_BF16_NOTE: Final = "this processor has no bf16: fp32 is used instead"


def computed_in(
    precision: Asked, device: "str | torch.device"
) -> Asked | Literal["fp32"]:
    """Return the number format to compute in, given the requested one.

    A CPU without AVX-512 only emulates bf16. There I3D takes 220 times as long as in
    fp32, and a training step 5 times as long (docs/decisions.md, D-038). Such a device
    falls back to fp32, which is the more exact of the two.

    Parameters
    ----------
    precision : str
        The number format that is requested. All but ``"bf16"`` are returned unchanged.
    device : str or torch.device
        A device of torch, such as ``"cuda"``.
    """
    is_lacking = precision == "bf16" and not _computes_bf16(device)
    return "fp32" if is_lacking else precision


def _computes_bf16(device: "str | torch.device") -> bool:
    import torch  # only here: verbs that compute nothing need not wait for it

    kind = torch.device(device).type
    if kind == "cpu":  # only x86 was measured
        return torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return True


@contextmanager
def exact_fp32(device: "str | torch.device") -> Iterator[None]:
    """Compute convolutions in fp32 with all its 24 bits while this lasts.

    On a GPU, torch rounds the factors of convolutions in fp32 to TF32, 11 bits, unless
    it is told not to. Scores would then differ from those of a CPU by a thousandth
    (docs/decisions.md, D-110). For speed there is bf16.
    """
    import torch  # only here: verbs that compute nothing need not wait for it

    if torch.device(device).type != "cuda":
        yield
        return
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before
