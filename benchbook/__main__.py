"""`python -m benchbook`: the same door as the `benchbook` command."""

from benchbook.cli import main

if __name__ == "__main__":
    main()
