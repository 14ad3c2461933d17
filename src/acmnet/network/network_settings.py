"""The settings of the paper's network and of the student.

They lie apart from the networks, so that they can be read without importing torch.
"""

import dataclasses

from acmnet.limits import refuse_out_of_range


@dataclasses.dataclass(frozen=True)
class ModelSettings:
    """Size, dropout and pooling of the paper's network."""

    kernel_snippets: int = 3
    """Snippets that each output of the embedding convolution sees (eq. 1): the snippet
    itself and its neighbours. An odd number, at least 1."""

    width: int = 0
    """Number of channels of the embedding (E), at least 0, at most the number of
    feature columns. 0 gives it as many as the features have columns, as in the paper.
    Fewer channels make trainings faster. Where videos are few, they also keep the
    attention from settling on everything but the actions (D-063)."""

    standardize: bool = False
    """Whether each feature column is shifted and scaled to mean 0 and standard
    deviation 1 over the training videos. Features of your own videos need this: they
    are not centred, and without it the attention to instances dies (D-019)."""

    attention: bool = True
    """Whether snippets are weighted by the attention to instance, context and
    background (eqs. 3 and 4). If false, every snippet counts fully as instance, which
    is plain multiple-instance learning: a baseline to compare with."""

    input_dropout: float = 0.0
    """Share of the feature entries that are set to 0 in training, before the embedding;
    in [0, 1) (authors' code for ActivityNet: 0.7)."""
    attention_dropout: float = 0.0
    """Share of the embedding entries that are set to 0 in training, before the
    attention; in [0, 1) (authors' code for ActivityNet: 0.7)."""
    snippet_dropout: float = 0.7
    """Share of the snippets that are hidden from the classifier in training; in [0, 1)
    (authors' code, `model/ACMNet.py:63-65`)."""
    classifier_dropout: float = 0.7
    """Share of the embedding entries that are set to 0 in training, before the
    classifier; in [0, 1) (authors' code, `model/ACMNet.py:67`)."""

    instance_ratio: int = 8
    """r_ins of the paper (below eq. 5), at least 1. The instance branch scores a class
    in a video by the mean over the T // r_ins snippets with the highest logits."""
    context_ratio: int = 3
    """r_con of the paper (below eq. 5), at least 1. The context branch scores a class
    in a video by the mean over the T // r_con snippets with the highest logits."""
    background_ratio: int = 3
    """r_bak of the paper (below eq. 5), at least 1. The background branch scores a
    class in a video by the mean over the T // r_bak snippets with the highest logits.
    """
    most_pooled: int = 0
    """Largest number of snippets that the instance branch averages, however long the
    video is; 0 sets no limit, as in the paper. Without one, a class that fills 10 of
    1,800 snippets is judged by the mean over 225 of them (D-106)."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        values = dataclasses.asdict(self)
        refuse_out_of_range(
            values,
            {
                "in [0, 1)": [name for name in values if name.endswith("dropout")],
                "at least 1": [x for x in values if x.endswith(("ratio", "snippets"))],
                "at least 0": ["width", "most_pooled"],
            },
        )
        if self.kernel_snippets % 2 == 0:
            raise ValueError(
                f"kernel_snippets must be odd, got {self.kernel_snippets}: an even "
                "window has no middle snippet"
            )

    @property
    def reach_snippets(self) -> int:
        """Neighbours on either side that the outputs for a snippet depend on."""
        return self.kernel_snippets // 2

    def channels(self, feature_dim: int) -> int:
        """Return E, the channels of the embedding of features with D columns.

        Examples
        --------
        >>> [ModelSettings(width=width).channels(64) for width in (0, 16, 128)]
        [64, 16, 64]
        """
        return min(self.width, feature_dim) if self.width else feature_dim

    @property
    def ratios(self) -> tuple[int, int, int]:
        """r_ins, r_con, r_bak in the order of `Branch`."""
        return self.instance_ratio, self.context_ratio, self.background_ratio

    @property
    def most_pooled_by_branch(self) -> tuple[int, int, int]:
        """Largest number of snippets that each `Branch` pools; 0 for no limit."""
        return self.most_pooled, 0, 0


@dataclasses.dataclass(frozen=True)
class StudentSettings:
    """Size and dropout of the student, the network of the second stage."""

    width: int = 256
    """Channels of every hidden layer, at least 1."""
    layers: int = 4
    """Number of dilated convolutions, at least 1. Each has twice the dilation of the
    one before it."""
    dropout: float = 0.3
    """Share of the entries of the features and of every hidden layer that training sets
    to 0, in [0, 1)."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        refuse_out_of_range(
            dataclasses.asdict(self),
            {"at least 1": ["width", "layers"], "in [0, 1)": ["dropout"]},
        )

    @property
    def reach_snippets(self) -> int:
        """Neighbours on either side that the outputs for a snippet depend on."""
        return int(2**self.layers) + 1
