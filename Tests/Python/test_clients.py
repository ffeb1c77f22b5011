"""The clients in other languages: runs the smoke test of each against a running server.

A test is skipped if the tools of its language are not installed.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import zipfile
from concurrent import futures

import grpc
import pytest

import go_proxy
import weir
from conftest import BUILD, ROOT, Server, start_weir, tool
from test_access import line, write

CLIENTS = ROOT / "clients"
VECTORS = ROOT / "protos/vectors"
TOKEN = "weir_of_a_client"
METHODS = ("/weir.v1.Serve/Call", "/helloworld.Greeter/SayHello")
SECONDS = 600


@pytest.fixture(scope="module")
def server():
    """A server with the objects that the smoke tests require."""
    server = Server([BUILD / "FixtureServer"])
    server.data, server.admin = server.first_line.split()
    tool(server, "backend", "create", "dynamic-2", "--handler", "dynamic")
    tool(server, "backend", "create", "typed-2", "--handler", "typed")
    with weir.connect(server.admin) as client:
        client.delete_endpoint("typed")
        client.create_endpoint("greeter", route="/helloworld.Greeter/", backend="typed")
        client.set_traffic("greeter", {"typed": 0.5, "typed-2": 0.5})
    yield server
    assert server.stop() == 0


class Recorder(grpc.GenericRpcHandler):
    """A backend that answers with empty messages, and keeps the metadata of all calls."""

    def __init__(self):
        self.calls = []

    def service(self, details):
        self.calls.append((details.method, dict(details.invocation_metadata)))
        if details.method not in METHODS:
            return None
        return grpc.unary_unary_rpc_method_handler(lambda request, context: b"")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A server that requires a token on its admin port, and whose backend records metadata."""
    access = write(
        tmp_path_factory.mktemp("guarded") / "access", line("client", "admin", TOKEN))
    server = start_weir("--access", str(access))
    server.recorder = Recorder()
    backend = grpc.server(futures.ThreadPoolExecutor(4), handlers=[server.recorder])
    address = f"127.0.0.1:{backend.add_insecure_port('127.0.0.1:0')}"
    backend.start()
    with weir.connect(server.admin, token=TOKEN) as client:
        client.create_backend("recorder", [address])
        client.create_endpoint("recorded", backend="recorder", route="/helloworld.Greeter/")
    yield server
    assert server.stop() == 0
    backend.stop(None).wait()


@pytest.fixture
def run(server, guarded):
    """Runs a command with the server's address; returns its output."""

    def run(*command, folder, **environment):
        result = subprocess.run(
            list(map(str, command)), cwd=folder, capture_output=True, text=True, timeout=SECONDS,
            env={**os.environ, "WEIR_ADMIN": server.admin, "WEIR_VECTORS": str(VECTORS),
                 "WEIR_GUARDED": guarded.admin, "WEIR_TOKEN": TOKEN, **environment})
        assert result.returncode == 0, (result.stdout + result.stderr)[-5_000:]
        return result.stdout

    return run


@pytest.fixture
def recorded(guarded):
    """Checks that a smoke test called the guarded server's backend, which got no token."""
    guarded.recorder.calls.clear()
    yield
    calls = [metadata for method, metadata in guarded.recorder.calls
             if method in METHODS]
    assert calls and {call.get("x-serve-shard-key") for call in calls} == {"token-test"}
    assert TOKEN not in str(guarded.recorder.calls) and "authorization" not in str(calls)


def needs(language, packages, *commands):
    """Skips the test unless all commands are installed."""
    missing = [command for command in commands if shutil.which(command) is None]
    if missing:
        pytest.skip(f"{language} is not installed: no {', '.join(missing)} (Debian: {packages})")


def passed(output):
    """The number of passed checks that a smoke test reports."""
    return int(re.search(r"(\d+) passed", output).group(1))


@pytest.fixture(scope="module")
def cpp(tmp_path_factory):
    """The build folder of the C++ client, which is also installed into its folder `installed`."""
    needs("C++", "g++ cmake libgrpc++-dev protobuf-compiler-grpc",
          "g++", "cmake", "pkg-config", "protoc", "grpc_cpp_plugin")
    folder = tmp_path_factory.mktemp("cpp")
    for command in (
            ["-S", CLIENTS / "cpp", "-B", folder, "-D", "WEIR_BUILD_TESTS=ON",
             "-D", "CMAKE_CXX_FLAGS=-O0", "-D", f"CMAKE_INSTALL_PREFIX={folder}/installed"],
            ["--build", folder, "-j2"], ["--install", folder]):
        subprocess.run(["cmake", *command], check=True, timeout=SECONDS, stdout=subprocess.DEVNULL)
    return folder


def test_cpp(run, cpp, recorded):
    assert passed(run(cpp / "smoke_test", folder=cpp)) > 400


def test_the_installed_cmake_package(run, cpp, tmp_path):
    found = {"CMAKE_PREFIX_PATH": str(cpp / "installed")}
    source = ROOT / "Tests/Python/packages/cpp"
    run("cmake", "-S", source, "-B", tmp_path, "-D", "CMAKE_CXX_FLAGS=-O0",
        "-D", f"WANTED={weir.__version__}", folder=tmp_path, **found)
    run("cmake", "--build", tmp_path, folder=tmp_path, **found)
    assert "greeter\n" in run(tmp_path / "program", folder=tmp_path)


def test_the_installed_pkg_config_file(run, cpp, tmp_path):
    (file,) = (cpp / "installed").rglob("weir-client.pc")
    found = {"PKG_CONFIG_PATH": str(file.parent)}
    flags = run("pkg-config", "--cflags", "--libs", "weir-client", folder=tmp_path, **found).split()
    assert run("pkg-config", "--modversion", "weir-client", folder=tmp_path, **found).strip() \
        == weir.__version__
    source = ROOT / "Tests/Python/packages/cpp/program.cc"
    run("g++", "-std=c++17", "-O0", source, "-o", "program", *flags, folder=tmp_path)
    assert "greeter\n" in run(tmp_path / "program", folder=tmp_path)


@pytest.fixture(scope="module")
def go(tmp_path_factory):
    """A module that requires the client's module, and the environment for Go."""
    needs("Go", "golang-go golang-google-grpc-dev golang-github-oneofone-xxhash-dev", "go")
    folder = tmp_path_factory.mktemp("go")
    version = f"v{weir.__version__}"
    go_proxy.make(folder / "proxy", version)
    module = folder / "module"
    module.mkdir()
    (module / "go.mod").write_text("module example.org/user\n\ngo 1.19\n")
    environment = {
        "GOPROXY": (folder / "proxy").as_uri(), "GOSUMDB": "off", "GOFLAGS": "-mod=mod -modcacherw",
        "GOPATH": str(folder / "path"), "GOCACHE": str(folder / "cache"), "GOTOOLCHAIN": "local"}
    subprocess.run(
        ["go", "get", "-t", f"{go_proxy.path()}/...@{version}"], cwd=module, check=True,
        timeout=SECONDS, env={**os.environ, **environment}, stderr=subprocess.DEVNULL)
    return {"folder": module, **environment}


def test_go(run, go, recorded):
    output = run("go", "test", "-count=1", "-v", go_proxy.path(), **go)
    assert "--- PASS" in output and "SKIP" not in output


def test_the_requirements_of_the_go_module():
    """go.sum has the hashes of each required module and of its go.mod."""
    sums = {tuple(line.split()[:2]): line.split()[2]
            for line in (CLIENTS / "go/go.sum").read_text().splitlines()}
    for module, version in go_proxy.requirements().items():
        for name in (version, f"{version}/go.mod"):
            assert re.fullmatch(r"h1:[A-Za-z0-9+/]{43}=", sums[module, name])


@pytest.fixture(scope="module")
def java(tmp_path_factory):
    """The build folder of the Java client. Debian's packages are Maven's repository."""
    needs("Java", "default-jdk-headless maven libgrpc-java protobuf-compiler-grpc-java-plugin",
          "javac", "mvn", "protoc", "grpc_java_plugin")
    missing = [name for name in ("org/apache/maven/plugins/maven-source-plugin",
                                 "org/apache/maven/plugins/maven-javadoc-plugin",
                                 "com/google/api/grpc/proto-google-common-protos")
               if not (pathlib.Path("/usr/share/maven-repo") / name).exists()]
    if missing:
        pytest.skip(f"Debian's Maven packages are not installed: no {', '.join(missing)}")
    folder = tmp_path_factory.mktemp("java")
    subprocess.run(
        ["make", "-s", f"OUT={folder}", f"REPOSITORY={folder}/repository", "package"],
        cwd=CLIENTS / "java", check=True, timeout=SECONDS)
    return folder


def test_java(run, java, recorded):
    assert passed(run("make", "-s", f"OUT={java}", "smoke-test", folder=CLIENTS / "java")) > 400


def test_the_maven_package(run, java):
    """The installed jars. The other tests use the classes of which Maven makes them."""
    (installed,) = (java / "repository/local/weir/weir-client").glob("*.*.*")
    prefix = f"weir-client-{installed.name}"
    names = {path.name.removeprefix(prefix) for path in installed.iterdir()}
    assert {".jar", ".pom", "-sources.jar", "-javadoc.jar"} <= names
    content = {}
    for kind in ("", "-sources", "-javadoc"):
        with zipfile.ZipFile(installed / f"{prefix}{kind}.jar") as jar:
            content[kind] = set(jar.namelist())
    assert {"weir/WeirClient.class", "weir/admin/v1/AdminGrpc.class", "META-INF/LICENSE",
            "META-INF/CHANGELOG.md"} <= content[""]
    assert {"weir/WeirClient.java", "weir/admin/v1/AdminGrpc.java"} <= content["-sources"]
    assert "weir/WeirClient.html" in content["-javadoc"]
    assert not [name for name in content[""] if name.startswith(("helloworld", "Canary"))]


def test_node(run, recorded):
    needs("Node", "nodejs", "node")
    output = run("node", "--test", "--test-reporter=tap", "test/smoke.test.js",
        "test/browser.test.js", folder=CLIENTS / "node")
    assert re.search(r"^# pass [1-9]", output, re.M)
    assert re.search(r"^# fail 0$", output, re.M) and re.search(r"^# skipped 0$", output, re.M)


def test_ruby(run, recorded):
    needs("Ruby", "ruby ruby-grpc", "ruby")
    output = run("ruby", "-I", "lib", "test/smoke_test.rb", folder=CLIENTS / "ruby")
    assert re.search(r"^[1-9]\d* runs.* 0 failures, 0 errors, 0 skips$", output, re.M)


def test_shard_keys_in_python(server):
    keys = json.loads((VECTORS / "shard_keys.json").read_text())
    with weir.connect(server.admin) as client:
        affinity, handle = client.get_endpoint("greeter"), client.get_handle("greeter")
        for key in keys["valid"]:
            assert client.explain("greeter", key).backend == affinity.explain(key).backend
            assert handle.options(shard_key=key)
    for key in keys["invalid"]:
        for use in (lambda: handle.options(shard_key=key), lambda: weir.shard_key(key).__enter__()):
            with pytest.raises(ValueError, match="invalid shard key"):
                use()


# The examples of the clients' pages, which have the same output in each language.

STORY = """\
  0 % canary, 10 % of users moved: greeter-v1 200, greeter-v2 0
 10 % canary, 10 % of users moved: greeter-v1 173, greeter-v2 27
 50 % canary, 40 % of users moved: greeter-v1 104, greeter-v2 96
  0 % canary, 50 % of users moved: greeter-v1 200, greeter-v2 0
"""


@pytest.fixture
def demo_run(demo):
    def run(*command, folder, **environment):
        result = subprocess.run(
            [*map(str, command), demo.admin], cwd=folder, capture_output=True, text=True,
            timeout=SECONDS, env={**os.environ, **environment})
        assert result.returncode == 0, result.stderr
        return result.stdout

    return run


def test_the_sample_in_cpp(demo_run, cpp):
    assert demo_run(cpp / "canary", folder=cpp) == STORY


def test_the_sample_in_go(demo_run, go):
    assert demo_run("go", "run", f"{go_proxy.path()}/examples/canary", **go) == STORY


def test_the_sample_in_java(demo_run, java):
    output = demo_run(
        "sh", "-c", f'make -s OUT={java} canary ADMIN="$0"', folder=CLIENTS / "java")
    assert output == STORY


def test_the_sample_in_node(demo_run):
    needs("Node", "nodejs", "node")
    assert demo_run("node", "examples/canary.js", folder=CLIENTS / "node") == STORY


def test_the_sample_in_ruby(demo_run):
    needs("Ruby", "ruby ruby-grpc", "ruby")
    assert demo_run("ruby", "-I", "lib", "examples/canary.rb", folder=CLIENTS / "ruby") == STORY


@pytest.mark.parametrize("language", ["cpp", "go", "java", "node", "ruby"])
def test_the_pages_show_the_output_of_the_samples(language):
    assert STORY in (CLIENTS / language / "README.md").read_text()
