"""Each verb: exit code, what is printed, one sentence on each mistake."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from acmnet.checkpoints.checkpoint import load_config
from acmnet.checkpoints.checkpoint_folder import has_checkpoint
from acmnet.cli.terminal.exit_codes import (
    INTERRUPTED,
    LEFT_OUT,
    NOTHING_DONE,
    TERMINATED,
    USAGE,
)
from acmnet.cli.verb_table import VERBS, WITH_SETTINGS
from acmnet.data.detections.detection_files import read_detections
from acmnet.data.label_files import read_annotations
from acmnet.data.labels.annotations import weak_labels
from acmnet.data.made_up.feature_world import WorldSettings, make_world, write_world
from acmnet.validation.folds import stratified_folds
from support.commands import refused
from support.places import ROOT
from support.runs import edit_config, weights_file
from support.whole_program import app

FEW = ["--training.epochs", "3", "--training.batch-size", "4", "--profile", "corrected"]


@pytest.fixture
def data(tiny_world):
    return ["--annotations", tiny_world[0], "--features", tiny_world[1]]


@pytest.fixture
def world(tiny_world, tmp_path):
    """Copy the world, so that a test may damage it; with its options."""
    shutil.copytree(tiny_world[0].parent, tmp_path / "world")
    labels, features = tmp_path / "world/labels.json", tmp_path / "world/features"
    return labels, features, ["--annotations", labels, "--features", features]


def test_the_journey(acmnet, data, tiny_world):
    train = ["train", "--recipe", "default", *data, "--subset", "training", *FEW]
    code, out, _ = acmnet(*train, "--out", "runs/first", "--seed", 0)
    assert code == 0
    done, then = out.splitlines()
    assert done == "trained on 12 videos: runs/first (3 epochs)"
    features = tiny_world[1]
    assert then == (
        f"next: acmnet localize --run runs/first --features {features} --out "
        "detections.json"
    )
    assert acmnet(*shlex.split(then)[2:])[0] == 0  # as it is printed
    code, out, _ = acmnet(
        *("localize", "--run", "runs/first", *data, "--subset", "test"),
        *("--out", "detections.json"),
    )
    assert code == 0
    written = json.loads(Path("detections.json").read_text())
    assert set(written) == {"version", "results", "external_data"}
    assert len(written["results"]) == 6
    n = sum(map(len, written["results"].values()))
    assert f"{n} detections in 6 videos" in out
    code, out, _ = acmnet(
        *("evaluate", "--ground-truth", tiny_world[0], "--subset", "test"),
        *("--detections", "detections.json", "--tiou", "0.1:0.7:0.1"),
        *("--json", "scores.json"),
    )
    assert code == 0
    scores = json.loads(Path("scores.json").read_text())
    assert scores["tiou"] == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    assert (scores["videos"], scores["detections"]) == (6, n)
    assert f"{100 * scores['average']:.2f} %" in out
    assert set(scores) >= {"map", "per_class", "instances", "dropped"}


def test_localize_needs_no_annotations_and_takes_overrides(acmnet, data):
    acmnet("train", *data, "--subset", "training", *FEW, "--out", "run")
    counts = []
    for limits in ([], ["--localization.nms-tiou", "0.1"]):
        code, out, _ = acmnet(
            *("localize", "--run", "run", "--features", data[3], "--out", "d.json"),
            *limits,
        )
        assert code == 0
        counts.append(int(out.split()[0]))
    assert "in 18 videos" in out
    assert counts[1] < counts[0]


def test_localize_takes_the_runs_grid_and_goes_on_past_damage(acmnet, tiny_run, world):
    _, features, _ = world
    (features / "features.json").unlink()
    # a header that says more than any file can hold, in the file that is read first
    header = (
        "{'descr': '<f2', 'fortran_order': False, 'shape': (9223372036854775807, 16)}"
    )
    content = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little")
    (features / "a.npy").write_bytes(content + header.ljust(117).encode() + b"\n")
    command = ["localize", "--run", tiny_run, "--features", features, "--out", "d.json"]
    result = acmnet(*command)
    refused(result, "1 of 19 videos was left out", code=3)
    assert "left out: " in result[2]
    assert "a.npy is damaged" in result[2]
    assert len(read_detections("d.json").video_ids) == 18
    other = acmnet(*command, "--fps", 9, "--snippet-frames", 1, "--stride-frames", 1)
    refused(other, "the checkpoint was trained on")


def test_peeking_is_said_everywhere(acmnet, data, tiny_world):
    train = ["train", *data, "--subset", "training", *FEW, "--select", "test"]
    code, _, err = acmnet(*train, "--out", "run")
    assert code == 0
    assert "chosen on the true segments of subset 'test'" in err
    _, _, err = acmnet("localize", "--run", "run", *data, "--out", "d.json")
    assert "was chosen on the truth of subset 'test'" in err
    scored = ["evaluate", "--ground-truth", tiny_world[0], "--detections", "d.json"]
    _, _, err = acmnet(*scored, "--json", "s.json")
    assert "was chosen on the truth of subset 'test'" in err
    chosen = json.loads(Path("s.json").read_text())["checkpoint_chosen_on"]
    assert chosen == "truth of subset 'test'"


def test_check_finds_everything_at_once(acmnet, world):
    labels, features, data = world
    code, out, _ = acmnet("check", *data, "--recipe", "thumos14")
    assert (code, "ready: 18 videos, 6 classes, dimension 16" in out) == (0, True)
    values = json.loads(labels.read_text())
    values["database"]["training_001"]["duration"] = 999
    labels.write_text(json.dumps(values))
    np.save(features / "training_002.npy", np.full((9, 16), np.inf, dtype=np.float16))
    (features / "training_004.npy").write_bytes(b"")
    code, _, err = acmnet("check", *data)
    assert code == 1
    for word in ("training_001", "training_002.npy", "training_004.npy"):
        assert sum(word in line for line in err.splitlines()) >= 1
    assert "problems would stop training" in err


def test_crossvalidate(acmnet, tmp_path):
    few = WorldSettings(training_videos=24, dimension=16)
    labels, features = write_world(make_world(3, few), tmp_path)
    data = ["--annotations", labels, "--features", features, "--subset", "training"]
    code, out, _ = acmnet(
        *(
            "crossvalidate",
            *data,
            "--out",
            "cv",
            "--training.epochs",
            1,
            "--profile",
            "corrected",
        ),
        *("--folds", 2, "--seeds", 0, "--seeds", 1, "--json", "cv.json"),
    )
    assert code == 0
    scores = json.loads(Path("cv.json").read_text())
    assert np.shape(scores["by_seed_and_fold"]) == (2, 2, 7)
    assert f"{100 * scores['average']:.2f} ±" in out
    assert "chance" in out
    assert "one ensemble of the seeds" in out
    assert len(scores["ensemble"]) == len(scores["ensemble_pooled"]) == 7
    (pooled,) = (line for line in out.splitlines() if "one ranking for all" in line)
    assert pooled.split()[-8] == f"{100 * scores['pooled'][0]:.1f}"
    # below the average stands its own deviation, not the mean of the others
    (spread,) = (line for line in out.splitlines() if "std over seeds" in line)
    assert spread.split()[-1] == f"{100 * scores['average_std']:.1f}"
    (spread,) = (line for line in out.splitlines() if "std, one ranking" in line)
    rankings = 100 * np.array(scores["pooled_by_seed"])
    assert spread.split()[-8] == f"{rankings[:, 0].std(ddof=1):.1f}"
    assert spread.split()[-1] == f"{rankings.mean(axis=1).std(ddof=1):.1f}"
    # every video once, by the run of its own fold
    annotations = read_annotations(labels).subset("training")
    labels_of = weak_labels(annotations)
    for seed in (0, 1):
        found = json.loads(Path(f"cv/seed_{seed}/detections.json").read_text())[
            "results"
        ]
        assert sorted(found) == sorted(annotations.videos)
        for fold in (0, 1):
            code, _, _ = acmnet(
                *("localize", *data, "--run", f"cv/seed_{seed}/fold_{fold}"),
                *("--out", "again.json"),
            )
            assert code == 0
            again = json.loads(Path("again.json").read_text())["results"]
            for video in stratified_folds(labels_of, 2).videos[fold]:
                assert found[video] == again[video]


def test_crossvalidate_tells_who_learned_the_marks(acmnet, tmp_path):
    few = WorldSettings(training_videos=36, dimension=8, snippets=(20, 30))
    labels, features = write_world(make_world(3, few), tmp_path)
    small = {"teachers.count": 1, "student_training.epochs": 1, "student.width": 16}
    code, out, err = acmnet(
        *("crossvalidate", "--annotations", labels, "--features", features),
        *("--subset", "training", "--supervision", "all", "--training.epochs", 1),
        *(x for key, value in small.items() for x in (f"--{key}", value)),
        *("--folds", 2, "--seeds", 0, "--out", "cv", "--profile", "best"),
    )
    assert code == 0, err
    runs = [load_config(Path(f"cv/seed_0/fold_{fold}")).training for fold in (0, 1)]
    better = sum(own["teachers_learn_marks"] for own in runs)
    told = " ".join(out.split())
    assert "was tried on held-out marks in 2 of 2 trainings" in told
    assert f"in {better} it made the held-out marks clearly easier to find" in told
    assert f"in {2 - better} it did not, so only the student learned them" in told


def test_recipes(acmnet):
    code, out, _ = acmnet("recipes")
    assert code == 0
    assert all(name in out for name in ("thumos14", "activitynet13", "shrec22"))
    code, out, _ = acmnet("recipes", "show", "thumos14", "--profile", "official")
    assert code == 0
    assert "nms_padding_s = 1.0  # corrected: 0.0" in out
    _, out, _ = acmnet("recipes", "show", "thumos14", "--training.epochs", "7")
    assert "epochs = 7" in out


# ---- usage: exit code 2

SHOW = ("recipes", "show", "default")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trian"], ["did you mean 'train'?"]),
        (["train", "--anotations", "x"], ["--anotations", "--annotations"]),
        (["train"], ["acmnet train needs --annotations; acmnet train --help explains"]),
        (
            ["protocols", "x"],
            ["more words were given than acmnet protocols takes: 'x'"],
        ),
        (["localize", "--top", "x"], ["--top must be a whole number, got 'x'"]),
        ([*SHOW, "--training.epoch", "5"], ["did you mean 'training.epochs'"]),
        ([*SHOW, "--trainig.epochs=5"], ["did you mean 'training.epochs'"]),
        ([*SHOW, "--training.epochs", "x"], ["whole number, got 'x'"]),
        ([*SHOW, "--training.epochs"], ["--training.epochs needs a value"]),
        ([*SHOW, "--localization.nms_tiou=7"], ["must be in (0, 1], got 7.0"]),
    ],
)
def test_usage(acmnet, arguments, words):
    refused(acmnet(*arguments), *words, code=2)


def test_options_that_do_not_go_together(acmnet, data):
    refused(
        acmnet("train", *data, "--out", "run", "--resume", "--overwrite"),
        "give only one",
        code=2,
    )
    refused(
        acmnet("train", *data, "--out", "run", "--from", "a", "--resume-from", "b"),
        "give only one",
        code=2,
    )
    refused(
        acmnet("train", *data, "--out", "run", "--fps", 25),
        "--snippet-frames, --stride-frames",
        code=2,
    )


# ---- refusals: exit code 1, one sentence


def test_an_unknown_recipe(acmnet, data):
    refused(
        acmnet("train", "--recipe", "tumos14", *data, "--out", "r"),
        "unknown recipe 'tumos14'; did you mean 'thumos14'?",
    )


def test_a_misspelt_setting_in_a_file(acmnet, data):
    Path("own.toml").write_text("[training]\nepoch = 5\n")
    refused(
        acmnet("train", "--recipe", "own.toml", *data, "--out", "r"),
        "own.toml: unknown setting 'training.epoch'; did you mean 'training.epochs'?",
    )


def test_all_missing_features_at_once(acmnet, world):
    _, features, data = world
    for i in (1, 3, 8):
        (features / f"training_{i:03d}.npy").unlink()
    refused(
        acmnet("train", *data, "--out", "r"),
        "3 of 18 videos have no features",
        *("'training_001', 'training_003', 'training_008'", features),
    )


def damage(values, **changes):
    return json.dumps(values | changes)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", ["labels.json", "line 1"]),
        ("", ["labels.json", "empty"]),
        ('{"database": {"v": {}, "v": {}}}', ["'v'", "twice"]),
        ('{"database": {"v": {"annotations": []}}}', ["'v'", "subset"]),
    ],
)
def test_unusable_labels(acmnet, world, content, words):
    labels, _, data = world
    labels.write_text(content)
    refused(acmnet("train", *data, "--subset", "training", "--out", "r"), *words)


def test_a_label_outside_the_class_list(acmnet, world):
    labels, _, data = world
    text = labels.read_text().replace('"label": "bow"', '"label": "bowl"', 1)
    labels.write_text(text)
    refused(acmnet("train", *data, "--out", "r"), "'bowl'", "labels.json")


def test_an_unknown_subset(acmnet, data):
    refused(
        acmnet("train", *data, "--subset", "trainin", "--out", "r"),
        "no subset 'trainin'",
        "'training' (12)",
    )


@pytest.mark.parametrize(
    ("features", "words"),
    [
        (np.zeros((9, 17), np.float16), ["17 columns", "16", "training_002"]),
        (np.full((9, 16), np.nan, np.float16), ["training_002", "nan"]),
        (np.full((9, 16), np.inf, np.float32), ["training_002", "inf"]),
        (np.zeros((0, 16), np.float16), ["training_002"]),
        (np.zeros(16, np.float16), ["training_002", "(16,)"]),
        (np.zeros((9, 16), np.int64), ["training_002", "int64"]),
    ],
)
def test_unusable_features(acmnet, world, features, words):
    labels, directory, data = world
    values = json.loads(labels.read_text())
    values["database"]["training_002"].pop("duration")
    labels.write_text(json.dumps(values))
    np.save(directory / "training_002.npy", features)
    refused(acmnet("train", *data, *FEW, "--out", "r"), *words)
    assert not has_checkpoint(Path("r"))


def test_no_manifest_and_no_grid(acmnet, world):
    _, features, data = world
    (features / "features.json").unlink()
    refused(
        acmnet("train", *data, "--out", "r"),
        *("--fps", "--snippet-frames", "--stride-frames"),
    )
    grid = ["--fps", 25, "--snippet-frames", 16, "--stride-frames", 16]
    code, _, _ = acmnet("train", *data, *grid, *FEW, "--out", "r")
    assert code == 0


def test_a_run_in_the_way(acmnet, data):
    train = ["train", *data, "--subset", "training", *FEW, "--out", "r"]
    assert acmnet(*train)[0] == 0
    refused(acmnet(*train), "r already holds a run", "--resume", "--overwrite")
    assert acmnet(*train, "--resume")[0] == 0
    assert acmnet(*train, "--overwrite")[0] == 0


def test_an_unusable_run(acmnet, data):
    localize = ["localize", *data, "--subset", "test", "--out", "d.json", "--run"]
    refused(acmnet(*localize, "nowhere"), "there is no run at nowhere; check the path")
    assert acmnet("train", *data, *FEW, "--out", "r")[0] == 0
    weights = weights_file(Path("r"))
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    refused(acmnet(*localize, "r"), "r/checkpoint/model.safetensors is truncated")
    weights.write_bytes(whole)
    edit_config(Path("r"), lambda config: config.update(format=99))
    refused(acmnet(*localize, "r"), "format 99", "newer acmnet")
    assert not Path("d.json").exists()


def test_localising_goes_on_past_a_broken_video(acmnet, world):
    _, features, data = world
    assert acmnet("train", *data, "--subset", "training", *FEW, "--out", "r")[0] == 0
    (features / "test_001.npy").write_bytes(b"")
    localize = ["localize", "--run", "r", *data, "--subset", "test", "--out", "d.json"]
    result = acmnet(*localize)
    refused(result, "1 of 6 videos was left out", code=3)
    (line,) = (x for x in result[2].splitlines() if x.startswith("left out: "))
    assert "test_001.npy" in line
    results = json.loads(Path("d.json").read_text())["results"]
    assert set(results) == {f"test_{i:03d}" for i in (0, 2, 3, 4, 5)}
    subset = [*data, "--subset", "test"]
    report = acmnet("report", "r", *subset, "--out", "page.html")
    refused(report, "1 of 6 videos was left out", code=3)
    assert "5 videos: page.html" in report[1]
    calibrate = acmnet("calibrate", "--run", "r", *subset, "--tiou", 0.1)
    refused(calibrate, "1 of 6 videos was left out", code=3)


def test_nothing_is_written_where_no_video_is_left(acmnet, world):
    _, features, data = world
    assert acmnet("train", *data, "--subset", "training", *FEW, "--out", "r")[0] == 0
    for path in features.glob("test_*.npy"):
        path.write_bytes(b"")
    subset = [*data, "--subset", "test"]
    for verb in (
        ["localize", "--run", "r", "--out", "d.json"],
        ["report", "r", "--out", "page.html"],
        ["calibrate", "--run", "r"],
    ):
        words = "no video is left to work on", "test_000.npy", "5 more videos"
        refused(acmnet(*verb, *subset), *words)
    assert not Path("d.json").exists()
    assert not Path("page.html").exists()


def test_help_and_docs_say_what_exit_codes_mean(acmnet):
    _, out, _ = acmnet("--help")
    words = " ".join(out.replace("│", " ").split())
    assert "0 done; 3 done, with videos left out, which are listed; 1 not" in words
    assert "2 wrong usage; 130 after Ctrl-C; 143 after SIGTERM" in words
    docs = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    table = docs.partition("## Exit codes")[2].partition("\n## ")[0]
    said = {int(code) for code in re.findall(r"(?:; |: )(\d+) [a-z]", words)}
    assert said == {int(code) for code in re.findall(r"(?m)^\| (\d+) \|", table)}
    assert said == {0, NOTHING_DONE, USAGE, LEFT_OUT, INTERRUPTED, TERMINATED}


def verbs_below(program, words=()):
    """Yield each verb with its words, such as ``("recipes", "show")``, sorted.

    The program knows its verbs in the order in which tests happened to import them.
    """
    for name in sorted(program):
        if not name.startswith("-"):
            yield from verbs_below(program[name], (*words, name))
            if program[name].default_command is not None:
                yield (*words, name), program[name]


def test_help_explains_every_option():
    for words, verb in verbs_below(app):
        for argument in verb.assemble_argument_collection(parse_docstring=True):
            is_shown = argument.parameter.show is not False and not argument.children
            assert argument.parameter.help or not is_shown, (words, argument.names)


def test_help_tells_of_settings_where_a_verb_takes_them(acmnet):
    takers = []
    for words, verb in verbs_below(app):
        options = verb.assemble_argument_collection()
        if any("--localization" in argument.names for argument in options):
            takers.append(" ".join(words))
        _, out, _ = acmnet(*words, "--help")
        assert ("dotted name" in " ".join(out.split())) == (" ".join(words) in takers)
    assert takers == list(WITH_SETTINGS)


def test_the_first_page_of_help_has_the_first_sentence_of_each_verb(acmnet):
    _, page, _ = acmnet("--help")
    assert list(VERBS) == sorted(name for name in app if not name.startswith("-"))
    for name, sentence in VERBS.items():
        assert app[name].help.split("\n\n")[0].replace("\n", " ") == sentence
        assert f"  {name:13}  {sentence}" in page.replace("\n" + " " * 17, " ")


@pytest.mark.parametrize(
    ("device", "words"),
    [("cuda", "sees no GPU; give --device cpu"), ("gpu", "unknown device 'gpu'")],
)
def test_a_device_that_is_not_there(acmnet, data, device, words, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    refused(acmnet("train", *data, "--out", "r", "--device", device), words)


def test_training_without_bf16_says_fp32(acmnet, data, monkeypatch):
    train = ["train", *data, *FEW, "--training.precision"]
    monkeypatch.setattr("acmnet.runtime.devices._computes_bf16", lambda _: False)
    _, _, err = acmnet(*train, "bf16", "--out", "held")
    assert "this processor has no bf16: fp32 is used instead" in err
    _, _, err = acmnet(*train, "fp32", "--out", "plain")
    assert "bf16" not in err
    held, plain = (load_config(Path(run)) for run in ("held", "plain"))
    assert held.training["precision"] == plain.training["precision"] == "fp32"
    assert held.metrics["losses"] == plain.metrics["losses"]


def test_detections_go_into_a_folder_that_is_made(acmnet, data, monkeypatch):
    assert acmnet("train", *data, *FEW, "--out", "r")[0] == 0
    localize = ["localize", "--run", "r", *data, "--out"]
    # of very many videos, JSON is advised against before the work
    monkeypatch.setattr("acmnet.data.detection_output.MOST_VIDEOS_OF_JSON", 1)
    code, _, err = acmnet(*localize, "new/folder/x.json")
    assert code == 0
    assert "new/folder/x.json may become larger than 512 MB" in err
    assert Path("new/folder/x.json").is_file()
    refused(
        acmnet(*localize, "new/folder/x.json/y.json"),
        "new/folder/x.json is a file, not a folder; name another folder",
    )


# ---- as a process


def environment():
    return {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE")}


def test_as_a_module_and_its_exit_code():
    done = subprocess.run(
        [
            *(sys.executable, "-m", "acmnet", "evaluate"),
            *("--ground-truth", "nowhere.json", "--detections", "nowhere.json"),
        ],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert done.returncode == 1
    assert re.fullmatch(r"acmnet: .*nowhere\.json.*\n", done.stderr)
    assert done.stdout == ""


SCORED = ("--ground-truth", "labels.json", "--detections", "found.json")


@pytest.mark.parametrize(
    ("words", "verb"),
    [
        (["protocols", "--training.epochs", "3"], "protocols"),
        (["--help", "budget", "--training.epochs", "3"], "budget"),
        (["evaluate", *SCORED, "--localization.nms-tiou=0.3"], "evaluate"),
        (["weights", "list", "--loss.guide_weight", "1"], "weights list"),
        (["extract", "v", "--out", "o", "--model.standardize", "true"], "extract"),
    ],
)
def test_a_setting_is_refused_by_verbs_that_use_none(acmnet, words, verb):
    result = acmnet(*words)
    takers = "ablate, calibrate, check, crossvalidate, figures, fit, label, localize, "
    takers += "recipes show, report, suggest, train, view"
    refused(
        result,
        f"acmnet: acmnet {verb} uses no settings of a recipe",
        f"these verbs do: {takers}",
        code=2,
    )


def test_a_misspelt_setting_is_told_the_nearest(acmnet):
    for option in ("--training.epoch", "--trainig.epochs"):
        refused(
            acmnet("recipes", "show", "default", option, "3"),
            "did you mean 'training.epochs'?",
            code=2,
        )
    refused(
        acmnet("recipes", "show", "default", "--training.epochs", "many"),
        "training.epochs must be a whole number, got 'many'",
        code=2,
    )


def test_a_trained_run_takes_settings_of_localization_only(acmnet, tiny_run):
    refused(
        acmnet("report", tiny_run, "--training.epochs", "3"),
        "--training.epochs only matters while a network is trained",
        code=2,
    )


def test_a_setting_of_one_call_is_not_there_in_the_next(acmnet):
    _, with_it, _ = acmnet("recipes", "show", "default", "--training.epochs=7")
    _, without, _ = acmnet("recipes", "show", "default")
    assert "epochs = 7" in with_it
    assert "epochs = 7" not in without


@pytest.mark.parametrize("words", [["protocols"], ["--help"], ["train", "--help"]])
def test_a_reader_that_has_enough_is_no_error(words, tmp_path):
    """As where `head` has left before the first line is written."""
    command = [sys.executable, "-m", "acmnet", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, cwd=tmp_path, **pipes) as told:
        told.stdout.close()
        assert told.stderr.read() == ""
        assert told.wait() == 0
