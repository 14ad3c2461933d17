"""What an earlier run learned from counts for the run that begins with its weights."""

import dataclasses

import pytest

from acmnet.checkpoints.checkpoint import load_config
from acmnet.data.labelled_features import DataSource, open_data
from acmnet.data.labels.annotations import Point
from acmnet.data.labels.marks import marks_values
from acmnet.recipes import recipe
from acmnet.runs.earlier_run import times_of_all_rounds
from acmnet.runs.run_data import training_videos
from acmnet.runs.run_request import RunRequest
from acmnet.runs.training_run import train_run

FEW = {"training.epochs": 1, "training.batch_size": 6}


@pytest.fixture(scope="module")
def rounds(tiny_world, tmp_path_factory):
    """Give two requests: the second begins with the first, on other videos."""
    data = open_data(DataSource(*tiny_world, "training"))
    folder = tmp_path_factory.mktemp("rounds")
    first = RunRequest(
        out=folder / "first",
        data=data,
        recipe="default",
        profile="corrected",
        settings=recipe("default", profile="corrected", overrides=FEW),
        supervision="segments",
    )
    train_run(first)
    second = dataclasses.replace(
        first,
        out=folder / "second",
        data=data.only(set(list(data.labels)[2:])),
        begin_from=first.out,
    )
    return first, second


def test_videos_and_times_of_an_earlier_round_are_not_forgotten(rounds):
    first, second = rounds
    train_run(dataclasses.replace(second, supervision="names"))
    config = load_config(second.out)
    assert list(config.trained_on) == list(second.data.labels)
    assert training_videos(config) == set(first.data.labels)
    assert config.taught_times == marks_values(first.marks)
    assert "earlier_videos" not in load_config(first.out).training


def test_a_mark_of_both_rounds_is_told_once_and_a_new_one_is_added(rounds):
    first, second = rounds
    assert times_of_all_rounds(second) == marks_values(first.marks)
    annotations = second.data.annotations
    video = next(iter(annotations.videos.values()))
    clicked = dataclasses.replace(video, points=(Point(video.labels[0], 0.5),))
    videos = {**annotations.videos, video.id: clicked}
    annotations = dataclasses.replace(annotations, videos=videos)
    data = dataclasses.replace(second.data, annotations=annotations)
    third = dataclasses.replace(second, data=data, supervision="all")
    assert times_of_all_rounds(third)[video.id] == {
        **marks_values(first.marks)[video.id],
        "points": [[video.labels[0], 0.5]],
    }
