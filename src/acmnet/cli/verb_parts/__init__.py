"""Steps of verbs: what two verbs do alike, or a part of one that is long."""
