"""Sentences agree with the number in them: no "1 problems", no "1 videos that"."""

import ast
import re

from acmnet.messages import counted
from support.places import ROOT

PACKAGE = ROOT / "src/acmnet"
PLURALS = "videos|problems|classes|files|detections|epochs|instances|labels|errors"


def test_a_number_its_noun_and_its_verb_agree():
    has = ("has", "have")
    assert counted(1, "video", has, of=6) == "1 of 6 videos has"
    assert counted(2, "video", has, of=6) == "2 of 6 videos have"
    assert counted(1, "video", has, of=1) == "1 of 1 video has"
    assert counted(1, "class", has) == "1 class has"
    assert counted(0, "process") == "0 processes"


def test_no_sentence_has_a_plural_after_a_number_that_may_be_one():
    told = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.JoinedStr):
                continue
            for value, after in zip(node.values, node.values[1:], strict=False):
                is_count = isinstance(value, ast.FormattedValue) and (
                    isinstance(value.value, ast.Call)
                    and ast.unparse(value.value.func) == "len"
                )
                text = str(after.value) if isinstance(after, ast.Constant) else ""
                if is_count and re.match(rf" ({PLURALS})\b", text):
                    told.append(f"{path.name}:{node.lineno}: {ast.unparse(node)}")
    assert told == []
