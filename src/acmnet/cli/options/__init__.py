"""Options that several verbs share, and what they stand for: a run, data, settings.

Each module holds the options of one subject as a dataclass, which a verb takes as a
parameter. `shared_options` has those of most verbs, `dotted_settings` the settings of a
recipe, and `trained_run` a run with the data that it is used on.
"""
