"""Features that others published: how each release is laid out, and how to read it."""
