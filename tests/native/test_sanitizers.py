"""The machine under AddressSanitizer and UndefinedBehaviorSanitizer, its memory full of NaN."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CASES = (
    "every_cell and not any_size or nothing or padding or steps_in or second or 17-1 or threads "
    "or odd_sizes or compiled_steps or whole_numbers and 33 or resets or exact_sum "
    "or as_near_to_float64 and 33 or no_whole_numbers or uneven"
)
LEAST = 700
"""Tests that these are at least."""
RUN = """
import sys
sys.path[:0] = sys.argv[1:3]
import penstock._native, pytest
assert penstock._native.__file__.startswith(sys.argv[1])
tests = ["tests/engines/test_engines.py", "tests/engines/test_native.py"]
tests += ["tests/layers/test_stream.py"]
tests += ["tests/layers/test_attention.py", "tests/layers/test_quantise.py"]
tests += ["tests/layers/test_bfloat16.py", "tests/engines/test_product.py"]
tests += ["tests/engines/test_fixed.py"]
plain = ["-x", "-p", "no:cacheprovider", "-p", "no:xdist"]
sys.exit(pytest.main([*plain, *tests, "-k", sys.argv[3]]))
"""


def library(name: str) -> str:
    """Where the compiler keeps the run-time library of a sanitizer."""
    words = ["g++", f"-print-file-name={name}"]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.long
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_no_fault_is_found(tmp_path):
    build = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", tmp_path, ROOT]
    subprocess.run([*build, "-C", "cmake.define.PENSTOCK_SANITIZE=ON"], check=True)
    environment = {
        **os.environ,
        "LD_PRELOAD": f"{library('libasan.so')} {library('libubsan.so')}",
        "ASAN_OPTIONS": "detect_leaks=0",  # Python keeps much to its end
        "UBSAN_OPTIONS": "halt_on_error=1",
        "OMP_NUM_THREADS": "2",
    }
    # Without `site`, whose editable installation would come first.
    words = [sys.executable, "-S", "-c", RUN, tmp_path, sysconfig.get_path("purelib"), CASES]
    found = subprocess.run(
        words, check=False, cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stdout[-4000:] + found.stderr[-4000:]
    assert int(re.search(r"(\d+) passed", found.stdout)[1]) > LEAST
