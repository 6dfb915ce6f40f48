"""Ciphers that are wrong in one way each, and the test that has to catch it."""

import base64
import os
import time

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from faulty import fault

from strongroom import AesGcmCipher, AuthenticationError, Keyring
from strongroom.testing import CipherSuite


class Gcm:
    """A sound cipher of a third party, whose box a subclass may spoil."""

    name = "gcm"

    def __init__(self, keys):
        self.keys = keys
        self.key_id = keys.primary.id

    def __eq__(self, other):
        return type(self) is type(other) and self.keys == other.keys

    def __hash__(self):
        return hash(self.keys)

    def bind(self, namespace, context):
        self.namespace, self.context = namespace, context
        return Box(self, self.binding(namespace, context))

    def binding(self, namespace, context):
        return repr((namespace, context)).encode()

    def data(self, header, binding):
        return header + binding

    def nonce(self):
        return os.urandom(12)

    def key(self, header):
        return self.keys.get(base64.urlsafe_b64encode(header[-9:]).decode()).derive(b"gcm")

    def seal(self, aes, nonce, payload, data):
        return aes.encrypt(nonce, payload, data)

    def open(self, aes, nonce, body, data):
        try:
            return aes.decrypt(nonce, body, data)
        except (InvalidTag, ValueError):
            raise AuthenticationError("does not open") from None


class Box:
    def __init__(self, cipher, binding):
        self.cipher, self.binding = cipher, binding

    def seal(self, payload, header):
        nonce = self.cipher.nonce()
        data = self.cipher.data(header, self.binding)
        return nonce + self.cipher.seal(AESGCM(self.cipher.key(header)), nonce, payload, data)

    def open(self, body, header):
        data = self.cipher.data(header, self.binding)
        return self.cipher.open(AESGCM(self.cipher.key(header)), body[:12], body[12:], data)


@fault("test_a_row_of_another_session_does_not_open[-other]", CipherSuite)
class IgnoresTheSession(Gcm):
    def binding(self, namespace, context):
        return repr(namespace).encode()


@fault("test_a_row_of_another_session_does_not_open[-s ]", CipherSuite)
class StripsTheSession(Gcm):
    def binding(self, namespace, context):
        return repr((namespace, context.strip())).encode()


@fault("test_a_row_of_another_namespace_does_not_open[tenant-s]", CipherSuite)
class IgnoresTheNamespace(Gcm):
    def binding(self, namespace, context):
        return repr(context).encode()


@fault("test_namespace_and_context_are_kept_apart", CipherSuite)
class JoinsNamespaceAndContext(Gcm):
    def binding(self, namespace, context):
        return (namespace + context).encode()


@fault("test_an_altered_header_does_not_open", CipherSuite)
class IgnoresTheHeader(Gcm):
    def data(self, header, binding):
        return binding


@fault("test_equal_payloads_look_different", CipherSuite)
class UsesOneNonce(Gcm):
    def nonce(self):
        return bytes(12)


@fault("test_equal_payloads_of_several_processes_look_different", CipherSuite)
class CountsItsNonces(Gcm):
    count = 0

    def nonce(self):
        self.count += 1
        return self.count.to_bytes(12, "big")


@fault("test_every_altered_byte_of_a_body_is_refused", CipherSuite)
class DoesNotAuthenticate(Gcm):
    def open(self, aes, nonce, body, data):
        # The key stream of GCM, without a look at the tag.
        if len(nonce) < 12 or len(body) < 16:
            raise AuthenticationError("too short")
        stream = aes.encrypt(nonce, bytes(len(body) - 16), data)[:-16]
        return bytes(a ^ b for a, b in zip(stream, body, strict=False))


@fault("test_every_truncated_or_longer_body_is_refused", CipherSuite)
class IgnoresATail(Gcm):
    def seal(self, aes, nonce, payload, data):
        sealed = aes.encrypt(nonce, payload, data)
        return len(sealed).to_bytes(4, "big") + sealed

    def open(self, aes, nonce, body, data):
        size = int.from_bytes(body[:4], "big")
        return super().open(aes, nonce, body[4 : 4 + size], data)


@fault("test_hides_the_payload", CipherSuite)
class OnlySigns(Gcm):
    def seal(self, aes, nonce, payload, data):
        return payload + aes.encrypt(nonce, b"", data + payload)

    def open(self, aes, nonce, body, data):
        super().open(aes, nonce, body[-16:], data + body[:-16])
        return body[:-16]


@fault("test_any_other_body_is_refused", CipherSuite)
class LetsInvalidTagOut(Gcm):
    def open(self, aes, nonce, body, data):
        return aes.decrypt(nonce, body, data)


@fault("test_every_key_of_the_keyring_opens_and_the_primary_one_seals", CipherSuite)
class ForgetsOldKeys(Gcm):
    def __init__(self, keys):
        super().__init__(Keyring(keys.primary))


@fault("test_a_key_that_the_keyring_does_not_hold_opens_nothing", CipherSuite)
class HasAKeyOfItsOwn(Gcm):
    def key(self, header):
        return bytes(32)


@fault("test_shows_no_key", CipherSuite)
class ShowsItsKeys(Gcm):
    def __repr__(self):
        return f"ShowsItsKeys({[key.to_base64() for key in self.keys]})"


@fault("test_threads_may_share_a_box", CipherSuite)
class KeepsItsNonceOnItself(Gcm):
    def nonce(self):
        self.last = os.urandom(12)
        return self.last

    def seal(self, aes, nonce, payload, data):
        time.sleep(0.0002)
        return aes.encrypt(self.last, payload, data)


@fault("test_opens_what_it_sealed", CipherSuite)
class StripsThePayload(Gcm):
    def seal(self, aes, nonce, payload, data):
        return aes.encrypt(nonce, payload.strip(b"\0"), data)


@fault("test_is_a_value", CipherSuite)
class IsNoValue(AesGcmCipher):
    __eq__ = object.__eq__
    __hash__ = object.__hash__


class PaddedText(Box):
    def seal_text(self, payload, header):
        return base64.urlsafe_b64encode(self.seal(payload, header)).decode()

    def open_text(self, body, header):
        return self.open(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)), header)


@fault("test_a_text_form_is_the_base64url_of_the_body", CipherSuite)
class PadsItsText(Gcm):
    def bind(self, namespace, context):
        return PaddedText(self, self.binding(namespace, context))


class UncheckedText(PaddedText):
    def seal_text(self, payload, header):
        return super().seal_text(payload, header).rstrip("=")

    def open_text(self, body, header):
        try:
            return super().open_text(body, header)
        except AuthenticationError:
            return b"{}"


@fault("test_a_text_form_is_the_base64url_of_the_body", CipherSuite)
class OpensAlteredText(Gcm):
    def bind(self, namespace, context):
        return UncheckedText(self, self.binding(namespace, context))


class TestSound(CipherSuite):
    make = Gcm
