"""What has to happen before anything else is imported.

``python -m acmnet`` puts the working directory in front of Python's path: a file
``torch.py`` or ``random.py`` that lies there would be run in place of the library.
"""

import itertools
import os
import sys


def forget_working_directory() -> None:
    """Take the working directory off the path where ``python -m acmnet`` put it there.

    It stays where acmnet itself lies in it, and where another program imports acmnet.
    """
    given = sys.orig_argv
    is_program = sys.argv[:1] == ["-m"] and any(
        pair == ("-m", "acmnet") for pair in itertools.pairwise(given)
    )
    try:
        here = os.getcwd()
    except FileNotFoundError:  # removed meanwhile: nothing can be found there
        return
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if is_program and not sys.flags.safe_path and sys.path[0] == here != ours:
        del sys.path[0]


forget_working_directory()
