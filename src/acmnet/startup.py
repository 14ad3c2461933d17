"""What has to happen before anything else is imported.

``python -m acmnet`` puts the working directory in front of Python's path: a file
``torch.py`` or ``random.py`` that lies there would be run in place of the library. And
libraries take seconds to import, in which a program can be stopped, and in which a
worker can lose its parent.
"""

import contextlib
import itertools
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Final

SAFE_PATH: Final = {"PYTHONSAFEPATH": "1"}
"""Environment of a Python process that is not to import from the working directory."""
PARENT: Final = "ACMNET_WORKER_OF"
"""Environment variable of workers: the number of the process that they end with."""
LOOK_S: Final = 0.2
"""How often a worker looks for its parent where the system cannot tell it."""
PR_SET_PDEATHSIG: Final = 1
"""Of Linux's prctl: the signal that a process gets when its parent is gone."""


def start() -> None:
    """Do what has to be done in this process: a program, a worker, or neither."""
    parent = os.environ.pop(PARENT, "")
    if parent.isdecimal():
        end_with(int(parent))
    elif _is_module() or _is_script():
        _forget_working_directory()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                handled = (signal.SIG_DFL, signal.default_int_handler)
                if signal.getsignal(number) in handled:
                    signal.signal(number, end_before_it_began)


def _is_module() -> bool:
    """Return whether this is ``python -m acmnet``, which is about to begin."""
    pairs = itertools.pairwise(sys.orig_argv)
    return sys.argv[:1] == ["-m"] and ("-m", "acmnet") in pairs


def _is_script() -> bool:
    """Return whether this is the program ``acmnet`` that an installation makes."""
    given = [word for word in sys.orig_argv[1:] if not word.startswith("-")]
    return bool(given) and os.path.basename(given[0]) == "acmnet"


def _forget_working_directory() -> None:
    """Take the working directory off the path where ``python -m acmnet`` put it there.

    It stays where acmnet itself lies in it.
    """
    try:
        here = os.getcwd()
    except FileNotFoundError:  # removed meanwhile: nothing can be found there
        return
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if _is_module() and not sys.flags.safe_path and sys.path[0] == here != ours:
        del sys.path[0]


def is_first_process() -> bool:
    """Whether this is the one of torchrun's processes that writes files and speaks."""
    return os.environ.get("RANK", "0") == "0"


def end_before_it_began(number: int, _frame: FrameType | None) -> None:
    """End the program on a signal that comes while it is still being imported."""
    if is_first_process():
        os.write(2, b"acmnet: stopped before it began; nothing was done\n")
    os._exit(128 + number)


def end_with(parent: int) -> None:
    """End this process as soon as its parent is gone, whatever it is doing.

    A worker that outlived a killed run could still write into what the next run
    resumes.
    """
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if not hasattr(os, "getppid") or sys.platform == "win32":
        return
    if os.getppid() != parent:
        os._exit(1)
    if sys.platform != "linux":
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_S)
    os._exit(1)


start()
