"""Changes a running backend from another program: its scale, and then its code.

Weir itself runs the backends of this example, in worker processes from an import path. They remain
when the program that created them ends.
"""

import pathlib

from models import connect


def main(client):
    folder = str(pathlib.Path(__file__).parent)
    client.create_backend(
        "model", "models:MyClass", config={"num_replicas": 2}, working_directory=folder,
        replace=True)
    client.create_endpoint("model_endpoint", backend="model", exist_ok=True)
    handle = client.get_handle("model_endpoint")
    print(handle.remote(1).result(), client.list_backends()["model"]["num_replicas"], "replicas")

    # Another program connects to the same Weir, and scales the backend down.
    with connect() as other:
        other.update_backend_config("model", {"num_replicas": 1})
        config = other.get_backend_config("model")
        print("scaled to", config.num_replicas)

        # It replaces the code: running requests finish on the old processes.
        other.create_backend(
            "model", "models:MyNewClass", working_directory=folder, replace=True)
        answer = handle.remote(2).result()
        print(answer, other.list_endpoints()["model_endpoint"]["traffic"])
        other.delete_endpoint("model_endpoint")
        other.delete_backend("model")
    return config, answer


if __name__ == "__main__":
    with connect() as client:
        main(client)
