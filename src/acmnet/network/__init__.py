"""The paper's network, the student of the second stage, and their layers."""
