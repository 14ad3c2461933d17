"""I3D computed by OpenVINO on a CPU, in fp32, bf16 or int8.

Start with `i3d_openvino`. `i3d_openvino_model` builds the network layer by layer, and
`i3d_int8` says what is rounded to bytes, and how.
"""
