"""The application with all of its verbs, which otherwise are imported when called."""

from acmnet.cli.terminal.app import app
from acmnet.cli.verbs import VERBS, import_verb

for verb in VERBS:
    import_verb(verb)

__all__ = ["app"]
