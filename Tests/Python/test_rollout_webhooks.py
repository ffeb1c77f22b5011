"""Webhooks of rollouts, with a receiver that checks the signatures."""

import base64
import hashlib
import hmac
import http.server
import json
import threading

import pytest

from conftest import Mesh, free_port, tool
from waiting import polled

SECRET = base64.b64encode(bytes(range(32))).decode()
PATH = "/helloworld.Greeter/"


class Receiver(http.server.ThreadingHTTPServer):
    """Records the events, and answers those of a hook with the status of `statuses`."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.events, self.statuses, self.ids = [], {}, []
        self.thread = threading.Thread(target=self.serve_forever)
        self.thread.start()

    @property
    def host(self):
        return "127.0.0.1:%d" % self.server_address[1]

    def hooks(self):
        return [event["hook"].removeprefix("ROLLOUT_HOOK_") for event in list(self.events)]

    def stop(self):
        self.shutdown()
        self.thread.join()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        prefix = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}."
        signed = prefix.encode() + body
        digest = hmac.new(bytes(range(32)), signed, hashlib.sha256).digest()
        assert self.headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
        assert self.headers["content-type"] == "application/json"
        event = json.loads(body)
        self.server.ids.append(self.headers["webhook-id"])
        self.server.events.append(event)
        self.send_response(self.server.statuses.get(event["hook"], 200))
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver():
    server = Receiver()
    yield server
    server.stop()


@pytest.fixture
def mesh(stubs, receiver, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(f"whsec_{SECRET}\n")
    secret.chmod(0o600)
    mesh = Mesh(stubs, options=("--webhook-secret", secret, "--webhook-host", receiver.host))
    for name in ("v1", "v2"):
        mesh.backend(name, "--upstream", f"127.0.0.1:{free_port()}")
    mesh.endpoint("e", PATH, "v1")
    yield mesh
    code = mesh.stop()
    assert code == 0, mesh.weir.process.stderr.read()[-30000:]


def start(mesh, *options, check=True):
    return mesh.tool("rollout", "start", "e", "--to", "v2", "--steps", "10%,50%", *options,
                     check=check)


def rollout(mesh):
    return mesh.admin.GetRollout(mesh.stubs.admin.GetRolloutRequest(endpoint="e"), timeout=10)


def test_a_start_waits_for_its_confirmation(mesh, receiver):
    receiver.statuses["ROLLOUT_HOOK_CONFIRM_START"] = 403
    start(mesh, "--webhook", f"confirm-start,event=http://{receiver.host}/hook")
    held = polled(lambda: rollout(mesh), lambda now: now.webhook_problem, 30)
    assert held.phase == mesh.stubs.admin.ROLLOUT_PHASE_PENDING and held.weight == 0
    assert "403" in held.webhook_problem
    shown = mesh.tool("rollout", "status", "e").stdout
    assert "waits for the webhook confirm-start" in shown and "403" in shown
    assert "'weir rollout advance e' starts without the webhook" in shown
    # A paused rollout does not start.
    mesh.tool("rollout", "pause", "e")
    receiver.statuses.clear()
    assert rollout(mesh).pause == "operator" and rollout(mesh).weight == 0
    mesh.tool("rollout", "resume", "e")
    assert rollout(mesh).reason == "waits for the webhook confirm-start"
    receiver.statuses["ROLLOUT_HOOK_CONFIRM_START"] = 403
    # An operator continues without the webhook.
    mesh.tool("rollout", "advance", "e")
    assert rollout(mesh).phase > mesh.stubs.admin.ROLLOUT_PHASE_PENDING
    assert rollout(mesh).weight == pytest.approx(0.1)
    mesh.tool("rollout", "abort", "e")
    last = polled(
        lambda: receiver.events[-1], lambda event: "ABORTED" in event["rollout"]["phase"], 30)
    assert last["hook"] == "ROLLOUT_HOOK_EVENT" and last["rollout"]["endpoint"] == "e"
    assert "aborted by" in last["text"]


def test_a_confirmed_start_begins_and_a_rollback_is_reported(mesh, receiver):
    start(mesh, "--webhook", f"confirm-start,rollback=http://{receiver.host}/a?b=c")
    polled(lambda: rollout(mesh).phase,
           lambda phase: phase > mesh.stubs.admin.ROLLOUT_PHASE_PENDING, 30)
    mesh.tool("rollout", "abort", "e")
    assert polled(receiver.hooks, lambda hooks: "ROLLBACK" in hooks, 30) == [
        "CONFIRM_START", "ROLLBACK"]
    assert len(set(receiver.ids)) == 2


def test_urls_that_the_server_may_not_call_are_rejected(mesh):
    for url in ("http://169.254.169.254/latest", "http://127.0.0.1:1/", "https://example.com/"):
        rejected = start(mesh, "--webhook", f"event={url}", check=False)
        assert rejected.returncode == 1
        assert "plan.webhooks[0].url" in rejected.stderr and "--webhook-host" in rejected.stderr
    for option in ("event", "events=http://a", "=http://a", "event,=http://a"):
        assert start(mesh, "--webhook", option, check=False).returncode == 64


def test_a_server_without_a_secret_rejects_webhooks(demo):
    rejected = tool(demo, "rollout", "start", "greeter", "--to", "greeter-v3", "--webhook",
                    "event=http://127.0.0.1:1/", check=False)
    assert rejected.returncode == 1 and "--webhook-secret" in rejected.stderr
