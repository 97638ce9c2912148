"""The script with which a template proves itself: it says who it is and ends with code 7."""

import sys

if __name__ == "__main__" and sys.argv[0] == __file__:
    sys.stdout.write(f"warm {sys.argv[1]}")
    sys.exit(7)
