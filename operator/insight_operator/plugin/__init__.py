"""`kubectl insight`: what people ask of InsightEngines most, in one word each.

It calls kubectl for everything that touches the cluster, so kubeconfig and login are kubectl's; what a change
would do is worked out by the operator's own pure builders.
"""
