"""What tests do to the files of a run: find them, change what they say."""

import json

from acmnet.checkpoints.checkpoint_folder import (
    CONFIG_FILE,
    MODEL_FILE,
    STATE_FILE,
    folder_of,
)
from acmnet.files.whole_folders import DIGESTS_FILE, write_folder


def weights_file(run):
    """Return where a run's weights lie."""
    return folder_of(run) / MODEL_FILE


def config_file(run):
    """Return where a run's config.json lies."""
    return folder_of(run) / CONFIG_FILE


def edit_config(run, change):
    """Apply a function to the values of a run's config.json, in place.

    The digests are made anew: this is what somebody does who wants to be believed.
    """
    values = json.loads(config_file(run).read_text())
    change(values)
    replace_file(run, CONFIG_FILE, json.dumps(values).encode())


def edit_old(run, change):
    """Apply a function to the values of an old run's config.json, in place."""
    values = json.loads((run / CONFIG_FILE).read_text())
    change(values)
    (run / CONFIG_FILE).write_text(json.dumps(values))


def replace_file(run, name, content):
    """Replace a file of a run's checkpoint, and its digest with it."""
    folder = folder_of(run)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    files.pop(DIGESTS_FILE, None)
    write_folder(folder, files | {name: content})


def make_old(run):
    """Turn a run into one that acmnet 0.1 wrote: three loose files, no digests."""
    folder = folder_of(run)
    for name in (MODEL_FILE, STATE_FILE):
        (folder / name).rename(run / name)
    values = json.loads((folder / CONFIG_FILE).read_text())
    values["format"] = 1
    values["training"].pop("features_from_run", None)
    (run / CONFIG_FILE).write_text(json.dumps(values))
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    for teacher in (run / "teachers").glob("*"):
        make_old(teacher)
