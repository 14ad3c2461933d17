"""What every verb shows on the terminal: help, notes, progress, tables, refusals.

`app` is the application to which verbs belong, with its two consoles. `first_page` is
the help that is shown before any library is imported, `progress` tells how far long
work is, and `interrupts` stops a verb in good order. `exit_codes` are those of every
verb.
"""
