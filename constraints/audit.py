"""Check the licences and known vulnerabilities of the packages that acmnet needs.

``make audit`` runs this file. Licences are read from the metadata of the installed
packages and compared with docs/dependencies.md; ``--write`` writes that list.
pip-audit, which the Makefile installs into a separate environment, looks up known
vulnerabilities of the locked versions. If no advisory service answers, this file says
so and ends with code 3.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).parents[1]
LISTED: Final = ROOT / "docs" / "dependencies.md"

LONGEST: Final = 60
"""Characters of a `License` field, at most. A longer field is the text of a licence,
not its name."""

SERVICES: Final = ("pypi", "osv")
"""Advisory services of pip-audit, in the order in which they are asked."""

GROUPS: Final = {
    "acmnet": "always",
    "acmnet[openvino]": "extra `openvino`",
    "acmnet[ray]": "extra `ray`",
    "hatchling": "building",
    "editables": "building",
    "acmnet[docs]": "extra `docs`",
    "acmnet[dev]": "development",
}
"""Requirements of acmnet, each with its name in the list of licences. A package that
several of them need is listed under the first."""

HEAD: Final = """\
# What acmnet depends on

Written by `make lock` from the metadata of the installed packages; `make audit`
compares it with what is installed. Versions and hashes stand in
`constraints/locked*.txt`.

A licence here is the package's own. Wheels also carry libraries of others: those of
`av` and `opencv-contrib-python-headless` hold FFmpeg (LGPL), and `av`'s also x264 and
x265 (GPL), which matters to those who pass an installed environment on.

| package | licence | needed for |
|---|---|---|
"""


def main() -> int:
    """Check licences and advisories, and return the exit code.

    It is 0 if all is well, 1 if something was found, and 3 if not everything could be
    looked up. With ``--write`` the list of licences is written instead.
    """
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--write", action="store_true", help="write the list anew")
    options.add_argument("--pip-audit", help="path of the command pip-audit")
    given = options.parse_args()
    here = needed(distributions())
    if given.write:
        LISTED.write_text(list_text(here), encoding="utf-8")
        return 0
    faults = licence_faults(here, listed(LISTED.read_text(encoding="utf-8")))
    for fault in faults:
        print(fault)
    if not faults:
        print(f"{len(here)} packages, each with a licence that docs/ lists")
    if given.pip_audit is None:
        return int(bool(faults))
    found, left_out = advisories(given.pip_audit)
    for line in (*found, *left_out):
        print(line)
    if faults or found:
        return 1
    return 3 if left_out else 0


def licence(distribution: Distribution) -> str:
    """Return the licence in a package's metadata; empty if there is none."""
    metadata = distribution.metadata
    if "License-Expression" in metadata:
        return metadata["License-Expression"]
    named = [
        line.rpartition(" :: ")[2]
        for line in metadata.get_all("Classifier") or ()
        if line.startswith("License :: ")
    ]
    named = [name for name in named if name not in ("OSI Approved", "DFSG approved")]
    own = " ".join(metadata["License"].split()) if "License" in metadata else ""
    return " AND ".join(named) or (own if len(own) <= LONGEST else "")


def needed(installed: Iterable[Distribution]) -> dict[str, tuple[str, str]]:
    """Return the licence of each package that acmnet needs, and what needs it.

    Packages that are needed by other packages are included. A package that is not
    installed, because it is needed on another platform only, is left out.
    """
    by_name: dict[str, Distribution] = {
        canonicalize_name(each.name): each for each in installed
    }
    found: dict[str, tuple[str, str]] = {}
    for asked, group in GROUPS.items():
        for name in followed(Requirement(asked), by_name):
            if name != "acmnet":
                found.setdefault(name, (licence(by_name[name]), group))
    return found


def followed(asked: Requirement, by_name: Mapping[str, Distribution]) -> set[str]:
    """Return the names of a package and of all installed ones that it needs."""
    waiting, done = [asked], set[tuple[str, str]]()
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        for extra in ("", *wanted.extras):
            if name not in by_name or (name, extra) in done:
                continue
            done.add((name, extra))
            for line in by_name[name].requires or ():
                inner = Requirement(line)
                if inner.marker is None or inner.marker.evaluate({"extra": extra}):
                    waiting.append(inner)
    return {name for name, _ in done}


def list_text(packages: Mapping[str, tuple[str, str]]) -> str:
    """Return the text of the list, sorted by name."""
    rows = [
        f"| {name} | {packages[name][0]} | {packages[name][1]} |"
        for name in sorted(packages)
    ]
    return HEAD + "\n".join(rows) + "\n"


def listed(text: str) -> dict[str, str]:
    """Return the licence of each package in the text of a list."""
    rows = text.partition("|---")[2]
    return dict(re.findall(r"^\| ([\w-]+) \| ([^|]*?) \| [^|]+ \|$", rows, re.M))


def licence_faults(
    here: Mapping[str, tuple[str, str]], known: Mapping[str, str]
) -> list[str]:
    """Return a sentence for each package without a licence, or not as listed."""
    faults = []
    for name, (own, _) in sorted(here.items()):
        if not own:
            faults.append(f"{name}: its metadata names no licence; find it out by hand")
        elif name not in known:
            faults.append(f"{name}: not in {LISTED.name}; look at it, then make lock")
        elif known[name] != own:
            faults.append(
                f"{name}: its licence is {own!r}, {LISTED.name} says {known[name]!r}; "
                "look at it, then make lock"
            )
    return faults


def advisories(pip_audit: str) -> tuple[list[str], list[str]]:
    """Ask the advisory services about the locked versions.

    Returns
    -------
    found : list of str
        A line for each known vulnerability.
    left_out : list of str
        What could not be asked, and why; empty if every version was looked up.
    """
    locks = [
        f"--requirement={path}"
        for path in sorted((ROOT / "constraints").glob("locked*.txt"))
    ]
    reasons = []
    for service in SERVICES:
        done = subprocess.run(
            [
                *(pip_audit, "--disable-pip", "--vulnerability-service", service),
                *("--format", "json", "--progress-spinner", "off", *locks),
            ],
            capture_output=True,
            text=True,
            timeout=600,
        )
        found, skipped, reason = understood(done.stdout, done.stderr)
        if found or not reason:
            return found, skipped
        reasons.append(f"{service}: {reason}")
    return [], [
        "KNOWN VULNERABILITIES WERE NOT LOOKED FOR: no advisory service answered "
        f"({'; '.join(reasons)}). Run make audit again where one can be reached."
    ]


def understood(out: str, err: str) -> tuple[list[str], list[str], str]:
    """Return findings, skipped packages, and why nothing was looked up, if so.

    pip-audit prints "No known vulnerabilities found" and ends with code 0 also if its
    service knows none of the packages, as a mirror without advisories does.
    """
    try:
        packages = json.loads(out)["dependencies"]
    except (ValueError, KeyError):
        last = (err.strip().splitlines() or ["no answer"])[-1]
        return [], [], last.partition("(")[0][:100]
    found = [
        f"{each['name']} {each['version']}: {fault['id']}, mended in "
        f"{', '.join(fault['fix_versions']) or 'no version yet'}"
        for each in packages
        for fault in each.get("vulns", ())
    ]
    skipped = [each for each in packages if "skip_reason" in each]
    if len(skipped) == len(packages):
        return [], [], "it knows none of the packages (a mirror without advisories)"
    lines = [f"not looked up: {each['skip_reason']}" for each in skipped]
    return found, lines, ""


if __name__ == "__main__":
    sys.exit(main())
