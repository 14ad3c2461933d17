"""Pooling over snippets: video-level logits and branch features from the top k.

Notation: B videos, T snippets, E channels of the embedding, C classes (the background
is index C), K pooled snippets.
"""

import torch
from torch import Tensor


def upcast(x: Tensor) -> Tensor:
    """Return a tensor in fp32 if it is in fp16 or bf16, because sums need fp32."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def video_logits(
    activation: Tensor, ratio: int, mask: Tensor | None = None, most: int = 0
) -> Tensor:
    """Return each video's class logits, pooled from those of its snippets.

    The logit of a class is the mean over the snippets with the highest logits of that
    class: one in ``ratio`` of all snippets, and at least one.

    Parameters
    ----------
    activation : (B, T, C + 1)
        Class logits of each snippet, such as the instance branch's.
    ratio : int
        T // ``ratio`` snippets are averaged, from 1; r_ins, r_con or r_bak.
    mask : (B, T) bool, optional
        True where a snippet exists, False where it is padding; all exist when it is
        left out.
    most : int
        Largest number of snippets that are averaged; 0 sets no limit.

    Returns
    -------
    (B, C + 1) tensor
        Video-level logits, before the softmax of eq. 6.

    References
    ----------
    Qu et al. 2021, eq. 5.
    """
    if mask is None:
        shape, device = activation.shape[:2], activation.device
        mask = torch.ones(shape, dtype=torch.bool, device=device)
    k = pooled_snippets(mask, ratio, most)
    return pool_top_k(activation, k, mask, most_pooled_of(mask.shape[1], ratio, most))


def pooled_snippets(mask: Tensor, ratio: int, most: int = 0) -> Tensor:
    """Return k, how many snippets of each video are averaged (eq. 5).

    Parameters
    ----------
    mask : (B, T) bool
        True where a snippet exists.
    ratio : int
        One in so many of a video's snippets is averaged, and at least one.
    most : int
        Largest number of snippets that are averaged; 0 sets no limit.

    Returns
    -------
    (B,) int64 tensor
    """
    return (mask.sum(dim=1) // ratio).clamp(min=1, max=most or None)


def most_pooled_of(snippets: int, ratio: int, most: int = 0) -> int:
    """Return the largest k that `pooled_snippets` can return for T snippets.

    Examples
    --------
    >>> most_pooled_of(750, 8), most_pooled_of(750, 8, 20), most_pooled_of(3, 8)
    (93, 20, 1)
    """
    k = max(snippets // ratio, 1)
    return min(k, most) if most else k


def _largest(k: Tensor, most: int) -> int:
    """Return how many snippets are sorted out: the largest k of the batch.

    On a GPU it is the upper bound ``most``, because reading k would wait for the GPU.
    """
    return int(k.max()) if k.device.type == "cpu" else most


def pool_top_k(activation: Tensor, k: Tensor, mask: Tensor, most: int) -> Tensor:
    """Return the mean of each class's k highest snippets.

    Parameters
    ----------
    activation : (B, T, C + 1)
        Class logits of each snippet.
    k : (B,) int64
        Snippets to pool in each video, from 1 to the video's own length.
    mask : (B, T) bool
        True where a snippet exists.
    most : int
        Upper bound on ``k``, by `most_pooled_of`; at most T.

    Returns
    -------
    (B, C + 1) tensor
        Video-level logits, before the softmax of eq. 6.

    References
    ----------
    Qu et al. 2021, eq. 5.
    """
    lowest = torch.finfo(activation.dtype).min
    outside = ~mask.unsqueeze(-1)  # (B, T, 1)
    # (B, K, C + 1): each class's highest logits, from the highest down
    top = activation.masked_fill(outside, lowest).topk(_largest(k, most), dim=1).values
    is_counted = torch.arange(top.shape[1], device=k.device) < k.unsqueeze(1)  # (B, K)
    total = torch.where(is_counted.unsqueeze(-1), top, 0.0).sum(dim=1)  # (B, C + 1)
    return total / k.unsqueeze(1)


def pool_attended(
    embedding: Tensor, attention: Tensor, k: Tensor, mask: Tensor, most: int
) -> Tensor:
    """Return the mean embedding of the k snippets that each branch attends to most.

    Parameters
    ----------
    embedding : (B, T, E)
        The embedding before any dropout for the classifier.
    attention : (B, T, 3)
        Each branch's attention.
    k : (B, 3) int64
        Snippets to pool for each branch, from 1 to the video's own length.
    mask : (B, T) bool
        True where a snippet exists.
    most : int
        Upper bound on ``k``, by `most_pooled_of`; at most T.

    Returns
    -------
    (B, 3, E) tensor
        X_ins, X_con and X_bak.

    References
    ----------
    Qu et al. 2021, eq. 13.
    """
    outside = ~mask.unsqueeze(-1)  # (B, T, 1)
    # (B, K, 3): where each branch attends most, from the most attended snippet down
    attended = attention.detach().masked_fill(outside, -1.0)
    index = attended.topk(_largest(k, most), dim=1).indices
    order = torch.arange(index.shape[1], device=k.device)  # (K,)
    is_counted = order[:, None] < k[:, None]  # (B, K, 3)
    chosen = torch.zeros_like(attention, dtype=embedding.dtype)  # (B, T, 3), 0 or 1
    chosen.scatter_(1, index, is_counted.to(embedding.dtype))
    # the product with 0 and 1 sums the chosen snippets and reads the embedding once
    total = chosen.transpose(1, 2) @ embedding  # (B, 3, E)
    return upcast(total) / k.unsqueeze(-1)
