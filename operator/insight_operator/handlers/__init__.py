"""kopf, kept thin: events go in, keys come out. The only place that imports kopf.

Only `on.event` is used: it writes nothing, needs no finalizer and is level-triggered by what the queue does.
"""
