"""Sentences for users: words of the field are explained where they are used."""

import ast
import itertools
import re

import pytest

from support.places import ROOT

PACKAGE = ROOT / "src" / "acmnet"
EXPLAINED = {
    "snippet": "a short piece of video",
    "tIoU": "the time that both cover",
    "CAS": "class activation",
    "proposal": "a span of time that may be an action",
    "logit": "a score before",
}
"""Words of the field, and what has to stand in a help that uses one."""
VERBS = (
    *("fit", "localize", "report", "view", "render", "evaluate", "extract", "train"),
    *("check", "doctor", "calibrate", "crossvalidate", "figures"),
)
RIDDLES = (
    *("wait in each", "flatter", "pure background", "videos of videos"),
    *("takes its place", "the grid right"),
)
THINGS = "video|detection|problem|class|file|segment|network|row|snippet|instance"


@pytest.mark.parametrize("verb", VERBS)
def test_help_explains_the_fields_words(acmnet, monkeypatch, verb):
    monkeypatch.setenv("COLUMNS", "1000")
    code, text, _ = acmnet(verb, "--help")
    assert code == 0
    # sentences go on over lines and the box around them, whatever the width
    text = re.sub(r"[\s│]+", " ", re.sub(r"--?[a-z][\w.,-]*", "", text))
    for word, explanation in EXPLAINED.items():
        if re.search(rf"\b{word}s?\b", text):
            assert explanation in text, f"acmnet {verb} --help says {word!r}"


def sentences():
    """Yield each text of the package that is no docstring, with where it stands."""
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text())
        alone = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr | ast.Constant) and id(node) not in alone:
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node


def test_no_sentence_is_a_riddle():
    found = [
        (where, riddle)
        for where, node in sentences()
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for riddle in RIDDLES
        if riddle in node.value
    ]
    assert found == []


def test_a_number_of_things_agrees_with_its_noun():
    """Anything counted by ``len`` or named ``n`` may be 1: `counted` says it."""
    found = []
    for where, node in sentences():
        parts = node.values if isinstance(node, ast.JoinedStr) else []
        for number, text in itertools.pairwise(parts):
            if isinstance(number, ast.FormattedValue) and isinstance(
                text, ast.Constant
            ):
                said = ast.unparse(number.value)
                is_count = said.startswith("len(") or re.search(r"\bn(_\w+)?$", said)
                if is_count and re.match(rf" ({THINGS})(e?s)\b", text.value):
                    found.append((where, said + text.value))
    assert found == [
        x for x in found if x[1].startswith("sums.n rows of features are equal")
    ]  # of 2 rows or more
