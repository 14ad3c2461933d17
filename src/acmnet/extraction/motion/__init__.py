"""The `motion` features: how a snippet looks and moves, computed without a network.

Input: frames. Output: the features of each snippet. `frame_measures` measures single
frames and what moved between two; `motion_descriptor` sums that up over a snippet and
has the extractor.
"""
