"""Copies requests to new versions without an effect on users, and reports the differences."""

import time

from models import MyClass, MyNewClass, connect, show, who_answers


def copies(client):
    """The number of copied requests of each shadow."""
    return client.stats("shadowed_endpoint").requests("shadowed_endpoint", shadow=True)


def main(client, requests=2_000):
    client.create_backend("existing_backend", MyClass)

    # The existing version answers all requests throughout.
    client.create_endpoint("shadowed_endpoint", backend="existing_backend", route="/shadow")

    # Add two new versions to test.
    client.create_backend("new_backend_1", MyNewClass)
    client.create_backend("new_backend_2", MyNewClass)

    # Copy half of all requests to the first,
    client.shadow_traffic("shadowed_endpoint", "new_backend_1", 0.5)
    # and a tenth to the second.
    client.shadow_traffic("shadowed_endpoint", "new_backend_2", 0.1)

    answered = who_answers(client.get_handle("shadowed_endpoint"), requests)
    show("answered", answered)
    time.sleep(1)
    copied = copies(client)
    show("copied", copied)
    report = client.shadow_report("shadowed_endpoint")["new_backend_1"]
    print(f"new_backend_1 {report.verdict}: {report.differing} of {report.compared} answers differ, "
          f"in {', '.join(difference.field for difference in report.fields)}")

    # Remove the shadows.
    client.shadow_traffic("shadowed_endpoint", "new_backend_1", 0)
    client.shadow_traffic("shadowed_endpoint", "new_backend_2", 0)
    after = who_answers(client.get_handle("shadowed_endpoint"), requests)
    show("answered, without shadows", after)
    return answered, copied, copies(client)


if __name__ == "__main__":
    with connect() as client:
        main(client)
