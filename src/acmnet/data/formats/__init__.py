"""File formats of other programs: each has a module, and `format_table` lists them."""
