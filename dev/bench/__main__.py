"""`python -m dev.bench`: measures the figures, prints them against their goals, keeps the raw samples."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests"))  # the servers and processes of the tests are used here too

from dev.bench.cancel import cancelling  # noqa: E402 - needs the path above
from dev.bench.figures import Findings, load, table  # noqa: E402 - likewise
from dev.bench.large import million_rows, stalls  # noqa: E402 - likewise
from dev.bench.latency import idle_memory, small_query, throughput  # noqa: E402 - likewise
from dev.bench.service import Service, running  # noqa: E402 - likewise
from dev.bench.start import embedded_start  # noqa: E402 - likewise

ON_SERVICE: Final[Mapping[str, Callable[[Service, int], Findings]]] = {
    "E1": small_query,
    "E2": throughput,
    "E6": idle_memory,
    "E4": cancelling,
    "E5": stalls,
    "E3": million_rows,
}
ALONE: Final[Mapping[str, Callable[[int], Findings]]] = {"E7": embedded_start}


def main() -> int:
    """Run the chosen benchmarks; 0 whatever the figures, as they depend on the machine."""
    parser = argparse.ArgumentParser(prog="python -m dev.bench", description=__doc__)
    names = (*ON_SERVICE, *ALONE)
    parser.add_argument(
        "only", nargs="*", metavar="FIGURE", help=f"figures to measure: {', '.join(names)} (all)"
    )
    parser.add_argument("--samples", type=int, default=300, metavar="N", help="requests per figure (300)")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "build" / "bench", metavar="DIR")
    args = parser.parse_args()
    found = _measure(args.only or names, args.samples)
    args.out.mkdir(parents=True, exist_ok=True)
    kept = args.out / f"engine-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    kept.write_text(json.dumps({name: findings.raw for name, findings in found.items()}))
    print(f"\n{table(found)}\n\n{load()}; raw samples: {kept}")
    return 0


def _measure(names: "tuple[str, ...] | list[str]", samples: int) -> dict[str, Findings]:
    found = {name: ALONE[name](samples) for name in names if name in ALONE}
    chosen = [name for name in ON_SERVICE if name in names]
    if chosen:
        with running() as service:
            for name in chosen:
                found[name] = ON_SERVICE[name](service, samples)
    return dict(sorted(found.items()))


if __name__ == "__main__":
    sys.exit(main())
