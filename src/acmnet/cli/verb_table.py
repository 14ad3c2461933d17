"""The verbs and what each is for: enough for the first page of help.

The verb NAME lies in the module ``acmnet.cli.verbs.NAME``, which is imported when the
verb is called. This module imports little, because every command waits for it.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Final

VERBS: Final[Mapping[str, str]] = {
    "ablate": "Repeat an ablation table of the paper, or one of our own, on your own "
    "data.",
    "budget": "Report bouts, their durations, latency and rate of each behaviour by "
    "video.",
    "calibrate": "Turn a run's scores into probabilities, and choose a threshold for "
    "each class.",
    "check": "Report every problem in labels and features that would stop training.",
    "convert": "Turn labels or detections into the format of another program.",
    "crossvalidate": "Score a recipe on your own videos, each by a model that was not "
    "trained on it.",
    "cut": "Cut each detection out of its video, into a folder for each class.",
    "demo": "Try everything on small made-up videos: no data and no weights are "
    "needed.",
    "diagnose": "Report which kinds of errors detections have, and which actions they "
    "miss.",
    "doctor": "Report everything that is wrong with labels, features and splits, with "
    "remedies.",
    "evaluate": "Score detections against true segments: mAP, and AP of each class.",
    "export": "Write a run for other programs: ONNX, torch.export, or a model "
    "directory.",
    "extract": "Turn video files into features, which training and localisation read.",
    "features": "Turn the features of a public release into a directory that acmnet "
    "reads.",
    "figures": "Draw losses, scores and single videos of a run for a paper, as PNG, "
    "SVG and PDF.",
    "fit": "Learn from your own video files and their labels: one command for all "
    "steps.",
    "import": "Make a run of a checkpoint that the authors' code wrote (.pth).",
    "label": "Name and mark videos in the browser, and learn from what you marked.",
    "localize": "Find actions in videos, with start, end and score: with a trained run "
    "or without.",
    "pack": "Put the features of many videos into few large files, for very many "
    "videos.",
    "pose": "Find people in videos, and write where the points of their bodies are.",
    "protocols": "Print the rules by which each evaluation protocol scores, a "
    "paragraph each.",
    "recipes": "List the recipes, or show all settings of one recipe.",
    "render": "Draw detections into a video: their labels, scores, and a timeline "
    "below.",
    "report": "Write a run as one HTML page: scores, lists, and a timeline beside each "
    "video.",
    "simulate": "Make up features for real annotations, to test a method without any "
    "video.",
    "suggest": "Say which videos, and which spans in them, are worth a look next.",
    "train": "Learn from videos that carry only the names of their actions.",
    "view": "Show a run in the browser, to review and correct what it found.",
    "weights": "List or install the weights of the networks that features are made "
    "with.",
}
"""The first sentence of each verb's help, by the verb's name, sorted."""
WITH_SETTINGS: Final = (
    "ablate",
    "calibrate",
    "check",
    "crossvalidate",
    "figures",
    "fit",
    "label",
    "localize",
    "recipes show",
    "report",
    "suggest",
    "train",
    "view",
)
"""The verbs that take settings of a recipe by their dotted names."""
SECOND_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "recipes": ("show",),
    "weights": ("import", "install", "list"),
}
"""The words that can follow a verb which does several things, by the verb's name."""
HELP: Final = ("--help", "-h")
"""The options that ask for help."""
VERSION: Final = "--version"
"""The option that asks for the version."""
COMPLETION: Final = "--install-completion"
"""The option that lets a shell complete verbs and options."""


def named_verb(tokens: Sequence[str]) -> str:
    """Return the first word of a command line that is no option; "" if there is none.

    Examples
    --------
    >>> named_verb(["--help", "train"]), named_verb(["-h"])
    ('train', '')
    """
    return next((word for word in tokens if not word.startswith("-")), "")


def import_verb(name: str) -> None:
    """Import the module of a verb, by which `terminal.app.app` knows the verb."""
    import_module(f"acmnet.cli.verbs.{name}")
