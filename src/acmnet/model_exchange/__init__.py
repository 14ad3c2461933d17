"""Models that go to other programs, and the authors' that come from theirs.

Out go runs as ONNX files or torch programs (`model_export`) and as directories in the
layout of Hugging Face (`pretrained`, with its `model_card`). In come checkpoints of the
authors' code (`authors_checkpoint`), which become runs.
"""
