"""Teachers that never started to learn: trained again, and left out if that fails too.

One draw of first weights in about ten ends in a network whose instance branch guesses,
see `acmnet.training.first_stage.silent_networks`. A mean over teachers would take it in
silently.
"""

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from acmnet.messages import counted
from acmnet.models.stored_model import SILENT_TEACHERS, TEACHERS
from acmnet.network.acm_net import ACMNet
from acmnet.runs.network_training import BACKGROUND_AFTER
from acmnet.runs.run_request import RunRequest

MOST_TRIES: Final = 2
"""How often a teacher is trained again, each time from another seed."""
TRAINED_AGAIN: Final = "teachers_trained_again"
"""What a run keeps the places of teachers under that were trained again."""


class Teachers(NamedTuple):
    """The networks that teach a student, and what became of those that do not."""

    networks: tuple[ACMNet, ...]
    """Those that teach: without the silent ones, unless all of them are silent."""
    silent: tuple[int, ...] = ()
    """Places, from 0, of teachers whose instance branch guesses."""
    trained_again: tuple[int, ...] = ()
    """Places of teachers that were trained from another seed than their own."""

    @classmethod
    def of(
        cls,
        networks: Sequence[ACMNet],
        silent: Collection[int],
        trained_again: Collection[int] = (),
    ) -> "Teachers":
        """Return teachers without the silent ones, unless all of them are silent."""
        teaching = [x for k, x in enumerate(networks) if k not in silent] or networks
        return cls(tuple(teaching), tuple(sorted(silent)), tuple(sorted(trained_again)))

    def values(self) -> dict[str, Any]:
        """Return what a run keeps of them; nothing if all started from their seed."""
        found = {SILENT_TEACHERS: self.silent, TRAINED_AGAIN: self.trained_again}
        return {name: list(places) for name, places in found.items() if places}


def further_tries(teacher: RunRequest) -> Iterator[RunRequest]:
    """Yield the trainings that may follow where the training of a teacher fails.

    Their seeds follow from the teacher's own, and the loss of the background branch,
    which keeps networks from starting, counts later. They begin with drawn weights,
    also in a round, because the weights of a network that guesses lead nowhere. There
    are none where a training has too few epochs for that.
    """
    loss = teacher.settings.loss
    later = max(loss.background_after, BACKGROUND_AFTER)
    if int(later * teacher.settings.training.epochs) == 0:
        return
    loss = dataclasses.replace(loss, background_after=later)
    settings = dataclasses.replace(teacher.settings, loss=loss)
    for number in range(1, MOST_TRIES + 1):
        drawn = np.random.SeedSequence([teacher.seed, number]).generate_state(1)
        yield dataclasses.replace(
            teacher, seed=int(drawn[0]), settings=settings, begin_from=None
        )


def sentence_before(places: Collection[int]) -> str:
    """Return what is told before silent teachers are trained again.

    Examples
    --------
    >>> sentence_before([1])
    'teachers/1 did not start to learn; it is trained again in another way'
    """
    are = "it is" if len(places) == 1 else "they are"
    return (
        f"{' and '.join(f'{TEACHERS}/{k}' for k in sorted(places))} did not start to "
        f"learn; {are} trained again in another way"
    )


def sentence_of_teachers(values: Mapping[str, Any], teachers: int) -> str:
    """Return what `Teachers.values` says, in words; empty if all started at once.

    Examples
    --------
    >>> found = Teachers((), silent=(1,), trained_again=(1, 2))
    >>> sentence_of_teachers(found.values(), 3)
    'of 3 teachers, 2 were trained again because they had not started to learn; 1 of \
them never did and is left out'
    >>> sentence_of_teachers(Teachers((), (0, 1, 2)).values(), 3).partition(";")[0]
    'none of the 3 teachers started to learn what tells the classes apart'
    """
    silent = len(values.get(SILENT_TEACHERS, []))
    again = len(values.get(TRAINED_AGAIN, []))
    if silent and silent == teachers:
        none = f"none of the {teachers} teachers started"
        return (
            f"{'the teacher did not start' if teachers == 1 else none} to learn what "
            "tells the classes apart; train for more epochs (--training.epochs), and "
            "look at labels and features with acmnet doctor"
        )
    return _sentence(silent, again, teachers)


def sentence_of_trainings(values: Sequence[Mapping[str, Any]], teachers: int) -> str:
    """Return what `Teachers.values` says of several trainings, in words.

    It is empty if all teachers of all trainings started at once.

    Examples
    --------
    >>> found = [Teachers((), (), (1,)), Teachers(()), Teachers((), (0, 1, 2))]
    >>> sentence_of_trainings([one.values() for one in found], 3)
    'of 9 teachers, 1 was trained again because it had not started to learn; in 1 of 3 \
trainings none of the teachers started to learn'
    """
    silent = [len(one.get(SILENT_TEACHERS, [])) for one in values]
    again = sum(len(one.get(TRAINED_AGAIN, [])) for one in values)
    none = sum(bool(n) and n == teachers for n in silent)
    sentences = [
        _sentence(sum(silent) - none * teachers, again, len(values) * teachers)
    ]
    if none:
        n = counted(len(values), "training")
        sentences.append(f"in {none} of {n} none of the teachers started to learn")
    return "; ".join(filter(None, sentences))


def _sentence(silent: int, again: int, teachers: int) -> str:
    """Return how many teachers were trained again and left out, in words."""
    left_out = f"{'is' if silent == 1 else 'are'} left out"
    of = f"of {counted(teachers, 'teacher')}, "
    if not again:
        return f"{of}{silent} did not start to learn and {left_out}" if silent else ""
    was, it = ("was", "it") if again == 1 else ("were", "they")
    sentence = f"{of}{again} {was} trained again because {it} had not started to learn"
    return (
        f"{sentence}; {silent} of them never did and {left_out}" if silent else sentence
    )
