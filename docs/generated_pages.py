"""Pages of the site that mkdocs makes from files which lie elsewhere.

mkdocs calls `on_files`; mkdocs.yml names this file under ``hooks``.
"""

import re
from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT: Final = Path(__file__).parents[1]

FROM_ROOT: Final = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
"""Pages that lie in the root of the repository, where people look for them."""

FOUNDATIONS: Final = "api/foundations.md"
"""The page about the modules that lie in no folder of the package."""

FOUNDATIONS_HEAD: Final = """\
# Foundations

Modules that the others stand on: time, names, messages and limits.
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages to what mkdocs found in docs/."""
    pages = {
        name.lower(): seen_from_docs((ROOT / name).read_text(encoding="utf-8"))
        for name in FROM_ROOT
    }
    pages[FOUNDATIONS] = foundations()
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    return files


def seen_from_docs(text: str) -> str:
    """Return a page of the root with its links as docs/ has them.

    Examples
    --------
    >>> seen_from_docs("[a](docs/a.md#b), [s](SECURITY.md)")
    '[a](a.md#b), [s](security.md)'
    """
    text = text.replace("](docs/", "](")
    return re.sub(r"\]\(([A-Z]+\.md)\)", lambda link: f"]({link[1].lower()})", text)


def foundations() -> str:
    """Return the page about the modules that lie in no folder."""
    package = ROOT / "src" / "acmnet"
    names = sorted(path.stem for path in package.glob("[a-z]*.py"))
    return "\n".join([FOUNDATIONS_HEAD, *(f"::: acmnet.{name}\n" for name in names)])
