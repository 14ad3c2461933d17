"""Learn when actions happen in untrimmed videos from nothing but their names.

The journey: annotations and features -> datasets -> model and losses -> training ->
localization -> evaluation. `acmnet --help` is the same journey on the command line.
"""

import acmnet.startup  # noqa: F401 - it has to come before all others

# isort: split
from importlib.metadata import version as _version

from acmnet.data.annotations import AnnotationError, Annotations
from acmnet.data.checks.refusals import DataError
from acmnet.data.detections import DetectionFileError
from acmnet.data.feature_files import FeatureError
from acmnet.data.feature_store import FeatureStore, open_store
from acmnet.data.label_files import read_annotations
from acmnet.evaluation.reports import DetectionReport, evaluate
from acmnet.extraction.extractors import Extractor, ExtractorError
from acmnet.extraction.records import ExtractionError
from acmnet.localization.from_activations import localize_activations
from acmnet.localization.video_activations import VideoActivations
from acmnet.network.acm_net import ACMNet, ACMNetOutput, Branch
from acmnet.pipeline.python_calls import fit, train
from acmnet.pipeline.run_request import RunError
from acmnet.pipeline.stored_model import load
from acmnet.pipeline.trained_model import TrainedModel
from acmnet.recipes import RecipeError, recipe
from acmnet.segments import Detection, Detections, Segment, SnippetGrid
from acmnet.training.checkpoint import CheckpointError
from acmnet.training.loop import TrainingError
from acmnet.training.losses import acm_loss
from acmnet.video.frames import VideoError

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
    "VideoActivations",
    "VideoError",
    "acm_loss",
    "evaluate",
    "fit",
    "load",
    "localize_activations",
    "open_store",
    "read_annotations",
    "recipe",
    "train",
]
