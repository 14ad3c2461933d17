"""A trained run as ONNX, as a program of torch.export, and as a model directory."""

import json
import os
import shutil
import sys

import numpy as np
import onnxruntime
import pytest
import torch

import acmnet as package
from acmnet.checkpoints.checkpoint import load_config
from acmnet.checkpoints.checkpoint_folder import CheckpointError
from acmnet.checkpoints.exported_file import (
    ExportedFileError,
    metadata_text,
    session_of,
)
from acmnet.cli import main
from acmnet.files.whole_folders import DIGESTS_FILE
from acmnet.model_exchange import model_export
from acmnet.model_exchange.model_export import ExportError, export_onnx
from acmnet.model_exchange.pretrained import from_pretrained, save_pretrained
from acmnet.models import stored_model
from acmnet.network.acm_net import ACMNet
from acmnet.network.exported_networks import INPUT_NAME, WholeModel
from acmnet.runs.run_data import taught_videos, trained_on
from support.commands import refused

GRID = package.SnippetGrid(fps=25, snippet_frames=16, stride_frames=16)
CELL_S = GRID.stride_s / 20
"""A cell is a twentieth of a snippet: the setting ``localization.upsampling``."""
SMALL = {
    "training.epochs": 6,
    "student_training.epochs": 6,
    "teachers.count": 2,
    "student.width": 8,
    "student.layers": 1,
}


def videos(n, snippets=40):
    """Return features and labels of made-up videos with two actions."""
    rng = np.random.default_rng(0)
    features, labels = {}, {}
    for i in range(n):
        array = rng.normal(size=(snippets, 6)).astype(np.float32)
        half = slice(0, 3) if i % 2 else slice(3, 6)
        array[10:20, half] += 3
        features[f"day {i}"], labels[f"day {i}"] = array, [["run", "jump"][i % 2]]
    return features, labels


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Train and calibrate a run with two teachers and a student; read only."""
    out = tmp_path_factory.mktemp("two stages") / "run"
    package.train(out, *videos(6), GRID, profile="best", overrides=SMALL)
    labels, features = out / "given_labels.json", out / "features"
    given = ["--annotations", str(labels), "--features", str(features)]
    main(["calibrate", "--run", str(out), *given, "--precision", "0.6"])
    return out


@pytest.fixture(scope="module")
def onnx_file(run, tmp_path_factory):
    return export_onnx(run, tmp_path_factory.mktemp("exported") / "run.onnx").path


def worst_pair(found, others):
    """Return how far the detections of a video are from the nearest of others.

    The result is the largest distance of starts and ends in seconds, and the largest
    difference of scores, over all detections with a score of 0.05 or more.
    """
    far_s, far_score = 0.0, 0.0
    for one in found:
        if one.score < 0.05:
            continue
        same = [x for x in others if x.label == one.label]
        ends = [
            (max(abs(x.start_s - one.start_s), abs(x.end_s - one.end_s)), x.score)
            for x in same
        ]
        near_s, score = min(ends, key=lambda x: (x[0], abs(x[1] - one.score)))
        far_s, far_score = max(far_s, near_s), max(far_score, abs(score - one.score))
    return far_s, far_score


def test_three_ways_to_one_models_detections(run, onnx_file, tmp_path):
    models = {
        "torch": package.load(run),
        "onnx": package.load(onnx_file),
        "pretrained": from_pretrained(save_pretrained(run, tmp_path / "model")),
    }
    features, _ = videos(6)
    n = 0
    for video in features.values():
        found = {name: model.localize(video) for name, model in models.items()}
        n += len(found["torch"])
        assert found["torch"].score.tolist() == found["pretrained"].score.tolist()
        assert found["torch"].start_s.tolist() == found["pretrained"].start_s.tolist()
        for pair in (("torch", "onnx"), ("onnx", "torch")):
            far_s, far_score = worst_pair(*(found[name] for name in pair))
            # a threshold that is met to the last bit moves a border by a cell
            assert far_s <= CELL_S + 1e-6
            assert far_score <= 0.01
        said, other = (models[x].activations(video) for x in ("torch", "onnx"))
        assert np.abs(said.instance_cas - other.instance_cas).max() <= 1e-5
        assert np.abs(said.attention - other.attention).max() <= 1e-5
    assert n > 100


def test_an_onnx_file_can_be_used_without_acmnet(run, onnx_file):
    session = onnxruntime.InferenceSession(
        str(onnx_file), providers=["CPUExecutionProvider"]
    )
    (given,) = session.get_inputs()
    assert (given.name, given.shape) == (INPUT_NAME, ["videos", "snippets", 6])
    model = package.load(run)
    for n_videos, n_snippets in ((3, 1), (1, 7), (2, 123)):
        batch = np.random.default_rng(1).normal(size=(n_videos, n_snippets, 6))
        outputs = session.run(None, {INPUT_NAME: batch.astype(np.float32)})
        names = [output.name for output in session.get_outputs()]
        said = dict(zip(names, outputs, strict=True))
        for index, video in enumerate(batch.astype(np.float32)):
            expected = model.activations(video)
            for name in ("instance_cas", "attention", "video_scores", "cas"):
                mine, theirs = said[name][index], getattr(expected, name)
                np.testing.assert_allclose(mine, theirs, atol=1e-5)
        assert said["probability"].shape == (n_videos, n_snippets, 2)
        assert said["distance"].shape == (n_videos, n_snippets, 2)
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["class_names"]) == ["jump", "run"]
    assert json.loads(told["snippet_grid"])["fps"] == 25
    assert told["feature_dim"] == "6"
    used = model.settings.localization.activation_thresholds
    assert json.loads(told["localization"])["activation_thresholds"] == list(used)
    thresholds = json.loads(told["thresholds"])
    assert thresholds["shown_from"] is not None
    calibration = json.loads((run / "calibration.json").read_text())
    assert thresholds["classes"] == {
        name: own["threshold"] for name, own in calibration["classes"].items()
    }
    assert told["standardization"].startswith("inside")


def test_exported_models_name_no_video_and_no_path(run, onnx_file, tmp_path):
    save_pretrained(run, tmp_path / "model")
    written = [x for x in (tmp_path / "model").rglob("*") if x.is_file()]
    # weights, config and digests of three networks, a card, and two small files
    assert len(written) == 3 * 3 + 3
    for path in (onnx_file, *written):
        content = path.read_bytes()
        assert b"day 0" not in content, path
        assert str(run.parent).encode() not in content, path


def test_localize_takes_an_onnx_file_for_a_run(acmnet, run, onnx_file, tmp_path):
    given = ["--features", run / "features", "--out"]
    for name, model in (("run.json", run), ("onnx.json", onnx_file)):
        code, _, err = acmnet("localize", "--run", model, *given, name)
        assert code == 0, err
    one, other = (
        json.loads((tmp_path / name).read_text()) for name in ("run.json", "onnx.json")
    )
    assert one["results"].keys() == other["results"].keys()
    for key in ("shown_from", "calibration"):
        assert one["external_data"][key] == other["external_data"][key] is not None
    best = [
        max(x["score"] for own in file["results"].values() for x in own)
        for file in (one, other)
    ]
    assert best[0] == pytest.approx(best[1], abs=1e-3)


def test_a_program_of_torch_export(acmnet, tiny_run, tmp_path):
    code, out, err = acmnet("export", tiny_run, "--torch-export", "tiny.pt2")
    assert code == 0, err
    assert "1 network; outputs differ from the run's by at most 0e+00" in out
    extra = {"class_names": "", "config.json": ""}
    program = torch.export.load(tmp_path / "tiny.pt2", extra_files=extra).module()
    model = package.load(tiny_run)
    assert json.loads(extra["class_names"]) == list(model.class_names)
    video = torch.randn(1, 33, 16)
    expected = model.activations(video[0]).instance_cas
    with torch.inference_mode():
        said = program(video)[0][0]
    np.testing.assert_allclose(said, expected, atol=1e-5)
    refused(
        acmnet("localize", "--run", "tiny.pt2", "--features", "f", "--out", "f.json"),
        "tiny.pt2 is a program for torch.export.load",
        "give the run that it was exported from",
    )


@pytest.mark.parametrize(("off", "is_written"), [(8e-6, True), (3e-5, False)])
def test_a_file_that_computes_something_else_is_not_written(tmp_path, off, is_written):
    whole = WholeModel([ACMNet(4, 2)], [])
    path = tmp_path / "model.onnx"

    def computed(batch):
        with torch.inference_mode():
            return [said.numpy() + off for said in whole(torch.from_numpy(batch))]

    if is_written:
        model_export._written(path, b"content", whole, computed)
    else:
        with pytest.raises(ExportError, match=r"not written: .* by 3\.0e-05, more"):
            model_export._written(path, b"content", whole, computed)
    assert path.exists() == is_written


def test_what_export_refuses(acmnet, run, onnx_file, monkeypatch):
    refused(acmnet("export", run), "say what to write", "--onnx run.onnx", code=2)
    refused(acmnet("export", run, "--onnx", "x.txt"), "x.txt must end with .onnx")
    refused(acmnet("export", run, "--torch-export", "x.onnx"), "must end with .pt2")
    refused(
        acmnet("export", onnx_file, "--onnx", "x.onnx"), "is an exported file itself"
    )
    refused(
        acmnet("export", run, "--onnx", "x.onnx", "--licence", "mit"),
        "--licence and --figures need --pretrained",
        code=2,
    )
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ExportedFileError, match=r"pip install 'acmnet\[onnx\]'"):
        export_onnx(run, "x.onnx")


def test_onnx_files_that_are_none_of_ours(acmnet, onnx_file, tmp_path, run):
    given = ("--features", run / "features")
    torn = tmp_path / "torn.onnx"
    torn.write_bytes(onnx_file.read_bytes()[:5000])
    refused(acmnet("localize", "--run", torn, *given), "torn.onnx is truncated")
    refused(acmnet("localize", "--run", "no.onnx", *given), "no.onnx could not be read")
    import onnx

    graph = onnx.load(onnx_file)
    del graph.metadata_props[:]
    onnx.save(graph, tmp_path / "bare.onnx")
    refused(
        acmnet("localize", "--run", "bare.onnx", *given),
        "was not exported by acmnet",
        "config.json",
    )


def test_the_model_card_tells_of_data_protocol_figures_limits_and_licence(
    run, tmp_path
):
    figures = {
        "protocol": "custom",
        "tiou": [0.3, 0.5],
        "map": [0.625, 0.4375],
        "average": 0.53125,
        "videos": 12,
    }
    save_pretrained(run, tmp_path / "m", licence="cc-by-4.0", figures=figures)
    card = (tmp_path / "m" / "README.md").read_text()
    assert card.startswith("---\nlicense: cc-by-4.0\n")
    assert "It knows 2 classes: jump, run." in card
    assert "- 6 videos were learned from." in card
    assert "- jump: 3 videos" in card
    assert "2 networks of ACM-Net that taught a student" in card
    assert "| 0.3 | 62.5 |" in card
    assert "| average | 53.1 |" in card
    assert "- Scores were calibrated on 6 videos" in card
    assert "made by an extractor that the run does not name" in card
    for title in ("Data", "Protocol", "Figures", "Limits", "Licence"):
        assert f"\n## {title}\n" in card


def test_what_a_model_directory_refuses(acmnet, run, tmp_path):
    there = tmp_path / "there"
    save_pretrained(run, there)
    refused(
        acmnet("export", run, "--pretrained", there), "there holds something already"
    )
    told = ("--pretrained", "new", "--licence", "do what\nyou want")
    refused(acmnet("export", run, *told), "must be an identifier such as cc-by-4.0")
    (tmp_path / "figures.json").write_text('{"map": [1]}')
    told = ("--pretrained", "new", "--figures", "figures.json")
    refused(acmnet("export", run, *told), "the figures must be what acmnet evaluate")
    assert not (tmp_path / "new").exists()
    with pytest.raises(CheckpointError, match="nothing is downloaded"):
        from_pretrained("somebody/a-model")
    # the card may be rewritten, the weights may not
    (there / "README.md").write_text("ours")
    package.load(there)
    shutil.copy(there / "teachers/0/model.safetensors", there / "model.safetensors")
    assert (there / DIGESTS_FILE).exists()
    with pytest.raises(CheckpointError, match="its SHA-256 is not the one"):
        package.load(there)


def test_what_needs_a_run_says_so_of_an_exported_file(acmnet, run, onnx_file):
    refused(
        acmnet("report", "--run", onnx_file, "--out", "r.html"),
        "does not say what it",
        code=2,
    )
    given = ("--annotations", run / "given_labels.json", "--features", run / "features")
    refused(acmnet("calibrate", "--run", onnx_file, *given), "is a file, not a folder")


def test_an_exported_model_knows_its_training_videos_by_digests(
    acmnet, run, onnx_file, tmp_path
):
    """Whoever scores it on these videos is told, though it names none of them."""
    pretrained = tmp_path / "model"
    save_pretrained(run, pretrained)
    learned = load_config(run)
    names = sorted(learned.trained_on)
    for model in (onnx_file, pretrained):
        config = package.load(model).config
        assert config.trained_on is None
        assert trained_on(config, [*names, "new"]) == names
        assert taught_videos(config, [*names, "new"]) == sorted(learned.taught_times)
        found = tmp_path / "found.json"
        features = run / "features"
        asked = ("localize", "--run", model, "--features", features, "--out", found)
        assert acmnet(*asked)[0] == 0
        listed = json.loads(found.read_text())["external_data"]["trained_on"]
        assert set(listed) <= set(names)
        assert listed


def test_an_exported_file_is_not_trained_on(acmnet, run, onnx_file):
    given = ["--annotations", run / "given_labels.json", "--features", run / "features"]
    small = [x for k, v in SMALL.items() for x in (f"--{k.replace('_', '-')}", v)]
    refused(
        acmnet("train", *given, "--out", "new", "--from", onnx_file, *small),
        "is an exported file, whose networks cannot be trained",
    )


def test_an_exported_file_says_how_much_teachers_count(onnx_file, monkeypatch):
    known = stored_model.metadata_text
    assert known(onnx_file, stored_model.TRUST) == "[1.0, 1.0]"

    def changed(text):
        def read(path, name):
            return text if name == stored_model.TRUST else known(path, name)

        monkeypatch.setattr(stored_model, "metadata_text", read)

    changed("[0.25, 0.5]")
    assert package.load(onnx_file).trust_in_teachers() == (0.25, 0.5)
    for wrong in ("[0.25]", "[0.25, 2.0]", "none"):
        changed(wrong)
        with pytest.raises(CheckpointError, match="two numbers in teachers_trust"):
            package.load(onnx_file)


def test_an_exported_file_that_changed_is_opened_anew(tmp_path):
    helper = pytest.importorskip("onnx").helper
    node = helper.make_node("Identity", ["x"], ["y"])
    ends = [helper.make_tensor_value_info(name, 1, [1]) for name in "xy"]
    graph = helper.make_graph([node], "one", ends[:1], ends[1:])
    kind = helper.make_opsetid("", 17)
    path = tmp_path / "model.onnx"
    for n, told in enumerate(("first", "other")):  # files of one size
        model = helper.make_model(graph, opset_imports=[kind], ir_version=8)
        helper.set_model_props(model, {"who": told})
        path.write_bytes(model.SerializeToString())
        os.utime(path, (n, n))
        assert metadata_text(path, "who") == told
        assert session_of(path) is session_of(path)
