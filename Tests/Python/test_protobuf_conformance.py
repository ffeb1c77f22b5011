"""Protobuf's own conformance tests of JSON. They need its `conformance_test_runner`.

The variable WEIR_PROTOBUF_CONFORMANCE names a folder with the runner and with the descriptor set
`messages.binpb` of its test messages: Contributing.md has the commands that make it.
"""

import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = os.environ.get("WEIR_PROTOBUF_CONFORMANCE")

# Each test that Weir does not pass, with the reason.
EXCEPTIONS = {}


@pytest.mark.skipif(not FOLDER, reason="WEIR_PROTOBUF_CONFORMANCE names no folder")
def test_the_conformance_tests_of_protobuf(tmp_path):
    folder = pathlib.Path(FOLDER)
    # The runner passes no arguments to the program.
    program = tmp_path / "testee"
    program.write_text(
        f"#!/bin/sh\nexec {ROOT / '.build/debug/ConformanceTestee'} {folder / 'messages.binpb'}\n")
    program.chmod(0o755)
    expected = tmp_path / "expected.txt"
    expected.write_text("".join(f"{name}\n" for name in sorted(EXCEPTIONS)))
    done = subprocess.run(
        [folder / "conformance_test_runner", "--enforce_recommended", "--failure_list", expected,
         "--output_dir", f"{tmp_path}/", program], capture_output=True, text=True, timeout=300)
    # The second suite is that of the text format.
    found = re.search(r"(\d+) successes, (\d+) skipped, (\d+) expected failures, "
                      r"(\d+) unexpected failures", done.stdout + done.stderr)
    assert found, done.stderr[-2_000:]
    print(found[0])
    assert done.returncode == 0, done.stderr[-10_000:]
    assert int(found[1]) > 700
