"""A second reading of spec/vault-files.md: recomputes what vectors/ecdh says, from the page alone.

    python3 vectors/check-ecdh.py

Needs nothing but Python 3. It has its own curve arithmetic, CBOR encoder and everything else.
"""

import json
from hashlib import sha256
from pathlib import Path

folder = Path(__file__).parent / "ecdh"

# SP 800-186 §3.2.1.3
p = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
q = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
b = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def add(left, right):
    if left is None or right is None:
        return right if left is None else left
    (x1, y1), (x2, y2) = left, right
    if x1 == x2 and (y1 + y2) % p == 0:
        return None
    slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, p) if left == right else (y2 - y1) * pow(x2 - x1, -1, p)
    x = (slope * slope - x1 - x2) % p
    return x, (slope * (x1 - x) - y1) % p


def multiply(n, point):
    total = None
    for digit in bin(n % q)[2:]:
        total = add(total, total)
        if digit == "1":
            total = add(total, point)
    return total


def compressed(point):
    return bytes([2 + point[1] % 2]) + point[0].to_bytes(32, "big")


def point_of(data):
    x = int.from_bytes(data[1:33], "big")
    if data[0] == 4:
        y = int.from_bytes(data[33:], "big")
    else:
        y = pow(x**3 - 3 * x + b, (p + 1) // 4, p)
        y = y if y % 2 == data[0] - 2 else p - y
    assert (y * y - x**3 + 3 * x - b) % p == 0
    return x, y


def head(major, n):
    if n < 24:
        return bytes([major << 5 | n])
    size = 1 if n < 256 else 2 if n < 65536 else 4
    return bytes([major << 5 | {1: 24, 2: 25, 4: 26}[size]]) + n.to_bytes(size, "big")


def cbor(value):
    if isinstance(value, int):
        return head(0, value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(cbor(each) for each in value)
    pairs = sorted((cbor(key), cbor(each)) for key, each in value.items())
    return head(5, len(pairs)) + b"".join(key + each for key, each in pairs)


def h(label, value):
    name = f"keepset/{label}/v1".encode()
    return sha256(bytes([len(name)]) + name + cbor(value)).digest()


def wide(label, fields):
    blocks = b"".join(h(label, {**fields, "block": block}) for block in (0, 1))
    return int.from_bytes(blocks[:48], "big") % q


def scalar(n):
    return (n % q).to_bytes(32, "big")


def number(data):
    return int.from_bytes(data, "big")


def prove(context, party, image, base, power, secret, random):
    fields = {
        "context": context,
        "party": party,
        "image": compressed(image),
        "base": compressed(base),
        "power": compressed(power),
    }
    nonce = wide("ecdh/proof-nonce", {**fields, "secret": scalar(secret), "random": random})
    first, second = compressed(multiply(nonce, G)), compressed(multiply(nonce, base))
    challenge = wide("ecdh/challenge", {**fields, "first": first, "second": second})
    response = nonce + challenge * secret
    # And as the verifier does it.
    assert first == compressed(add(multiply(response, G), multiply(-challenge, image)))
    assert second == compressed(add(multiply(response, base), multiply(-challenge, power)))
    return scalar(challenge), scalar(response)


def check_proof(vector):
    image, base, power = (point_of(bytes.fromhex(vector[name])) for name in ("image", "base", "power"))
    context, secret, random = (bytes.fromhex(vector[name]) for name in ("context", "secret", "random"))
    assert multiply(number(secret), G) == image and multiply(number(secret), base) == power
    made = prove(context, vector["party"], image, base, power, number(secret), random)
    assert [each.hex() for each in made] == [vector["challenge"], vector["response"]]


def weight(places, own):
    total = 1
    for other in places:
        if other != own:
            total = total * other * pow(other - own, -1, q) % q
    return total


def check_opening(vector):
    group, quorum, opener = vector["group"], vector["quorum"], vector["opener"]
    commitments = [bytes.fromhex(each) for each in group["commitments"]]
    ephemeral = bytes.fromhex(vector["ephemeral"])
    context = h(
        "context/open",
        {
            "scheme": group["scheme"],
            "keyId": group["keyId"],
            "epoch": group["epoch"],
            "sharing": commitments,
            "session": bytes.fromhex(vector["session"]),
            "quorum": quorum,
            "opener": opener,
            "ephemeral": ephemeral,
        },
    )
    assert context.hex() == vector["context"]
    base = point_of(ephemeral)
    assert base == multiply(number(bytes.fromhex(vector["ephemeralSecret"])), G)
    places = [group["parties"].index(party) + 1 for party in quorum]
    powers = {}
    messages = {message["from"]: message for message in vector["messages"]}
    assert sorted([*messages, opener]) == sorted(quorum)
    for party, place in zip(quorum, places):
        share = number(bytes.fromhex(vector["shares"][party]))
        assert compressed(multiply(share, G)).hex() == group["verifyingShares"][place - 1]
        secret = share * weight(places, place) % q
        image, power = multiply(secret, G), multiply(secret, base)
        powers[party] = power
        if party == opener:
            continue
        message = messages[party]
        random = bytes.fromhex(message["random"])
        challenge, response = prove(context, party, image, base, power, secret, random)
        fields = {"partial": compressed(power), "challenge": challenge, "response": response}
        assert {name: each.hex() for name, each in fields.items()} == message["fields"]
        assert cbor(fields).hex() == message["body"]
    total = None
    for power in powers.values():
        total = add(total, power)
    assert total[0].to_bytes(32, "big").hex() == vector["shared"]
    # What the one who sealed the file came to.
    public = point_of(bytes.fromhex(group["publicKey"]))
    assert total == multiply(number(bytes.fromhex(vector["ephemeralSecret"])), public)


for name, check in {"proof": check_proof, "open": check_opening}.items():
    vectors = json.loads((folder / f"{name}.json").read_text())
    for vector in vectors:
        check(vector)
    print(f"{name}: {len(vectors)} vectors hold")
