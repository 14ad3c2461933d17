"""Models that go to other programs, and the authors' that come from theirs."""
