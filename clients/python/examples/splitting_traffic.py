"""Splits the requests of an endpoint evenly between two backends."""

from models import MyClass, MyNewClass, connect, show, who_answers


def main(client, requests=2_000):
    client.create_backend("backend1", MyClass)
    client.create_backend("backend2", MyNewClass)

    client.create_endpoint("fifty-fifty", backend="backend1", route="/fifty")
    client.set_traffic("fifty-fifty", {"backend1": 0.5, "backend2": 0.5})

    # Weir selects the backend of each request at random.
    answered = who_answers(client.get_handle("fifty-fifty"), requests)
    show("fifty-fifty", answered)
    return answered


if __name__ == "__main__":
    with connect() as client:
        main(client)
