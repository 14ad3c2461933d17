"""Settings as the text of a recipe file, each with the sentences that explain it."""

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Iterator
from typing import Final

from acmnet.recipes.settings import Settings

WIDTH: Final = 88
"""Longest line of a comment, in characters."""
TERMS: Final = """\
A snippet is the short piece of video that one row of features describes; T is the
number of snippets of a video, C the number of classes. The CAS (class activation
sequence) holds the score of every class in every snippet. A proposal is a stretch of
time that may become a detection. tIoU (temporal intersection over union) says how much
two stretches of time overlap, from 0 to 1. NMS (non-maximum suppression) removes
proposals that overlap better ones. The student is a second network, which learns from
the detections of several networks of the paper, its teachers; it exists if
teachers.count is at least 1. Equations are those of the paper (Qu et al. 2021, arXiv
2104.02967); names of files with line numbers are of the authors' code. D-012 and the
like are entries of docs/decisions.md.
"""
"""Terms that the explanations of the settings use; the first lines of every text."""


def as_toml(settings: Settings, base: Settings | None = None) -> str:
    """Return settings as the text of a TOML file that explains each of them.

    Parameters
    ----------
    settings : Settings
        What is written.
    base : Settings, optional
        Settings to compare with, those of the profile ``corrected``: values that differ
        are marked with the value that they have there.
    """
    lines = [*_comment(TERMS), ""]
    for section in dataclasses.fields(Settings):
        of_section = getattr(settings, section.name)
        lines += [f"[{section.name}]", *_comment(_summary(type(of_section))), ""]
        documented = _field_docs(type(of_section))
        for field in dataclasses.fields(of_section):
            value = getattr(of_section, field.name)
            lines += _comment(documented.get(field.name, ""))
            mark = ""
            if base is not None:
                plain = getattr(getattr(base, section.name), field.name)
                mark = f"  # corrected: {_toml(plain)}" if plain != value else ""
            lines.append(f"{field.name} = {_toml(value)}{mark}")
        lines.append("")
    return "\n".join(lines)


def _comment(text: str) -> list[str]:
    """Return a text as lines of comments."""
    return textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ")


def _toml(value: object) -> str:
    """Return a setting's value as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return repr(value)


def _summary(cls: type) -> str:
    """Return the first sentence of the docstring of a settings class."""
    return (inspect.getdoc(cls) or "").partition("\n")[0]


def _field_docs(cls: type) -> dict[str, str]:
    """Return the docstring under each field of a settings class."""
    body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    return dict(_documented(body.body)) if isinstance(body, ast.ClassDef) else {}


def _documented(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    """Yield each field of a class and the docstring that stands below it."""
    pending: list[str] = []
    for statement in body:
        if isinstance(statement, ast.AnnAssign) and isinstance(
            statement.target, ast.Name
        ):
            pending.append(statement.target.id)
        elif isinstance(statement, ast.Expr) and pending:
            if isinstance(statement.value, ast.Constant):
                yield pending[-1], " ".join(str(statement.value.value).split())
            pending = []
