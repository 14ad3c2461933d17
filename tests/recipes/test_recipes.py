"""Recipes: the numbers of paper and code, overrides, refusals."""

import dataclasses
import json
import re
import tomllib

import numpy as np
import pytest

import acmnet
from acmnet import recipes
from acmnet.recipes import PROFILES, RecipeError, recipe, recipe_names
from support.whole_program import app

EVERY = [(name, profile) for name in recipe_names() for profile in PROFILES]


@pytest.mark.parametrize(("name", "profile"), EVERY)
def test_every_shipped_recipe_loads_and_survives_being_shown(name, profile, tmp_path):
    settings = recipe(name, profile=profile)
    text = recipes.as_toml(settings, recipe(name, profile="corrected"))
    values = tomllib.loads(text)
    assert recipes.from_values(values, "shown") == settings
    own = tmp_path / "own.toml"
    own.write_text(text)
    assert recipe(own) == settings
    assert recipes.summary(name)


def test_a_recipe_names_the_profile_that_it_is_used_with(tmp_path):
    named = {name: recipes.default_profile(name) for name in recipe_names()}
    benchmarks = ("activitynet13", "shrec22", "thumos14")
    assert named == {"default": "best"} | dict.fromkeys(benchmarks, "corrected")
    for name, profile in named.items():
        assert recipe(name) == recipe(name, profile=profile)
    own = tmp_path / "own.toml"
    own.write_text("[teachers]\ncount = 5\n")
    assert recipes.default_profile(own) == "corrected"
    assert recipe(own).teachers.count == 5  # the profile best would make it 3
    own.write_text('profile = "official"\n')
    assert recipe(own) == recipe(own, profile="official") != recipe("default")
    for wrong, words in (('"offical"', "did you mean 'official'"), ("3", "be a name")):
        own.write_text(f"profile = {wrong}\n")
        with pytest.raises(RecipeError, match=rf"own.toml: .*{words}"):
            recipe(own)


@pytest.mark.parametrize("verb", ["train", "check", "crossvalidate", "ablate V"])
def test_verbs_that_train_take_the_profile_of_the_recipe(verb, tmp_path):
    own = tmp_path / "own.toml"
    own.write_text('profile = "official"\n')
    given = ["--annotations", "a.json", "--features", "f", "--recipe", str(own)]
    given += [] if verb == "check" else ["--out", "r"]

    def training(*asked):
        command = [*verb.split(), *given, *asked]
        _, bound, _ = app.parse_args(command, exit_on_error=False, print_error=False)
        return bound.arguments["training"]

    assert training().used_profile() == "official"
    assert training().settings() == recipe(own, profile="official")
    asked = training("--profile", "best")
    assert asked.used_profile() == "best"
    assert asked.settings() == recipe(own, profile="best")


def test_python_trains_with_the_profile_of_the_recipe(tmp_path):
    own = tmp_path / "own.toml"
    own.write_text('profile = "official"\n[training]\nepochs = 1\n')
    features = {video: np.eye(6, dtype=np.float32) for video in "ab"}
    labels = {"a": ["run"], "b": []}
    grid = acmnet.SnippetGrid(25, 16, 16)
    acmnet.train(tmp_path / "run", features, labels, grid, recipe=str(own))
    config = json.loads((tmp_path / "run/checkpoint/config.json").read_text())
    assert config["profile"] == "official"
    assert config["settings"]["loss"]["time_reduction"] == "sum"


def test_every_setting_is_documented():
    shown = recipes.as_toml(recipe())
    for line in shown.splitlines():
        if " = " in line and not line.startswith("#"):
            before = shown[: shown.index(f"\n{line}")].splitlines()[-1]
            assert before.startswith("# "), line


RIDDLES = re.compile(r"^Of\b|\blikewise\b|\bas the next\b|\bSee `", re.IGNORECASE)
"""Beginnings and words of explanations that point to something that is not printed."""


def test_every_explanation_can_be_read_alone():
    shown = recipes.as_toml(recipe())
    explanations = re.findall(r"(?:^# .*\n)+(?=\w+ = )", shown, re.MULTILINE)
    assert len(explanations) == len(recipes.setting_names())
    for comment in explanations:
        words = " ".join(line.removeprefix("# ") for line in comment.splitlines())
        assert words[0].isupper() or words.startswith(("r_", "m of")), words
        assert words.endswith("."), words
        assert not RIDDLES.search(words), words


def test_thumos_official_is_the_authors_code():
    # config/model_config.py:55-74, main_thu.py:195-253, net_utils.py:33-73
    settings = recipe("thumos14", profile="official")
    assert dataclasses.astuple(settings.model) == (
        *(3, 0, False, True, 0, 0, 0.7, 0.7),
        *(8, 3, 3, 0),
    )
    loss = settings.loss
    assert (loss.instance_weight, loss.context_weight, loss.background_weight) == (
        1,
    ) * 3
    assert (loss.guide_weight, loss.feature_weight) == (2e-3, 5e-5)
    assert (loss.sparse_weight, loss.feature_margin) == (2e-4, 50)
    assert (loss.time_reduction, loss.sparse_branches) == ("sum", "mean")
    assert settings.sampling == type(settings.sampling)(750, "random")
    training = settings.training
    assert (training.batch_size, training.epochs) == (16, 1000)
    assert (training.learning_rate, training.weight_decay) == (1e-4, 5e-5)
    local = settings.localization
    assert (local.class_threshold, local.class_threshold_scale) == (0.25, "absolute")
    assert local.activation_thresholds == (0.15, 0.2)
    assert local.attention_thresholds == tuple(i / 20 for i in range(3, 20))
    assert (local.attention_weight, local.contrast_margin) == (0, 0.2)
    assert (local.nms_tiou, local.nms_padding_s) == (0.55, 1)
    assert (local.time_alignment, local.test_snippets) == ("left", 750)


def test_activitynet_official_is_the_authors_code():
    # config/model_config.py:83-105 at 4d38dc6, main_act.py:212-253
    settings = recipe("activitynet13", profile="official")
    assert dataclasses.astuple(settings.model) == (
        *(3, 0, False, True),
        *(0.7,) * 4,
        *(2, 10, 10, 0),
    )
    assert settings.loss.instance_weight == 5
    assert settings.loss.guide_weight == 5e-3
    assert settings.loss.feature_weight == 5e-5
    assert settings.loss.sparse_weight == 0
    assert settings.training.batch_size == 64
    assert settings.training.weight_decay == 1e-3
    assert settings.sampling.snippets == settings.localization.test_snippets == 75
    local = settings.localization
    assert local.activation_thresholds == (0.005, 0.01, 0.015, 0.02)
    assert local.attention_thresholds == local.activation_thresholds
    assert (local.attention_weight, local.contrast_margin) == (0.3, 0.15)
    assert (local.activation_video_weight, local.attention_video_weight) == (0, 0.25)
    assert (local.nms_tiou, local.class_threshold) == (0.9, 0.1)


def test_paper_is_as_printed():
    # section IV-A3: weight decay 5e-4, thresholds 0.15:0.25, NMS 0.50; eqs. 11, 14, 15
    thumos = recipe("thumos14", profile="paper")
    assert thumos.training.weight_decay == 5e-4
    assert thumos.localization.activation_thresholds == (0.15, 0.2, 0.25)
    assert thumos.localization.attention_thresholds == (0.15, 0.2, 0.25)
    assert (thumos.localization.nms_tiou, thumos.localization.nms_padding_s) == (0.5, 0)
    assert thumos.localization.contrast_outer == "full"
    assert not thumos.localization.contrast_zeroed
    assert (thumos.loss.time_reduction, thumos.loss.sparse_branches) == ("mean", "sum")
    assert thumos.loss.guide_weight == 2e-3
    assert thumos.sampling.method == "interpolate"
    anet = recipe("activitynet13", profile="paper")
    assert anet.loss.feature_weight == 1e-5
    assert anet.loss.instance_weight == 1
    assert anet.localization.activation_thresholds == (0.01, 0.015, 0.02)
    assert (anet.localization.attention_weight, anet.localization.nms_tiou) == (
        0.5,
        0.9,
    )
    assert anet.localization.attention_video_weight == 0


def test_corrected_repairs():
    settings = recipe("thumos14")
    local = settings.localization
    assert (local.time_alignment, local.nms_padding_s) == ("centre", 0)
    assert not local.contrast_zeroed
    assert local.test_snippets == 0
    assert settings.loss.time_reduction == "mean"


def test_shrec_only_lacks_what_its_features_come_with():
    default = recipe("default", profile="corrected")
    model = dataclasses.replace(default.model, standardize=False)
    assert recipe("shrec22") == dataclasses.replace(default, model=model)


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("training.epochs", "50", 50),
        ("training.learning-rate", "1e-4", 1e-4),
        ("training.learning_rate", "1", 1.0),
        ("training.keep_checkpoints", "true", True),
        ("sampling.method", "random", "random"),
        ("localization.activation_thresholds", "0.1,0.2", (0.1, 0.2)),
        ("localization.activation_thresholds", "", ()),
    ],
)
def test_overrides_are_read_by_type(key, text, expected):
    settings = recipe(overrides={key: text})
    room, _, name = key.replace("-", "_").partition(".")
    value = getattr(getattr(settings, room), name)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            {"training.epoch": 5},
            r"unknown setting 'training.epoch'; did you mean 'trai",
        ),
        ({"epochs": 5}, "unknown setting 'epochs'"),
        (
            {"localization.threshold-of": "peak"},
            r'^localization\.threshold_of "peak" is now '
            r'localization\.threshold_scale "relative_to_peak"$',
        ),
        ({"student.batch-size": "2"}, r"^student\.batch_size is now student_tr"),
        ({"model.gated-streams": "true"}, r"^model\.gated_streams was removed \(the"),
        ({"training.epochs": "many"}, "epochs must be a whole number, got 'many'"),
        ({"training.epochs": "1.5"}, "epochs must be a whole number, got '1.5'"),
        ({"training.epochs": 1.5}, r"epochs must be a whole number, got 1\.5"),
        ({"training.epochs": True}, "epochs must be a whole number, got True"),
        ({"training.epochs": 0}, "training.epochs must be at least 1, got 0"),
        ({"training.learning_rate": "fast"}, "must be a number, got 'fast'"),
        ({"training.keep_checkpoints": "maybe"}, "must be true or false, got 'maybe'"),
        ({"sampling.method": "best"}, "must be one of 'random'.* got 'best'"),
        ({"localization.activation_thresholds": 0.5}, r"list of numbers, got 0\.5"),
        ({"localization.activation_thresholds": "0.1,x"}, "a number, got 'x'"),
        ({"localization.nms_tiou": "2"}, r"nms_tiou must be in \(0, 1\], got 2\.0"),
    ],
)
def test_overrides_refuse(overrides, message):
    with pytest.raises(RecipeError, match=message):
        recipe(overrides=overrides)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[trainig]\nepochs = 1", "unknown section 'trainig'; did you mean 'training'"),
        ("[training]\nepoch = 1", "unknown setting 'training.epoch'; did you mean"),
        ("training = 1", "training must be a table, got 1"),
        ("[profiles.offical.loss]\n", "unknown profile 'offical'; did you mean"),
        ("epochs = ", "is no recipe in TOML: Invalid value"),
        ('[training]\nepochs = "5"', "training.epochs must be a whole number, got '5'"),
        (
            "[model]\nextra_layers = 0\n[loss]\nevidential_weight = 0.0",
            r"own.toml: model.extra_layers was removed \(the last commit that has it "
            r"is 8f2915a\); loss.evidential_weight was removed",
        ),
        (
            '[localization]\nclass_threshold_of = "one"\ncontrast_flanks = "authors"\n'
            "nms_tiou = 0.5",
            r'own.toml: localization.class_threshold_of "one" is now '
            r'localization.class_threshold_scale "absolute"; '
            r'localization.contrast_flanks "authors" is now '
            r'localization.contrast_flanks "right_rounded_down"$',
        ),
        (
            "[student]\nteachers = 3\nwidth = 9\nbatch_size = 2",
            r"own.toml: student.teachers is now teachers.count; student.batch_size is "
            r"now student_training.batch_size$",
        ),
    ],
)
def test_files_refuse_and_are_named(tmp_path, text, message):
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=message) as refusal:
        recipe(path)
    assert "own.toml" in str(refusal.value)


def test_unknown_names_get_the_nearest():
    with pytest.raises(
        RecipeError, match="unknown recipe 'thumos'; did you mean 'thumo"
    ):
        recipe("thumos")
    with pytest.raises(RecipeError, match="unknown profile 'offical'; did you mean"):
        recipe(profile="offical")
    with pytest.raises(
        RecipeError, match=r"no recipe at missing\.toml; check the path"
    ):
        recipe("missing.toml")


def test_best_is_narrow_fast_and_averaged_where_that_was_measured():
    for name in ("default", "shrec22"):
        best = recipe(name, profile="best")
        assert (best.model.width, best.training.averaging) == (128, 0.99)
        assert best.training.learning_rate == 1e-3
    for name in recipe_names():
        for profile in ("corrected", "official", "paper"):
            assert recipe(name, profile=profile).model.width == 0  # as in the paper
    for name in ("thumos14", "activitynet13"):
        assert recipe(name, profile="best").model.width == 0
        assert recipe(name, profile="best").model.most_pooled == 0


def test_best_learns_long_videos_snippet_by_snippet():
    best = recipe("default", profile="best")
    assert best.sampling.snippets >= 1800  # none of a long recording is skipped
    # videos as short as those that `best` was chosen on are learned as before
    assert 140 // best.model.instance_ratio < best.model.most_pooled
    assert best.training.videos_a_step(140) == best.training.batch_size
    assert best.training.videos_a_step(1800) == 2
    for profile in ("corrected", "official", "paper"):
        other = recipe("default", profile=profile)
        assert (other.model.most_pooled, other.training.batch_snippets) == (0, 0)
        assert other.sampling.snippets == 750


def test_few_videos_take_more_epochs_in_best_alone():
    best = recipe("default", profile="best")
    # 16 videos a step: 12 videos have 1 step an epoch, 33 have 3, 64 have 4, 65 have 5
    for videos, epochs in ((12, 500), (33, 167), (64, 125), (65, 100), (144, 100)):
        taken = best.of_videos([90] * videos)
        assert taken.training.epochs == epochs
        assert taken.student_training.epochs == best.student_training.epochs
    # 4 recordings of 1,800 snippets, 2 a step: 2 steps an epoch
    assert best.of_videos([1800] * 4).training.epochs == 250
    for profile in ("corrected", "official", "paper"):
        other = recipe("default", profile=profile)
        assert other.of_videos([90]) == other


@pytest.mark.parametrize(
    ("given", "epochs"),
    [
        ({"training.epochs": 7}, 7),
        ({"training.epochs": 7, "training.fewest-steps": 12}, 12),
        ({"training.fewest_steps": 12, "training.epochs": 20}, 20),
        ({"training.fewest_steps": 120}, 120),
        ({"training.learning_rate": 0.1}, 500),
    ],
)
def test_epochs_that_are_given_are_taken(given, epochs):
    settings = recipe("default", profile="best", overrides=given)
    assert settings.of_videos([90]).training.epochs == epochs


def test_steps_below_0_are_refused():
    with pytest.raises(RecipeError, match=r"fewest_steps must be at least 0, got -1"):
        recipe("default", overrides={"training.fewest_steps": -1})
