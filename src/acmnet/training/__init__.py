"""How networks learn: losses, the loop, pseudo labels, checkpoints.

In come features and the names of the actions in each video; out come weights in a
checkpoint. Times of actions are used only if the user asked for it with
`--supervision`. `loop` runs the epochs of any task. `weak_task` and `losses` are what
the paper's network learns; `pseudo_labels` and `snippet_targets` are what the student
learns from its teachers; `marked_snippets` and `marked_labels` add what a person
marked.
"""
