"""Write simulated features for the videos of an annotation file.

`acmnet.data.made_up.video_simulator` draws the features of one video. How they are
distributed, and how that was chosen, is described in
`acmnet.data.made_up.simulation_settings`.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from acmnet.data.features.feature_manifest import FeatureManifest, write_manifest
from acmnet.data.features.feature_store import write_features
from acmnet.data.formats.exchange_format import Source
from acmnet.data.formats.reading import sha256_of_labels
from acmnet.data.label_files import read_annotations
from acmnet.data.labels.annotations import Annotations, Video
from acmnet.data.made_up.simulation_settings import SimulationError, SimulationSettings
from acmnet.data.made_up.video_simulator import (
    GRID,
    Simulator,
    _refuse_untimed,
    n_snippets,
    name_digest,
)
from acmnet.files.file_access import make_folder, write_json
from acmnet.files.strict_json import parse_json
from acmnet.files.text_files import read_text
from acmnet.messages import counted, some

SIMULATION: Final = "simulation.json"

GENERATOR: Final = 3
"""Version of the generator. It is increased whenever a change makes the same settings
draw other features."""


def chosen_videos(
    annotations: Annotations, subsets: tuple[str, ...], videos: int | None, seed: int
) -> dict[str, Video]:
    """Return the videos of the subsets, at most ``videos`` of each, chosen at random.

    With the same seed, a smaller number chooses some of the videos of a larger number.
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
    source: Path | Source,
    out: Path,
    settings: SimulationSettings,
    *,
    subsets: tuple[str, ...] = (),
    videos: int | None = None,
    on_video: Callable[[int, int], None] = lambda *_: None,
    on_note: Callable[[str], None] = lambda _: None,
) -> int:
    """Write ``features/``, ``annotations.json`` and ``simulation.json``.

    Parameters
    ----------
    source : Path or Source
        Annotations that have segments and durations; a `Source` also states the frames
        per second, for annotations that count frames.
    out : Path
        The folder to write to. Videos whose features are there are not drawn again.
    settings : SimulationSettings
        The settings of the simulated world.
    subsets : tuple of str
        The subsets to draw; empty for all of them.
    videos : int, optional
        Largest number of videos of each subset; all when left out.
    on_video : callable
        Called before the first and after each video with the number of finished videos
        and of all videos.
    on_note : callable
        Called with a sentence on videos that are left out, because they have a label
        without a segment, as ten videos of ActivityNet-1.3 have.

    Returns
    -------
    int
        Number of videos that were drawn.

    Raises
    ------
    SimulationError, AnnotationError
        If ``out`` holds another simulation, or a video cannot be drawn. Nothing is
        written then.
    """
    file = source if isinstance(source, Source) else Source(source, None)
    annotations = _timed(read_annotations(file.path, file.fps), on_note)
    chosen = chosen_videos(annotations, subsets, videos, settings.seed)
    _refuse_untold_lengths(annotations.source, chosen)
    parameters: dict[str, Any] = {
        "generator": GENERATOR,
        "annotations_sha256": sha256_of_labels(file.path),
        "subsets": list(subsets),
        "videos": videos,
        "settings": dataclasses.asdict(settings),
    }
    if file.fps is not None:  # otherwise as in simulations that know no such value
        parameters["label_fps"] = file.fps
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
    return _write_missing(simulator, list(chosen.values()), out / "features", on_video)


def _refuse_untold_lengths(source: str, chosen: Mapping[str, Video]) -> None:
    """Refuse videos of which the label file states no length, or too short a one."""
    untold = [video.id for video in chosen.values() if video.duration_s is None]
    if untold:
        which = counted(len(untold), "video", ("has", "have"), of=len(chosen))
        raise SimulationError(
            f"{source}: {which} no duration ({some(untold)}); add it to each, in "
            "seconds, or take a label file that states it"
        )
    for video in chosen.values():
        try:
            n_snippets(video)
        except SimulationError as error:
            raise SimulationError(f"{source}: {error}") from None


def _write_missing(
    simulator: Simulator,
    videos: Sequence[Video],
    features: Path,
    on_video: Callable[[int, int], None],
) -> int:
    """Write the features of the videos that have none yet; return how many these are.

    ``on_video`` is that of `simulate`.
    """
    waiting = [x for x in videos if not (features / f"{x.id}.npy").exists()]
    n_present = len(videos) - len(waiting)
    on_video(n_present, len(videos))
    for done, video in enumerate(waiting, start=n_present + 1):
        values = simulator.video(video).features
        values = np.minimum(values, np.finfo(np.float16).max).astype(np.float16)
        write_features(features, video.id, values)
        on_video(done, len(videos))
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
    stored = parse_json(str(path), text, "simulation", SimulationError)
    ours = json.loads(json.dumps(parameters))
    if stored == ours:
        return
    requested, other = _flat(ours), _flat(stored)
    name = next((k for k in requested if requested[k] != other.get(k)), "content")
    raise SimulationError(
        f"{path} holds another simulation: its {name} is {other.get(name)!r}, "
        f"{requested.get(name)!r} was asked for; name another folder"
    )


def _flat(content: object) -> dict[str, object]:
    """Return a simulation's parameters and settings by name; {} if it has none."""
    if not isinstance(content, dict):
        return {}
    settings = content.get("settings")
    others = {key: value for key, value in content.items() if key != "settings"}
    return others | (settings if isinstance(settings, dict) else {})


def _timed(annotations: Annotations, on_note: Callable[[str], None]) -> Annotations:
    """Return the videos of which every label has a segment; refuse if there is none."""
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
            {
                "label": instance.label,
                "segment": [instance.segment.start_s, instance.segment.end_s],
            }
            for instance in video.instances
        ]
        database[video.id] = entry
    names = list(annotations.class_names)
    return {"version": "acmnet simulation", "taxonomy": names, "database": database}
