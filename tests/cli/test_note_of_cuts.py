"""Whoever asks for a split at cuts is told where no cuts are known."""

from dataclasses import replace

import numpy as np

from acmnet.cli.verb_parts.trained_run import localised
from acmnet.data.features.feature_store import write_features
from acmnet.data.labelled_features import DataSource, unlabelled
from acmnet.models.trained_model import TrainedModel
from acmnet.network.acm_net import ACMNet
from acmnet.recipes import recipe
from acmnet.segments import SnippetGrid

GRID = SnippetGrid(fps=10, snippet_frames=10, stride_frames=10)


def test_videos_without_known_cuts_are_named(tmp_path, capsys):
    features = np.zeros((6, 8), dtype=np.float32)
    for video in ("one", "two"):
        write_features(tmp_path, video, features)
    data = unlabelled(DataSource(tmp_path, tmp_path, grid=GRID), {"one", "two"})
    settings = recipe("default", profile="corrected")
    model = TrainedModel(
        networks=(ACMNet(feature_dim=8, n_classes=1),),
        settings=settings,
        class_names=("jump",),
        grid=GRID,
    )
    localised(model, data)
    assert "cuts" not in capsys.readouterr().err
    rules = replace(settings.localization, split_at_cuts=True)
    model = replace(model, settings=replace(settings, localization=rules))
    localised(model, data)
    told = " ".join(capsys.readouterr().err.split())
    assert "2 of 2 videos have no known cuts" in told
    assert "localization.split_at_cuts changes nothing there" in told
