"""Write simulated features for all videos of an annotation file, and what drew them.

`acmnet.data.made_up.video_simulator` draws the features of one video; how the simulated
world was set stands in `acmnet.data.made_up.simulation_settings`.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from acmnet.data.annotations import Annotations, Video, read_annotations
from acmnet.data.feature_manifest import FeatureManifest, write_manifest
from acmnet.data.feature_store import write_features
from acmnet.data.made_up.simulation_settings import SimulationError, SimulationSettings
from acmnet.data.made_up.video_simulator import (
    GRID,
    Simulator,
    _refuse_untimed,
    n_snippets,
    name_digest,
)
from acmnet.files import make_folder, write_json
from acmnet.messages import counted
from acmnet.text_files import parse_json, read_text

SIMULATION: Final = "simulation.json"

GENERATOR: Final = 3
"""Raised whenever the same settings would draw other features."""


def chosen_videos(
    annotations: Annotations, subsets: tuple[str, ...], videos: int | None, seed: int
) -> dict[str, Video]:
    """Return the videos of the subsets, at most ``videos`` of each, drawn by id.

    The videos of a smaller number are among those of a larger one.
    """
    if videos is not None and videos < 1:
        raise SimulationError(f"videos must be a whole number from 1, got {videos}")
    parts = [annotations.subset(name) for name in dict.fromkeys(subsets)]
    pools = [list(part.videos.values()) for part in parts]
    if not parts:
        every = list(annotations.videos.values())
        names = dict.fromkeys(video.subset for video in every)
        pools = [[v for v in every if v.subset == name] for name in names]
    picked = [
        sorted(pool, key=lambda v: name_digest(seed, "pick", v.id))[:videos]
        for pool in pools
    ]
    kept = {video.id for part in picked for video in part}
    return {key: video for key, video in annotations.videos.items() if key in kept}


def simulate(
    source: Path,
    out: Path,
    settings: SimulationSettings,
    *,
    subsets: tuple[str, ...] = (),
    videos: int | None = None,
    on_video: Callable[[int, int], None] = lambda *_: None,
    on_note: Callable[[str], None] = lambda _: None,
) -> int:
    """Write ``features/``, ``annotations.json`` and ``simulation.json``; return drawn.

    Parameters
    ----------
    source : Path
        Annotations with segments and durations.
    out : Path
        Gets the three; a video that lies there is not drawn again.
    settings : SimulationSettings
        What to draw.
    subsets : tuple of str
        Only these; all where there are none.
    videos : int, optional
        At most so many of each subset.
    on_video : callable
        Called before the first and after each video with how many are there, of how
        many.
    on_note : callable
        Called with a sentence on videos that are left out: those with a label of which
        no segment is known, as ten of ActivityNet-1.3 have.

    Raises
    ------
    SimulationError, AnnotationError
        If ``out`` holds another simulation, or a video cannot be drawn; nothing is
        written then.
    """
    annotations = _timed(read_annotations(source), on_note)
    chosen = chosen_videos(annotations, subsets, videos, settings.seed)
    for video in chosen.values():
        n_snippets(video)
    parameters: dict[str, Any] = {
        "generator": GENERATOR,
        "annotations_sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        "subsets": list(subsets),
        "videos": videos,
        "settings": dataclasses.asdict(settings),
    }
    _refuse_other(out, parameters)
    make_folder(out)
    write_json(out / SIMULATION, parameters)
    write_json(out / "annotations.json", _as_json(annotations, chosen))
    manifest = FeatureManifest(
        grid=GRID,
        dimension=settings.dimension,
        streams=("simulated",),
        extractor="acmnet.data.made_up.simulated_features",
        versions={"generator": str(GENERATOR), "numpy": np.__version__},
        settings=dataclasses.asdict(settings),
    )
    write_manifest(out / "features", manifest)
    simulator = Simulator(settings, annotations.class_names)
    waiting = [
        video
        for video in chosen.values()
        if not (out / "features" / f"{video.id}.npy").exists()
    ]
    there = len(chosen) - len(waiting)
    on_video(there, len(chosen))
    for done, video in enumerate(waiting, start=there + 1):
        values = simulator.video(video).features
        values = np.minimum(values, np.finfo(np.float16).max).astype(np.float16)
        write_features(out / "features", video.id, values)
        on_video(done, len(chosen))
    return len(waiting)


def _refuse_other(out: Path, parameters: dict[str, Any]) -> None:
    path = out / SIMULATION
    if not path.exists():
        if (out / "features").exists():
            raise SimulationError(
                f"{out / 'features'} exists but {path} does not, so what drew it is "
                "not known; name another folder"
            )
        return
    text = read_text(path, "simulation", SimulationError, "name another folder")
    found = parse_json(str(path), text, "simulation", SimulationError)
    ours = json.loads(json.dumps(parameters))
    if found == ours:
        return
    asked, other = _flat(ours), _flat(found)
    name = next((k for k in asked if asked[k] != other.get(k)), "content")
    raise SimulationError(
        f"{path} holds another simulation: its {name} is {other.get(name)!r}, "
        f"{asked.get(name)!r} was asked for; name another folder"
    )


def _flat(content: object) -> dict[str, object]:
    """Return a simulation's parameters and settings by name, {} where it has none."""
    if not isinstance(content, dict):
        return {}
    settings = content.get("settings")
    rest = {key: value for key, value in content.items() if key != "settings"}
    return rest | (settings if isinstance(settings, dict) else {})


def _timed(annotations: Annotations, on_note: Callable[[str], None]) -> Annotations:
    """Return the videos whose every label has a segment; refuse if none has."""
    kept = {
        video.id: video
        for video in annotations.videos.values()
        if set(video.labels) <= {instance.label for instance in video.instances}
    }
    lost = [video for video in annotations.videos if video not in kept]
    if lost and not kept:
        _refuse_untimed(annotations.videos[lost[0]])
    if lost:
        on_note(
            f"{counted(len(lost), 'video', ('is', 'are'), of=len(annotations.videos))} "
            f"left out, as a label of theirs has no segment: {', '.join(lost[:3])}"
            + (", ..." if lost[3:] else "")
        )
    return dataclasses.replace(annotations, videos=kept)


def _as_json(annotations: Annotations, chosen: dict[str, Video]) -> dict[str, Any]:
    database = {}
    for video in chosen.values():
        entry: dict[str, Any] = {} if video.subset is None else {"subset": video.subset}
        entry["duration"] = video.duration_s
        entry["annotations"] = [
            {"label": one.label, "segment": [one.segment.start_s, one.segment.end_s]}
            for one in video.instances
        ]
        database[video.id] = entry
    names = list(annotations.class_names)
    return {"version": "acmnet simulation", "taxonomy": names, "database": database}
