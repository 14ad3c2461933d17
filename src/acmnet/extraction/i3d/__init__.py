"""I3D: its network, its weights, and what computes it fastest."""
