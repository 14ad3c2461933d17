"""Options of the verb localize that need no run: classes of Kinetics, or phrases."""

import dataclasses
from collections.abc import Mapping
from typing import Annotated, NamedTuple

from cyclopts import Parameter

from acmnet.cli.options.dotted_settings import RecipeSettings
from acmnet.cli.terminal.app import UsageError, note
from acmnet.cli.terminal.progress import counting
from acmnet.cli.verb_parts.trained_run import refuse_nothing_left
from acmnet.data.features.feature_files import FeatureError
from acmnet.data.labelled_features import Data
from acmnet.extraction.extractors.i3d_choices import RGB_WEIGHTS
from acmnet.extraction.i3d.i3d_weights import load_i3d
from acmnet.inference import kinetics_zero_shot
from acmnet.inference.phrase_classes import classes_of_phrases
from acmnet.messages import quoted
from acmnet.recipes import Settings
from acmnet.segments import Detections


@dataclasses.dataclass(frozen=True)
class UntrainedOptions:
    """What to find without a run, by the network that extracts features."""

    kinetics: Annotated[bool, Parameter(negative=())] = False
    """Needs no run: find the 400 actions of the data set Kinetics-400 that I3D, the
    network that extracts features, was trained to name."""
    query: Annotated[list[str] | None, Parameter(negative=())] = None
    """Needs no run: find the action that a phrase in English describes, such as
    --query "someone strums a guitar". The classes of Kinetics-400 that mean the same
    are found and printed with their weights; a phrase that is near none of them is
    refused. May be given several times. Needs `acmnet weights install phrases`."""
    top_classes: int | None = None
    "Only with --kinetics: at most this many actions per video; 3 when left out."
    classes: Annotated[list[str] | None, Parameter(negative=())] = None
    """Only with --kinetics: find only these actions, separated by commas. May be given
    several times."""

    def is_given(self) -> bool:
        """Return whether actions are to be found without a run.

        Raises
        ------
        UsageError
            If options contradict each other.
        """
        if self.kinetics and self.query:
            raise UsageError("--query finds its own classes; leave out --kinetics")
        if self.query and (self.classes or self.top_classes is not None):
            raise UsageError("--classes and --top-classes need --kinetics, not --query")
        return self.kinetics or bool(self.query)

    def choice(self) -> kinetics_zero_shot.Choice:
        """Return what to look for; note which classes each phrase means.

        Raises
        ------
        ClassError
            If Kinetics-400 has no such class.
        PhraseError
            If it has no class near a phrase.
        """
        if not self.query:
            top = self.top_classes
            top = kinetics_zero_shot.USUAL_CLASSES if top is None else top
            return kinetics_zero_shot.only(self.classes, top)
        phrases = classes_of_phrases(self.query)
        for phrase in phrases:
            note(
                f"{quoted(phrase.phrase)} is found by classes of Kinetics-400: {phrase}"
            )
        return kinetics_zero_shot.Phrases(phrases)


Untrained = Annotated[UntrainedOptions, Parameter(name="*")]


class UntrainedDetections(NamedTuple):
    """What was found in the videos without a run."""

    results: Mapping[str, Detections]
    failures: list[FeatureError]
    """Why videos were left out, one error for each of them."""
    used: dict[str, object]
    """What results JSON tells about how the detections were made."""


def untrained_detections(
    data: Data, chosen: kinetics_zero_shot.Choice, given: RecipeSettings
) -> UntrainedDetections:
    """Find actions with I3D's own classifier of Kinetics-400."""
    is_by_phrase = isinstance(chosen, kinetics_zero_shot.Phrases)
    base = Settings(localization=kinetics_zero_shot.LOCALIZATION)
    settings = given.applied(base).localization
    failures: list[FeatureError] = []
    with counting("localising", data) as one_more:
        results = kinetics_zero_shot.localize_kinetics_videos(
            data, load_i3d(RGB_WEIGHTS), chosen, settings, one_more, failures.append
        )
    refuse_nothing_left(results, failures)
    if not any(map(len, results.values())):
        least = min(settings.activation_thresholds)
        other = "other phrases" if is_by_phrase else "other --classes"
        note(
            f"nothing was found: no class has a probability of {least:g} or more for "
            f"long enough; choose {other}, or lower the threshold with "
            f"--localization.activation-thresholds {least / 2:g}"
        )
    used: dict[str, object] = {"used": True, "details": "Kinetics-400 I3D head"}
    if isinstance(chosen, kinetics_zero_shot.Phrases):
        used["phrases"] = {
            phrase.phrase: dict(zip(phrase.names, phrase.weights, strict=True))
            for phrase in chosen.phrases
        }
    return UntrainedDetections(results, failures, used)
