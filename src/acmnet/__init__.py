"""Learn when actions happen in untrimmed videos from nothing but their names.

The folders stand in the order of the data. ``data`` reads labels, features and
detections; ``video`` and ``extraction`` make features of video files. The method is in
``network`` (ACM-Net), ``localization`` (detections from its outputs), ``training`` and
``evaluation``; ``recipes`` hold its settings. A run is one training, kept in a
directory: ``runs`` trains it, ``models`` reads it, ``inference`` finds actions with it,
and ``validation`` tells how good it is. ``active_learning`` (what to mark next),
``model_exchange`` and ``fitting`` (the verb fit) use runs. ``python_api``, ``show`` and
``cli`` are what users meet. ``runtime`` and ``files``, and the modules beside the
folders, serve all others.

Each name is imported when it is first used, so that `import acmnet` is quick.
"""

import acmnet.runtime.startup  # noqa: F401 - it has to come before all others

# isort: split
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from acmnet.checkpoints.checkpoint_folder import CheckpointError
    from acmnet.data.checks.refusals import DataError
    from acmnet.data.detections.detection_files import DetectionFileError
    from acmnet.data.features.feature_files import FeatureError
    from acmnet.data.features.feature_store import open_store
    from acmnet.data.features.stored_features import FeatureStore
    from acmnet.data.label_files import read_annotations
    from acmnet.data.labels.annotations import AnnotationError, Annotations
    from acmnet.data.tables_in_memory import (
        annotations_from_table,
        detections_from_table,
        detections_to_arrays,
        detections_to_pandas,
        detections_to_polars,
    )
    from acmnet.evaluation.reports import DetectionReport, evaluate
    from acmnet.extraction.extractors.extractor import Extractor
    from acmnet.extraction.extractors.extractor_names import ExtractorError
    from acmnet.extraction.many_videos.records import ExtractionError
    from acmnet.localization.from_activations import localize_activations
    from acmnet.localization.video_activations import VideoActivations
    from acmnet.model_exchange.pretrained import from_pretrained, save_pretrained
    from acmnet.models.stored_model import load
    from acmnet.models.trained_model import TrainedModel
    from acmnet.network.acm_net import ACMNet, ACMNetOutput, Branch
    from acmnet.python_api.python_calls import fit, train
    from acmnet.python_api.sklearn_estimator import ACMNetLocalizer
    from acmnet.recipes import RecipeError, recipe
    from acmnet.runs.run_request import RunError
    from acmnet.segments import Detection, Detections, Segment, SnippetGrid
    from acmnet.training.first_stage.losses import acm_loss
    from acmnet.training.optimisation.training_error import TrainingError
    from acmnet.video.frames import VideoError

    __version__: str

_HOMES: Final = {
    "acmnet.checkpoints.checkpoint_folder": ("CheckpointError",),
    "acmnet.data.labels.annotations": ("AnnotationError", "Annotations"),
    "acmnet.data.checks.refusals": ("DataError",),
    "acmnet.data.detections.detection_files": ("DetectionFileError",),
    "acmnet.data.features.feature_files": ("FeatureError",),
    "acmnet.data.features.feature_store": ("open_store",),
    "acmnet.data.features.stored_features": ("FeatureStore",),
    "acmnet.data.label_files": ("read_annotations",),
    "acmnet.data.tables_in_memory": (
        "annotations_from_table",
        "detections_from_table",
        "detections_to_arrays",
        "detections_to_pandas",
        "detections_to_polars",
    ),
    "acmnet.evaluation.reports": ("DetectionReport", "evaluate"),
    "acmnet.extraction.extractors.extractor": ("Extractor",),
    "acmnet.extraction.extractors.extractor_names": ("ExtractorError",),
    "acmnet.extraction.many_videos.records": ("ExtractionError",),
    "acmnet.localization.from_activations": ("localize_activations",),
    "acmnet.localization.video_activations": ("VideoActivations",),
    "acmnet.model_exchange.pretrained": ("from_pretrained", "save_pretrained"),
    "acmnet.models.stored_model": ("load",),
    "acmnet.models.trained_model": ("TrainedModel",),
    "acmnet.network.acm_net": ("ACMNet", "ACMNetOutput", "Branch"),
    "acmnet.python_api.python_calls": ("fit", "train"),
    "acmnet.python_api.sklearn_estimator": ("ACMNetLocalizer",),
    "acmnet.recipes": ("RecipeError", "recipe"),
    "acmnet.runs.run_request": ("RunError",),
    "acmnet.segments": ("Detection", "Detections", "Segment", "SnippetGrid"),
    "acmnet.training.first_stage.losses": ("acm_loss",),
    "acmnet.training.optimisation.training_error": ("TrainingError",),
    "acmnet.video.frames": ("VideoError",),
}
"""The public names in each module."""
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "ACMNet",
    "ACMNetLocalizer",
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
    "annotations_from_table",
    "detections_from_table",
    "detections_to_arrays",
    "detections_to_pandas",
    "detections_to_polars",
    "evaluate",
    "fit",
    "from_pretrained",
    "load",
    "localize_activations",
    "open_store",
    "read_annotations",
    "recipe",
    "save_pretrained",
    "train",
]


if not TYPE_CHECKING:  # type checkers know the names from the imports above

    def __getattr__(name: str) -> Any:
        """Import a public name on its first use (PEP 562)."""
        if name == "__version__":
            from importlib.metadata import version

            value: Any = version("acmnet")
        elif name in _HOME_OF:
            value = getattr(import_module(_HOME_OF[name]), name)
        else:
            raise AttributeError(f"module 'acmnet' has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    """Return the names of this module, also of those that were not used yet."""
    return sorted({*globals(), *__all__, "__version__"})
