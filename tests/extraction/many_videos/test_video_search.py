"""Which files of a folder are tracks, and of which recording."""

from acmnet.extraction.many_videos.video_search import find_tracks


def test_a_sleap_project_is_taken_only_where_nothing_was_exported(tmp_path):
    project = tmp_path / "cage1.slp"
    project.touch()
    assert find_tracks([tmp_path]) == {"cage1": project}  # its reader says what to do
    exported = tmp_path / "cage1.mp4.predictions.analysis.h5"
    exported.touch()
    assert find_tracks([tmp_path]) == {"cage1": exported}
