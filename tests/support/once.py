"""What takes long to make and is only read is made once for all workers of xdist."""

import os

from filelock import FileLock


def made_once(factory, name, make):
    """Return the folder of this name, which ``make(folder)`` has filled.

    The worker that comes first fills it, and the others wait. ``factory`` is pytest's
    ``tmp_path_factory``.
    """
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    done = folder.with_name(f"{name}.done")
    with FileLock(f"{folder}.lock"):
        if not done.exists():
            folder.mkdir()
            make(folder)
            done.touch()
    return folder
