"""Tracks brought to the points and individuals that features are made of."""

import numpy as np
import pytest

from acmnet.data.tracks.track_layout import TrackLayout, arranged
from acmnet.data.tracks.tracks import TrackError, Tracks


@pytest.mark.parametrize(
    ("points", "remedy"),
    [
        (
            ("nose", "ear", "tail"),
            "to use those that all have, give --points nose,tail",
        ),
        (("ear",), "is it of another kind of recordings?"),
    ],
)
def test_a_recording_that_lacks_a_point_says_what_it_shares(points, remedy):
    tracks = Tracks(np.ones((2, 1, 2, 2), np.float32), ("tail", "nose"), ("mouse",))
    with pytest.raises(TrackError, match=r"it has no point 'ear' \(it has 'tail'") as e:
        arranged(tracks, TrackLayout(points, 1, 2))
    assert remedy in str(e.value)
