"""Options of crossvalidate and ablate: how many trainings run at a time, and where."""

import dataclasses
from typing import Annotated

from cyclopts import Parameter

from acmnet.workers.worker_engines import Engine
from acmnet.workers.worker_tasks import Workers


@dataclasses.dataclass(frozen=True)
class WorkerOptions:
    """How many trainings run at the same time, and where."""

    workers: int = 1
    "How many trainings run at the same time; they share the cores and the GPUs."
    engine: Engine = "local"
    """"local" runs the trainings on this machine, "ray" on a Ray cluster (needs
    pip install 'acmnet[ray]'), whose machines all have the features and --out at the
    same paths."""

    def asked(self) -> Workers:
        """Return the workers that are asked for.

        Raises
        ------
        ValueError
            If the number of workers is below 1.
        """
        return Workers(self.workers, self.engine)


AtATime = Annotated[WorkerOptions, Parameter(name="*")]
