"""A folder as SkyPilot keeps its catalogue: rows of its published files (skypilot-org/skypilot-catalog, v8)."""

from __future__ import annotations

import hashlib
import os
from datetime import datetime
from pathlib import Path

CLOUDS = {file.stem: file.read_text(encoding="utf-8") for file in Path(__file__).parent.glob("skypilot/*.csv")}
NEBIUS, VERDA = CLOUDS["nebius"], CLOUDS["verda"]


def written(folder: Path, clouds: dict[str, str] = CLOUDS, *, fetched: str = "2026-11-02") -> Path:
    """SkyPilot's folder with these files, fetched on that day, checksums as SkyPilot writes them; `.../v8`."""
    version = folder / "v8"
    for cloud, text in clouds.items():
        file, checksum = version / cloud / "vms.csv", version / ".meta" / cloud / "vms.csv.md5"
        for path, content in ((file, text), (checksum, hashlib.md5(text.encode()).hexdigest())):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
            set_day(path, fetched)
    return version


def set_day(path: Path, day: str) -> None:
    """The file was changed last at noon of that day."""
    at = datetime.fromisoformat(f"{day}T12:00").timestamp()
    os.utime(path, (at, at))
