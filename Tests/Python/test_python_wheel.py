"""The wheel of the Python client, built and installed into a new environment."""

import email
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile

import pytest

from conftest import ROOT

SOURCE = ROOT / "clients/python"


def run(*command, **options):
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=120, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    # A build writes to its source.
    shutil.copytree(SOURCE, folder / "source", ignore=shutil.ignore_patterns(
        "*.egg-info", "build", "__pycache__"))
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation",
        "--disable-pip-version-check", "--no-cache-dir", "-w", folder, folder / "source")
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def python(wheel):
    """The Python of a new environment with the wheel, and with the dependencies of the tests."""
    folder = wheel.parent / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin/python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps",
        "--no-index", "--disable-pip-version-check", "--no-cache-dir", wheel)
    site = pathlib.Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
                        .strip())
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def test_the_content_of_the_wheel(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = next(name for name in names if name.endswith("/METADATA"))
        info = email.message_from_bytes(archive.read(metadata))
        licenses = [archive.read(name) for name in names if name.endswith("/LICENSE")]
    assert {"weir/__init__.py", "weir/py.typed", "weir/admin/v1/admin_pb2.py",
            "weir/admin/v1/admin_pb2.pyi", "weir/v1/serve_pb2.pyi"} <= names
    assert not [name for name in names if not name.startswith(("weir/", "weir_client-"))]
    assert licenses == [(ROOT / "LICENSE").read_bytes()]
    assert {entry.partition(",")[0] for entry in info.get_all("Project-URL")} == {
        "Homepage", "Documentation", "Changelog", "Source"}
    assert info["Description-Content-Type"] == "text/markdown"
    # Links to other files of the repository do not work on a page of a registry.
    links = re.findall(r"\]\(([^)]*)\)", info.get_payload())
    assert links and all(link.startswith("https://") for link in links)


def test_the_wheel_as_the_registry_checks_it(wheel):
    run(sys.executable, "-m", "twine", "check", "--strict", wheel)


def test_the_installed_client(python, client, tmp_path):
    (tmp_path / "program.py").write_text(
        "import pathlib, sys, weir\n"
        "assert 'environment' in weir.__file__, weir.__file__\n"
        "with weir.connect(sys.argv[1]) as client:\n"
        "    client.create_backend('model', lambda request: request.data)\n"
        "    client.create_endpoint('api', backend='model')\n"
        "    assert client.get_handle('api').remote([1]).result() == [1]\n"
        "    client.create_backend('worker', 'tempfile:gettempdir', working_directory='/',\n"
        "        validate_only=True)\n"
        "print(weir.__version__)\n")
    version = run(python, "-I", tmp_path / "program.py", client.address).strip()
    assert f'version = "{version}"' in (SOURCE / "pyproject.toml").read_text()
    assert "module:Name" in run(python, "-I", "-m", "weir.worker", "--help")
