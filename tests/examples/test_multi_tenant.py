"""The example of several tenants runs, and what it shows is so."""

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "multi_tenant.py"


def run(source):
    return subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=False, timeout=120
    )


def test_tenants_read_their_own_rows_and_nobody_elses():
    result = run(EXAMPLE.read_text(encoding="utf-8"))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "acme reads its own: I work for acme.",
        "bolt reads its own: I work for bolt.",
        "bolt's keys on acme's session: UnknownKeyError",
        "acme's row, moved into bolt's session: UnknownKeyError",
        "acme's row, moved to a tenant with the same key: AuthenticationError",
    ]


def test_without_the_namespace_a_row_is_bound_to_its_session_still():
    source = EXAMPLE.read_text(encoding="utf-8")
    assert "namespace=tenant," in source
    assert run(source.replace("namespace=tenant,", "")).returncode == 0


def test_the_example_ends_with_an_error_where_something_is_not_refused():
    source = EXAMPLE.read_text(encoding="utf-8")
    shared = source.replace(', "bolt": Keyring(Key.generate())}', "}").replace(
        "tenants = Tenants(engine, keys)",
        'keys["bolt"] = keys["acme"]\n    tenants = Tenants(engine, keys)',
    )
    result = run(shared.replace("namespace=tenant,", ""))
    assert result.returncode == 1
    assert "NOT TRUE: bolt's keys on acme's session" in result.stderr
