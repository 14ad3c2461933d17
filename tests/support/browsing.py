"""What the tests of pages share."""


def frame(page):
    """Wait until what was asked for is drawn."""
    page.evaluate(
        "() => new Promise((done) => "
        "requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


def until(page, condition):
    """Wait for a condition; the page's policy forbids Playwright's own way."""
    for _ in range(200):
        if page.evaluate(f"() => Boolean({condition})"):
            return
        page.wait_for_timeout(25)
    raise AssertionError(f"never came true: {condition}")


def drawn(page):
    """Return the detections that the timeline shows, sorted."""
    frame(page)
    return sorted(
        page.eval_on_selector_all(
            ".bar[data-kind=detection]:not([hidden])",
            "(bars) => bars.map((b) => [b.dataset.label, Number(b.dataset.start),"
            " Number(b.dataset.end), Number(b.dataset.score)])",
        )
    )
