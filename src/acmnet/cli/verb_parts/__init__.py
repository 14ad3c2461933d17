"""Steps of verbs: what several verbs do alike, and the parts of those that are long.

`trained_run` loads a run and uses it. `run_page` and `bench_server` serve the verbs
that show a run, and the modules named ``localize_`` hold options and steps of localize.
"""
