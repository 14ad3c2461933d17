"""Adam as torch has it, without the compiler that its methods would import."""

import inspect

import torch
from torch.optim import Optimizer


class Adam(torch.optim.Adam):
    """Adam for a network that is not compiled; the numbers are those of torch's own.

    torch wraps these methods so that torch.compile leaves them out, and imports it for
    that. This takes 1.5 s in each process that trains, which is longer than a short
    training takes. A method that another version of torch does not wrap is as it is.
    """

    add_param_group = inspect.unwrap(Optimizer.add_param_group)
    load_state_dict = inspect.unwrap(Optimizer.load_state_dict)
    state_dict = inspect.unwrap(Optimizer.state_dict)
    zero_grad = inspect.unwrap(Optimizer.zero_grad)
    step = torch.no_grad()(inspect.unwrap(torch.optim.Adam.step))
