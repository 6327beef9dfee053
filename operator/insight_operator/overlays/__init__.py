"""What the operator's administrator lays over every rendered pod template: sidecars, volumes, site policy.

An InsightEngine cannot say any of this: it would give its author more rights than they have. Pure.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from insight_operator.snapshot import Manifest

PodOverlays = Mapping[str, Manifest]
"""Checked overlays by part (`naming.API`, …), each shaped like a pod template."""

NO_OVERLAYS: Final[PodOverlays] = MappingProxyType({})
