"""The data flows one way, and so do the imports."""

import ast
from pathlib import Path

import acmnet

PACKAGE = Path(__file__).parents[1] / "src" / "acmnet"

# A room may import only from rows above its own, so never from its own row.
ORDER = [
    ["startup"],
    ["messages", "limits", "devices"],
    [
        "names",
        "data.text_encodings",
        "network.tiled_convolution",
        "network.video_dropout",
        "extraction.threads",
    ],
    ["files"],
    ["folders", "data.training_videos", "show.figures.figure_style"],
    ["video.containers", "video.frame_clock"],
    ["video.frames", "extraction.optical_flow"],
    ["extraction.frame_measures", "extraction.i3d", "extraction.optical_flow_torch"],
    [
        "extraction.motion_descriptor",
        "extraction.snippet_cutting",
        "extraction.i3d_openvino",
    ],
    ["extraction.published_i3d_files", "extraction.i3d_runner"],
    ["extraction.i3d_weights", "extraction.trusted_extractors"],
    ["data.spreadsheets", "localization.localization_settings"],
    ["segments", "data.bmn_layout", "data.label_tables", "data.class_lists"],
    ["data.detection_csv", "data.detection_entries", "data.shown_detections"],
    ["data.subtitles"],
    [
        "data.annotations",
        "data.detections",
        "localization.proposals",
        "evaluation.calibration_curves",
        "localization.detection_scores",
    ],
    ["data.detection_output", "data.feature_files"],
    ["data.features"],
    ["extraction.extractors", "extraction.records", "extraction.worker_engines"],
    ["extraction.video_search", "extraction.extraction_request"],
    ["extraction.shipped_extractors", "extraction.video_task"],
    ["extraction.extraction_run"],
    [
        "data.made_up.feature_world",
        "data.made_up.simulated_features",
        "data.made_up.drawn_pictures",
        "data.datasets",
        "show.frame_overlay",
        "show.sound_copy",
    ],
    ["data.made_up.drawn_videos", "show.rendered_video"],
    ["network.stream_gates"],
    ["network.acm_net"],
    ["training.losses", "network.student"],
    ["training.checkpoint"],
    ["training.loop", "localization.from_activations", "localization.from_boundaries"],
    ["training.pseudo_labels"],
    ["evaluation.matching", "evaluation.tiou"],
    ["evaluation.protocols"],
    ["evaluation.truth"],
    ["evaluation.ranking"],
    ["evaluation.measures", "evaluation.sensitivity"],
    ["evaluation.reports", "evaluation.false_positives"],
    ["evaluation.bootstrap", "evaluation.diagnosis", "evaluation.held_out"],
    ["evaluation.tables"],
    ["evaluation.published", "show.figures.diagnosis_figures"],
    ["recipes"],
    ["pipeline.studies"],
    [
        "pipeline.labelled_features",
        "pipeline.folds",
        "pipeline.feature_likeness",
        "pipeline.label_free_selection",
        "pipeline.stored_calibration",
        "doctor.findings",
    ],
    ["doctor.label_words"],
    [
        "doctor.lenient_reading",
        "doctor.instance_checks",
        "doctor.label_checks",
        "doctor.duplicate_videos",
    ],
    ["doctor.feature_checks"],
    ["doctor.examination"],
    ["pipeline.trained_model", "pipeline.run_data", "pipeline.memory_needs"],
    ["pipeline.training_summary"],
    [
        "pipeline.run_identity",
        "pipeline.calibration",
        "pipeline.kept_detections",
        "pipeline.nothing_found",
    ],
    ["pipeline.run_directory"],
    ["pipeline.training_run"],
    ["pipeline.cross_validation", "pipeline.kinetics_zero_shot"],
    ["pipeline.listed_videos"],
    ["pipeline.expectation"],
    ["pipeline.fit_videos", "pipeline.ablation"],
    ["pipeline.demo", "pipeline.python_calls"],
    [
        "show.figures.video_figure",
        "show.figures.training_figure",
        "show.figures.score_figures",
        "show.figures.ablation_figures",
    ],
    [
        "show.report.poster_strips",
        "show.report.page_media",
        "show.report.network_curves",
    ],
    ["show.report.page_contents"],
    [
        "show.report.html_page",
        "show.view.reviews",
        "show.view.byte_ranges",
        "show.view.timed_requests",
        "show.view.training_progress",
    ],
    ["show.view.reviewed_precision"],
    ["show.view.page_server", "show.view.run_pages"],
    ["cli.terminal_tables"],
    ["cli.app"],
    ["cli.dotted_settings", "cli.interrupts", "cli.progress"],
    ["cli.data_options", "cli.detection_limits", "cli.extractor_options"],
    ["cli.training_options", "cli.trained_run", "cli.localize_outputs"],
    ["cli.run_page"],
    [
        "cli.ablate",
        "cli.calibrate",
        "cli.check",
        "cli.crossvalidate",
        "cli.demo",
        "cli.diagnose",
        "cli.doctor",
        "cli.evaluate",
        "cli.extract",
        "cli.figures",
        "cli.fit",
        "cli.localize",
        "cli.protocols",
        "cli.recipes",
        "cli.render",
        "cli.report",
        "cli.simulate",
        "cli.train",
        "cli.view",
        "cli.weights",
    ],
    ["cli"],
    ["__init__", "__main__"],
]
PACKAGES = {
    "data",
    "data.made_up",
    "doctor",
    "evaluation",
    "extraction",
    "localization",
    "network",
    "pipeline",
    "show",
    "show.figures",
    "show.report",
    "show.view",
    "training",
    "video",
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
    # neither segments of actions nor label files, not even through another room
    files = dict(rooms())
    truth = {"data.annotations", "data.detections", "data.label_tables"}
    for start in (
        "data.datasets",
        "network.acm_net",
        "network.student",
        "training.losses",
        "training.loop",
        "training.pseudo_labels",
    ):
        seen, waiting = set(), [start]
        while waiting:
            room = waiting.pop()
            if room not in seen and room in files:
                seen.add(room)
                waiting += imported(files[room])
        assert start in seen
        assert not seen & truth, start
        assert not {x for x in seen if x.startswith("evaluation.")}, start


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
