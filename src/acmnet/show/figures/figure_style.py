"""Style and files of figures: the same numbers give the same bytes."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from acmnet.files.file_access import written_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PALETTE: Final = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#F0E442",
    "#999999",
)
"""The colours of Okabe and Ito, which colour-blind people can tell apart."""
FORMATS: Final = ("png", "svg", "pdf")
"""The file formats of every figure."""
NO_DATE: Final[dict[str, dict[str, str | None]]] = {
    "png": {},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
}
STYLE: Final[dict[Any, object]] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "svg.hashsalt": "acmnet",
    "pdf.fonttype": 42,
}
DPI: Final = 200
"""Resolution of PNG files, in pixels per inch."""
LONGEST_NAME: Final = 40
"""Most characters of a name in a figure."""
CM: Final = 1 / 2.54
"""A centimetre in inches."""


class FigureError(ValueError):
    """A figure that cannot be drawn or written."""


@contextmanager
def drawing(width_cm: float, height_cm: float) -> Iterator["Figure"]:
    """Yield an empty figure of the given size, to be drawn and saved in the block."""
    # imported here, because it takes 0.3 s that other verbs need not wait
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        yield Figure(figsize=(width_cm * CM, height_cm * CM), layout="constrained")


def save(figure: "Figure", path: Path) -> tuple[Path, ...]:
    """Write a figure as PNG, SVG and PDF; return the three paths.

    Parameters
    ----------
    figure : Figure
    path : Path
        The file without its suffix. Its folder is made if it does not exist.

    Raises
    ------
    FigureError
        If the folder is a file.
    """
    if path.parent.exists() and not path.parent.is_dir():
        raise FigureError(
            f"figures need a folder, got the file {path.parent}; name another"
        )
    engine = figure.get_layout_engine()
    if engine is not None:  # lay out once for all formats, at the finest resolution
        figure.set_dpi(DPI)
        with _boxes_for_unknown_characters():
            engine.execute(figure)
        figure.set_layout_engine(None)
    written = []
    for kind in FORMATS:
        target = path.with_name(f"{path.name}.{kind}")
        with written_whole(target) as part, _boxes_for_unknown_characters():
            figure.savefig(part, format=kind, dpi=DPI, metadata=NO_DATE[kind])
        written.append(target)
    return tuple(written)


@contextmanager
def _boxes_for_unknown_characters() -> Iterator[None]:
    """Let a character that no font has be drawn as a box, without a warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield


def fitted_name(name: str) -> str:
    r"""Return a name in one line that fits into a figure.

    Dollar signs are escaped: matplotlib would read text between them as mathematics.

    Examples
    --------
    >>> fitted_name("two\nlines"), len(fitted_name("x" * 300)), fitted_name("$x$")
    ('two lines', 40, '\\$x\\$')
    """
    plain = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    if len(plain) > LONGEST_NAME:
        plain = plain[: LONGEST_NAME - 1] + "…"
    return plain.replace("$", r"\$")
