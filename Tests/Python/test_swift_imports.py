"""A Swift program outside the package imports Weir and SwiftProtobuf together."""

import subprocess

import pytest

from conftest import BUILD, ROOT, SECONDS

PROGRAM = """
import SwiftProtobuf
import Weir
import WeirSwiftProtobuf

let time = Google_Protobuf_Timestamp.with { $0.seconds = 5 }
let duration = Google_Protobuf_Duration()
let own = WeirProtobuf_Timestamp(seconds: 5)
let wrapped = Proto(time)
"""


def check(folder, program):
    """What the compiler reports about a program."""
    source = folder / "main.swift"
    source.write_text(program)
    maps = [*(ROOT / "Sources").glob("*/module.modulemap"), *BUILD.glob("*.build/module.modulemap"),
            *(ROOT / ".build/checkouts").glob("*/Sources/*/include/module.modulemap")]
    options = [word for path in maps for word in ("-Xcc", f"-fmodule-map-file={path}")]
    run = subprocess.run(
        ["swiftc", "-typecheck", "-swift-version", "6", "-I", BUILD / "Modules", "-Xcc",
         f"-I{ROOT / 'Sources/CWeirProtos/include'}", *options, source],
        capture_output=True, text=True, timeout=10 * SECONDS, cwd=folder)
    return run.returncode, run.stderr


def test_the_types_of_both_modules_have_distinct_names(tmp_path):
    code, errors = check(tmp_path, PROGRAM)
    assert code == 0, errors[-4_000:]


@pytest.mark.parametrize("line, error", [
    ("let wrong: Int = time", "cannot convert value"),
    ("let wrong = Google_Protobuf_Nothing()", "cannot find 'Google_Protobuf_Nothing'"),
])
def test_the_compiler_reports_errors_of_such_a_program(tmp_path, line, error):
    code, errors = check(tmp_path, PROGRAM + line)
    assert code != 0 and error in errors
