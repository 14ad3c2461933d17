"""The documentation builds without a warning, and its pages ask no network."""

import os
import re
import subprocess
import sys
import tomllib
from html.parser import HTMLParser

import pytest
import yaml

from support.once import made_once
from support.places import ROOT

LOADED = {"script": "src", "img": "src", "source": "src", "iframe": "src"}
"""What a page loads by itself, besides the links of its head."""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the site as make docs does, once for all workers; return its folder.

    The index for searching and the formatting of signatures are left out: they would
    take more than half of the time.
    """
    return made_once(tmp_path_factory, "site", build)


def build(folder):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--site-dir", folder],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1", "ACMNET_DOCS_WHOLE": "false"},
        capture_output=True,
        text=True,
    )
    told = [line for line in done.stderr.splitlines() if "INFO" not in line]
    assert (told, done.returncode) == ([], 0)


@pytest.fixture(scope="module")
def pages(site):
    """Every page by its path in the site."""
    return {
        path.relative_to(site).as_posix(): _Page(path) for path in site.rglob("*.html")
    }


class _Page(HTMLParser):
    """The addresses that a page loads, and the ids that can be linked to."""

    def __init__(self, path):
        super().__init__()
        self.loaded, self.ids = [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if "id" in given:
            self.ids.add(given["id"])
        if tag in LOADED and LOADED[tag] in given:
            self.loaded.append(given[LOADED[tag]])
        if tag == "link" and given.get("rel") not in ("next", "prev", "canonical"):
            self.loaded.append(given["href"])


@pytest.mark.slow
def test_pages_ask_the_network_for_nothing(site, pages):
    assert len(pages) > 20
    outside = re.compile(r"(?:[a-z]+:)?//")
    found = {
        (name, address)
        for name, page in pages.items()
        for address in page.loaded
        if outside.match(address)
    }
    styles = "".join(path.read_text() for path in site.rglob("*.css"))
    assert found == set()
    assert re.findall(r"url\(\s*['\"]?(?:https?:)?//[^)]*|@import[^;]*", styles) == []


@pytest.mark.slow
def test_every_module_stands_in_the_api(pages):
    package = ROOT / "src" / "acmnet"
    modules = {
        ".".join(path.relative_to(package.parent).with_suffix("").parts)
        for path in package.rglob("*.py")
        if path.name not in ("__init__.py", "__main__.py")
    }
    modules = {name for name in modules if not name.startswith("acmnet.cli.")}
    ids = set().union(*(pages[name].ids for name in pages if name.startswith("api/")))
    assert modules - ids == set()
    assert "acmnet.Extractor" in ids


@pytest.mark.slow
def test_a_page_opens_from_the_disk(site, browser):
    """In a browser: no request leaves the disk, and nothing on the page fails."""
    page = browser.new_page()
    asked, failed = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.goto((site / "index.html").as_uri())
    page.click("article a[href='own-videos.html']")
    assert "Your own videos" in page.text_content("h1")
    page.close()
    assert failed == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def test_the_hooks_are_the_commands_of_make_test_fast():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = [hook["entry"] for repo in config["repos"] for hook in repo["hooks"]]
    recipe = re.search(
        r"^test-fast:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    lines = [line.strip() for line in recipe[1].splitlines()]
    commands = [line.replace("$(BIN)", ".venv/bin") for line in lines]
    assert [entry.removeprefix("env ") for entry in hooks] == commands


def test_the_citation_is_of_this_version_and_of_the_paper():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"]
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    paper = citation["preferred-citation"]
    assert "2104.02967" in paper["url"]
    assert paper["authors"][0]["family-names"] == "Qu"
