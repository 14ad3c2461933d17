"""The class list of a label file in JSON, and labels that are not in it."""

import collections
import reprlib
from collections.abc import Mapping
from typing import Any, Final

from acmnet.data.labels.annotations import Instance
from acmnet.messages import counted, did_you_mean
from acmnet.names import checked, is_name, one_form

SHOWN: Final = 5
"""Unknown labels that a message lists, at most."""


def declared_classes(
    source: str, content: Mapping[str, object], error: type[ValueError]
) -> tuple[str, ...]:
    """Return the class list of a label file, in its order; empty if it has none.

    Parameters
    ----------
    source : str
        The path of the file, for messages.
    content : mapping
        The content of the file. Class names stand under ``classes`` or ``taxonomy``;
        where the latter is a tree of nodes, the leaves are the classes.
    error : type
        The exception to raise if the list has something else than names, or one name
        twice.
    """
    for key in ("taxonomy", "classes"):
        value = content.get(key)
        if value is None or value == []:
            continue
        if isinstance(value, list) and all(isinstance(node, dict) for node in value):
            value = _leaves(value)
        if not isinstance(value, list) or not all(is_name(name) for name in value):
            raise error(
                f"{source}: {key} must be a list of class names, got "
                f"{reprlib.repr(value)}; correct it or leave it out"
            )
        where = f"{source}: {key}"
        value = [checked(where, "class", name, error) for name in value]
        twice = [name for name, n in collections.Counter(value).items() if n > 1]
        if twice:
            raise error(
                f"{source}: {key} lists the class {twice[0]!r} twice; list it once"
            )
        return tuple(value)
    return ()


def _leaves(nodes: list[dict[str, object]]) -> list[object]:
    """Return the names of the leaves of ActivityNet's tree: nodes without children."""
    pairs = [(node.get("nodeName"), node.get("parentName")) for node in nodes]
    parents = {repr(parent) for name, parent in pairs if parent != name}
    leaves = {repr(name): name for name, _ in pairs if repr(name) not in parents}
    return list(leaves.values())


def refuse_unknown_labels(
    source: str,
    database: Mapping[str, dict[str, Any]],
    declared: tuple[str, ...],
    error: type[ValueError],
) -> None:
    """Refuse labels that are not in the file's class list; the first few are named.

    Classes that a video was watched for count as labels.
    """
    first: dict[str, str] = {}
    known = set(declared)
    for key, entry in database.items():
        for index, annotation in enumerate(entry["annotations"]):
            is_read = isinstance(annotation, Instance)
            label = annotation.label if is_read else one_form(annotation["label"])
            if label not in known:
                first.setdefault(label, f"video {key!r}, annotations[{index}]")
        watched = entry.get("watched")
        for name in watched if isinstance(watched, dict) else ():
            if name and one_form(name) not in known:
                first.setdefault(one_form(name), f"video {key!r}, watched")
    if not first:
        return
    shown = []
    for label, where in list(first.items())[:SHOWN]:
        meant = did_you_mean(label, declared).strip()
        shown.append(f"{label!r} ({', '.join(filter(None, (where, meant)))})")
    if len(first) > len(shown):
        shown.append(f"and {len(first) - len(shown)} more")
    raise error(
        f"{source}: label not in the file's list of {counted(len(declared), 'class')}: "
        f"{', '.join(shown)}; correct the label or add it to the list"
    )
