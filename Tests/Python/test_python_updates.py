"""Changes of a Python backend that fail, are slow, or run at the same time."""

import contextlib
import os
import pathlib
import threading
import time

import pytest

import weir
from conftest import wait_for
from weir import _backends


class Model:
    """Counts its instances in a folder; files there make a later constructor fail or hang."""

    def __init__(self, folder, admin=""):
        self.folder = pathlib.Path(folder)
        (self.folder / f"pid-{os.getpid()}").touch()
        if (self.folder / "fail").exists():
            raise OSError("no weights here")
        if (self.folder / "hang").exists():
            threading.Event().wait()
        if (self.folder / "change").exists():
            with weir.connect(admin) as other:
                other.create_backend("other", ["127.0.0.1:1"])

    @weir.accept_batch
    def __call__(self, requests):
        return [os.getpid()] * len(requests)


def started(folder):
    return {int(path.name.partition("-")[2]) for path in folder.glob("pid-*")}


def running(folder):
    """The processes of the models in a folder that have not ended."""
    return {pid for pid in started(folder) if pathlib.Path(f"/proc/{pid}").exists()}


def answering(client, count=60):
    """The processes that answer at the endpoint `model`."""
    handle = client.get_handle("model")
    return {handle.remote().result(timeout=20) for _ in range(count)}


@pytest.fixture
def owner(client):
    """A second client, whose end the test observes with the first."""
    with weir.connect(client.address) as owner:
        yield owner


def create(owner, folder, **options):
    owner.create_backend("model", Model, str(folder), owner.address, **options)
    owner.create_endpoint("model", backend="model")


@pytest.mark.parametrize("count", [1, 3])
def test_an_update_at_another_revision_changes_nothing(client, owner, tmp_path, count):
    create(owner, tmp_path, replicas=2, processes=True)
    pids = running(tmp_path)
    before = owner.get_backend_config("model")
    with pytest.raises(weir.RevisionConflict):
        owner.update_backend_config("model", {"num_replicas": count}, expected_revision=1)
    assert owner.get_backend_config("model") == before
    # No constructor has run, and no replica has ended.
    assert started(tmp_path) == answering(client) == pids and len(pids) == 2
    owner.close()
    assert client.list_backends() == {} and running(tmp_path) == set()


@pytest.mark.parametrize("change", [{"num_replicas": 3}, {"max_batch_size": 2}])
def test_an_update_that_is_refused_after_its_replicas_started(client, owner, tmp_path, change):
    create(owner, tmp_path, replicas=2, processes=True)
    pids = running(tmp_path)
    before = owner.get_backend_config("model")
    (tmp_path / "change").touch()
    with pytest.raises(weir.RevisionConflict):
        owner.update_backend_config(
            "model", change, expected_revision=owner.history(1)[0].revision)
    assert owner.get_backend_config("model") == before
    assert len(started(tmp_path)) > 2
    assert running(tmp_path) == answering(client) == pids
    owner.close()
    assert set(client.list_backends()) == {"other"} and running(tmp_path) == set()


@pytest.mark.parametrize("processes", [True, False])
@pytest.mark.parametrize("change", [{"num_replicas": 3}, {"max_batch_size": 2, "num_replicas": 3}])
def test_an_update_whose_constructors_fail(client, owner, tmp_path, change, processes):
    create(owner, tmp_path, replicas=2, processes=processes)
    before = owner.get_backend_config("model")
    addresses = client.get_backend("model").addresses
    pids = running(tmp_path)
    (tmp_path / "fail").touch()
    with pytest.raises((OSError, RuntimeError), match="no weights here"):
        owner.update_backend_config("model", change)
    assert owner.get_backend_config("model") == before
    assert client.get_backend("model").addresses == addresses
    assert running(tmp_path) == answering(client) == pids
    (tmp_path / "fail").unlink()
    owner.update_backend_config("model", change)
    assert owner.get_backend_config("model").num_replicas == 3
    replaced = processes and "max_batch_size" in change
    assert len(answering(client) - pids) == (3 if replaced else int(processes))
    owner.close()
    assert client.list_backends() == {} and running(tmp_path) <= {os.getpid()}


def test_two_updates_at_the_same_time_both_apply(client):
    updates = []

    class Slow:
        """Its second constructor starts another update, and waits for it at most 0.5 s."""

        count = 0

        def __init__(self):
            Slow.count += 1
            if Slow.count == 2:
                updates.append(threading.Thread(
                    target=client.update_backend_config,
                    args=("slow", {"max_concurrent_queries": 4})))
                updates[0].start()
                updates[0].join(0.5)

        def __call__(self, request):
            return None

    client.create_backend("slow", Slow)
    client.update_backend_config("slow", {"num_replicas": 2})
    updates[0].join(20)
    assert client.get_backend_config("slow") == weir.BackendConfig(
        num_replicas=2, max_concurrent_queries=4)
    backend = client.get_backend("slow")
    assert (len(backend.addresses), backend.max_concurrent_queries) == (2, 4)


def test_a_process_that_does_not_start_in_time_is_ended(client, tmp_path):
    (tmp_path / "hang").touch()
    start = time.monotonic()
    with pytest.raises(weir.Unavailable, match=r"'Model' .* did not start within 2 s"):
        client.create_backend(
            "model", Model, str(tmp_path), replicas=2, processes=True, start_timeout=2)
    assert time.monotonic() - start < 15
    assert running(tmp_path) == set()
    assert client.list_backends() == {}


def test_a_hanging_constructor_with_a_forked_child_is_ended(client, tmp_path):
    """The child keeps the pipes of the process open."""
    child = tmp_path / "child"

    class Forks:
        def __init__(self):
            pid = os.fork()
            if pid == 0:
                threading.Event().wait()
            child.write_text(str(pid))
            threading.Event().wait()

        def __call__(self, request):
            return None

    try:
        with pytest.raises(weir.Unavailable, match="'.*Forks' .* did not start within 2 s"):
            client.create_backend("forks", Forks, processes=True, start_timeout=2)
    finally:
        os.kill(int(child.read_text()), 9)


def test_an_added_process_that_does_not_start_in_time(client, owner, tmp_path):
    create(owner, tmp_path, processes=True, start_timeout=2)
    pids = running(tmp_path)
    (tmp_path / "hang").touch()
    with pytest.raises(weir.Unavailable, match="did not start within 2 s"):
        owner.update_backend_config("model", {"num_replicas": 2})
    assert running(tmp_path) == answering(client) == pids
    # A process that is started again has the same time.
    (pid,) = pids
    os.kill(pid, 9)
    wait_for(lambda: len(started(tmp_path)) >= 4)
    (tmp_path / "hang").unlink()
    wait_for(lambda: owner.get_backend("model").usable and answers(client))
    assert answering(client, 1) == running(tmp_path)


def answers(client):
    with contextlib.suppress(weir.Unavailable):
        return bool(answering(client, 1))
    return False


def test_backends_created_at_the_same_time_have_one_lease(client, owner, monkeypatch):
    leases = []
    both = threading.Barrier(2)

    class Slow(_backends.Lease):
        def __init__(self, *arguments):
            with contextlib.suppress(threading.BrokenBarrierError):
                both.wait(0.5)
            super().__init__(*arguments)
            leases.append(self)

    monkeypatch.setattr(_backends, "Lease", Slow)
    threads = [
        threading.Thread(target=owner.create_backend, args=(name, lambda request: None))
        for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert set(client.list_backends()) == {"a", "b"} and len(leases) == 1
    owner.close()
    assert leases[0]._is_released
    with pytest.raises(weir.ClientClosed):
        owner._held_lease()
    assert len(leases) == 1
