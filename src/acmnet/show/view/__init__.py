"""The server that shows a run in a browser on this machine, and keeps reviews."""
