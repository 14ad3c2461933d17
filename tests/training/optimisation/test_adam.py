"""Adam without the compiler takes the same steps as torch's own, to the last bit."""

import pytest
import torch
from torch import nn

from acmnet.training.optimisation.adam import Adam


@pytest.mark.parametrize("fused", [True, False])
def test_steps_and_states_are_those_of_torch(fused):
    networks = [nn.Linear(5, 3), nn.Linear(5, 3)]
    networks[1].load_state_dict(networks[0].state_dict())
    settings = {"lr": 0.1, "weight_decay": 0.01, "fused": fused}
    pair = [
        kind(network.parameters(), **settings)
        for kind, network in zip((torch.optim.Adam, Adam), networks, strict=True)
    ]
    for i in range(4):
        rows = torch.randn(7, 5)
        for network, optimizer in zip(networks, pair, strict=True):
            optimizer.zero_grad(set_to_none=True)
            network(rows).square().sum().backward()
            optimizer.step()
        if i == 1:  # each goes on from what the other kept
            states = [optimizer.state_dict() for optimizer in pair]
            pair[0].load_state_dict(states[1])
            pair[1].load_state_dict(states[0])
    theirs, own = (dict(network.named_parameters()) for network in networks)
    assert all(torch.equal(theirs[name], own[name]) for name in theirs)
    assert all(weight.requires_grad for weight in own.values())
    moments = [optimizer.state_dict() for optimizer in pair]
    torch.testing.assert_close(moments[0]["state"], moments[1]["state"], rtol=0, atol=0)
    assert moments[0]["param_groups"] == moments[1]["param_groups"]
