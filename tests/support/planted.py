"""Somebody else's files in the working directory, which must not be run."""

from pathlib import Path

NAMES = ("struct", "random", "torch", "numpy", "csv", "pickle")
"""Modules that acmnet, torch or Python import when they start."""


def plant(directory: Path) -> Path:
    """Put modules of these names there; each that is run adds a line to a file."""
    directory.mkdir(exist_ok=True)
    ran = directory / "ran.txt"
    for name in NAMES:
        code = f"open({str(ran)!r}, 'a').write({name!r} + chr(10))\n"
        (directory / f"{name}.py").write_text(code)
    return ran
