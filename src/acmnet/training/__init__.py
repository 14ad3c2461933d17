"""How networks learn: losses, the loop, pseudo labels, checkpoints."""
