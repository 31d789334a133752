"""What each job's worker may read and write."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from consensus_onnx.engine.containment import Confines
from consensus_onnx.engine.jobs import BenchJob, GradientJob, ImageJob, InspectionJob, Job, MemberJob, RandomisingJob
from consensus_onnx.images import Item

_GPU_DEVICES = ("/dev/nvidiactl", "/dev/dxg", "/dev/nvmap")  # data centre and desktop, Windows' Linux, Jetson


def confines_of(job: Job, scratch: Path, memory: int | None) -> Confines:
    """Return the confines of a job.

    Parameters
    ----------
    job : Job
        What the worker is for.
    scratch : Path
        Its private folder.
    memory : int or None
        Bytes on top of what the process has taken when it is confined; None sets no limit.
    """
    match job:
        case ImageJob():
            return Confines(_pictures(job.items), (str(scratch),), memory)
        case MemberJob():
            gpu = _may_use_gpu(job.runtime.provider)
            return Confines((*_model(job.member.path), str(job.store)), (str(scratch),), memory, gpu)
        case InspectionJob():
            gpu = _may_use_gpu(job.runtime.provider)
            return Confines((*_model(job.member.path), *_pictures(job.items)), (str(scratch),), memory, gpu)
        case GradientJob():
            return Confines(_model(job.model), (str(scratch), str(job.out.parent)), memory, _may_use_gpu("auto"))
        case BenchJob():
            gpu = _may_use_gpu(job.runtime.provider)
            read = (*_model(job.member.path), os.path.dirname(job.picture) or ".", os.path.realpath(job.picture))
            return Confines(read, (str(scratch),), memory, gpu)
        case RandomisingJob():
            return Confines(_model(job.model), (str(scratch), str(job.out.parent)), memory)


def _may_use_gpu(provider: str) -> bool:
    return provider != "cpu" and any(os.path.exists(device) for device in _GPU_DEVICES)


def _model(path: Path) -> tuple[str, ...]:
    """Return the model's folder, and the file itself where it is a link to another place."""
    return str(path.parent), os.path.realpath(path)


def _pictures(items: Iterable[Item]) -> tuple[str, ...]:
    """Return the folders of pictures and masks, and those files that are links to other places."""
    files = [str(path) for item in items for path in (item.path, item.mask) if path is not None]
    folders = dict.fromkeys(os.path.dirname(file) or "." for file in files)
    return (*folders, *(os.path.realpath(file) for file in files if os.path.islink(file)))
