"""Files of tracks as DeepLabCut, SLEAP, MediaPipe and Kinect recorders write them."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from acmnet.data.label_files import read_annotations
from acmnet.data.labels.annotations import WatchedSpan
from acmnet.data.tracks.track_files import read_tracks
from acmnet.data.tracks.tracks import TrackError, Tracks
from acmnet.segments import Segment

NAN = float("nan")
NUMBERS = np.arange(36, dtype=float).reshape(3, 12) + 0.5
"""Three frames of two mice with two body parts: x, y, likelihood each."""
COLUMNS = [
    ("DLC_net", mouse, part, coordinate)
    for mouse in ("m1", "m2")
    for part in ("nose", "tail")
    for coordinate in ("x", "y", "likelihood")
]


def written(path, text):
    path.write_text(text)
    return path


def deeplabcut_csv(columns, numbers, n_levels, frames=None):
    names = ("scorer", "individuals", "bodyparts", "coords")
    names = names if n_levels == 4 else (names[0], *names[2:])
    rows = [[name, *(c[i] for c in columns)] for i, name in enumerate(names)]
    frames = range(len(numbers)) if frames is None else frames
    rows += [[i, *row] for i, row in zip(frames, numbers.tolist(), strict=True)]
    return "\n".join(",".join(map(str, row)) for row in rows) + "\n"


def deeplabcut_table(path, columns, numbers):
    """Write what ``to_hdf(format="table")`` of pandas 2 and PyTables 3.9 leaves."""
    kind = [("index", "<i8"), ("values_block_0", "<f8", (numbers.shape[1],))]
    rows = np.array([(i, row) for i, row in enumerate(numbers)], kind)
    with h5py.File(path, "w") as file:
        group = file.create_group("df_with_missing")
        group.attrs["pandas_type"] = np.bytes_(b"frame_table")
        table = group.create_dataset("table", data=rows)
        pickled = pickle.dumps(columns, protocol=0)
        table.attrs["values_block_0_kind"] = np.bytes_(pickled)
    return path


def check_two_mice(tracks):
    values = NUMBERS.reshape(3, 2, 2, 3)
    np.testing.assert_allclose(tracks.positions, values[..., :2])
    np.testing.assert_allclose(tracks.likelihood, values[..., 2])
    assert (tracks.points, tracks.individuals) == (("nose", "tail"), ("m1", "m2"))
    assert tracks.fps is None


def test_deeplabcut_csv_of_several_animals(tmp_path):
    text = deeplabcut_csv(COLUMNS, NUMBERS, 4)
    check_two_mice(read_tracks(written(tmp_path / "m.csv", text)))


def test_deeplabcut_csv_of_one_animal_with_lost_frames(tmp_path):
    columns = [(c[0], *c[2:]) for c in COLUMNS[:6]]
    text = deeplabcut_csv(columns, NUMBERS[:, :6], 3, frames=(0, 1, 4))
    tracks = read_tracks(written(tmp_path / "m.csv", text))
    assert tracks.positions.shape == (5, 1, 2, 2)
    assert np.isnan(tracks.positions[2:4]).all()
    assert tracks.positions[4, 0, 1].tolist() == [27.5, 28.5]
    assert tracks.least_likelihood == 0.6


def test_a_wrong_cell_is_named_by_individual_point_and_axis(tmp_path):
    text = deeplabcut_csv(COLUMNS, NUMBERS, 4).replace("7.5", "7 cm", 1)
    with pytest.raises(TrackError, match="column 'm2 nose y' must be a number"):
        read_tracks(written(tmp_path / "m.csv", text))


def test_deeplabcut_hdf5(tmp_path):
    check_two_mice(read_tracks(deeplabcut_table(tmp_path / "m.h5", COLUMNS, NUMBERS)))


def test_deeplabcut_hdf5_in_the_fixed_format(tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        group = file.create_group("df_with_missing")
        group.attrs.update({"pandas_type": np.bytes_(b"frame"), "nblocks": 1})
        group.attrs["block0_items_nlevels"] = 4
        for i in range(4):
            names = sorted({c[i] for c in COLUMNS})
            codes = np.array([names.index(c[i]) for c in COLUMNS], np.int8)
            group[f"block0_items_level{i}"] = np.array(names, "S")
            group[f"block0_items_label{i}"] = codes
        group["block0_values"] = NUMBERS
        group["axis1"] = np.arange(3)
    check_two_mice(read_tracks(tmp_path / "m.h5"))


def test_points_that_belong_to_no_animal_are_left_out(tmp_path):
    corner = [("DLC_net", "single", "corner", c) for c in ("x", "y", "likelihood")]
    numbers = np.concatenate([NUMBERS, np.ones((3, 3))], axis=1)
    text = deeplabcut_csv([*COLUMNS, *corner], numbers, 4)
    check_two_mice(read_tracks(written(tmp_path / "m.csv", text)))


def test_a_pickle_in_a_file_runs_nothing(tmp_path):
    class Evil:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").touch, ())

    path = deeplabcut_table(tmp_path / "m.h5", [Evil()], NUMBERS)
    with pytest.raises(TrackError, match="headers of its columns cannot be read"):
        read_tracks(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("order", ["sleap", "standard"])
def test_sleap_analysis_hdf5(tmp_path, order):
    positions = np.random.default_rng(0).random((5, 2, 3, 2))  # frame, track, node, xy
    positions[3, 1] = NAN
    scores = positions[..., 0] / 2
    with h5py.File(tmp_path / "m.h5", "w") as file:
        if order == "sleap":  # as SLEAP's write_tracking_h5.py transposes them
            file["tracks"] = positions.transpose(1, 3, 2, 0)
            file["point_scores"] = scores.transpose(1, 2, 0)
        else:  # as sleap-io's preset "standard"
            file["tracks"], file["point_scores"] = positions, scores
            file["tracks"].attrs["dims"] = '["frame", "track", "node", "xy"]'
            file["point_scores"].attrs["dims"] = '["frame", "track", "node"]'
        file["node_names"] = np.array([b"head", b"thorax", b"abdomen"])
        file["track_names"] = np.array([b"female", b"male"])
        file["track_occupancy"] = np.ones((5, 2), np.uint8)
    tracks = read_tracks(tmp_path / "m.h5")
    np.testing.assert_allclose(tracks.positions, positions, rtol=1e-6)
    np.testing.assert_allclose(tracks.likelihood, scores, rtol=1e-6)
    assert tracks.points == ("head", "thorax", "abdomen")
    assert tracks.individuals == ("female", "male")


SLEAP_CSV = """\
track,frame_idx,instance.score,head.x,head.y,head.score,tail.x,tail.y,tail.score
a,0,0.9,1,2,0.8,3,4,0.7
b,0,0.9,5,6,0.8,,,
a,2,0.9,7,8,0.8,9,10,0.7
"""


def test_sleap_csv(tmp_path):
    tracks = read_tracks(written(tmp_path / "m.csv", SLEAP_CSV))
    assert (tracks.points, tracks.individuals) == (("head", "tail"), ("a", "b"))
    assert tracks.positions[2, 0].tolist() == [[7, 8], [9, 10]]
    assert np.isnan(tracks.positions[1]).all()
    assert np.isnan(tracks.positions[0, 1, 1]).all()
    seen = tracks.seen()
    assert seen[:, :, 0].tolist() == [[True, True], [False, False], [True, False]]


def test_mediapipe_by_number_and_with_times(tmp_path):
    text = (
        "time_ms,x0,y0,z0,v0,x1,y1,z1,v1\n0,1,2,3,.9,4,5,6,.1\n40,1,2,3,.9,4,5,6,.8\n"
    )
    tracks = read_tracks(written(tmp_path / "m.csv", text))
    assert tracks.positions.shape == (2, 1, 2, 3)
    assert tracks.times_s.tolist() == [0, 0.04]
    assert tracks.seen().tolist() == [[[True, False]], [[True, True]]]


@pytest.mark.parametrize(
    "header",
    [
        "frame,NOSE_x,NOSE_y,LEFT_EYE_x,LEFT_EYE_y",
        "frame,X_NOSE,Y_NOSE,X_LEFT_EYE,Y_LEFT_EYE",
        "frame;NOSE.X;NOSE.Y;LEFT_EYE.X;LEFT_EYE.Y",
        "frame\tNOSE x\tNOSE y\tLEFT_EYE x\tLEFT_EYE y",
    ],
)
def test_wide_tables_by_their_names(tmp_path, header):
    mark = next(x for x in ";\t," if x in header)
    text = header + "\n1,1,2,3,4\n2,5,6,7,8".replace(",", mark)
    tracks = read_tracks(written(tmp_path / "m.csv", text))
    assert tracks.points == ("NOSE", "LEFT_EYE")
    assert tracks.positions[:, 0].tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]


SLEAP_IO = {
    "instances": (
        "frame_idx,track,track_score,score,nose.x,nose.y,nose.score,tail.x,tail.y,tail.score\n"
        "1,female,,0.9,1,2,.4,3,4,.3\n1,male,,0.9,5,6,.4,7,8,.1\n"
        "2,male,,0.9,9,10,.4,11,12,.3\n"
    ),
    "points": (
        "frame_idx,node,x,y,track,track_score,instance_score,score\n"
        "1,nose,1,2,female,,.9,.4\n1,tail,3,4,female,,.9,.3\n1,nose,5,6,male,,.9,.4\n"
        "1,tail,7,8,male,,.9,.1\n2,nose,9,10,male,,.9,.4\n2,tail,11,12,male,,.9,.3\n"
    ),
    "frames": (
        "frame_idx,inst0.track,inst0.score,inst0.nose.x,inst0.nose.y,inst0.nose.score,"
        "inst0.tail.x,inst0.tail.y,inst0.tail.score,inst1.track,inst1.score,inst1.nose.x,"
        "inst1.nose.y,inst1.nose.score,inst1.tail.x,inst1.tail.y,inst1.tail.score\n"
        "1,female,.9,1,2,.4,3,4,.3,male,.9,5,6,.4,7,8,.1\n"
        "2,male,.9,9,10,.4,11,12,.3,,,,,,,,\n"
    ),
}
"""The same two flies as sleap-io 0.9.5 writes them with ``save_csv(format=...)``."""


@pytest.mark.parametrize("form", SLEAP_IO)
def test_csv_of_sleap_io(tmp_path, form):
    tracks = read_tracks(written(tmp_path / "m.csv", SLEAP_IO[form]))
    assert (tracks.points, tracks.individuals) == (("nose", "tail"), ("male", "female"))
    first = tracks.n_frames - 2
    assert tracks.positions[first].tolist() == [[[5, 6], [7, 8]], [[1, 2], [3, 4]]]
    assert tracks.positions[-1, 0].tolist() == [[9, 10], [11, 12]]
    assert tracks.seen()[first].tolist() == [[True, False], [True, True]]
    assert not tracks.seen()[-1, 1].any()
    assert tracks.are_fragments


def test_frames_of_sleap_without_instances_have_no_track(tmp_path):
    text = SLEAP_CSV.replace("\na,0,", "\n,0,,,,,,,\nb,1,", 1) + ",3,,,,,,,\n"
    tracks = read_tracks(written(tmp_path / "m.csv", text))
    assert tracks.individuals == ("a", "b")
    assert tracks.n_frames == 4


@pytest.mark.parametrize("frames", [(0, 5, 6), (5, 6, 8)])
def test_frames_count_from_the_start_of_the_video(tmp_path, frames):
    a, b, c = frames
    landmarks = f"frame,a_x,a_y,b_x,b_y\n{a},1,2,3,4\n{b},1,2,3,4\n{c},1,2,3,4\n"
    columns = [(c[0], *c[2:]) for c in COLUMNS[:6]]
    deeplabcut = deeplabcut_csv(columns, NUMBERS[:, :6], 3, frames=frames)
    for text in (landmarks, deeplabcut):
        tracks = read_tracks(written(tmp_path / "m.csv", text))
        seen = tracks.seen(0).all(axis=(1, 2))
        assert np.flatnonzero(seen).tolist() == list(frames)


def test_individuals_side_by_side(tmp_path):
    header = ",".join(f"person{i}_{p}_{a}" for i in (0, 1) for p in "ab" for a in "xy")
    tracks = read_tracks(written(tmp_path / "m.csv", f"{header}\n1,2,3,4,5,6,7,8\n"))
    assert (tracks.points, tracks.individuals) == (("a", "b"), ("person0", "person1"))
    assert tracks.positions[0].tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]


def test_points_of_a_picture_beside_points_in_space_are_left_out(tmp_path):
    # NTU RGB+D recorders write where each joint is in the depth picture, too
    header = ",".join(
        f"{p}_{a}" for p in "abc" for a in ("x", "y", "z", "depthX", "depthY")
    )
    tracks = read_tracks(
        written(
            tmp_path / "m.csv", header + "\n" + ",".join(map(str, range(15))) + "\n"
        )
    )
    assert tracks.points == ("a", "b", "c")
    assert tracks.positions[0, 0].tolist() == [[0, 1, 2], [5, 6, 7], [10, 11, 12]]


def test_a_header_after_the_settings_of_a_recorder(tmp_path):
    # as LSL-Kinect writes it
    text = (
        "Software : LSL_Kinect,Version : 1.0.4.1,Stream nominal rate : 15\n\n"
        "Timestamp;Head_X;Head_Y;Head_Z;Head_Conf\n17.1;1;2;3;1\n17.2;1;2;3;{last}\n"
    )
    path = written(tmp_path / "m.csv", text.format(last="0"))
    tracks = read_tracks(path, needs_clock=False)
    assert tracks.seen()[:, 0, 0].tolist() == [True, False]
    with pytest.raises(TrackError, match="row 5, column 'Head_Conf' must be a number"):
        read_tracks(written(path, text.format(last="sure")), needs_clock=False)


def test_an_export_of_ethovision(tmp_path):
    header = '"Trial time";"Recording time";"X center";"Y center";"X nose";"Y nose"'
    lines = ['"Number of header lines:";"38"', *['"Arena";"1"'] * 35, header]
    lines += ['"s";"s";"cm";"cm";"cm";"cm"', "0.00;0.00;1.5;2;3;4", "0.04;0.04;2;3;-;-"]
    tracks = read_tracks(written(tmp_path / "trial1.csv", "\n".join(lines)))
    assert (tracks.points, tracks.times_s.tolist()) == (("center", "nose"), [0.0, 0.04])
    assert tracks.positions[0, 0].tolist() == [[1.5, 2.0], [3.0, 4.0]]
    assert np.isnan(tracks.positions[1, 0, 1]).all()


@pytest.mark.parametrize("suffix", [".json", ".npy"])
def test_the_mice_of_calms21_by_the_example(tmp_path, suffix):
    example = Path(__file__).parents[3] / "examples" / "mouse_tracks.py"
    points = np.arange(4 * 2 * 2 * 7, dtype=float).reshape(4, 2, 2, 7)
    one = {"keypoints": points.tolist(), "scores": np.ones((4, 2, 7)).tolist()}
    one |= {"annotations": [1, 1, 0, 1]}
    one |= {"metadata": {"fps": 2.0, "vocab": {"other": 0, "attack": 1}}}
    held = {"annotator-id_0": {"task1/train/mouse001": one}}
    source = tmp_path / f"calms21{suffix}"
    if suffix == ".json":
        source.write_text(json.dumps(held))
    else:
        np.save(source, held)
    with pytest.raises(TrackError, match=r"convert it.*examples/mouse_tracks\.py"):
        read_tracks(source)
    command = [sys.executable, example, source, tmp_path / "t", tmp_path / "labels.csv"]
    subprocess.run(command, check=True)
    tracks = read_tracks(tmp_path / "t" / "task1-train-mouse001.npy")
    assert tracks.positions.tolist() == points.transpose(0, 1, 3, 2).tolist()
    assert tracks.likelihood.tolist() == np.ones((4, 2, 7)).tolist()
    (video,) = read_annotations(tmp_path / "labels.csv").videos.values()
    assert video.id == "task1-train-mouse001"
    assert video.watched == (WatchedSpan(None, Segment(0.0, 2.0)),)
    assert [(x.label, x.segment) for x in video.instances] == [
        ("attack", Segment(0.0, 1.0)),
        ("attack", Segment(1.5, 2.0)),
    ]


def test_several_rows_of_one_time_are_one_frame(tmp_path):
    # Nuitrack's recorder: times without a unit, users in a column id
    text = (
        "timestamp,serial,id,HEAD.x,HEAD.y,NECK.x,NECK.y\n"
        "900,A1,1,1,2,3,4\n900,A1,2,5,6,7,8\n933,A1,1,1,2,3,4\n933,A1,2,5,6,7,9\n"
    )
    tracks = read_tracks(written(tmp_path / "m.csv", text), needs_clock=False)
    assert tracks.positions.shape == (2, 2, 2, 2)
    assert tracks.positions[1, 1].tolist() == [[5, 6], [7, 9]]
    # DumpKinectSkeleton: a row for each joint
    text = "Timestamp, JointID, Position.X, Position.Y\n1, 0, 1, 2\n1, 1, 3, 4\n"
    tracks = read_tracks(written(tmp_path / "j.csv", text), needs_clock=False)
    assert tracks.positions.tolist() == [[[[1, 2], [3, 4]]]]


def test_a_clock_in_a_column_that_is_called_by_its_unit(tmp_path):
    text = "frame_idx,ms,lmk0_x,lmk0_y\n0,0,1,2\n1,40,1,2\n"
    assert read_tracks(written(tmp_path / "m.csv", text)).times_s.tolist() == [0, 0.04]


def test_kinect_with_a_row_a_joint(tmp_path):
    # https://github.com/sebtoun/DumpKinectSkeleton
    text = (
        "Timestamp_ms,JointID,Position.X,Position.Y,Position.Z,State\n"
        "0,0,1,2,3,2\n0,1,4,5,6,0\n33,0,1,2,3,2\n33,1,4,5,6,1\n"
    )
    tracks = read_tracks(written(tmp_path / "m.csv", text))
    assert tracks.positions.shape == (2, 1, 2, 3)
    assert tracks.likelihood.tolist() == [[[1, 0]], [[1, 0.5]]]
    assert tracks.points == ("0", "1")


def test_kinect_with_joined_names_and_states(tmp_path):
    text = (
        "body_id,time_s,SpineBaseX,SpineBaseY,SpineBaseZ,SpineBaseTrackingState\n"
        "1,0,1,2,3,Tracked\n2,0,4,5,6,NotTracked\n1,0.5,1,2,3,Inferred\n"
    )
    tracks = read_tracks(written(tmp_path / "m.csv", text))
    assert (tracks.points, tracks.individuals) == (("SpineBase",), ("1", "2"))
    assert tracks.seen()[..., 0].tolist() == [[True, False], [True, False]]


def test_array_and_manifests(tmp_path):
    values = np.random.default_rng(0).random((4, 2, 3, 3))
    np.save(tmp_path / "m.npy", values)
    written(tmp_path / "tracks.json", json.dumps({"fps": 30, "has_likelihood": True}))
    written(tmp_path / "m.json", json.dumps({"individuals": ["one", "two"]}))
    tracks = read_tracks(tmp_path / "m.npy")
    np.testing.assert_allclose(tracks.positions, values[..., :2], rtol=1e-6)
    np.testing.assert_allclose(tracks.likelihood, values[..., 2], rtol=1e-6)
    assert (tracks.fps, tracks.individuals) == (30, ("one", "two"))
    assert tracks.points == ("point_0", "point_1", "point_2")


REFUSALS = {
    "nothing.csv": ("", "is empty"),
    "blank.csv": ("\n \n", "is empty"),
    "later.csv": ("\n\nvideo,labels\na,run\n", "no two columns are the x and y"),
    "labels.csv": ("video,labels\na,run\n", "no two columns are the x and y"),
    "short.csv": ("a_x,a_y\n1,2\n3\n", "row 3 has 1 cells, the header has 2"),
    "word.csv": ("a_x,a_y\n1,two\n", "row 2, column 'a_y' must be a number"),
    "none.csv": ("a_x,a_y\n", "a header and no row"),
    "clock.csv": ("time,a_x,a_y\n0,1,2\n", "unit of the column 'time' is not known"),
    "twice.csv": ("frame,body,a_x,a_y\n0,1,1,2\n0,1,3,4\n", "row 3 has the same frame"),
    "apart.csv": (
        "frame,body,a_x,a_y\n0,1,1,2\n0,2,5,6\n1,1,7,8\n0,1,3,4\n",
        "row 5 has the same frame",
    ),
    "who.csv": ("person,a_x,a_y\n0,1,2\n", "no column that says of which frame"),
    "back.csv": ("time_s,a_x,a_y\n1,1,2\n0,1,2\n", "not later than 1 s of the frame"),
    "scorer.csv": ("scorer,a\nx,b\n", "has no rows 'bodyparts' and 'coords'"),
    "twin.csv": (SLEAP_CSV + "a,2,1,1,1,1,1,1,1\n", "has two instances of 'a'"),
    "triplet.csv": (
        SLEAP_CSV + "a,9,1,1,1,1,1,1,1\nb,9,2,2,1,2,2,1,1\na,9,3,3,1,3,3,1,1\n",
        "has two instances of 'a'",
    ),
    "half.csv": ("frame,a_x,a_y\n0.5,1,2\n", "'frame' must be whole numbers"),
    "order.csv": (
        deeplabcut_csv(
            [("n", "a", "x"), ("n", "a", "y")], NUMBERS[:, :2], 3, (0, 2, 2)
        ),
        "order.csv: frame 2 follows frame 2, but frames must rise",
    ),
    "two.csv": (
        deeplabcut_csv([("n", "a", "x")] * 2 + [("n", "a", "y")], NUMBERS[:, :3], 3),
        "two columns are the x of 'a'",
    ),
    "flat.csv": (
        deeplabcut_csv([("n", "a", "x")], NUMBERS[:, :1], 3),
        "no column has the coordinate y",
    ),
    "labelled.csv": (
        "scorer,,,n,n\nbodyparts,,,a,a\ncoords,,,x,y\nlabeled-data,v,img1.png,1,2\n",
        "the pictures that were labelled to train DeepLabCut",
    ),
    "node.csv": ("track,frame_idx,instance.score\n", "no node has the columns"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_text_that_is_refused(tmp_path, name):
    text, words = REFUSALS[name]
    with pytest.raises(TrackError, match=words) as caught:
        read_tracks(written(tmp_path / name, text))
    assert name in str(caught.value) or name == "back.csv"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ({"fps": "fast"}, "fps in its manifest must be a number, got 'fast'"),
        ({"fps": 0}, "fps must be from 0.01 to 10000, got 0"),
        ({"points": ["a"]}, "1 name of points for positions of 2 points"),
        ({"points": ["a", "a"]}, "two points have the name 'a'"),
        ({"rate": 30}, "unknown key 'rate'; the keys are fps"),
        ({"times_s": [0, 1]}, "4 frames must have as many times, got 2"),
        ({"times_s": [0, 2, 1, 3]}, "time of frame 2 is 1 s, not later than 2 s"),
        ({"has_likelihood": True}, "points, 3 or 4, the likelihood last"),
        ([], "must be a JSON object"),
    ],
)
def test_manifests_that_are_refused(tmp_path, manifest, words):
    np.save(tmp_path / "m.npy", np.ones((4, 1, 2, 2)))
    written(tmp_path / "m.json", json.dumps(manifest))
    with pytest.raises(TrackError, match=words):
        read_tracks(tmp_path / "m.npy")


def test_a_video_is_no_file_of_tracks(tmp_path):
    (tmp_path / "mouse.mp4").write_bytes(b"\0\0\0\x20ftypisom\xae")
    with pytest.raises(
        TrackError, match=r"mouse\.mp4 is a video, and a file of tracks"
    ):
        read_tracks(tmp_path / "mouse.mp4")


def test_other_files_are_refused(tmp_path):
    np.save(tmp_path / "flat.npy", np.ones((4, 2)))
    with pytest.raises(TrackError, match=r"must have the shape .* got \(4, 2\)"):
        read_tracks(tmp_path / "flat.npy")
    np.save(tmp_path / "turned.npy", np.ones((2, 101, 4, 2)))
    with pytest.raises(TrackError, match="101 individuals in 2 frames; put its axes"):
        read_tracks(tmp_path / "turned.npy")
    np.save(tmp_path / "object.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(
        TrackError, match="holds Python objects, as the files of CalMS21"
    ):
        read_tracks(tmp_path / "object.npy")
    with h5py.File(tmp_path / "project.slp", "w") as file:
        file["pred_points"] = np.ones(3)
    with pytest.raises(TrackError, match="Export Analysis HDF5"):
        read_tracks(tmp_path / "project.slp")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["images"] = np.ones(3)
    with pytest.raises(TrackError, match=r"neither DeepLabCut nor SLEAP.*images"):
        read_tracks(tmp_path / "other.h5")
    content = (tmp_path / "other.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(content[: len(content) // 2])
    with pytest.raises(TrackError, match="no whole HDF5 file"):
        read_tracks(tmp_path / "cut.h5")
    with pytest.raises(TrackError, match="could not be read"):
        read_tracks(tmp_path / "missing.csv")


def test_an_individual_at_the_origin_is_not_seen():
    positions = np.ones((2, 1, 2, 2), np.float32)
    positions[1] = 0
    tracks = Tracks(positions, ("a", "b"), ("one",))
    assert tracks.seen().tolist() == [[[True, True]], [[False, False]]]
