"""Where bf16 is computed, and where fp32 takes its place."""

import pytest
import torch

from acmnet.runtime.devices import computed_in, exact_fp32


@pytest.mark.parametrize(
    ("capability", "found"),
    [("AVX512", "bf16"), ("AVX2", "fp32"), ("DEFAULT", "fp32"), ("SVE256", "fp32")],
)
def test_a_cpu_without_avx512_takes_fp32(monkeypatch, capability, found):
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: capability)
    assert computed_in("bf16", "cpu") == found
    assert computed_in("bf16", torch.device("cpu")) == found


@pytest.mark.parametrize("has", [True, False])
def test_a_gpu_that_imitates_bf16_takes_fp32(monkeypatch, has):
    def supported(including_emulation):
        return has or including_emulation

    monkeypatch.setattr("torch.cuda.is_bf16_supported", supported)
    assert computed_in("bf16", "cuda:1") == ("bf16" if has else "fp32")


@pytest.mark.parametrize("precision", ["fp32", "openvino", "openvino-bf16"])
def test_another_precision_is_what_was_asked_for(monkeypatch, precision):
    monkeypatch.setattr("acmnet.runtime.devices._computes_bf16", lambda _: False)
    assert computed_in(precision, "cpu") == precision


def test_fp32_on_a_gpu_is_exact_while_it_lasts(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    seen = []

    def fail():
        with exact_fp32("cuda:1"):
            seen.append(torch.backends.cudnn.allow_tf32)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert seen == [False]
    assert torch.backends.cudnn.allow_tf32
    with exact_fp32("cpu"):
        assert torch.backends.cudnn.allow_tf32
