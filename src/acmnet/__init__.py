"""Learn when actions happen in untrimmed videos from nothing but their names.

The journey: annotations and features -> datasets -> model and losses -> training ->
localization -> evaluation. `acmnet --help` is the same journey on the command line.
"""

import acmnet.startup  # noqa: F401 - it has to come before all others

# isort: split
from importlib.metadata import version as _version

from acmnet.evaluation.reports import DetectionReport, evaluate
from acmnet.localization import localize_scores
from acmnet.losses import acm_loss
from acmnet.model import ACMNet, ACMNetOutput, Branch
from acmnet.pipeline.trained import TrainedModel, load
from acmnet.recipes import recipe
from acmnet.segments import Detection, Detections, Segment, SnippetGrid

__version__ = _version("acmnet")

__all__ = [
    "ACMNet",
    "ACMNetOutput",
    "Branch",
    "Detection",
    "DetectionReport",
    "Detections",
    "Segment",
    "SnippetGrid",
    "TrainedModel",
    "acm_loss",
    "evaluate",
    "load",
    "localize_scores",
    "recipe",
]
