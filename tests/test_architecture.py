"""The data flows one way, and so do the imports."""

import ast
import functools
import graphlib
import re

import acmnet
from support.places import ROOT

PACKAGE = ROOT / "src" / "acmnet"

LIBRARY = ("runtime", "limits", "messages", "names", "files")
"""Rooms that know nothing of training or scores and are open to every folder."""
MAY_IMPORT = {
    "segments": set(),
    "workers": set(),
    "data": {"segments"},
    "video": set(),
    "extraction": {"segments", "workers", "data", "video"},
    "network": set(),
    "localization": {"segments"},
    "training": {"segments", "data", "network", "localization"},
    "checkpoints": {"segments"},
    "evaluation": {"segments", "data"},
    "recipes": {"data", "network", "localization", "training"},
    "models": {
        "segments",
        "data",
        "network",
        "localization",
        "checkpoints",
        "evaluation",
        "recipes",
    },
    "inference": {
        "segments",
        "workers",
        "data",
        "extraction",
        "network",
        "localization",
        "checkpoints",
        "recipes",
        "models",
    },
    "runs": {
        "segments",
        "data",
        "network",
        "training",
        "checkpoints",
        "evaluation",
        "recipes",
        "models",
        "inference",
        "localization",
    },
    "validation": {
        "segments",
        "workers",
        "data",
        "checkpoints",
        "evaluation",
        "recipes",
        "models",
        "inference",
        "runs",
    },
    "active_learning": {
        "segments",
        "data",
        "localization",
        "checkpoints",
        "recipes",
        "models",
        "inference",
    },
    "model_exchange": {
        "segments",
        "network",
        "checkpoints",
        "recipes",
        "models",
        "runs",
        "validation",
    },
    "fitting": {
        "segments",
        "workers",
        "data",
        "video",
        "extraction",
        "network",
        "training",
        "checkpoints",
        "evaluation",
        "recipes",
        "models",
        "inference",
        "runs",
        "validation",
    },
    "python_api": {
        "segments",
        "data",
        "extraction",
        "recipes",
        "models",
        "runs",
        "fitting",
    },
    "show": {
        "segments",
        "data",
        "video",
        "network",
        "localization",
        "checkpoints",
        "evaluation",
        "recipes",
        "models",
        "runs",
        "validation",
    },
    "cli": {
        "segments",
        "workers",
        "data",
        "extraction",
        "training",
        "checkpoints",
        "evaluation",
        "recipes",
        "models",
        "inference",
        "runs",
        "validation",
        "active_learning",
        "model_exchange",
        "fitting",
        "show",
    },
}
"""Each folder, in the order of the data, and the folders before it that it knows."""
GIVES_TIMES = "data.labels.marks"
"""The only door of times into training: it gives those that were asked for."""
DOORS = {"__init__", "__main__"}
"""The package's door, and the one of ``python -m acmnet``."""


@functools.cache
def rooms():
    """Return each room and its file; a package's door belongs to the package."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if len(parts) > 1 and parts[-1] == "__init__":
            parts = parts[:-1]
        found[".".join(parts)] = path
    return found


@functools.cache
def imported(room):
    """Return the rooms that a room imports, anywhere in its file, lazily or not."""
    found = set()
    for node in ast.walk(ast.parse(rooms()[room].read_text())):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{room} has a relative import"
            module = (node.module or "").removeprefix("acmnet").removeprefix(".")
            inner = {f"{module}.{alias.name}".removeprefix(".") for alias in node.names}
            found |= {name if name in rooms() else module for name in inner}
        elif isinstance(node, ast.Import):
            found |= {alias.name.removeprefix("acmnet.") for alias in node.names}
    return found & set(rooms())


def folder_of(room):
    return room.partition(".")[0]


def folders_imported():
    """Return, for each folder, the other folders that its rooms import."""
    found = {}
    for room in rooms():
        others = {folder_of(other) for other in imported(room)}
        found.setdefault(folder_of(room), set()).update(others - {folder_of(room)})
    return found


def test_a_folder_imports_only_what_it_may():
    found = folders_imported()
    assert set(found) == set(LIBRARY) | set(MAY_IMPORT) | DOORS
    # equal, so that the table stays as short as the truth
    assert {f: found[f] - set(LIBRARY) for f in MAY_IMPORT} == MAY_IMPORT
    assert all(found[f] <= set(LIBRARY) for f in LIBRARY)


def test_the_table_follows_the_data():
    before = set()
    for folder, others in MAY_IMPORT.items():
        assert others <= before, folder
        before.add(folder)


def test_contributing_has_a_map_of_the_folders():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    folders = re.findall(r"^\| `(\w+)/` \|", text, re.MULTILINE)
    assert folders == [f for f in (*LIBRARY, *MAY_IMPORT) if (PACKAGE / f).is_dir()]


def test_no_imports_go_in_circles():
    graph = {room: imported(room) - {room} for room in rooms()}
    graphlib.TopologicalSorter(graph).prepare()


def test_parts_of_a_folder_do_not_go_in_circles():
    # a part is a module or a folder of it, with all that lies inside
    for folder in {room.rpartition(".")[0] for room in rooms()} - {""}:
        depth = folder.count(".") + 2
        graph = {}
        for room in rooms():
            if room.startswith(f"{folder}."):
                part = ".".join(room.split(".")[:depth])
                others = (x for x in imported(room) if x.startswith(f"{folder}."))
                met = {".".join(other.split(".")[:depth]) for other in others}
                graph.setdefault(part, set()).update(met - {part})
        graphlib.TopologicalSorter(graph).prepare()


def test_training_sees_times_through_one_door():
    # neither segments of actions nor label files, not even through another room,
    # except for the times that `given_marks` returns because they were asked for
    truth = {
        "data.labels.annotations",
        "data.label_files",
        "data.formats.reading",
        "data.labels.json_files.label_json",
        "data.labels.tables.label_tables",
        "data.detections.detection_files",
    }
    for start in (
        "data.datasets",
        "network.acm_net",
        "network.student",
        "training.first_stage.losses",
        "training.optimisation.training_loop",
        "training.second_stage.pseudo_labels",
        "training.mining.snippet_mining",
    ):
        seen, waiting = set(), [start]
        while waiting:
            room = waiting.pop()
            if room not in seen:
                seen.add(room)
                waiting += imported(room) if room != GIVES_TIMES else ()
        assert start in seen
        assert not seen & truth, start
        assert not {x for x in seen if x.startswith("evaluation.")}, start


def test_there_is_no_junk_drawer():
    words = {word for room in rooms() for word in room.split(".")}
    assert not {"utils", "helpers", "common", "misc"} & words


def test_the_door():
    assert acmnet.__all__ == sorted(acmnet.__all__)
    assert set(acmnet.__all__) == {
        "ACMNet",
        "ACMNetLocalizer",
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
    }
    assert all(hasattr(acmnet, name) for name in acmnet.__all__)


def test_no_assert_in_the_package():
    asserts = [
        f"{room}:{node.lineno}"
        for room, path in rooms().items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Assert)
    ]
    assert asserts == []
