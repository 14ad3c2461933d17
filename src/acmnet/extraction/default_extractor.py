"""Choose the extractor when the user names none."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from acmnet.data.features.feature_manifest import MANIFEST_NAME, read_manifest
from acmnet.extraction.extractors.extraction_settings import (
    ExtractionSettings,
    settings_of,
)
from acmnet.extraction.extractors.i3d_choices import RGB_WEIGHTS

AUTO: Final = "auto"
"""The name that stands for the extractor that `unnamed_extractor` chooses."""
BEST_EXTRACTOR: Final = "i3d-rgb-wide"
"""The default if the weights of I3D's RGB stream are installed: I3D finds more when it
looks at twice the frames of a snippet (D-169), and then more alone than side by side
with `motion` (D-173)."""
WITHOUT_WEIGHTS: Final = "motion"
"""The default without these weights."""


def unnamed_extractor(
    given: Mapping[str, Any], folders: Iterable[Path], on_note: Callable[[str], None]
) -> ExtractionSettings:
    """Return the settings to extract with where the user has named no extractor.

    Parameters
    ----------
    given : mapping
        Settings of `ExtractionSettings` by name that the user did give. If there are
        none, features that exist already are gone on with.
    folders : iterable of Path
        Directories that may hold such features, the first one that does counts.
    on_note : callable
        Called with each sentence that the user should read.

    Raises
    ------
    ExtractorError
        If features exist that do not say how they were extracted, or that ask for a
        class of which the user has not said that it may run.
    """
    holding = next((x for x in folders if (x / MANIFEST_NAME).exists()), None)
    if holding is not None and not given:
        manifest = dataclasses.asdict(read_manifest(holding))
        held = settings_of(manifest, str(holding / MANIFEST_NAME))
        on_note(f"{holding} holds features of {held.extractor}; this goes on with it")
        return held
    from acmnet.extraction.i3d.i3d_weights import list_weights  # imports torch: slow

    installed = {entry.name for entry in list_weights() if entry.installed}
    if RGB_WEIGHTS in installed:
        return ExtractionSettings(**given, extractor=BEST_EXTRACTOR)
    on_note(
        f"the extractor {WITHOUT_WEIGHTS} is used, because no I3D weights are "
        f"installed; {BEST_EXTRACTOR} finds more actions: acmnet weights install "
        f"{RGB_WEIGHTS}"
    )
    return ExtractionSettings(**given, extractor=WITHOUT_WEIGHTS)
