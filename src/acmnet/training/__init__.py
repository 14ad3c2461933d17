"""How networks learn: losses, marks, the training loop, the student's pseudo labels.

Input: features and the names of the actions in each video. Output: trained networks.
Times of actions are used only if the user asked for it with `--supervision`.

In the order of a training, the folders are: ``mining`` (which snippets of long
recordings show a class, from names alone), ``first_stage`` (what the paper's network
learns from names and marks), ``optimisation`` (the loop that runs the epochs of any
task), and ``second_stage`` (what the student learns from its teachers and from marks).
"""
