"""The verbs: each module has the options of one verb, and prints its results.

The work itself is done by functions of the other folders, which Python callers can use
as well. `acmnet.cli.verb_table` imports the module of a verb when it is called.
"""
