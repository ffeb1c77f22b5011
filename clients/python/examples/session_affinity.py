"""Keeps a client or user on one backend with a shard key.

The key is the header X-SERVE-SHARD-KEY in plain HTTP, the metadata x-serve-shard-key in gRPC, and
an option of a handle. All three select the same backend.
"""

import requests

from models import MyClass, MyNewClass, connect


def main(client, sessions=200):
    client.create_backend("backend1", MyClass)
    client.create_backend("backend2", MyNewClass)
    client.create_endpoint("api_endpoint", backend="backend1", route="/api")
    client.set_traffic("api_endpoint", {"backend1": 0.5, "backend2": 0.5})

    backend_of = {}
    handle = client.get_handle("api_endpoint")
    with requests.Session() as http:
        for number in range(sessions):
            session_id = f"session-{number}"

            # The shard key as an HTTP header.
            response = http.get(
                f"http://{client.data_address}/api", headers={"X-SERVE-SHARD-KEY": session_id})
            by_header = response.headers["x-serve-backend"]

            # The shard key in a call by handle, three times.
            by_handle = {
                handle.options(shard_key=session_id).remote(number).response().backend
                for _ in range(3)
            }
            assert by_handle == {by_header}, f"{session_id} moved from {by_header}"
            backend_of[session_id] = by_header

    # A client can also compute the backend locally, from the endpoint's affinity map.
    endpoint = client.get_endpoint("api_endpoint")
    assert all(endpoint.explain(key).backend == backend for key, backend in backend_of.items())

    counts = {name: list(backend_of.values()).count(name) for name in ("backend1", "backend2")}
    print(f"{sessions} sessions, none moved: {counts['backend1']} at backend1, "
          f"{counts['backend2']} at backend2")
    return backend_of


if __name__ == "__main__":
    with connect() as client:
        main(client)
