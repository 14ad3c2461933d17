"""Label files in JSON, as ActivityNet has them.

Start with `label_json`. `class_lists` and `watched_json` are parts of such a file, and
`bmn_annotations` brings files in BMN's form to this one.
"""
