"""The application with all of its verbs, which otherwise are imported when called."""

from acmnet.cli.terminal.app import app
from acmnet.cli.verb_table import VERBS, import_verb

for verb in VERBS:
    import_verb(verb)

__all__ = ["app"]
