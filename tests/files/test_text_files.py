"""Text and TOML are read as they are."""

from acmnet.files.text_files import parse_toml, read_text


def test_what_is_read_is_the_text(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("\N{BYTE ORDER MARK}Übung\n".encode())
    assert read_text(path, "file", ValueError, "") == "Übung\n"
    assert parse_toml("a", 'x = 1_000\ny = "ä"', "file", ValueError)["x"] == 1000
