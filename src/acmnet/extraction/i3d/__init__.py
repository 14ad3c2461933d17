"""I3D: its network, its weights, and what computes it fastest.

Input: the frames of a video. Output: 1024 numbers for each snippet (`i3d_runner`).
`i3d` is the network in torch. The same arithmetic by other means is in `i3d_planes`
(GPU) and ``openvino/`` (CPU). ``speed/`` measures which of them is fastest on this
machine and exact enough.
"""
