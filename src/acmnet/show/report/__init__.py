"""The page of a run: its scores, detections, network curves and videos.

Input: a run's data and detections. Output: one HTML file that needs no network.
`page_contents` gathers what is shown as plain values, `html_page` writes them into the
page, and the scripts in ``script`` draw them in the browser.
"""
