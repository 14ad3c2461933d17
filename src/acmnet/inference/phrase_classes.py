"""Find the classes of Kinetics-400 that a phrase means, with a sentence encoder."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from acmnet.extraction.i3d.i3d import kinetics_classes
from acmnet.extraction.sentence_encoder import SentenceEncoder
from acmnet.messages import quoted
from acmnet.segments import FloatArray

LEAST_NEAREST: Final = 0.7
"""Least similarity of a phrase and its nearest class. It was set on 48 phrases that
were written down beforehand (docs/decisions.md, D-097): 24 with a class, of which it
takes 20, and 24 without, of which it takes none."""
LEAST_FURTHER: Final = 0.6
"""Least similarity of further classes that count as the phrase, too."""
ZERO_WEIGHT_SIMILARITY: Final = 0.5
"""Similarity at which the weight of a class would reach 0."""
MOST_CLASSES_OF_PHRASE: Final = 5
"""Largest number of classes that a phrase means."""
NAMED: Final = 3
"""Number of nearest classes that an error message names."""


class PhraseError(ValueError):
    """A phrase that means no class that is known; the message names the nearest."""


@dataclasses.dataclass(frozen=True)
class PhraseClasses:
    """The classes that a phrase means, with their weights."""

    phrase: str
    names: tuple[str, ...]
    """Names of the classes, the nearest first."""
    weights: tuple[float, ...]
    """How much the probability of each class counts: 1 for the nearest, in (0, 1]."""

    def combined(self, probabilities: FloatArray) -> FloatArray:
        """Return the probability of the phrase, from those of the 400 classes.

        Parameters
        ----------
        probabilities : array of shape (..., 400)
            Probabilities of the classes; their sum is 1.

        Returns
        -------
        array of shape (...)
            The weighted sum, in [0, 1].
        """
        known = kinetics_classes()
        places = [known.index(name) for name in self.names]
        combined: FloatArray = probabilities[..., places] @ np.array(self.weights)
        return combined

    def __str__(self) -> str:
        """Return the classes with their weights, for people."""
        pairs = zip(self.names, self.weights, strict=True)
        return ", ".join(f"{name} ({weight:.2f})" for name, weight in pairs)


def classes_of_phrases(phrases: Sequence[str]) -> tuple[PhraseClasses, ...]:
    """Return the classes of Kinetics-400 that each phrase means.

    Raises
    ------
    PhraseError
        If a phrase is blank or given twice, or no class is near it.
    WeightsError
        If the sentence encoder is not installed.
    """
    phrases = [" ".join(phrase.split()) for phrase in phrases]
    if "" in phrases or len(set(phrases)) < len(phrases):
        raise PhraseError(
            "phrases must differ and not be blank, got "
            f"{', '.join(map(quoted, phrases))}"
        )
    encoder = _encoder()
    near = encoder.vectors(phrases) @ _class_vectors().T
    return tuple(map(_classes_of, phrases, near.astype(np.float64)))


@functools.cache
def _encoder() -> SentenceEncoder:
    """Return the sentence encoder; it is loaded once."""
    return SentenceEncoder()


@functools.cache
def _class_vectors() -> npt.NDArray[np.float32]:
    """Return the vectors of the 400 names, (400, 384); it takes two seconds."""
    return _encoder().vectors(kinetics_classes())


def _classes_of(phrase: str, similarity: FloatArray) -> PhraseClasses:
    """Return the classes of one phrase.

    Parameters
    ----------
    phrase : str
        What the user wrote.
    similarity : array of shape (400,)
        How near each class is, from -1 to 1.
    """
    known = kinetics_classes()
    order = np.argsort(-similarity, kind="stable")
    best = float(similarity[order[0]])
    if best < LEAST_NEAREST:
        nearest = ", ".join(f"{known[i]} ({similarity[i]:.2f})" for i in order[:NAMED])
        raise PhraseError(
            f"{quoted(phrase)} is near no class of Kinetics-400: the nearest are "
            f"{nearest}, and {LEAST_NEAREST:g} is needed; if one of them is meant, "
            "give its name as the phrase; otherwise label ten videos and learn the "
            "action: acmnet label, or acmnet fit"
        )
    places = [
        i for i in order[:MOST_CLASSES_OF_PHRASE] if similarity[i] >= LEAST_FURTHER
    ]
    weights = (similarity[places] - ZERO_WEIGHT_SIMILARITY) / (
        best - ZERO_WEIGHT_SIMILARITY
    )
    return PhraseClasses(
        phrase, tuple(known[i] for i in places), tuple(map(float, weights))
    )
