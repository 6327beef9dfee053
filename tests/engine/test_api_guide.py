"""The examples of docs/api.md do what it says: each is run by a shell, as a reader would."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support.engine_process import EngineHome

GUIDE = Path(__file__).parents[2] / "docs" / "api.md"
BLOCKS = re.findall(r"^```bash\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
QUERY = (
    "ID=$(curl -s $URL/api/v1/queries -H \"$AUTH\" -H 'Content-Type: application/json'"
    ' -d \'{"datasource": "sample", "sql": "SELECT id FROM orders"}\' | python3 -c'
    " 'import json, sys; print(json.load(sys.stdin)[\"id\"])')\n"
)
JQ = "jq() { python3 -c 'import json, sys; print(json.load(sys.stdin)[\"access_token\"])'; }\n"
CHECKED = 'curl() { command curl --fail-with-body "$@"; }\n'


@pytest.mark.skipif(shutil.which("curl") is None, reason="the guide uses curl")
def test_every_example_works(embedded_home: tuple[EngineHome, str], tmp_path: Path) -> None:
    home, password = embedded_home
    login = BLOCKS[0].replace("http://127.0.0.1:8000", home.url)
    script = "set -eo pipefail\n" + JQ + CHECKED + login + QUERY + "".join(BLOCKS[1:])
    done = subprocess.run(
        ["bash", "-c", script],
        env={"PATH": os.environ["PATH"], "PASSWORD": password},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert len(BLOCKS) == 7
    for told in ('"state":"succeeded"', "event: query", '"next_cursor":', '"allowed":false', '"plan":'):
        assert told in done.stdout, told
    assert [path.suffix for path in tmp_path.iterdir()] == [".parquet"]
