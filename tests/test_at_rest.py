"""What a database's files hold of a conversation."""

import pytest

from strongroom import Key, Keyring, SQLAlchemySession

SECRETS = ["The code of the safe is 8-12-40.", "Grüße aus dem Tresor", "call_of_the_vault"]
ITEMS = [
    {"role": "user", "content": SECRETS[0]},
    {"role": "assistant", "content": [{"type": "output_text", "text": SECRETS[1]}]},
    {"type": "function_call", "name": SECRETS[2], "arguments": "{}"},
]


async def bytes_on_disk(folder, codec, keys, column_type):
    """Return what all files of a database hold while it is open, its write-ahead log included."""
    async with SQLAlchemySession.from_url(
        "user-123",
        url=f"sqlite+aiosqlite:///{folder / 'memory.db'}",
        create_tables=True,
        codec=codec,
        keys=keys,
        column_type=column_type,
    ) as session:
        await session.add_items(ITEMS)
        await session.pop_item()
        assert await session.get_items() == ITEMS[:2]
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert "memory.db-wal" in files
    return b"".join(files.values())


def found(data):
    forms = [secret.encode(form) for secret in SECRETS for form in ("utf-8", "utf-16-le")]
    return [form for form in [*forms, b'"role"', b"assistant"] if form in data]


@pytest.mark.parametrize("column_type", ["text", "binary"])
@pytest.mark.parametrize("codec", ["orjson+fernet", "json+aesgcm", "msgpack+zstd+aesgcm"])
async def test_the_files_hold_none_of_the_conversation(codec, column_type, tmp_path):
    key = Key.generate()
    data = await bytes_on_disk(tmp_path, codec, Keyring(key), column_type)
    assert b"user-123" in data
    assert not found(data)
    assert key.to_base64().encode().rstrip(b"=") not in data


async def test_without_a_cipher_they_hold_all_of_it(tmp_path):
    assert len(found(await bytes_on_disk(tmp_path, "orjson", None, "text"))) > 3
