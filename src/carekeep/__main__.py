"""``python -m carekeep``: the same as the ``carekeep`` command."""

from carekeep.cli import main

if __name__ == "__main__":
    main()
