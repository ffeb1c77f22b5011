"""What all clients have in common: the table of calls, the version, change logs and licenses."""

import json
import re
import shutil
import subprocess
import sys

import pytest

import weir
from conftest import ROOT
from weir.admin.v1 import admin_pb2

CLIENTS = ROOT / "clients"
METHODS = [method.name for method in admin_pb2.DESCRIPTOR.services_by_name["Admin"].methods]
# For each column of the table: the sources of the client's calls, the declaration of the call
# `name`, and how the call names the method of the admin service.
LANGUAGES = {
    "Python": ("clients/python/src/weir/*.py", r"\n    def {name}\(", r'Operation\(\s*"{method}"'),
    "Go": ("clients/go/*.go", r"\nfunc \(c \*Client\) {name}\(", r"c\.Admin\.{method}\("),
    "C++": ("clients/cpp/*/*/client.h clients/cpp/src/*.cc", r"\n  [\w:<>]+ {name}\(",
            r"(Stub::|admin_->){method}\b"),
    "Java": ("clients/java/src/main/java/weir/WeirClient.java", r"\n  public [\w<>]+ {name}\(",
             r"(admin|\))\.{camel}\("),
    "Ruby": ("clients/ruby/lib/weir/*.rb", r"\n    def {name}\b", r"(:|@admin\.){snake}\b"),
    "Node": ("clients/node/src/client.js", r"\n  (async )?{name}\(", r'"{method}"'),
    "Swift": ("Sources/Weir/Client/*.swift", r"\n    public func {name}\(", r"stub\.{camel}\("),
}
# What every client has as calls.
REQUIRED = {"Apply", "GetRevision", "SetRateLimit", "SetShadowComparison", "SetTraffic",
            *(method for method in METHODS if "Rollout" in method)}


def table():
    """The rows of the table: for each method, the call of each language, or nothing."""
    text = (CLIENTS / "README.md").read_text().partition("\n## Calls\n")[2]
    lines = text.partition("\n## Fields\n")[0].splitlines()
    head, _, *rows = [[cell.strip().strip("`") for cell in line.strip("|").split("|")]
                      for line in lines if line.startswith("|")]
    assert head == ["method", *LANGUAGES]
    return [(method, dict(zip(LANGUAGES, calls, strict=True))) for method, *calls in rows]


def sources(patterns):
    return "\n".join(path.read_text() for pattern in patterns.split()
                     for path in sorted(ROOT.glob(pattern)))


def test_the_table_has_each_method_of_the_admin_service():
    assert [method for method, _ in table()] == METHODS


def spellings(method):
    """The name of a method with underscores, and in camel case."""
    return re.sub("(?<!^)([A-Z])", r"_\1", method).lower(), method[0].lower() + method[1:]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_calls_of_the_table_exist(language):
    pattern, declaration, use = LANGUAGES[language]
    text = sources(pattern)
    for method, calls in table():
        name = calls[language]
        if not name:
            assert method not in REQUIRED
            continue
        snake, camel = spellings(method)
        assert re.search(declaration.format(name=name), text), f"{language} has no {name}"
        assert re.search(use.format(method=method, snake=snake, camel=camel), text) \
            or method in ("HoldLeases", "ReleaseLeases"), f"{language} does not call {method}"
        if language == "Node":
            types = (CLIENTS / "node/src/index.d.ts").read_text()
            assert re.search(rf"\n  {name}\(", types), f"{name} has no type"
        if language == "Python":
            assert hasattr(weir.Client, name) and hasattr(weir.aio.Client, name)


# For each language: the end of a call in its sources, and how the call sets the field of a request.
FIELDS = {
    "Python": (r"\n(?=    def |def |@)", r'\b{snake}=|"{snake}"'),
    "Go": (r"\n}}\n", r"\b{pascal}:|request \*adminv1\.{method}Request"),
    "C++": (r"\n}}\n", r"_{snake}\(|const pb::{method}Request& request|return Change\("),
    "Java": (r"\n  }}\n", r"(set|add|addAll){pascal}\(|\({method}Request request\)"),
    "Ruby": (r"\n    end\n", r"\b{snake}: "),
    "Node": (r"\n  }}\n", r'"{method}", \{{[^()]*\b{camel}\b'),
    "Swift": (r"\n    }}\n", r"\b{camel}:"),
}
# The fields that each call of a change has as options.
OPTIONS = {"expected_revision", "validate_only", "note"}


def unset(language):
    """The fields of requests that the calls of a client do not set: {(method, field)}."""
    pattern, _, use = LANGUAGES[language]
    end, setter = FIELDS[language]
    parts = re.split(end.format(), sources(pattern))
    found = set()
    for method, calls in table():
        if not calls[language] or method in ("HoldLeases", "ReleaseLeases"):
            continue
        snake, camel = spellings(method)
        request = admin_pb2.DESCRIPTOR.services_by_name["Admin"].methods_by_name[method].input_type
        callers = [part for part in parts
                   if re.search(use.format(method=method, snake=snake, camel=camel), part)]
        for field in request.fields:
            names = {"method": method, "snake": field.name, "camel": field.json_name,
                     "pascal": field.json_name[0].upper() + field.json_name[1:]}
            if field.name not in OPTIONS \
                    and not any(re.search(setter.format(**names), part) for part in callers):
                found.add((method, field.name))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_table_of_fields_without_an_argument(language):
    section = (CLIENTS / "README.md").read_text().partition("\n## Fields\n")[2]
    listed = set()
    for method, field, clients in re.findall(r"\| `(\w+)\.(\w+)` \| ([^|]+) \|", section):
        assert not set(clients.split(", ")) - set(LANGUAGES)
        if language in clients.split(", "):
            listed.add((method, field))
    assert listed == unset(language)


@pytest.mark.parametrize("language", ["python", "go", "cpp", "java", "ruby", "node"])
def test_each_client_has_a_change_log_and_a_page_with_the_new_calls(language):
    folder = CLIENTS / language
    log = (folder / "CHANGELOG.md").read_text()
    assert log.startswith("# Changelog\n") and f"\n## {weir.__version__}\n" in log
    column = {"python": "Python", "go": "Go", "cpp": "C++", "java": "Java", "ruby": "Ruby",
              "node": "Node"}[language]
    page = (folder / "README.md").read_text()
    for method, calls in table():
        if method in ("Apply", "GetRevision", "SetRateLimit", "SetShadowComparison",
                      "StartRollout", "WatchRollout"):
            assert re.search(rf"\b{calls[column]}\b", page), f"the page has no {calls[column]}"
    if language != "cpp":
        assert (folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_the_manifests_have_the_version_and_the_addresses():
    done = subprocess.run(
        [sys.executable, CLIENTS / "stamp", "--check"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, f"{weir.__version__}: all files agree\n"), \
        done.stderr


@pytest.fixture
def copy(tmp_path):
    """A copy of the files that `clients/stamp` reads and writes."""
    shutil.copytree(CLIENTS, tmp_path / "clients", ignore=shutil.ignore_patterns(
        "__pycache__", "*.egg-info", "build"))
    for name in ("Sources/Weir/Server/WeirServer+Version.swift",
                 "Sources/Weir/Weir.docc/Embedding.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_a_new_version_and_new_addresses(copy):
    version = copy / "Sources/Weir/Server/WeirServer+Version.swift"
    version.write_text(version.read_text().replace(weir.__version__, "7.8.9"))
    stamp = copy / "clients/stamp"
    stamp.write_text(stamp.read_text().replace('"weir.local/weir"', '"code.example/team/weir"')
                     .replace('"weir.local"', '"weir.example"'))
    check = [sys.executable, stamp, "--check"]
    assert subprocess.run(check, capture_output=True, timeout=60).returncode == 1
    subprocess.run([sys.executable, stamp], check=True, capture_output=True, timeout=60)
    assert subprocess.run(check, capture_output=True, timeout=60).returncode == 0
    assert json.loads((copy / "clients/node/package.json").read_text())["version"] == "7.8.9"
    left = [path for path in (copy / "clients").rglob("*") if path.is_file()
            and "weir.local" in path.read_text() and not re.search(r"_pb2?\.|\.pb\.", path.name)]
    assert left == []
    assert 'from: "7.8.9"' in (copy / "Sources/Weir/Weir.docc/Embedding.md").read_text()
