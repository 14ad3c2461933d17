"""How good a run is on videos that it was not trained on.

Input: labelled data. Output: scores of networks that were trained on other videos.
Start at `cross_validation`, whose videos are dealt into `folds`. `ablation` trains and
compares the variants of a study, which `ablation_studies` lists and `ablation_table`
writes. Where no true segments are known, `expected_quality` tells what to expect from
names in held-out videos (`held_out_names`) and from the agreement of networks
(`label_free_selection`).
"""
