"""Ask whether a known vulnerability is in what the package depends on; part of `scripts/lint`.

Responsible for: asking pip-audit about this environment, and telling "nothing known" from "could
not ask". Where its service cannot be reached a notice is printed and nothing fails.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

_PATIENCE_SECONDS = 90


def main() -> int:
    """Print what is known; 1 if it is a vulnerability."""
    command = [
        *(sys.executable, "-m", "pip_audit", "--local", "--skip-editable", "--format", "json"),
        *("--progress-spinner", "off", "--timeout", "5"),
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False
        )
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError):
        print("dependencies: not audited, the service of pip-audit cannot be reached from here")
        return 0
    asked = [package for package in packages if "vulns" in package]
    found = [(package, vuln) for package in asked for vuln in package["vulns"]]
    for package, vuln in found:
        mended = ", ".join(vuln.get("fix_versions") or []) or "no release yet"
        print(f"{package['name']} {package['version']}: {vuln['id']}, mended in {mended}")
    left = len(packages) - len(asked)
    print(
        f"dependencies: {len(found)} known vulnerabilities in {len(asked)}, {left} not known there"
    )
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
