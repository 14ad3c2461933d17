"""Shell completion, and the example in the help of each verb."""

import re
import shlex
import shutil
import subprocess

import pytest

from acmnet.cli.terminal.app import app
from acmnet.cli.verb_table import VERBS, import_verb


def example_of(verb):
    """Return the example in the help of a verb, in one line."""
    import_verb(verb)
    (found,) = re.findall(r"For example: (acmnet .+?)(?:\n\n|\Z)", app[verb].help, re.S)
    return " ".join(found.split())


@pytest.mark.parametrize("verb", VERBS)
def test_each_verbs_help_has_an_example_that_parses(verb, acmnet):
    example = example_of(verb)
    words = shlex.split(example)
    assert words[1] == verb
    app.parse_args(words[1:], exit_on_error=False, print_error=False)
    code, out, _ = acmnet(verb, "--help")
    assert code == 0
    assert example in " ".join(out.split())  # long examples are wrapped


def test_completion_knows_every_verb_and_its_options(acmnet, tmp_path):
    """The shell itself is asked for what follows half a word."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    script = tmp_path / "acmnet"
    install = ("--install-completion", "--shell", "bash", "--output", script)
    code, _, err = acmnet(*install)
    assert code == 0, err

    def completions(*words):
        ask = (
            'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
            'cur="${COMP_WORDS[COMP_CWORD]}"; eval "$(complete -p acmnet | '
            "sed -E 's/.*-F ([^ ]+).*/\\1/')\"; printf '%s\\n' \"${COMPREPLY[@]}\""
        )
        command = [bash, "--norc", "-c", ask, str(script), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return set(done.stdout.split())

    assert set(VERBS) <= completions("acmnet", "")
    assert completions("acmnet", "crossv") == {"crossvalidate"}
    assert "--ground-truth" in completions("acmnet", "evaluate", "--gr")
