"""The console's pure modules in Node.js, and the types of all modules."""

import pathlib
import shutil
import subprocess

import pytest

from console_page import FILES

NODE, TSC = shutil.which("node"), shutil.which("tsc")


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The modules in a folder that makes them modules for Node.js too."""
    folder = tmp_path_factory.mktemp("console")
    shutil.copytree(FILES, folder / "files")
    (folder / "package.json").write_text('{"type": "module"}')
    shutil.copy(pathlib.Path(__file__).parent / "console_modules.mjs", folder)
    return folder


@pytest.mark.skipif(NODE is None, reason="needs Node.js: run 'make deps-test'")
def test_the_pure_modules(copy):
    run = subprocess.run([NODE, "--test", copy / "console_modules.mjs"], capture_output=True,
                         text=True, timeout=120)
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    assert "# pass 0" not in run.stdout


@pytest.mark.skipif(TSC is None, reason="needs node-typescript: run 'make deps-test'")
def test_the_types(copy):
    run = subprocess.run(
        [TSC, "--noEmit", "--allowJs", "--checkJs", "--strict", "--noUnusedLocals", "--target",
         "es2022", "--lib", "es2022,dom,dom.iterable", "--module", "es2022", "--moduleResolution",
         "node", copy / "files/app.js"], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout
