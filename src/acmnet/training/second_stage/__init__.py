"""What the student learns: pseudo labels of its teachers, corrected by marks.

Input: the teachers' activations of the training videos. Output: targets for each
snippet, and the student's task. Start with `pseudo_labels`. `snippet_targets` turns
labels into targets. `marked_labels` lets marks replace pseudo labels, after
`boundary_shifts` has corrected boundaries by what marks show, and `unmarked_stretches`
takes out fragments of long actions. `held_out_marks` measures whether marks help, and
`second_stage_settings` are the settings.
"""
