"""Work for workers: squares of numbers, which may end their process or fail."""

import functools
import os
import signal
import threading
import time

from acmnet.workers.worker_tasks import Task


def square(n, dies_unless=None, fails=False):
    """Return n squared; end the process unless a file is there, which it makes."""
    if dies_unless is not None and not dies_unless.exists():
        dies_unless.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if fails:
        raise ValueError(f"{n} has no square")
    return n * n


def squares(numbers, **given):
    """Return a task for each number."""
    return [Task(f"task {n}", functools.partial(square, n, **given)) for n in numbers]


def killed_once(work, flag, sign):
    """Do work, whose process is killed, the first time, once there is a sign of it.

    ``flag`` is the file that says that this was the first time, ``sign`` the one that
    the work writes.
    """
    if not flag.exists():
        flag.touch()
        threading.Thread(target=_kill_at, args=(sign,), daemon=True).start()
    return work()


def _kill_at(sign):
    while not (sign.exists() and sign.stat().st_size):
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGKILL)
