"""From names alone: times of a label file change no bit of any profile's training."""

import dataclasses

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from acmnet.checkpoints.checkpoint import weights_sha256
from acmnet.data.labelled_features import DataSource, open_data
from acmnet.data.labels.annotations import Instance, Point, WatchedSpan
from acmnet.models.stored_model import TEACHERS
from acmnet.recipes import PROFILES, recipe
from acmnet.runs.run_request import RunRequest
from acmnet.runs.training_run import train_run
from acmnet.segments import Segment

FEW = {"training.epochs": 1, "training.batch_size": 6}
FEW_OF_TWO_STAGES = {
    "teachers.count": 1,
    "student.width": 8,
    "student.layers": 1,
    "student_training.epochs": 1,
}


@pytest.fixture(scope="module")
def data(tiny_world):
    return open_data(DataSource(*tiny_world, "training"))


def spans(length_s):
    """Return a strategy for spans of at least a tenth of a second inside a video."""
    ends = st.tuples(st.floats(0.0, length_s - 0.1), st.floats(0.1, length_s))
    return ends.map(lambda x: Segment(x[0], max(x[1], x[0] + 0.1)))


@st.composite
def other_times(draw, annotations):
    """Draw the same names with other segments, points and watched spans, or none."""
    videos = {}
    for key, video in annotations.videos.items():
        span = spans(video.duration_s)
        names = st.sampled_from(video.labels) if video.labels else st.nothing()
        videos[key] = dataclasses.replace(
            video,
            instances=tuple(draw(st.lists(st.builds(Instance, names, span)))),
            points=tuple(draw(st.lists(st.builds(Point, names, st.floats(0.0, 1.0))))),
            watched=tuple(draw(st.lists(st.builds(WatchedSpan, st.none(), span)))),
        )
    return dataclasses.replace(annotations, videos=videos)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """Train a profile from names, with any annotations; give digests of all weights."""
    out = tmp_path_factory.mktemp("runs")
    known = {}

    def digests(profile, annotations=data.annotations):
        few = FEW | (FEW_OF_TWO_STAGES if profile == "best" else {})
        request = RunRequest(
            out=out / profile,
            data=dataclasses.replace(data, annotations=annotations),
            recipe="default",
            profile=profile,
            settings=recipe("default", profile=profile, overrides=few),
            overwrite=True,
        )
        run = train_run(request)
        runs = [run, *sorted((run / TEACHERS).glob("*"))]
        return [weights_sha256(x) for x in runs]

    def first_or_again(profile, annotations=None):
        if annotations is not None:
            return digests(profile, annotations)
        if profile not in known:
            known[profile] = digests(profile)
        return known[profile]

    return first_or_again


@pytest.mark.parametrize("profile", PROFILES)
@settings(
    max_examples=2,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
@given(draw=st.data())
def test_other_times_of_the_same_names_give_the_same_bits(trained, data, profile, draw):
    annotations = draw.draw(other_times(data.annotations))
    assert trained(profile, annotations) == trained(profile)
