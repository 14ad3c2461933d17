"""How Python and PyTorch run here: signals, number formats, memory, messages of torch.

`startup` is imported before everything else. The other modules each set one thing for
as long as a piece of work needs it.
"""
