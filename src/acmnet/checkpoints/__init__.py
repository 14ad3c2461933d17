"""Checkpoints: trained weights on disk, as files none of which can run code.

In come the weights of networks and the settings that they were trained with; out comes
a folder, and from the folder the same again. `checkpoint` writes and reads such a
folder, `checkpoint_folder` says where its files lie and whether they are whole.
`checkpoint_config` is the ``config.json`` beside the weights, and `exported_file` reads
the same from an exported ``.onnx`` file.
"""
