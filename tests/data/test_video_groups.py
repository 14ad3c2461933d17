"""Groups of videos: where they are read from, and what is refused."""

import json

import pytest

from acmnet.data.video_groups import GroupError, read_groups

VIDEOS = ("a", "b", "c")
NAMED = {"a": "Ada", "b": "Ada", "c": "Bo"}


@pytest.fixture
def files(tmp_path):
    """Write files into a folder of their own; return their paths as text."""

    def write(**contents):
        for name, text in contents.items():
            (tmp_path / name.replace("_", ".")).write_text(text, encoding="utf-8")
        return [str(tmp_path / name.replace("_", ".")) for name in contents]

    return write


@pytest.mark.parametrize(
    "table",
    [
        "video,group\na,Ada\nb,Ada\nc,Bo\n",
        "group;Video ID\nAda;a.mp4\nAda;b.mp4\nBo;c.mp4\nCy;unused.mp4\n",
        "video\tperson\nday 1/a.avi\tAda\nb\tAda\nc\tBo\n",  # one other column
        "video,day,group\na,1,Ada\nb,2,Ada\nc,2,Bo\n",
        "video,group\na,Ada\na,Ada\nb,Ada\nc,Bo\n",  # said twice, alike
    ],
)
def test_a_file_of_groups(files, table):
    groups, labels = files(groups_csv=table, labels_json="{}")
    found = read_groups(groups, labels, VIDEOS)
    assert found.group_of == NAMED
    assert (found.source, found.n_groups) == (groups, 2)


def test_a_column_of_a_label_table_and_a_field_of_a_label_file(files):
    table, database = files(
        labels_csv="video,labels,Person\na,x,Ada\nb,x,Ada\nc,,Bo\n",
        labels_json=json.dumps(
            {"database": {"a": {"person": 1}, "b": {"person": 1}, "c": {"person": 2}}}
        ),
    )
    assert read_groups("person", table, VIDEOS).group_of == NAMED
    found = read_groups("person", database, VIDEOS)
    assert found.group_of == {"a": "1", "b": "1", "c": "2"}
    assert found.source == f"field 'person' of {database}"


def test_names_are_compared_in_one_unicode_form(files):
    composed, apart = "K\u00e4fer", "Ka\u0308fer"
    (groups,) = files(groups_csv=f"video,group\n{apart},1\nb,2\n")
    assert read_groups(groups, "x.json", (composed, "b")).group_of[composed] == "1"


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("video,group\na,1\na,2\nb,1\nc,2\n", "'a' is in group '1' and in group '2'"),
        ("video,group\na,1\nb,2\n", "1 of 3 videos without a group: 'c'"),
        ("video,group\na,1\nb,2\nc\n", "1 of 3 videos without a group: 'c'"),
        ("video,group\na,1\nb,1\nc,1\n", "all 3 videos are in one group"),
        ("video,day,person\na,1,1\n", "no column 'group'; its other columns are 'day'"),
        ("group,day\n1,1\n", "must start with the header video,group"),
        ("video,group\n,1\n", "line 2: video is blank"),
    ],
)
def test_a_file_that_is_refused(files, table, says):
    (groups,) = files(groups_csv=table)
    with pytest.raises(GroupError) as refusal:
        read_groups(groups, "labels.json", VIDEOS)
    assert groups in str(refusal.value)
    assert says in str(refusal.value)


def test_columns_and_fields_that_are_not_there(files):
    table, database = files(
        labels_csv="video,labels,camera\na,x,1\n",
        labels_json=json.dumps({"database": {"a": {"camera": [1]}, "b": {}}}),
    )
    with pytest.raises(GroupError, match="no column 'person'; its other columns"):
        read_groups("person", table, VIDEOS)
    with pytest.raises(GroupError, match="no field 'person' in any video"):
        read_groups("person", database, VIDEOS)
    with pytest.raises(GroupError, match=r"camera of video 'a' must be a word"):
        read_groups("camera", database, VIDEOS)
    with pytest.raises(GroupError, match=r"groups\.csv"):
        read_groups("groups.csv", database, VIDEOS)
