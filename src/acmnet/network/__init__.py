"""The paper's network, the student of the second stage, and their layers.

Input: the features of a batch, ``(B, T, D)``. Output: class activations, attention and
video scores. `acm_net` is the network of the paper and reads from top to bottom;
`student` is the network of the second stage, which also says where actions start and
end. `video_outputs` runs a trained network over a whole video.
"""
