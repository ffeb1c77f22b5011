"""README and the manual: their examples are run, their links, commands and paths exist."""

import json
import re
import shlex
import subprocess
import textwrap
import time

import pytest

import manual
from conftest import BUILD, ROOT, SECONDS, Authority, Server, free_port, start_weir, wait_for

README = ROOT / "README.md"
PAGES = {path.stem: path for path in sorted(manual.MANUAL.rglob("*.md"))}
# All pages that the repository shows to people, besides those of clients.
TEXTS = [README, *PAGES.values(), *sorted((ROOT / ".github").glob("*.md")),
         ROOT / "clients/README.md"]


def blocks(path, language=""):
    """The blocks of code of a page in a language; without one, those that name none."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", path.read_text(), re.DOTALL | re.MULTILINE)
    return [text for name, text in found if name == language]


def block(page, start, language=""):
    """The block of a page of the manual that begins with a text."""
    (found,) = [text for text in blocks(PAGES[page], language) if text.startswith(start)]
    return found


def prose(path):
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)


def spans(path):
    """The pieces of code within the sentences of a page."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose(path))]


def shape(text):
    """A text without what differs from run to run: figures, their units, widths and bars."""
    text = re.sub(r"0x[0-9a-f]+|\d+(\.\d+)?( (us|ms|s|%))?|(?<= )-(?=\s|$)", "N", text)
    text = re.sub(r"[+-]N", "N", re.sub(r"[█·]+", "=", text))
    lines = [re.sub(r"\s+", " ", line).strip() for line in text.strip().splitlines()]
    return [line for line in lines if line]


def steps(text):
    """The commands of an example, each with what it prints."""
    found = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found:
            found[-1][1].append(line)
    return [(command, "\n".join(shown)) for command, shown in found]


def shell(command, server, folder=None):
    """Runs a command line with the tool of the build, aimed at a server."""
    environment = {
        "WEIR_AUTHOR": "ada", "WEIR_ADMIN": server.admin, "WEIR_ADDRESS": server.data,
        "NO_COLOR": "1", "PATH": f"{BUILD}:/usr/bin:/bin"}
    return subprocess.run(
        command, shell=True, env=environment, cwd=folder, text=True, timeout=SECONDS + 10,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


def succeed(command, server, folder=None):
    run = shell(command, server, folder)
    assert run.returncode == 0, command + "\n" + run.stdout
    return run.stdout


@pytest.fixture
def empty():
    """A server without backends."""
    server = start_weir()
    yield server
    assert server.stop() == 0


# Form


def test_the_readme_is_short():
    lines = README.read_text().splitlines()
    assert len(lines) < 200
    assert [line for line in lines if len(line) > 100] == []


def test_the_generated_pages_are_current():
    for path, content in manual.pages():
        assert path.read_text() == content, f"{path.name}: run 'make manual'"


def test_every_page_of_the_manual_is_listed():
    listed = prose(PAGES["Weir"]) + prose(PAGES["Decisions"])
    assert [page for page in PAGES if page != "Weir" and f"<doc:{page}>" not in listed] == []


def anchors(path):
    """The anchors of a page's headings, in lower case."""
    for heading in re.findall(r"^#+ (.*)$", prose(path), re.MULTILINE):
        yield re.sub(r"[^\w\s-]", "", heading).replace(" ", "-").lower()


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(path)):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        linked = (path.parent / name).resolve() if name else path
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target
    for page, anchor in re.findall(r"<doc:([\w-]+)(?:#([^>]+))?>", path.read_text()):
        assert page in PAGES, page
        assert not anchor or anchor.lower() in anchors(PAGES[page]), f"{page}#{anchor}"


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_named_files_exist(path):
    folders = "Sources|Tests|Benchmarks|protos|clients|deploy|.github|.ci|.githooks"
    for span in spans(path):
        if re.fullmatch(rf"({folders})/[\w./+-]*", span):
            assert (ROOT / span).exists(), span


def test_make_lists_every_target():
    makefile = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (help (?:.*\\\n)*.*)$", makefile, re.MULTILINE)
    shown = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    listed = {line.split()[1] for line in shown.splitlines()}
    assert listed == set(phony.replace("\\", "").split())
    for path in TEXTS:
        for target in re.findall(r"`make ([a-z-]+)", path.read_text()):
            assert target in listed, f"{path.name}: make {target}"


def test_modules_import_only_modules_above_them(tmp_path):
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", prose(PAGES["Architecture"]), re.MULTILINE)
    order = [re.findall(r"`(\w+)`", row) for row in rows]
    place = {name: index for index, names in enumerate(order) for name in names}
    package = json.loads(subprocess.run(
        ["swift", "package", "--scratch-path", tmp_path, "dump-package"], cwd=ROOT, timeout=60,
        capture_output=True, text=True, check=True).stdout)
    checked = 0
    for target in package["targets"]:
        if target["name"] not in place:
            continue
        for dependency in target["dependencies"]:
            name = dependency["byName"][0] if "byName" in dependency else None
            if name in place:
                assert place[name] < place[target["name"]], f"{target['name']} imports {name}"
                checked += 1
    assert checked > 20
    ours = {target["name"] for target in package["targets"] if target.get("path") is None
            and target["type"] == "regular"}
    assert ours - set(place) == {"CHelloWorldProtos", "HelloWorld"}


# Commands


def commands_in(path):
    """The commands of the tool that a page shows, in its blocks and in its sentences."""
    lines = [line for language in ("", "console", "yaml") for text in blocks(path, language)
             for line in text.splitlines()]
    for text in [re.sub(r"^(\$|#) ", "", line) for line in lines] + spans(path):
        if text.startswith("weir ") and not re.match(r"weir: |weir serves on", text):
            yield re.sub(r"[\[\]]|\.\.\.| \|.*", " ", text)


def known_commands():
    """The options of each command of the tool; None for one that only has subcommands."""
    found = {}
    for name, command in manual.commands().items():
        words = name.split()[1:]
        for count in range(len(words)):
            found.setdefault(tuple(words[:count]), None)
        found[tuple(words)] = {
            ("-" if part["kind"] == "short" else "--") + part["name"]
            for argument in command["arguments"] for part in argument.get("names", [])}
        for alias in command.get("aliases", []):
            found[(*words[:-1], alias)] = found[tuple(words)]
    return found


def test_every_command_and_option_exists():
    known = known_commands()
    every_option = set().union(*(options for options in known.values() if options))
    count = 0
    for path in TEXTS:
        for text in commands_in(path):
            words = shlex.split(text, comments=True)[1:]
            command = ()
            while words and command + (words[0],) in known:
                command += (words.pop(0),)
            # A word after a command that has subcommands is none of them.
            assert known[command] or all(word.startswith("-") for word in words[:1]), text
            options = {word.split("=")[0] for word in words if word.startswith("-")}
            allowed = known[command] or {"--help", "--generate-completion-script"}
            assert options <= allowed, f"{path.name}: {text}: {options - allowed}"
            count += 1
        for span in spans(path):
            if re.fullmatch(r"--[a-z-]*[a-z]( .*)?", span):
                assert span.split()[0] in every_option, f"{path.name}: {span}"
    assert count > 80


def test_the_output_of_the_tour_is_as_shown(demo):
    tour = [step for path in (README, PAGES["Tour"]) for text in blocks(path, "console")
            for step in steps(text)]
    assert len(tour) > 12
    for command, shown in tour:
        end = time.monotonic() + 10
        while True:
            run = shell(command, demo)
            # A copy is answered a little later than its call.
            if "report" not in command or "being compared" not in run.stdout and \
                    "1 compared" in run.stdout or time.monotonic() > end:
                break
        refused = shown.startswith("weir: INVALID")
        assert run.returncode == (1 if refused else 0), command + "\n" + run.stdout
        if "stats" in command:
            # Which statuses and shares there are differs, the rows don't.
            assert shape(run.stdout)[0] == shape(shown)[0]
            assert len(shape(run.stdout)) == len(shape(shown))
        else:
            assert shape(run.stdout) == shape(shown), command
            if "explain" in command or "call" in command:
                assert run.stdout.split() == shown.split()


def test_the_upstreams_of_the_manual(mesh):
    addresses = {
        "127.0.0.1:50051": mesh.upstream().address, "127.0.0.1:50052": mesh.upstream().address,
        "127.0.0.1:50053": f"127.0.0.1:{free_port()}"}

    def here(command):
        for there, address in addresses.items():
            command = command.replace(there, address)
        # One of the servers does not run, so there is nothing to wait for.
        return command + (" --wait 0" if "backend create" in command else "")

    for line in block("Backends", "weir serve").splitlines()[1:]:
        succeed(here(line), mesh.weir)
    ((command, shown),) = steps(block("Backends", "$ weir backend show"))
    # The replicas are sorted by their addresses, whose ports differ from those of the page.
    wait_for(lambda: sorted(shape(succeed(command, mesh.weir))) == sorted(shape(shown)))


def test_the_files_of_the_manual(empty, tmp_path):
    succeed("weir backend create model-v1 --upstream 10.0.0.7:50051 --wait 0", empty)
    succeed("weir endpoint create model --route /my.Model/ --backend model-v1", empty)
    for page in ("Backends", "State"):
        for text in blocks(PAGES[page], "yaml"):
            command = text.splitlines()[0].removeprefix("# ")
            (tmp_path / re.search(r"-f (\S+)", command)[1]).write_text(text)
            if page == "State":
                ((plan, shown),) = steps(block("State", "$ weir apply"))
                assert shape(succeed(plan, empty, tmp_path)) == shape(shown)
                assert "10.00 % of its shard keys move" in shown
                succeed(command, empty, tmp_path)
            else:
                succeed(f"{command} --dry-run", empty, tmp_path)
    # The shadow of this file is the one of the page about shadows.
    succeed("weir shadow set model model-v2=0.5", empty)
    succeed(block("ShadowTesting", "weir shadow compare").strip(), empty)
    succeed("weir shadow report model --samples", empty)
    succeed("weir shadow reset model", empty)


def test_the_access_file_of_the_manual(empty, tmp_path):
    Authority(tmp_path).issue("admin", "DNS:localhost")
    *commands, serve = block("Security", "weir access add").splitlines()
    for command in commands:
        succeed(command, empty, tmp_path)
    options = shlex.split(serve)[2:]
    server = Server(
        ["env", "-C", tmp_path, BUILD / "weir", "serve", "--store", "memory:", "--data",
         "127.0.0.1:0", "--admin", "127.0.0.1:0", *options])
    assert server.first_line.startswith("weir serves on"), server.process.stderr.read()
    assert server.stop() == 0


# The package that embeds Weir

EMBEDDING = ROOT / "Tests/Embedding"


def test_the_manual_quotes_the_package():
    page = blocks(PAGES["Embedding"], "swift") + blocks(PAGES["Embedding"], "proto")
    for name in ("Package.swift", "Sources/Prices/Prices.swift", "protos/prices.proto"):
        assert (EMBEDDING / name).read_text() in page, name
    (part,) = blocks(README, "swift")
    assert textwrap.indent(part, "    ") in (EMBEDDING / "Sources/Prices/Prices.swift").read_text()


def test_the_code_of_the_package_matches_the_manual(tmp_path):
    command = block("Embedding", "swift run weir-generate").replace("\\\n", "")
    options = shlex.split(command.removeprefix("swift run weir-generate"))
    options = [option.replace("Sources", str(tmp_path)) for option in options]
    subprocess.run([BUILD / "weir-generate", *options], cwd=EMBEDDING, check=True, timeout=SECONDS)
    written = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) == 3
    for name in written:
        assert (EMBEDDING / "Sources" / name).read_text() == (tmp_path / name).read_text(), name


# Hooks


def git(folder, *arguments):
    return subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", folder, *arguments],
        capture_output=True, text=True, check=False)


def test_the_hook_rejects_swift_that_is_not_formatted(tmp_path):
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "config", "core.hooksPath", str(ROOT / ".githooks"))
    (tmp_path / ".swift-format").write_bytes((ROOT / ".swift-format").read_bytes())
    source = tmp_path / "A.swift"
    source.write_text("let  a=1\n")
    git(tmp_path, "add", ".")
    # What is staged counts.
    source.write_text("let a = 1\n")
    run = git(tmp_path, "commit", "-m", "first")
    assert run.returncode == 1 and "make format" in run.stderr
    git(tmp_path, "add", ".")
    assert git(tmp_path, "commit", "-m", "first").returncode == 0
