"""The error of a training that cannot go on; it is known without importing torch."""


class TrainingError(RuntimeError):
    """Training cannot go on; the message names the step and the cause."""
