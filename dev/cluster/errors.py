"""The one exception of dev/: a sentence that says what is wrong and how to cure it.

`python -m dev.cluster` and `python -m dev.images` print it without a traceback; it may not carry secrets.
"""


class ClusterError(Exception):
    """Raised with a whole sentence for the person at the terminal: what failed, then the cure."""
