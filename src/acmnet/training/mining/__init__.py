"""Find the snippets of long recordings that show a class, from names alone.

Input: the features of recordings and the classes that each of them shows. Output:
snippets that are marked as if a person had done it. Start with `snippet_mining`. It
looks for directions of the features that recordings with a class share
(`shared_directions`), in features that `whitened_recordings` has made comparable.
"""
