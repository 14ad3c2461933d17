"""Options that several verbs share.

Each module holds the options of one subject as a dataclass, which a verb takes as a
parameter. `shared_options` has those of most verbs, `dotted_settings` the settings of a
recipe, and `run_data` the data on which a trained run is used.
"""
