"""The solver is SciPy's own, and comes alone."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import scipy.optimize

from edgetrack.track.lsap import linear_sum_assignment, solver


def test_it_solves_as_its_public_twin() -> None:
    rng = np.random.default_rng(0)
    for shape in ((1, 1), (3, 3), (4, 7), (9, 2), (50, 50)):
        cost = rng.random(shape)
        ours, theirs = linear_sum_assignment(cost), scipy.optimize.linear_sum_assignment(cost)
        assert np.array_equal(ours[0], theirs[0])
        assert np.array_equal(ours[1], theirs[1])


def test_the_tracker_comes_without_the_rest_of_scipy_optimize() -> None:
    code = "import edgetrack.track.tracker, sys; print('scipy.optimize' in sys.modules, 'scipy.sparse' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]


def test_where_the_compiled_module_is_not_found_the_public_name_serves(tmp_path: Path) -> None:
    assert solver(str(tmp_path)) is scipy.optimize.linear_sum_assignment
