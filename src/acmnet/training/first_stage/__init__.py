"""What the paper's network learns from names of classes and from marks: its losses.

Input: a batch of features and labels. Output: the loss that is minimised. Start with
`weak_task`, the task of one training. `losses` are the terms of the paper,
`marked_snippets` is the term for what a person marked, and `training_settings` are the
settings. `silent_networks` finds the networks that did not start to learn.
"""
