"""Which videos a person should look at next, so that marks teach the most.

Input: a trained model and unmarked videos. Output: `suggestions`, the best first.
`uncertain_spans` finds where the networks of a run disagree or hesitate, and
`suggestion_reasons` says in words why a video or a span is worth a look.
"""
