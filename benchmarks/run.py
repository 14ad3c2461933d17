"""Run `python -m benchmarks` from any directory, in one thread.

Several threads wait for each other, which takes long where other work runs, too, and
then a ratio says nothing. The variable OMP_NUM_THREADS asks for another number.
"""

import os
import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    # NumPy and torch read it when they are imported, and processes inherit it
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    runpy.run_module("benchmarks", run_name="__main__")
