"""Learn when actions happen in untrimmed videos from nothing but their names.

The journey: annotations and features -> datasets -> model and losses -> training ->
localization -> evaluation. `acmnet --help` is the same journey on the command line.
"""

import acmnet.startup  # noqa: F401 - it has to come before all others

# isort: split
from importlib.metadata import version as _version

from acmnet.annotations import AnnotationError, Annotations, read_annotations
from acmnet.checkpoint import CheckpointError
from acmnet.detections import DetectionFileError
from acmnet.evaluation.reports import DetectionReport, evaluate
from acmnet.extraction.extracted import ExtractionError
from acmnet.extraction.extractors import Extractor, ExtractorError
from acmnet.extraction.video import VideoError
from acmnet.features import FeatureError, FeatureStore, open_store
from acmnet.localization import localize_scores
from acmnet.losses import acm_loss
from acmnet.model import ACMNet, ACMNetOutput, Branch
from acmnet.pipeline.data import DataError
from acmnet.pipeline.plain_calls import fit, train
from acmnet.pipeline.runs import RunError
from acmnet.pipeline.trained import TrainedModel, load
from acmnet.recipes import RecipeError, recipe
from acmnet.segments import Detection, Detections, Segment, SnippetGrid
from acmnet.training import TrainingError

__version__ = _version("acmnet")

__all__ = [
    "ACMNet",
    "ACMNetOutput",
    "AnnotationError",
    "Annotations",
    "Branch",
    "CheckpointError",
    "DataError",
    "Detection",
    "DetectionFileError",
    "DetectionReport",
    "Detections",
    "ExtractionError",
    "Extractor",
    "ExtractorError",
    "FeatureError",
    "FeatureStore",
    "RecipeError",
    "RunError",
    "Segment",
    "SnippetGrid",
    "TrainedModel",
    "TrainingError",
    "VideoError",
    "acm_loss",
    "evaluate",
    "fit",
    "load",
    "localize_scores",
    "open_store",
    "read_annotations",
    "recipe",
    "train",
]
