"""The data flows one way, and so do the imports."""

import ast
from pathlib import Path

import acmnet

PACKAGE = Path(__file__).parents[1] / "src" / "acmnet"

# A room may import only from rows above its own, so never from its own row.
ORDER = [
    ["startup"],
    ["wording", "limits", "precision"],
    ["names", "text_encodings", "convolution", "dropout", "extraction.stages"],
    ["files"],
    ["folders", "training_videos", "figures.style"],
    ["extraction.containers", "extraction.clock"],
    ["extraction.video", "extraction.flow"],
    ["extraction.motion", "extraction.i3d"],
    ["extraction.weights", "extraction.trust"],
    ["spreadsheets"],
    ["segments", "bmn", "label_tables", "class_lists"],
    ["detection_csv", "detection_entries", "shown"],
    ["subtitles"],
    ["annotations", "detections", "proposals", "calibration", "scores"],
    ["detection_output", "feature_files"],
    ["features"],
    ["extraction.extractors", "extraction.extracted", "extraction.engines"],
    ["extraction.backbones", "extraction.video_task"],
    ["extraction.run"],
    ["synthetic", "simulation", "drawing", "datasets", "overlay", "sound"],
    ["scenes", "rendering"],
    ["gates"],
    ["model"],
    ["losses", "student"],
    ["checkpoint"],
    ["training", "localization", "candidates"],
    ["pseudo"],
    ["evaluation.matching", "evaluation.tiou"],
    ["evaluation.protocols"],
    ["evaluation.truth"],
    ["evaluation.ranking"],
    ["evaluation.measures", "evaluation.sensitivity"],
    ["evaluation.reports", "evaluation.false_positives"],
    ["evaluation.bootstrap", "evaluation.diagnosis", "evaluation.held_out"],
    ["evaluation.tables"],
    ["evaluation.published", "figures.diagnosis"],
    ["recipes"],
    ["studies"],
    [
        "pipeline.data",
        "pipeline.folds",
        "pipeline.likeness",
        "pipeline.selection",
        "pipeline.calibrated",
        "doctor.findings",
    ],
    ["doctor.label_words"],
    [
        "doctor.lenient",
        "doctor.instance_checks",
        "doctor.label_checks",
        "doctor.twins",
    ],
    ["doctor.feature_checks"],
    ["doctor.examination"],
    ["pipeline.trained", "pipeline.run_data", "pipeline.memory"],
    ["pipeline.training_summary"],
    [
        "pipeline.run_identity",
        "pipeline.calibrating",
        "pipeline.found",
        "pipeline.nothing_found",
    ],
    ["pipeline.run_directory"],
    ["pipeline.runs"],
    ["pipeline.experiments", "pipeline.zero_shot"],
    ["pipeline.listed_videos"],
    ["pipeline.expectation"],
    ["pipeline.own_videos", "pipeline.ablation"],
    ["pipeline.demo", "pipeline.plain_calls"],
    ["figures.video", "figures.training", "figures.scores", "figures.studies"],
    ["report.posters", "report.media", "report.insides"],
    ["report.contents"],
    ["report.page", "view.reviews", "view.ranges", "view.requests", "view.live"],
    ["view.precision"],
    ["view.server", "view.pages"],
    ["console"],
    ["cli.app"],
    ["cli.settings", "cli.interrupts"],
    ["cli.options"],
    ["cli.applying", "cli.output", "cli.expecting"],
    [
        "cli.ablating",
        "cli.extracting",
        "cli.training",
        "cli.localizing",
        "cli.evaluating",
        "cli.calibrating",
        "cli.diagnosing",
        "cli.doctor",
        "cli.drawing",
        "cli.rendering",
        "cli.reporting",
        "cli.showing",
        "cli.simulating",
    ],
    ["cli.viewing"],
    ["cli"],
    ["__init__", "__main__"],
]
PACKAGES = {
    "doctor",
    "evaluation",
    "extraction",
    "figures",
    "pipeline",
    "report",
    "view",
}
"""Folders of rooms without a door of their own."""
RANK = {room: rank for rank, row in enumerate(ORDER) for room in row}


def rooms():
    """Every room's name and file; a package's door belongs to the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if len(parts) > 1 and parts[-1] == "__init__":
            parts = parts[:-1]
        yield ".".join(parts), path


def imported(path):
    """Every room that ``path`` imports, anywhere in the file, lazily or not."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} has a relative import"
            module = (node.module or "").removeprefix("acmnet").removeprefix(".")
            for alias in node.names:
                inner = f"{module}.{alias.name}".removeprefix(".")
                yield inner if inner in RANK else module
        elif isinstance(node, ast.Import):
            yield from (alias.name.removeprefix("acmnet.") for alias in node.names)


def test_imports_follow_the_data():
    backward = [
        f"{room} imports {other}"
        for room, path in rooms()
        for other in imported(path)
        if other in RANK and room in RANK and RANK[other] >= RANK[room]
    ]
    assert backward == []


def test_every_room_has_a_place():
    assert {room for room, _ in rooms()} - PACKAGES == set(RANK)


def test_training_cannot_see_temporal_truth():
    # datasets and training know neither segments of actions nor label files
    for room in ("datasets", "training", "losses", "model", "student", "pseudo"):
        path = PACKAGE / f"{room}.py"
        seen = set(imported(path))
        seen = {other.partition(".")[0] for other in seen}
        assert not seen & {"annotations", "detections", "evaluation"}, room


def test_there_is_no_junk_drawer():
    assert not {"utils", "helpers", "common", "misc"} & set(RANK)


def test_the_door():
    assert acmnet.__all__ == sorted(acmnet.__all__)
    assert set(acmnet.__all__) == {
        "ACMNet",
        "ACMNetOutput",
        "Branch",
        "AnnotationError",
        "Annotations",
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
    }
    assert all(hasattr(acmnet, name) for name in acmnet.__all__)


def test_no_assert_in_the_package():
    asserts = [
        f"{room}:{node.lineno}"
        for room, path in rooms()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Assert)
    ]
    assert asserts == []
