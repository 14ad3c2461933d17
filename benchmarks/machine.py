"""Describe the machine, the versions and the commit that are measured."""

import os
import platform
import subprocess
from pathlib import Path

import numpy as np
import torch

from benchmarks.measure import ROOT


def machine() -> dict[str, object]:
    """Return the machine, the versions and the commit as texts by name."""
    return {
        "cpu": _cpu_model(),
        **({"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "vectors": torch.backends.cpu.get_cpu_capability(),
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "commit": _commit(),
    }


def _cpu_model() -> str:
    """Return the name of the CPU, from /proc/cpuinfo if there is such a file."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2] for line in lines if line.startswith("model name")]
    return names[0].strip() if names else platform.processor() or platform.machine()


def _commit() -> str | None:
    """Return the commit of the checkout, with a mark if files were changed."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() or None
