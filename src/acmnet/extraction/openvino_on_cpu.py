"""OpenVINO on a CPU that several processes share, and without reports to its makers."""

import contextlib
import sys
import threading
from collections.abc import Iterator
from typing import Any, Final

import torch

_ALONE: Final = threading.RLock()
"""Held by the one thread that imports OpenVINO or reads a model."""


def cpu_settings(precision: str) -> dict[str, Any]:
    """Return OpenVINO's settings for one of several processes on a machine.

    OpenVINO binds its threads to cores unless told not to. Processes that have one
    thread each are all bound to the first core, and two then take as long as one.
    """
    return {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "ENABLE_CPU_PINNING": False,
    }


@contextlib.contextmanager
def without_reports() -> Iterator[None]:
    """Keep OpenVINO from reporting its use to its makers without being asked.

    OpenVINO sends such reports on import and when it reads a model. It works without
    them where its module for reports cannot be imported, so that module is hidden.

    Only one thread at a time gets in, because a hidden module is hidden from all
    threads.
    """
    name = "openvino_telemetry"
    with _ALONE:
        reporter = sys.modules.get(name)
        sys.modules[name] = None  # type: ignore[assignment]
        try:
            yield
        finally:
            del sys.modules[name]
            if reporter is not None:
                sys.modules[name] = reporter
