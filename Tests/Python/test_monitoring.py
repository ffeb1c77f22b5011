"""The alerts and the dashboard of `deploy/`, with a real Prometheus that scrapes a real server."""

import contextlib
import json
import re
import shutil
import subprocess
import sys
import threading

import grpc
import pytest
import requests
import yaml

import deployed_client
from conftest import ROOT, SECONDS, Authority, free_port, start_weir, started, tool, wait_for

PROMETHEUS = ROOT / "deploy/prometheus"
RULES, TESTS = PROMETHEUS / "weir.rules.yaml", PROMETHEUS / "weir.tests.yaml"
DASHBOARD = json.loads((ROOT / "deploy/grafana/weir.json").read_text())
HELLO = "/helloworld.Greeter/SayHello"


def promtool(*arguments):
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    run = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def rules():
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return group["rules"]


def queries():
    """The queries of the dashboard, with what they show."""
    found = [(panel["title"], target["expr"]) for panel in DASHBOARD["panels"]
             for target in panel.get("targets", [])]
    return found + [(one["name"], one["expr"]) for one in DASHBOARD["annotations"]["list"]]


# The files.


def test_promtool_accepts_the_rules():
    assert f"SUCCESS: {len(rules())} rules found" in promtool("check", "rules", str(RULES))


def test_each_alert_is_silent_and_fires_as_its_tests_say():
    promtool("test", "rules", str(TESTS))
    cases = [case for test in yaml.safe_load(TESTS.read_text())["tests"]
             for case in test["alert_rule_test"]]
    for fires in (True, False):
        covered = {case["alertname"] for case in cases if bool(case.get("exp_alerts")) == fires}
        assert covered == {rule["alert"] for rule in rules()}
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert set(rule["annotations"]) == {"summary", "description"}


def test_the_panels_of_the_dashboard_do_not_overlap():
    cells = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        own = {(x, y) for x in range(place["x"], place["x"] + place["w"])
               for y in range(place["y"], place["y"] + place["h"])}
        assert not own & cells, panel["title"]
        cells |= own
        assert panel["type"] == "row" or panel["description"].endswith("."), panel["title"]
    identities = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(identities)) == len(identities)


# A server that has all kinds of series, and a Prometheus that scrapes it.


@contextlib.contextmanager
def busy_server(folder):
    """A server under load: upstreams, a worker, a shadow, a backend that is down, TLS."""
    authority = Authority(folder / "tls")
    authority.issue("weir", "DNS:localhost")
    server = start_weir(
        "--metrics", "127.0.0.1:0", "--tls-cert", authority.cert("weir"), "--tls-key",
        authority.key("weir"))
    server.metrics = json.loads(server.first_line)["metrics"]
    address = f"127.0.0.1:{free_port()}"
    upstream = deployed_client.greeter(address, b"upstream")
    worker = f"{sys.executable} {deployed_client.__file__} worker"
    tool(server, "backend", "create", "v1", "--upstream", address)
    tool(server, "backend", "create", "v2", "--worker", worker)
    tool(server, "backend", "create", "down", "--upstream", "127.0.0.1:9", "--wait", "0")
    for name, route, backend in (("greeter", "/helloworld.Greeter/", "v1"),
                                 ("down", "/down.Down/", "down")):
        tool(server, "endpoint", "create", name, "--route", route, "--backend", backend)
    tool(server, "traffic", "set", "greeter", "v1=0.8", "v2=0.2")
    tool(server, "shadow", "set", "greeter", "v2=1")
    stopped = threading.Event()
    target = f"localhost:{server.data.rpartition(':')[2]}"

    def call():
        with grpc.secure_channel(target, authority.credentials()) as channel:
            while not stopped.wait(0.02):
                for path in (HELLO, HELLO, "/helloworld.Greeter/Nothing", "/down.Down/Down",
                             "/no.Such/Endpoint"):
                    channel.unary_unary(path).future(b"", timeout=SECONDS).exception()

    thread = threading.Thread(target=call)
    thread.start()
    try:
        yield server
    finally:
        stopped.set()
        thread.join(SECONDS)
        upstream.stop(0)
        server.stop()


@contextlib.contextmanager
def running_prometheus(folder, target):
    """Prometheus with the rules, which scrapes a server twice a second."""
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed (Debian: prometheus)")
    (folder / "prometheus.yaml").write_text(json.dumps({
        "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms",
                   "evaluation_interval": "500ms"},
        "rule_files": [str(RULES)],
        "scrape_configs": [{"job_name": "weir", "static_configs": [{"targets": [target]}]}]}))
    address = f"127.0.0.1:{free_port()}"
    with open(folder / "prometheus.log", "wb") as log:
        process = started(subprocess.Popen(
            ["prometheus", f"--config.file={folder}/prometheus.yaml",
             f"--storage.tsdb.path={folder}/data", f"--web.listen-address={address}"],
            stdout=log, stderr=log))
    try:
        wait_for(lambda: is_ready(address))
        yield address
    finally:
        process.terminate()
        process.wait(SECONDS)


def is_ready(address):
    try:
        return requests.get(f"http://{address}/-/ready", timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


def result(address, query):
    """The result of a query, with the dashboard's variables replaced."""
    for name, value in (("$__rate_interval", "5s"), ("$job", "weir"), ("$instance", ".*"),
                        ("$endpoint", ".*")):
        query = query.replace(name, value)
    reply = requests.get(
        f"http://{address}/api/v1/query", params={"query": query}, timeout=SECONDS).json()
    assert reply["status"] == "success", (query, reply)
    return reply["data"]["result"]


@pytest.fixture(scope="module")
def monitored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("monitoring")
    with busy_server(folder) as server, running_prometheus(folder, server.metrics) as address:
        wait_for(lambda: result(address, 'up{job="weir"}')[0:1]
                 and result(address, 'up{job="weir"}')[0]["value"][1] == "1")
        yield address


@pytest.mark.parametrize("title, query", queries())
def test_each_query_of_the_dashboard_has_a_result(monitored, title, query):
    if title == "Changes":
        # The state has not changed since the first scrape.
        assert result(monitored, query) == []
        assert result(monitored, query.replace("> 0", ">= 0"))
        return
    wait_for(lambda: result(monitored, query))
    values = [float(one["value"][1]) for one in result(monitored, query)]
    assert all(value == value for value in values), (query, values)


def test_the_variables_of_the_dashboard_have_values(monitored):
    for variable in DASHBOARD["templating"]["list"][1:]:
        selector, label = re.fullmatch(
            r"label_values\((.*), (\w+)\)", variable["query"]["query"]).groups()
        assert all(label in one["metric"] for one in result(monitored, selector))
        assert result(monitored, selector)


def test_the_rules_run_and_name_only_metrics_that_exist(monitored):
    names = requests.get(
        f"http://{monitored}/api/v1/label/__name__/values", timeout=SECONDS).json()["data"]
    for rule in rules():
        used = set(re.findall(r"\b(?:grpc|weir|process)_\w+", rule["expr"])) - {"grpc_status"}
        assert used <= set(names), rule["alert"]
    wait_for(lambda: evaluated(monitored))
    # The server of this test has an endpoint whose only backend is down.
    wait_for(lambda: {"WeirErrors", "WeirBackendUnusable"} <= {
        one["labels"]["alertname"] for one in requests.get(
            f"http://{monitored}/api/v1/alerts", timeout=SECONDS).json()["data"]["alerts"]})


def evaluated(address):
    groups = requests.get(f"http://{address}/api/v1/rules", timeout=SECONDS).json()
    (group,) = groups["data"]["groups"]
    return all(rule["health"] == "ok" for rule in group["rules"])
