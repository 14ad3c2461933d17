"""What has to happen before anything else is imported.

``python -m acmnet`` puts the working directory first on Python's path. A file
``torch.py`` or ``random.py`` in it would then be run in place of the library. Also,
importing libraries takes seconds, in which the program can be stopped, or a worker's
parent can end.
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
"""Environment variable for a Python process that must not import from the working
directory."""
SHORT_WAIT: Final = ("GOMP_SPINCOUNT", "1000")
"""Environment variable, and its value, for how often a thread of torch checks whether
there is work before it sleeps. Unset, a thread keeps a core busy for milliseconds,
which other programs may need (docs/decisions.md, D-161)."""
PARENT: Final = "ACMNET_WORKER_OF"
"""Environment variable of a worker: the number of the parent process. The worker ends
when its parent ends."""
LOOK_S: Final = 0.2
"""Seconds after which a worker checks again whether its parent lives, where the system
does not signal the parent's end."""
PR_SET_PDEATHSIG: Final = 1
"""Option of Linux's prctl that sets the signal sent when the parent ends."""


def start() -> None:
    """Prepare this process, according to whether it is the program or a worker."""
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
    """Return whether this process is starting ``python -m acmnet``."""
    pairs = itertools.pairwise(sys.orig_argv)
    return sys.argv[:1] == ["-m"] and ("-m", "acmnet") in pairs


def _is_script() -> bool:
    """Return whether this process is the installed program ``acmnet``."""
    words = [word for word in sys.orig_argv[1:] if not word.startswith("-")]
    return bool(words) and os.path.basename(words[0]) == "acmnet"


def _forget_working_directory() -> None:
    """Remove the working directory that ``python -m acmnet`` put on Python's path.

    It stays if acmnet itself lies in it.
    """
    try:
        directory = os.getcwd()
    except FileNotFoundError:  # it was removed, so nothing can be imported from it
        return
    ours = os.path.abspath(f"{__file__}/../../..")  # the folder that holds acmnet
    if _is_module() and not sys.flags.safe_path and sys.path[0] == directory != ours:
        del sys.path[0]


def is_first_process() -> bool:
    """Return whether this is the first of torchrun's processes.

    Only the first one writes files and prints. Without torchrun, every process is one.
    """
    return os.environ.get("RANK", "0") == "0"


def end_other_process() -> None:
    """End a process of torchrun that has done its work and is not the first one.

    It ends without Python's clean-up, in which threads of torch's process group
    sometimes abort it; torchrun would then stop the first one before it is done.
    """
    distributed = sys.modules.get("torch.distributed")
    if is_first_process() or distributed is None or not distributed.is_initialized():
        return
    distributed.destroy_process_group()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def end_before_it_began(number: int, _frame: FrameType | None) -> None:
    """End the program on a signal that comes while it is still being imported."""
    if is_first_process():
        os.write(2, b"acmnet: stopped before it began; nothing was done\n")
    os._exit(128 + number)


def end_with(parent: int) -> None:
    """End this process as soon as its parent has ended, whatever it is doing.

    A worker that lived on after its run was killed could write into the files that the
    next run resumes from.
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
