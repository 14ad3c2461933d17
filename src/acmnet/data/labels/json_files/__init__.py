"""Label files in JSON, as ActivityNet has them.

Start with `label_json`. `watched_json` is a part of such a file, and `bmn_annotations`
brings files in BMN's form to this one.
"""
