"""Install acmnet into this Python environment, and check the hash of every archive.

``make install`` runs this file. pip refuses archives whose SHA-256 is not in the lock
files in this folder. What is installed without that check is named at the end. This can
be everything, for a version of Python without locked hashes; torch, if the hash of its
CPU build is not known; or the packages of a CUDA build.
"""

import argparse
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import distributions
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent

TORCH: Final = HERE / "locked-torch.txt"
"""Requirement of torch's CPU build, which is installed on its own because not every
package index has it."""

NOT_SERVED: Final = "No matching distribution found for torch"
"""What pip prints if the package index has no CPU build of torch. The CUDA build is
then installed, and named as unchecked."""

PIP: Final = (*(sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"),)

HASHED: Final = ("install", "--require-hashes", "--no-deps", "--no-compile")
"""Options with which pip installs only the named archives, and only with known
hashes. Python compiles a module when it is first imported, which is faster than to
compile all files of all packages here."""

SHOWN: Final = 6
"""Unchecked packages that are named, at most; of the others the number is stated."""

LOCKED_PYTHONS: Final = ("3.11", "3.12", "3.13")
"""Versions of Python for which the lock files have hashes."""


def main() -> int:
    """Install, print what was not checked, and return 1 if pip refused, else 0."""
    given = parser().parse_args()
    python = ".".join(platform.python_version_tuple()[:2])
    reason = unlocked_because(python, given.unlocked)
    extra = "[dev]" if given.dev else ""
    constraint = ["--constraint", str(HERE / "cpu.txt")] if given.torch == "cpu" else []
    if reason:
        print(f"{reason}: installing without checking hashes", file=sys.stderr)
        return pip("install", *constraint, "--editable", f".{extra}")
    locks = lock_files(given.dev)
    with ThreadPoolExecutor() as beside:  # torch takes about as long as all others
        torch = None
        if given.torch == "cpu":
            torch = beside.submit(pip_quietly, *HASHED, f"--requirement={TORCH}")
        code = pip(*HASHED, *(f"--requirement={path}" for path in locks))
    if code:
        return refused()
    if torch is not None:
        done = torch.result()
        if not done.returncode:
            locks.append(TORCH)
        elif NOT_SERVED not in done.stderr:
            print(done.stderr, file=sys.stderr)
            return refused()
    own = ("--no-build-isolation", "--editable", f".{extra}")
    code = pip("install", *constraint, *own)
    print(checked_sentence(installed(), locked_here(locks)), file=sys.stderr)
    return code


def refused() -> int:
    """Print what pip's refusal means and what can be done; return the exit code."""
    print(
        "pip found an archive without a hash of constraints/locked*.txt, or none at "
        "all (its own lines stand above), and nothing was taken in its place. If you "
        "trust your package index: make install LOCKED=no",
        file=sys.stderr,
    )
    return 1


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command's options."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--torch", choices=("cpu", "gpu"), default="cpu")
    options.add_argument("--dev", action="store_true", help="with tests and extras")
    options.add_argument("--unlocked", action="store_true", help="check no hash")
    return options


def unlocked_because(python: str, asked: bool) -> str:
    """Return why hashes cannot be checked; empty if they can.

    ``python`` is a version such as ``"3.12"``.
    """
    if asked:
        return "as asked (LOCKED=no)"
    if python not in LOCKED_PYTHONS or platform.python_implementation() != "CPython":
        known = f"{LOCKED_PYTHONS[0]} to {LOCKED_PYTHONS[-1]}"
        return f"constraints/ has hashes for CPython {known}, and this is {python}"
    return ""


def lock_files(dev: bool) -> list[Path]:
    """Return the lock files to install from, except that of torch."""
    names = ["locked.txt", "locked-dev.txt"] if dev else ["locked.txt"]
    return [HERE / name for name in names]


def pip(*words: str) -> int:
    """Run this environment's pip in the checkout; return its exit code."""
    return subprocess.run([*PIP, *words], cwd=HERE.parent).returncode


def pip_quietly(*words: str) -> subprocess.CompletedProcess[str]:
    """Run pip as `pip` does, and return its output instead of printing it."""
    return subprocess.run(
        [*PIP, *words], cwd=HERE.parent, capture_output=True, text=True
    )


def installed() -> dict[str, str]:
    """Return the versions of all installed packages except acmnet and pip."""
    found = {each.name: each.version for each in distributions()}
    return {name: found[name] for name in found if name not in ("acmnet", "pip")}


def locked_here(locks: Iterable[Path]) -> dict[str, str]:
    """Return the versions that lock files state for this platform, by package name."""
    # imported here, because packaging is installed from the lock files
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    found: dict[str, str] = {}
    for path in locks:
        for line in path.read_text(encoding="utf-8").splitlines():
            if "==" not in line:
                continue
            wanted = Requirement(line.rstrip("\\ "))
            if wanted.marker is None or wanted.marker.evaluate():
                found[canonicalize_name(wanted.name)] = str(wanted.specifier)[2:]
    return found


def checked_sentence(versions: Mapping[str, str], locked: Mapping[str, str]) -> str:
    """Return the sentence on how many packages were checked, and which were not."""
    from packaging.utils import canonicalize_name

    unchecked = sorted(
        f"{name} {version}"
        for name, version in versions.items()
        if locked.get(canonicalize_name(name)) != version
    )
    checked = len(versions) - len(unchecked)
    packages = "1 package" if checked == 1 else f"{checked} packages"
    if not unchecked:
        each = "" if checked == 1 else "each "
        return f"{packages}, {each}with the hash of constraints/locked*.txt"
    shown = ", ".join(unchecked[:SHOWN])
    more = len(unchecked) - SHOWN
    hashes = "has the hash" if checked == 1 else "have the hashes"
    return (
        f"{packages} {hashes} of constraints/locked*.txt; installed "
        f"without that check: {shown}" + (f" and {more} more" if more > 0 else "")
    )


if __name__ == "__main__":
    sys.exit(main())
