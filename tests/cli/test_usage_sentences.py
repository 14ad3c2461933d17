"""What a mistyped option or value is answered with, as cyclopts words it today."""

import pytest

FIT = ("fit", "videos", "labels.csv", "--out", "run")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param(
            (*FIT, "--epochs", "3"),
            "acmnet fit has no option --epochs; did you mean --training.epochs? acmnet "
            "fit --help lists all options",
            id="a setting without its group",
        ),
        pytest.param(
            ("budget", "found.json", "--epochs=3"),
            "acmnet budget has no option --epochs; acmnet budget --help lists all "
            "options",
            id="a setting, of a verb that takes none",
        ),
        pytest.param(
            ("cut", "found.json", "videos", "--out", "clips", "--minscore", "3"),
            "acmnet cut has no option --minscore; did you mean --min-score? acmnet cut "
            "--help lists all options",
            id="a misspelt option",
        ),
        pytest.param(
            ("suggest", "run", "--count", "2", "--count", "3"),
            "--count is given more than once; keep one of them",
            id="an option given twice",
        ),
        pytest.param(
            (*FIT, "--profile", "bets"),
            "--profile must be one of best, corrected, official, paper, got 'bets'; "
            "did you mean 'best'?",
            id="a misspelt choice",
        ),
        pytest.param(
            (*FIT, "--flow", "x"),
            "--flow must be one of default, mid, fast, dis, got 'x'",
            id="a choice that is like none",
        ),
        pytest.param(
            ("budget", "found.json", "--label-fps", "0"),
            "--label-fps must be more than 0 and at most 10000, got '0.0'",
            id="a number out of its range",
        ),
        pytest.param(
            ("weights", "instal", "pose"),
            "there is no acmnet weights 'instal'; did you mean 'install'? there is "
            "acmnet weights import or acmnet weights install or acmnet weights list",
            id="a misspelt second word",
        ),
        pytest.param(
            ("weights", "install", "pose", "i3d"),
            "more words were given than acmnet weights install takes: 'i3d'; put names "
            "that have blanks into quotes",
            id="too many words after a right second one",
        ),
    ],
)
def test_a_mistake_is_answered_with_one_sentence(acmnet, words, sentence):
    code, out, err = acmnet(*words)
    assert (code, out) == (2, "")
    assert err == f"acmnet: {sentence}\n"
