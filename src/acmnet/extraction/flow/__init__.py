"""Optical flow: where each pixel of one frame lies in the next frame.

Input: frames. Output: two numbers for each pixel, in pixels. `optical_flow` computes it
on the CPU, and `optical_flow_torch` the same on a GPU, where the median over 25 pixels
is that of `median_of_25`.
"""
