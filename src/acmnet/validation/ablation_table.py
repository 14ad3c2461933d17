"""The table of an ablation study: its rows, their comparison, and how it is written."""

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from acmnet.evaluation.comparison.tables import Cell, Table
from acmnet.segments import FloatArray
from acmnet.validation.ablation_studies import Study, Variant
from acmnet.validation.label_free_selection import rank_correlation

EXACT_UP_TO: Final = 14
"""Pairs up to which every pattern of signs is tried."""
DRAWS: Final = 20_000
"""Patterns of signs that are drawn where there are more pairs."""
CLASSIFICATION: Final = "classification of held-out videos"
AGREEMENT: Final = "agreement between seeds"
_SUMMARY: Final = ("Avg", "std", "difference", "p")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class AblationRow:
    """One row of the table: what a variant scored."""

    variant: Variant
    map: FloatArray
    """mAP at the thresholds that are shown, the mean over folds, (seeds, n_tiou), in
    [0, 1]."""
    averages: FloatArray
    """mAP, the mean over the thresholds of the average, (seeds, folds), in [0, 1]."""
    chance: float
    """mAP of the same detections at random places, the mean over all, in [0, 1]."""
    label_free: Mapping[str, FloatArray]
    """What can be measured without a true segment, by its name, each (seeds, folds), in
    [0, 1]."""
    seconds: float
    """How long its trainings took together."""


class Choice(NamedTuple):
    """The variant that a label-free criterion chooses, and what that choice costs."""

    criterion: str
    """What the variant is chosen by: `CLASSIFICATION` or `AGREEMENT`."""
    chosen: str
    """The variant that is best by the criterion."""
    average: float
    """The true average mAP of the chosen variant, in [0, 1]."""
    best: float
    """The true average mAP of the truly best variant, in [0, 1]."""
    correlation: float
    """Spearman's correlation of the criterion and the average mAP over the variants."""


@dataclasses.dataclass(frozen=True, eq=False)
class Ablation:
    """A finished study."""

    study: Study
    rows: tuple[AblationRow, ...]
    facts: Mapping[str, str]
    """Facts that are needed to quote the table, by name."""

    def difference(self, row: AblationRow) -> tuple[float, float]:
        """Return the mean difference from the full variant, and its p-value.

        Pairs are trainings of the same seed and fold; the test is `sign_flip_test`.
        """
        full = next(r for r in self.rows if r.variant.name == self.study.full)
        pairs = (row.averages - full.averages).ravel()
        return float(pairs.mean()), sign_flip_test(pairs)

    def table(self) -> Table:
        """Return the study in the paper's layout, the paper's figures beside ours."""
        study = self.study
        shown = [f"{t:g}" for t in study.tiou]
        has_paper = any(row.variant.paper for row in self.rows)
        columns = ["Exp", *study.terms, *shown, *_SUMMARY]
        if has_paper:
            columns += [f"paper {name}" for name in (*shown, "Avg")]
        rows = []
        for row in self.rows:
            variant = row.variant
            cells: list[Cell] = [
                variant.name,
                *("x" if on else None for on in variant.terms),
            ]
            cells += [*row.map.mean(axis=0).tolist(), *self._summary(row)]
            if has_paper:
                blank: tuple[Cell, ...] = (None,) * (len(shown) + 1)
                cells += [x / 100 for x in variant.paper] or blank
            rows.append(tuple(cells))
        return Table(tuple(columns), tuple(rows), self.facts)

    def short_table(self) -> Table:
        """Return the same, narrow enough for a terminal."""
        shown = [f"{t:g}" for t in self.study.tiou]
        rows = []
        for row in self.rows:
            variant = row.variant
            on = zip(self.study.terms, variant.terms, strict=True)
            terms = " ".join(name[:3] for name, is_on in on if is_on)
            name = f"{variant.name}: {terms}" if terms else variant.name
            paper = variant.paper[-1] / 100 if variant.paper else None
            cells = row.map.mean(axis=0).tolist()
            rows.append((name, *cells, *self._summary(row), paper))
        return Table(("Exp", *shown, *_SUMMARY, "paper"), tuple(rows), self.facts)

    def _summary(self, row: AblationRow) -> tuple[Cell, ...]:
        """Return a row's cells of `_SUMMARY`."""
        seeds = row.averages.mean(axis=1)
        spread = float(seeds.std(ddof=1)) if len(seeds) > 1 else None
        if row.variant.name == self.study.full:
            return float(seeds.mean()), spread, None, None
        less, p = self.difference(row)
        return float(seeds.mean()), spread, less, f"{p:.2g}"

    def choices(self) -> tuple[Choice, ...]:
        """Return which variant each criterion without true segments would choose."""
        true = np.array([row.averages.mean() for row in self.rows])
        choices = []
        for criterion in self.rows[0].label_free:
            criteria = np.array([row.label_free[criterion].mean() for row in self.rows])
            i = int(criteria.argmax())
            choices.append(
                Choice(
                    criterion=criterion,
                    chosen=self.rows[i].variant.name,
                    average=float(true[i]),
                    best=float(true.max()),
                    correlation=rank_correlation(criteria, true),
                )
            )
        return tuple(choices)

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values, fractions of 1."""
        rows = []
        for row in self.rows:
            less, p = self.difference(row)
            rows.append(
                {
                    "name": row.variant.name,
                    "changes": dict(row.variant.changes),
                    "map_by_seed": row.map.tolist(),
                    "average_by_seed_and_fold": row.averages.tolist(),
                    "average": float(row.averages.mean()),
                    "chance": row.chance,
                    "label_free_by_seed_and_fold": {
                        name: values.tolist() for name, values in row.label_free.items()
                    },
                    "difference": less,
                    "p": p,
                    "seconds": row.seconds,
                    "paper_percent": list(row.variant.paper),
                }
            )
        return {
            "study": self.study.name,
            "title": self.study.title,
            "tiou": list(self.study.tiou),
            "average_over": list(self.study.average_over),
            "full": self.study.full,
            "rows": rows,
            "choices": [choice._asdict() for choice in self.choices()],
            "facts": dict(self.facts),
        }


def sign_flip_test(differences: FloatArray) -> float:
    """Return the two-sided p-value of paired differences being symmetric around 0.

    The share of sign patterns whose mean is at least as far from 0 as the one seen: all
    2^n patterns up to 14 pairs, else 20,000 drawn ones besides the one seen.

    Parameters
    ----------
    differences : (n,) array
        One a pair, n at least 1.

    Returns
    -------
    float
        In (0, 1].

    References
    ----------
    Fisher, The Design of Experiments (1935), section 21.

    Examples
    --------
    >>> sign_flip_test(np.array([1.0, 1.0, 1.0]))  # of 8 patterns, 2 are as extreme
    0.25
    """
    n = len(differences)
    if n <= EXACT_UP_TO:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=n)))
    else:
        drawn = np.random.default_rng(0).choice((1.0, -1.0), size=(DRAWS, n))
        signs = np.concatenate([np.ones((1, n)), drawn])
    observed = abs(differences.mean())
    means = np.abs(signs @ differences) / n
    # sums in another order differ by rounding
    return float((means >= observed * (1.0 - 1e-12)).mean())
