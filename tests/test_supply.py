"""What make install takes is locked by hash; make audit is not content with silence."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distributions

import pytest
from constraints import audit, install, lock
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from support.places import ROOT

LOCKS = sorted((ROOT / "constraints").glob("locked*.txt"))
MIRROR = json.dumps(  # pip-audit's own answer where the index has no advisories
    {
        "dependencies": [{"name": "av", "skip_reason": "Dependency not found on PyPI"}],
        "fixes": [],
    }
)
UNREACHABLE = (
    "Traceback (most recent call last):\n"
    "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='api.osv.dev')"
)


def locked(path):
    """Yield the requirements of a lock file, each with its hashes."""
    lines = path.read_text().replace("\\\n", " ").splitlines()
    for line in lines:
        if "==" in line:
            wanted, *hashes = line.split(" --hash=sha256:")
            yield Requirement(wanted.strip()), [each.strip() for each in hashes]


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_locked_package_has_one_version_and_its_hashes(path):
    for wanted, hashes in locked(path):
        assert re.fullmatch(r"==[^*,]+", str(wanted.specifier)), wanted
        assert hashes, wanted
        assert all(re.fullmatch("[0-9a-f]{64}", each) for each in hashes), wanted


def test_whatever_acmnet_asks_for_is_locked_within_its_bounds():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [
        *project["project"]["dependencies"],
        *(x for y in project["project"]["optional-dependencies"].values() for x in y),
        *project["build-system"]["requires"],
    ]
    versions = {
        canonicalize_name(wanted.name): str(wanted.specifier)[2:]
        for path in LOCKS
        for wanted, _ in locked(path)
    }
    for line in asked:
        wanted = Requirement(line)
        if wanted.name != "acmnet":
            assert wanted.specifier.contains(versions[canonicalize_name(wanted.name)])


def test_make_lets_python_keep_what_it_compiled():
    forbidden = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "KEPT": "1"}
    shown = subprocess.run(
        ["make", "--eval=shown: ; @env", "shown"],
        cwd=ROOT,
        env=forbidden,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert "KEPT=1" in shown
    assert not any(line.startswith("PYTHONDONTWRITE") for line in shown)


@pytest.mark.parametrize(("types", "tests"), [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_make_test_fails_for_types_and_for_tests(tmp_path, types, tests):
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for name in ("pyproject.toml", ".venv/installed-dev"):
        (tmp_path / name).touch()
    for name, code in (("ruff", 0), ("mypy", types), ("pytest", tests)):
        program = tmp_path / ".venv" / "bin" / name
        program.write_text(f"#!/bin/sh\necho {name} says {code}\nexit {code}\n")
        program.chmod(0o755)
    done = subprocess.run(
        ["make", "test"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode != 0) == bool(types or tests)
    assert f"pytest says {tests}" in done.stdout
    assert ("mypy says 1" in done.stdout) == bool(types)


def test_make_install_goes_through_the_lock():
    done = subprocess.run(
        ["make", "-n", "-B", "install", "PYTHON=" + sys.executable],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    pip = [line for line in done.stdout.splitlines() if "install" in line]
    assert any("constraints/install.py --torch cpu" in line for line in pip)
    assert not any("pip" in line for line in pip)


def test_an_archive_with_another_hash_is_refused(tmp_path):
    wheel = tmp_path / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny.py", "")
        about = "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"
        archive.writestr("tiny-1.0.dist-info/METADATA", about)
        kind = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr("tiny-1.0.dist-info/WHEEL", kind)
        archive.writestr("tiny-1.0.dist-info/RECORD", "")
    own = hashlib.sha256(wheel.read_bytes()).hexdigest()
    ends = []
    for digest in (own, "0" * 64):
        (tmp_path / "lock.txt").write_text(f"tiny==1.0 --hash=sha256:{digest}\n")
        given = ("--no-index", f"--find-links={tmp_path}", f"--target={tmp_path / 'x'}")
        required = f"--requirement={tmp_path / 'lock.txt'}"
        ends.append(install.pip_quietly(*install.HASHED, *given, required))
    assert ends[0].returncode == 0, ends[0].stderr
    assert ends[1].returncode == 1
    assert "DO NOT MATCH THE HASHES" in ends[1].stderr


def test_what_was_installed_unchecked_is_named():
    pinned = install.locked_here([ROOT / "constraints" / "locked.txt"])
    assert pinned["numpy"]
    here = {"numpy": pinned["numpy"], "Jinja2": "0.1", "nvidia-cublas": "13.1"}
    said = install.checked_sentence(here, pinned)
    assert said.startswith("1 package has the hash of constraints/locked*.txt")
    assert said.endswith("without that check: Jinja2 0.1, nvidia-cublas 13.1")
    one = install.checked_sentence({"numpy": pinned["numpy"]}, pinned)
    assert one == "1 package, with the hash of constraints/locked*.txt"


def test_why_nothing_is_checked_is_said():
    assert install.unlocked_because("3.12", asked=False) == ""
    assert install.unlocked_because("3.12", asked=True) == "as asked (LOCKED=no)"
    assert install.unlocked_because("3.15", asked=False) == (
        "constraints/ has hashes for CPython 3.11 to 3.13, and this is 3.15"
    )


@pytest.mark.parametrize(
    ("name", "is_locked"),
    [
        ("av-1.2-cp311-abi3-manylinux_2_28_x86_64.whl", True),
        ("av-1.2-cp312-cp312-win_amd64.whl", True),
        ("av-1.2-py2.py3-none-any.whl", True),
        ("av-1.2.tar.gz", True),
        ("av-1.3.tar.gz", False),
        ("av-1.2-cp310-cp310-win_amd64.whl", False),
        ("av-1.2-cp313-cp313t-win_amd64.whl", False),
        ("av-1.2-cp314-abi3-win_amd64.whl", False),
        ("av-1.2-pp311-pypy311_pp73-win_amd64.whl", False),
        ("av-1.2.win32-py2.4.exe", False),
    ],
)
def test_archives_of_the_version_and_of_supported_pythons_are_locked(name, is_locked):
    assert lock.is_of_version(name, "1.2") is is_locked


def test_every_dependency_here_is_listed_with_its_licence():
    known = audit.listed(audit.LISTED.read_text())
    pinned = {canonicalize_name(x.name) for path in LOCKS for x, _ in locked(path)}
    needed = audit.needed(distributions())
    assert {"numpy", "torch", "ray", "openvino", "pytest"} <= needed.keys()
    here = {name: needed[name] for name in needed.keys() & pinned}
    assert audit.licence_faults(here, known) == []
    own = LOCKS[:]
    own.remove(ROOT / "constraints" / "locked-audit.txt")
    names = {canonicalize_name(x.name) for path in own for x, _ in locked(path)}
    assert known.keys() == names


def test_an_unknown_licence_and_an_unlisted_dependency_are_named(tmp_path):
    for name, more in (
        ("acmnet", "Requires-Dist: one\nRequires-Dist: two\n"),
        ("one", ""),
        ("two", "License: MIT\n"),
    ):
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        about = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{more}"
        (folder / "METADATA").write_text(about)
    here = audit.needed(distributions(path=[str(tmp_path)]))
    assert here == {"one": ("", "always"), "two": ("MIT", "always")}
    assert audit.licence_faults(here, {}) == [
        "one: its metadata names no licence; find it out by hand",
        "two: not in dependencies.md; look at it, then make lock",
    ]
    assert audit.licence_faults(here, {"two": "GPL"})[1] == (
        "two: its licence is 'MIT', dependencies.md says 'GPL'; look at it, then "
        "make lock"
    )


def test_the_list_is_read_as_it_is_written():
    rows = {"b-c": ("MIT", "always"), "a": ("BSD OR MIT", "extra `ray`")}
    assert audit.listed(audit.list_text(rows)) == {"a": "BSD OR MIT", "b-c": "MIT"}


@pytest.mark.parametrize(
    ("answer", "code", "says"),
    [
        (f"echo '{MIRROR}'", 3, "WERE NOT LOOKED FOR.* knows none of the packages"),
        (f'echo "{UNREACHABLE}" >&2; exit 1', 3, "WERE NOT LOOKED FOR.*Connection"),
        (
            """echo '{"dependencies": [{"name": "av", "version": "1", "vulns": []},
            {"name": "ray", "skip_reason": "ray not found"}]}'""",
            3,
            "not looked up: ray not found",
        ),
        (
            """echo '{"dependencies": [
            {"name": "av", "version": "1", "vulns": []}]}'""",
            0,
            "each with a licence",
        ),
        (
            """echo '{"dependencies": [{"name": "av", "version": "1", "vulns":
            [{"id": "CVE-1", "fix_versions": ["2"]}]}]}'; exit 1""",
            1,
            "av 1: CVE-1, mended in 2",
        ),
    ],
)
def test_silence_of_the_advisories_is_no_success(
    answer, code, says, tmp_path, capsys, monkeypatch
):
    command = tmp_path / "pip-audit"
    command.write_text(f"#!/bin/sh\n{answer}\n")
    command.chmod(0o755)
    monkeypatch.setattr(sys, "argv", ["audit", "--pip-audit", str(command)])
    assert audit.main() == code
    assert re.search(says, capsys.readouterr().out)


def test_the_tests_that_security_promises_exist():
    promised = re.findall(r"`(test_\w+)`", (ROOT / "SECURITY.md").read_text())
    source = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    assert len(promised) > 5
    assert [x for x in promised if f"def {x}(" not in source] == []


def test_only_these_rooms_can_reach_a_network():
    reaching = re.compile(
        r"^\s*(?:import|from) (?:socket|http|urllib\.request|requests|ray|ftplib|"
        r"smtplib|subprocess|asyncio)\b|init_process_group",
        re.MULTILINE,
    )
    package = ROOT / "src" / "acmnet"
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if reaching.search(path.read_text())
    }
    found = {path for path in found if not path.startswith("show/bench/")}
    assert found == {
        "workers/ray_engine.py",  # Ray's cluster
        "extraction/weight_files.py",  # pip
        "runs/training_run.py",  # torchrun
    }
