"""The training loop: it minimises the losses of any task, epoch by epoch.

Input: a network and a task. Output: the trained network. Start with `training_loop`.
`tasks` says what a task is, `schedule` holds epochs, batches and learning rates, and
`device_epochs` runs the same steps on a GPU without waiting for it. `training_error` is
raised by a training that cannot go on.
"""
