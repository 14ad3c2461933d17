"""The verb pose: videos become files of people's tracks."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from acmnet.cli.options.shared_options import OutputFolder
from acmnet.cli.terminal.app import app, console, errors, fail_for_left_out, quiet
from acmnet.cli.terminal.progress import Waiting
from acmnet.extraction.many_videos.video_search import find_videos
from acmnet.extraction.pose.hand_networks import HandNetworks
from acmnet.extraction.pose.pose_extractor import MOST_PEOPLE
from acmnet.extraction.pose.pose_files import (
    TRACKS_FPS,
    VideoError,
    people_in_frames,
    write_pose_tracks,
)
from acmnet.extraction.pose.pose_networks import PoseNetworks
from acmnet.extraction.pose.pose_tracker import refuse_people
from acmnet.files.file_access import make_folder
from acmnet.messages import counted


@app.command
def pose(
    videos: Annotated[list[Path], Parameter(negative=())],
    *,
    out: OutputFolder,
    fps: float = TRACKS_FPS,
    individuals: int = MOST_PEOPLE,
    hands: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Find people in videos, and write where the points of their bodies are.

    For each video, a file NAME.npy holds 33 points of each person in each frame (75
    with --hands), in pixels, and NAME.json says what they are. `acmnet render VIDEO
    --tracks NAME.npy` draws them. `acmnet fit --extractor pose` needs no such files; it
    finds people by itself. The networks are installed once, by `acmnet weights install
    pose`.

    For example: acmnet pose video.mp4 --out tracks/

    Parameters
    ----------
    videos
        Video files, or folders that are searched for video files.
    out
        Directory for the files of tracks.
    fps
        Frames per second that are looked at.
    individuals
        The largest number of people who are followed at the same time.
    hands
        Also find 21 points of each hand of each person, where it is large enough to be
        seen. It takes about twice the time.
    """
    refuse_people(individuals)
    files = find_videos(videos)
    networks = PoseNetworks()
    of_hands = HandNetworks() if hands else None
    make_folder(out)
    left_out = []
    with Waiting(errors, "finding people", "videos", silent=quiet()) as waiting:
        for done, (video, path) in enumerate(files.items()):
            waiting.update(done, len(files))
            target = out / f"{video}.npy"
            try:
                tracks = write_pose_tracks(
                    path, target, networks, individuals, fps, of_hands
                )
            except VideoError as error:
                left_out.append(f"{video}: {error}")
                continue
            n_people = people_in_frames(tracks)
            console.print(
                f"{target}: {counted(tracks.n_frames, 'frame')}, people in "
                f"{(n_people > 0).mean():.0%}, {n_people.max()} at a time at most",
                markup=False,
            )
    fail_for_left_out(left_out, len(files) - len(left_out))
