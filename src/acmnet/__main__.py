"""``python -m acmnet`` is ``acmnet``; torchrun starts training this way."""

from acmnet.cli import main

main()
