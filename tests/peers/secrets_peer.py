"""Another implementation of sealed values and password hashes: PyNaCl (libsodium), and the scrypt of Python's hashlib
(OpenSSL). Reads one request as JSON from standard input, answers with JSON; secrets are never arguments."""

import base64
import hashlib
import hmac
import json
import os
import sys

import nacl.bindings
import nacl.public
import nacl.utils


def b64(data):
    return base64.standard_b64encode(bytes(data)).decode()


def unb64(text):
    return base64.b64decode(text, validate=True)


def seal(pubkey, value):
    own = nacl.public.PrivateKey.generate()
    nonce = nacl.utils.random(nacl.bindings.crypto_box_NONCEBYTES)
    box = nacl.public.Box(own, nacl.public.PublicKey(unb64(pubkey)))
    sealed = box.encrypt(json.dumps(value).encode(), nonce)
    return {"Key": b64(bytes(own.public_key)), "Nonce": b64(nonce), "Payload": b64(sealed.ciphertext)}


def unseal(private, sealed):
    assert sorted(sealed) == ["Key", "Nonce", "Payload"], "exactly three keys"
    box = nacl.public.Box(nacl.public.PrivateKey(unb64(private)), nacl.public.PublicKey(unb64(sealed["Key"])))
    return json.loads(box.decrypt(unb64(sealed["Payload"]), unb64(sealed["Nonce"])))


def box(private, public, nonce, message):
    """Without anything random, for a published vector: all in hex."""
    private, public = nacl.public.PrivateKey(bytes.fromhex(private)), nacl.public.PublicKey(bytes.fromhex(public))
    return nacl.public.Box(private, public).encrypt(bytes.fromhex(message), bytes.fromhex(nonce)).ciphertext.hex()


def scrypt(password, salt, n, r, p, length):
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, dklen=length, maxmem=256 << 20)


def password_hash(password, n, r, p):
    salt = os.urandom(16)
    return f"{n}${r}${p}${salt.hex()}${scrypt(password, salt, n, r, p, 32).hex()}"


def password_fits(password, text):
    n, r, p, salt, want = text.split("$")
    want = bytes.fromhex(want)
    return hmac.compare_digest(want, scrypt(password, bytes.fromhex(salt), int(n), int(r), int(p), len(want)))


request = json.load(sys.stdin)
what = {"seal": seal, "unseal": unseal, "box": box, "hash": password_hash, "fits": password_fits}[request.pop("do")]
json.dump(what(**request), sys.stdout)
