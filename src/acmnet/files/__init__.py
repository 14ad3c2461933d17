"""Files and folders, whatever they hold: opened safely, written whole, read strictly.

Start at `file_access`, which opens and writes single files; `whole_folders` writes
folders and checks them. `text_files` and `strict_json` turn a user's file into values,
or into one sentence that says what is wrong with it.
"""
