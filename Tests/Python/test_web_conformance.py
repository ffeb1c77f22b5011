"""The cases of the public Connect conformance suite, if WEIR_CONFORMANCE names their folder."""

import os
import pathlib
import sys

import pytest
import yaml

from conftest import start_weir, tool

FOLDER = os.environ.get("WEIR_CONFORMANCE", "")
SUITES = sorted(pathlib.Path(FOLDER).glob("*.yaml")) if FOLDER else []

# Why a case does not pass; each by a part of its name.
EXCEPTIONS = {
}


@pytest.fixture(scope="module")
def conformance(stubs):
    """The modules of the runner, and a Weir in front of a server of the suite's service."""
    import subprocess

    import grpc_tools
    from conftest import ROOT

    include = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'Tests/Protos'}", f"-I{include}",
         f"--python_out={stubs.path}", "conformance.proto"], check=True)
    import conformance_pb2
    import conformance
    import conformance_server

    backend, address = conformance_server.start(conformance_pb2)
    weir = start_weir()
    tool(weir, "backend", "create", "suite", "--upstream", address)
    tool(weir, "endpoint", "create", "suite", "--route", f"/{conformance_server.SERVICE}/",
         "--backend", "suite")
    conformance.address = weir.data
    yield conformance
    assert weir.stop() == 0
    backend.stop(None).wait()


def test_the_cases_are_available():
    if not SUITES:
        pytest.skip("WEIR_CONFORMANCE does not name a folder with the cases of the suite")


@pytest.mark.parametrize("path", SUITES, ids=lambda path: path.stem)
def test_the_cases_pass(conformance, path, record_property):
    suite = yaml.safe_load(path.read_text())
    if suite.get("mode", "TEST_MODE_SERVER") != "TEST_MODE_SERVER":
        pytest.skip("the cases are for clients")
    passed, failed, excepted = 0, [], set()
    for case in suite["testCases"]:
        for variant in conformance.variants(suite, case):
            client = variant.version(conformance.address)
            try:
                failures = variant.failures(variant.run(client))
            except Exception as error:
                failures = [f"{type(error).__name__}: {error}"]
            finally:
                client.close()
            reason = next((part for part in EXCEPTIONS if part in variant.name), None)
            if not failures:
                passed += 1
            elif reason:
                excepted.add(variant.name)
            else:
                failed.append(f"{variant.name}: {'; '.join(failures)}")
    print(f"{path.stem}: {passed} passed, {len(excepted)} excepted, {len(failed)} failed")
    record_property("passed", passed)
    assert not failed, "\n".join(failed)
