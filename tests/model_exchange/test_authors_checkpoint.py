"""Checkpoints of the authors' code: equal in their outputs, and never run."""

import json
import pickle

import numpy as np
import pytest
import torch

import acmnet as package
from acmnet.checkpoints.checkpoint import load_config
from acmnet.checkpoints.checkpoint_folder import CheckpointError
from acmnet.model_exchange.authors_checkpoint import import_authors_checkpoint
from support.commands import refused
from support.places import REFERENCE

RECIPES = {"thumos": "thumos14", "activitynet": "activitynet13"}
THEIR_NAME = {"thumos": "THUMOS", "activitynet": "ActivityNet"}
THEIRS = {
    "embed.": "feature_embedding.0.",
    "attention.": "att_branch.",
    "classifier.": "snippet_cls.",
}


def authors_state(case):
    """Return the weights of a reference case under the names of the authors' code."""
    state = {}
    for key in case:
        if key.startswith("param_"):
            name = key.removeprefix("param_")
            for ours, theirs in THEIRS.items():
                name = name.replace(ours, theirs)
            state[name] = torch.from_numpy(case[key])
    return state


def class_names(case):
    return [f"class {i:03d}" for i in range(case["labels"].shape[1])]


@pytest.mark.parametrize("name", RECIPES)
def test_an_imported_run_says_what_the_authors_network_says(name, tmp_path):
    case = np.load(REFERENCE / f"authors_forward_{name}.npz")
    content = {"epoch": 41, "model_state_dict": authors_state(case)}
    (tmp_path / "theirs").mkdir()
    torch.save(content, tmp_path / "theirs" / f"{THEIR_NAME[name]}_latest.pth")
    names = class_names(case)
    run = import_authors_checkpoint(
        tmp_path / "theirs", tmp_path / "run", reversed(names)
    )
    assert load_config(run).recipe == RECIPES[name]
    model = package.load(run)
    assert model.class_names == tuple(names)
    assert model.config.epoch == 42
    for index, video in enumerate(case["features"]):
        said = model.activations(video)
        for mine, theirs in (
            (said.attention, case["out_att"]),
            (said.instance_cas, case["out_cas_ins"]),
            (said.cas, case["out_cas"]),
            (said.video_scores, case["out_p_ins"]),
        ):
            expected = theirs[index]
            assert np.abs(mine - expected).max() <= 1e-5 * np.abs(expected).max()


def test_import_makes_a_run_that_localises(acmnet, tmp_path):
    case = np.load(REFERENCE / "authors_forward_thumos.npz")
    state = {f"module.{k}": v for k, v in authors_state(case).items()}
    torch.save({"epoch": 9, "model_state_dict": state}, "THUMOS_best_checkpoint.pth")
    labels = {"database": {}, "classes": class_names(case)}
    for i, video in enumerate(case["features"]):
        labels["database"][f"v{i}"] = {"annotations": []}
        (tmp_path / "features").mkdir(exist_ok=True)
        np.save(tmp_path / "features" / f"v{i}.npy", video)
    (tmp_path / "gt.json").write_text(json.dumps(labels))
    given = ("THUMOS_best_checkpoint.pth", "--labels", "gt.json", "--out", "authors")
    code, out, err = acmnet("import", *given)
    assert code == 0, err
    assert "chose the epoch of THUMOS_best_checkpoint.pth on the test set" in err
    assert "10 epochs" in out
    told = ("--features", "features", "--out", "found.json")
    code, out, err = acmnet("localize", "--run", "authors", *told)
    assert code == 0, err
    found = json.loads((tmp_path / "found.json").read_text())
    assert sorted(found["results"]) == sorted(labels["database"])
    assert found["external_data"]["checkpoint_chosen_on"] == "test"
    assert load_config(tmp_path / "authors").grid.fps == 25
    refused(acmnet("import", *given), "authors holds something already")


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_a_pickle_that_would_run_code_is_not_run(tmp_path):
    mark = tmp_path / "was run"
    for name, write in (("torch.pth", torch.save), ("plain.pth", dump)):
        write({"model_state_dict": Bomb(str(mark))}, tmp_path / name)
        with pytest.raises(CheckpointError, match=f"{name} holds more than tensors"):
            import_authors_checkpoint(
                tmp_path / name, tmp_path / "run", ["a"], recipe="thumos14"
            )
    assert not mark.exists()
    assert not (tmp_path / "run").exists()


def dump(content, path):
    path.write_bytes(pickle.dumps(content))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("att_branch.bias"), "is no checkpoint of the authors' code"),
        (lambda s: s.update(extra=torch.zeros(1)), "is no checkpoint of the authors'"),
        (
            lambda s: s.update({"att_branch.weight": torch.zeros(2, 2)}),
            "do not fit recipe thumos14, profile official",
        ),
        (dict.clear, "got none"),
    ],
)
def test_other_weights_are_refused(tmp_path, change, message):
    case = np.load(REFERENCE / "authors_forward_thumos.npz")
    state = authors_state(case)
    change(state)
    torch.save({"model_state_dict": state}, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match=message):
        import_authors_checkpoint(
            tmp_path / "x.pth", tmp_path / "run", class_names(case), recipe="thumos14"
        )


def test_other_classes_and_damaged_files_are_refused(tmp_path):
    case = np.load(REFERENCE / "authors_forward_thumos.npz")
    path = tmp_path / "THUMOS_x.pth"
    torch.save({"model_state_dict": authors_state(case)}, path)
    n = len(class_names(case))
    with pytest.raises(CheckpointError, match=rf"on {n} class.*, and 2 are named"):
        import_authors_checkpoint(path, tmp_path / "run", ["a", "b"])
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(CheckpointError, match=r"x\.pth (is truncated|holds more)"):
        import_authors_checkpoint(path, tmp_path / "run", class_names(case))
    torch.save([torch.zeros(1)], path)
    with pytest.raises(CheckpointError, match="must hold model_state_dict, got a list"):
        import_authors_checkpoint(path, tmp_path / "run", class_names(case))


def test_a_name_that_tells_no_data_set_and_a_folder_of_several_are_refused(tmp_path):
    (tmp_path / "a.pth").touch()
    with pytest.raises(CheckpointError, match="not begin with THUMOS or ActivityNet"):
        import_authors_checkpoint(tmp_path, tmp_path / "run", ["a"])
    (tmp_path / "b.pth").touch()
    with pytest.raises(CheckpointError, match=r"one \.pth file, got .*a\.pth.*b\.pth"):
        import_authors_checkpoint(tmp_path, tmp_path / "run", ["a"])
