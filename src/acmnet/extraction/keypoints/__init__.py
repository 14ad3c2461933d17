"""Features of tracked points: signals of bodies over the frames of a snippet.

Input: tracks (`acmnet.data.tracks`). Output: the features of each snippet. The steps
are, in order: `track_gaps` (a steady clock without gaps), `body_sizes` (scale),
`signal_plan` (which signals describe a frame), `keypoint_signals` (distances, angles
and speeds in each frame), `directed_shapes` (left, right, up, down),
`keypoint_features` (their statistics over a snippet). `keypoint_extractor` runs them,
and `keypoint_request` is what a user asks of them.
"""
