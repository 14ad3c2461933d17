"""What the tests of the command line share."""


def refused(result, *words, code=1):
    """Check that a command failed with one sentence that holds the words."""
    got, _, err = result
    sentences = [line for line in err.splitlines() if line.startswith("acmnet: ")]
    assert (got, len(sentences)) == (code, 1), err
    for word in words:
        assert str(word) in sentences[0], sentences[0]
