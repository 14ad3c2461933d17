"""From the outputs of networks for a video to detections in seconds.

Input: activations and attention over the snippets of one video. Output:
`acmnet.segments.Detections`. The paper's way is in `from_activations`: choose classes,
apply thresholds, score the runs above them (`proposals`), drop overlapping ones.
`from_boundaries` is the same for the student, which gives starts and ends itself.
"""
