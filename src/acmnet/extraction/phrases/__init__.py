"""The sentence encoder: texts of like meaning become vectors of like direction.

In comes a text, such as the name of an action; out comes a vector (`sentence_encoder`).
`phrase_weights` installs the weights.
"""
