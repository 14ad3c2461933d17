"""Checkpoints: trained weights on disk, as files none of which can run code.

Input: the weights of networks and the settings that they were trained with. Output: a
folder. `checkpoint` writes such a folder and reads it again, and `checkpoint_folder`
says where its files lie and whether they are whole.
`checkpoint_config` is the ``config.json`` beside the weights, and `exported_file` reads
the same from an exported ``.onnx`` file.
"""
