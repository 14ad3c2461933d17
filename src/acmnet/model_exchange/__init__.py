"""Models for other programs, and models that the authors' code trained.

A run is written as an ONNX file or a torch program (`model_export`), or as a directory
in the layout of Hugging Face (`pretrained`, with its `model_card`). A checkpoint of the
authors' code becomes a run (`authors_checkpoint`).
"""
