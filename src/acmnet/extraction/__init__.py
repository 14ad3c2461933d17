"""From a video file to snippet features: decode, flow, networks and descriptors."""
