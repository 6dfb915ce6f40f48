"""What a distribution of a third party holds; test_registry.py puts copies of it on sys.path."""

import json
from pathlib import Path

(Path(__file__).parent / "loaded").touch()


class Upside:
    name = "upside"

    def dumps(self, item):
        return json.dumps(item).encode()[::-1]

    def loads(self, data):
        return json.loads(data[::-1])


class Same:
    name = "same"

    def compress(self, data):
        return data

    def decompress(self, data, *, max_size):
        return data


class Vault:
    name = "vault"

    def __init__(self, keys):
        self.key_id = keys.primary.id

    def bind(self, namespace, context):
        return self

    def seal(self, payload, header):
        return payload[::-1]

    def open(self, body, header):
        return body[::-1]


class Legacy:
    name = "legacy"

    def matches(self, stored):
        return False

    def decode(self, stored, *, context):
        return None


def explode(*keys):
    raise ValueError(f"never show {[key.to_base64() for ring in keys for key in ring]}")


def needs_more():
    from strongroom import MissingDependencyError

    raise MissingDependencyError("pip install more")


number = 7
