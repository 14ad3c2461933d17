"""Features that others published: how each release is laid out, and how to read it.

Input: a release as it was downloaded. Output: a directory of features that acmnet reads
(`collected_features`). `release_table` knows the releases by name, `release_files`
recognises how their files are laid out.
"""
