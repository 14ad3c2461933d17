"""torch's Adam, without importing torch's compiler."""

import inspect

import torch
from torch.optim import Optimizer


class Adam(torch.optim.Adam):
    """Adam for a network that is not compiled; the numbers are those of torch's own.

    torch wraps these methods to exclude them from torch.compile, which imports the
    compiler. That takes 1.5 s in each process that trains, longer than a short
    training. Methods that another version of torch does not wrap are used as they are.
    """

    add_param_group = inspect.unwrap(Optimizer.add_param_group)
    load_state_dict = inspect.unwrap(Optimizer.load_state_dict)
    state_dict = inspect.unwrap(Optimizer.state_dict)
    zero_grad = inspect.unwrap(Optimizer.zero_grad)
    step = torch.no_grad()(inspect.unwrap(torch.optim.Adam.step))
