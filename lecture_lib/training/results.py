"""Small dated results of commands, kept in `data/results` for the notebooks to draw beside what they measure live."""

import json
import os
import platform
from datetime import date
from pathlib import Path
from typing import Any

import torch

from lecture_lib.files import replacing


def processor_name() -> str:
    """Return the processor's model name where the system tells it, else its architecture."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def describe_machine() -> dict[str, Any]:
    """Describe what the numbers were measured on: processor, threads, accelerator; never the machine's name."""
    accelerator = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "accelerator": accelerator,
        "torch": torch.__version__,
    }


def today() -> str:
    """Return today's date, e.g. 2026-11-22."""
    return date.today().isoformat()


def date_and_machine() -> dict[str, Any]:
    """When and on what a result is measured, as it is kept in its file."""
    return {"date": today(), "machine": describe_machine()}


def when_and_where(result: dict[str, Any]) -> str:
    """Say when and on what a result was measured, e.g. "2026-11-22 (AMD EPYC, 2 cores, no GPU, PyTorch 2.15.0)"."""
    machine = result["machine"]
    cores, threads = machine["cores"], machine.get("threads")  # older results have no threads
    used = f"{cores} cores" if threads in (None, cores) else f"{threads} of {cores} cores"
    parts = (machine["processor"], used, machine["accelerator"] or "no GPU")
    return f"{result['date']} ({', '.join(parts)}, PyTorch {machine['torch'].partition('+')[0]})"


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Write a result so that readers see the old file or the new one, never half of one."""
    with replacing(path) as beside:
        beside.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read a result; raises ValueError for a file that is no JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is no complete result ({error}). Delete it and run its command again.") from error
