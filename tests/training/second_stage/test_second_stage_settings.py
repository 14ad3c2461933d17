"""Settings of the second stage: what is outside its range is refused by name."""

import pytest

from acmnet.training.second_stage.second_stage_settings import (
    PseudoLabelSettings,
    StudentTrainingSettings,
    TeacherSettings,
)


@pytest.mark.parametrize(
    ("section", "name", "value", "rule"),
    [
        (TeacherSettings, "count", -1, "at least 0"),
        (TeacherSettings, "contrast_weight", 1.1, r"in \[0, 1\]"),
        (TeacherSettings, "proposal_weight", -0.1, r"in \[0, 1\]"),
        (TeacherSettings, "proposal_weight", 1.1, r"in \[0, 1\]"),
        (PseudoLabelSettings, "relative_score", 0.0, r"in \(0, 1\]"),
        (PseudoLabelSettings, "nms_tiou", 1.1, r"in \(0, 1\]"),
        (PseudoLabelSettings, "central_share", 0.0, r"in \(0, 1\]"),
        (StudentTrainingSettings, "epochs", 0, "at least 1"),
        (StudentTrainingSettings, "batch_size", 0, "at least 1"),
        (StudentTrainingSettings, "snippets", 0, "at least 1"),
        (StudentTrainingSettings, "averaging", 1.0, r"in \[0, 1\)"),
        (StudentTrainingSettings, "learning_rate", 0.0, "above 0"),
    ],
)
def test_settings_outside_their_range_are_refused(section, name, value, rule):
    with pytest.raises(ValueError, match=rf"^{name} must be {rule}, got {value}$"):
        section(**{name: value})
