"""`python -m dev.bench`: measures the figures, prints them against their goals, keeps the raw samples."""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests"))  # the servers and processes of the tests are used here too

from dev.bench import engine  # noqa: E402 - needs the path above


def main() -> int:
    """Run the chosen benchmarks; 0 whatever the figures, as they depend on the machine."""
    parser = argparse.ArgumentParser(prog="python -m dev.bench", description=__doc__)
    parser.add_argument(
        "only", nargs="*", metavar="FIGURE", help=f"figures to measure: {', '.join(engine.BENCHMARKS)} (all)"
    )
    parser.add_argument("--samples", type=int, default=300, metavar="N", help="requests per figure (300)")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "build" / "bench", metavar="DIR")
    args = parser.parse_args()
    raw = {}
    for name in args.only or engine.BENCHMARKS:
        raw[name] = engine.BENCHMARKS[name](args.samples)
    args.out.mkdir(parents=True, exist_ok=True)
    kept = args.out / f"engine-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    kept.write_text(json.dumps(raw))
    print(f"raw samples: {kept}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
