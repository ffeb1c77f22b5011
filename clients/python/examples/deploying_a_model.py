"""Serves a trained model, and moves a quarter of its requests to a new version.

The model is a small classifier of flowers, trained here to be complete; any library will do.
"""

import collections
import json
import pathlib
import tempfile

import requests

from models import connect, show

SAMPLES = {
    "setosa": [(5.1, 3.5, 1.4, 0.2), (4.9, 3.0, 1.4, 0.2), (5.0, 3.6, 1.4, 0.2)],
    "versicolor": [(7.0, 3.2, 4.7, 1.4), (6.4, 3.2, 4.5, 1.5), (6.9, 3.1, 4.9, 1.5)],
    "virginica": [(6.3, 3.3, 6.0, 2.5), (5.8, 2.7, 5.1, 1.9), (7.1, 3.0, 5.9, 2.1)],
}
FIELDS = ("sepal length", "sepal width", "petal length", "petal width")


def train(folder, version):
    """Writes a model to a file: the mean of each class."""
    means = {
        name: [sum(column) / len(samples) for column in zip(*samples)]
        for name, samples in SAMPLES.items()}
    path = pathlib.Path(folder) / f"{version}.json"
    path.write_text(json.dumps({"version": version, "means": means}))
    return str(path)


class Classifier:
    """Loads a model once, and answers requests with it."""

    def __init__(self, path):
        model = json.loads(pathlib.Path(path).read_text())
        self.version, self.means = model["version"], model["means"]

    def __call__(self, request):
        flower = [request.json[name] for name in FIELDS]

        def distance(name):
            return sum((one - other) ** 2 for one, other in zip(flower, self.means[name]))

        return {"result": min(self.means, key=distance), "version": self.version}


def main(client, count=400):
    flower = dict(zip(FIELDS, (5.0, 3.4, 1.5, 0.2)))

    def classify():
        response = requests.post(f"http://{client.data_address}/classifier", json=flower)
        return response.json()

    with tempfile.TemporaryDirectory() as folder:
        client.create_backend("lr:v1", Classifier, train(folder, "v1"))
        client.create_endpoint("iris_classifier", backend="lr:v1", route="/classifier")
        first = classify()
        print(first)

        # A second version of the model, with a quarter of the requests.
        client.create_backend("lr:v2", Classifier, train(folder, "v2"))
        client.set_traffic("iris_classifier", {"lr:v2": 0.25, "lr:v1": 0.75})
        handle = client.get_handle("iris_classifier")
        results = [handle.remote(flower) for _ in range(count)]
        versions = collections.Counter(result.result()["version"] for result in results)
        show("two versions", versions)
    return first, versions


if __name__ == "__main__":
    with connect() as client:
        main(client)
