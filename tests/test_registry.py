"""Stages of third parties: real distributions on sys.path, found by their entry points."""

import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from strongroom import (
    Codec,
    CodecNotAcceptedError,
    ConfigurationError,
    JsonSerializer,
    Key,
    Keyring,
    MissingDependencyError,
    describe,
)
from strongroom.codec import registry

RING = Keyring(Key(bytes(range(32))))
ITEM = {"role": "user", "content": "hello"}
STAGES = (Path(__file__).parent / "acme.py").read_text(encoding="utf-8")


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that puts a distribution on sys.path, as pip does with a wheel."""

    def add(name, entry_points, *, version="1.2.3", module=STAGES):
        folder = tmp_path / name
        info = folder / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8"
        )
        groups = {}
        for kind, stage, value in entry_points:
            groups.setdefault(f"strongroom.{kind}s", []).append(f"{stage} = {value}")
        (info / "entry_points.txt").write_text(
            "".join(f"[{group}]\n" + "\n".join(lines) + "\n" for group, lines in groups.items())
        )
        (folder / f"{name}.py").write_text(module)
        monkeypatch.syspath_prepend(folder)
        registry._points.cache_clear()
        return folder

    before = set(sys.modules)
    yield add
    monkeypatch.undo()
    registry._points.cache_clear()
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


ALL = [
    ("serializer", "upside", "acme:Upside"),
    ("compressor", "same", "acme:Same"),
    ("cipher", "vault", "acme:Vault"),
]


@pytest.mark.parametrize(
    ("spec", "keys"),
    [("upside", None), ("upside+same", None), ("json+vault", RING), ("upside+zlib+vault", RING)],
)
def test_a_spec_names_the_stages_of_a_distribution(install, spec, keys):
    install("acme", ALL)
    codec = Codec.parse(spec, keys=keys)
    assert codec.spec == spec
    row = codec.encode(ITEM, context="s")
    assert codec.decode(row, context="s") == ITEM
    assert describe(row).spec == spec
    assert describe(row).key_id == (keys and keys.primary.id)


def test_a_stage_that_is_accepted_by_name_is_read(install):
    install("acme", ALL)
    row = Codec.parse("upside+vault", keys=RING).encode(ITEM, context="s")
    codec = Codec.parse("json+aesgcm", keys=RING, accept=("upside", "vault"))
    assert codec.decode(row, context="s") == ITEM


# When it is loaded ------------------------------------------------------------------------------


def test_a_stage_is_loaded_when_a_spec_first_names_it(install):
    folder = install("acme", ALL)
    Codec.parse("json+aesgcm", keys=RING)
    with pytest.raises(ConfigurationError):
        Codec.parse("nothing")
    assert not (folder / "loaded").exists()
    Codec.parse("upside")
    assert (folder / "loaded").exists()


def test_importing_strongroom_loads_no_stage_and_reads_no_entry_points(install):
    folder = install("acme", ALL)
    program = f"import sys; sys.path.insert(0, {str(folder)!r}); import strongroom\n"
    program += (
        "from strongroom.codec import registry; print(registry._points.cache_info().currsize)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert result.stdout.strip() == b"0"
    assert not (folder / "loaded").exists()


@pytest.mark.parametrize("spec", ["upside", "json+same", "json+vault"])
@pytest.mark.parametrize(
    "reader",
    [
        Codec.parse("json"),
        Codec.parse("msgpack+zlib"),
        Codec.parse("orjson+aesgcm", keys=RING),
        Codec.parse("orjson+aesgcm", keys=RING, accept=("plaintext",)),
    ],
    ids=lambda codec: codec.spec,
)
def test_what_a_row_says_loads_nothing(install, spec, reader):
    folder = install("acme", ALL)
    row = Codec.parse(spec, keys=RING if "vault" in spec else None).encode(ITEM, context="s")
    (folder / "loaded").unlink()
    del sys.modules["acme"]
    assert describe(row).spec == spec
    with pytest.raises(CodecNotAcceptedError):
        reader.decode(row, context="s")
    assert "acme" not in sys.modules
    assert not (folder / "loaded").exists()


@pytest.mark.parametrize(("spec", "stage"), [("upside", "upside"), ("json+same", "same")])
def test_a_stage_that_is_missing_when_a_row_needs_it_is_named(install, spec, stage):
    install("acme", ALL)
    row = Codec.parse(spec).encode(ITEM, context="s")
    with pytest.raises(CodecNotAcceptedError, match=rf"'{stage}'.*install.*accept"):
        Codec.parse("json").decode(row, context="s")


def test_a_cipher_that_is_missing_when_a_row_needs_it_is_named(install):
    install("acme", ALL)
    row = Codec.parse("json+vault", keys=RING).encode(ITEM, context="s")
    for codec in (Codec.parse("json"), Codec.parse("json+aesgcm", keys=RING)):
        with pytest.raises(CodecNotAcceptedError, match=r"vault.*Configure.*accept"):
            codec.decode(row, context="s")


def test_a_spec_with_a_stage_that_is_not_installed_says_what_is():
    with pytest.raises(ConfigurationError, match=r"'upside'.*known are.*orjson.*not installed"):
        Codec.parse("upside")


# Clashes ----------------------------------------------------------------------------------------


def test_two_distributions_with_one_name_are_both_named(install):
    install("acme", ALL)
    install("rival", [("serializer", "upside", "rival:Upside")], version="4.5")
    with pytest.raises(ConfigurationError, match=r"'upside'.*acme 1\.2\.3, rival 4\.5"):
        Codec.parse("upside")
    Codec.parse("json+same")


def test_one_name_for_two_kinds_is_a_clash_too(install):
    install("acme", [("serializer", "upside", "acme:Upside")])
    install("rival", [("cipher", "upside", "rival:Vault")])
    with pytest.raises(ConfigurationError, match=r"acme 1\.2\.3, rival 1\.2\.3"):
        Codec.parse("upside")


def test_a_clash_loads_neither(install):
    folders = [install(name, [("serializer", "upside", f"{name}:Upside")]) for name in ("a1", "b1")]
    with pytest.raises(ConfigurationError):
        Codec.parse("upside")
    assert not any((folder / "loaded").exists() for folder in folders)


def test_one_distribution_that_is_on_the_path_twice_is_no_clash(install, monkeypatch):
    folder = install("acme", ALL)
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    registry._points.cache_clear()
    assert Codec.parse("upside").spec == "upside"


@pytest.mark.parametrize("kind", ["serializer", "compressor", "cipher"])
@pytest.mark.parametrize("name", ["json", "orjson", "zstd", "aesgcm", "plaintext"])
def test_a_distribution_that_claims_a_built_in_name_is_named(install, kind, name):
    folder = install("acme", [(kind, name, "acme:Upside")])
    with pytest.raises(ConfigurationError, match=rf"'{name}'.*strongroom itself.*acme 1\.2\.3"):
        Codec.parse("json", accept=() if name == "json" else (name,))
    Codec.parse("msgpack+zlib+fernet", keys=RING)
    assert not (folder / "loaded").exists()


def test_a_codec_that_holds_the_stages_themselves_asks_no_distribution(install):
    install("acme", [("serializer", "json", "acme:Upside")])
    codec = Codec(JsonSerializer())
    assert codec.decode(codec.encode(ITEM, context="s"), context="s") == ITEM


# Entry points that do not work ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("nowhere:Upside", "ModuleNotFoundError"),
        ("acme:Nothing", "AttributeError"),
        ("broken:Upside", "RuntimeError: at import"),
        ("acme:number", "no callable, but int"),
        ("acme:Same", "no serializer, but Same"),
        ("acme:Legacy", "no serializer, but Legacy"),
        ("acme:explode", "ValueError from acme:explode"),
        ("acme:Vault", "TypeError from acme:Vault"),
    ],
)
def test_an_entry_point_that_gives_no_stage_is_blamed_on_its_distribution(install, value, problem):
    install("acme", [("serializer", "upside", value)])
    install("broken", [], module="raise RuntimeError('at import')")
    with pytest.raises(ConfigurationError, match=rf"'upside' of .* acme 1\.2\.3 .*{problem}"):
        Codec.parse("upside")


def test_a_stage_with_another_name_than_its_entry_point_is_refused(install):
    install("acme", [("serializer", "other", "acme:Upside")])
    with pytest.raises(ConfigurationError, match=r"'other' of .* acme 1\.2\.3 .* 'upside'"):
        Codec.parse("other")


def test_a_name_that_no_row_can_carry_is_refused(install):
    install("acme", [("serializer", "Up.side", "acme:Upside")])
    with pytest.raises(ConfigurationError, match="lower-case"):
        Codec.parse("Up.side")


def test_a_distribution_says_itself_what_else_to_install(install):
    install("acme", [("serializer", "upside", "acme:needs_more")])
    with pytest.raises(MissingDependencyError, match="pip install more"):
        Codec.parse("upside")


def test_a_ciphers_factory_that_fails_shows_no_key(install):
    install("acme", [("cipher", "vault", "acme:explode")])
    with pytest.raises(ConfigurationError, match=r"acme 1\.2\.3") as caught:
        Codec.parse("json+vault", keys=RING)
    shown = "".join(traceback.format_exception(caught.value))
    assert RING.primary.to_base64() not in shown
    assert caught.value.__context__ is None
