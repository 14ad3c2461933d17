"""A run served to a browser on this machine, to be looked at and reviewed."""
