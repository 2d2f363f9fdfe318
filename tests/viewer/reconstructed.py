"""A small head with its reconstruction in a session, quick enough for tests."""

from napari_qsm.phantom import make_head
from napari_qsm.recon.recipe import load_recipe, with_settings
from napari_qsm.study.reconstruction import Reconstruction
from napari_qsm.study.scan_source import source_of_scan
from napari_qsm.study.stage_task import PreparedInputs

QUICK = ["background.deconvolution=none", "inversion.method=tkd"]
GROUP = "patient"


def small_head():
    return make_head("patient", shape=(48, 56, 32), voxel_size_mm=(3.5, 3.5, 4.4), seed=3)


def reconstruction_of(head):
    recon = Reconstruction()
    recon.use_recipe(with_settings(load_recipe("case-report"), QUICK))
    recon.use_scan(source_of_scan(head.scan, GROUP))
    return recon


def run(recon, stages=None):
    """Run stages as the panel does, but here and now."""
    stages = recon.stale_stages() if stages is None else stages
    made = []
    recon.task(stages).run(made.append)
    for one in made:
        if isinstance(one, PreparedInputs):
            recon.take_prepared(one)
        else:
            recon.take(one)
    return recon


def settled_jobs(workspace, seconds=30):
    """Let the work in the background come to its end."""
    import time

    from tests.viewer.conftest import settle

    end = time.monotonic() + seconds
    jobs = workspace.central.jobs
    while jobs.busy and time.monotonic() < end:
        settle(2)
        time.sleep(0.005)
    assert not jobs.busy
    settle()
