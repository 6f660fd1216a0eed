"""A second reading of spec/ecdsa.md: recomputes what vectors/ecdsa says, from the page alone.

    python3 vectors/check-ecdsa.py

Needs nothing but Python 3. It has no curve arithmetic: everything but the base OTs and the points is checked.
"""

import json
from functools import reduce
from hashlib import sha256
from pathlib import Path

folder = Path(__file__).parent / "ecdsa"

# order, bytes of a wide scalar, name in the gadget's seed
curves = {
    "ecdsa-secp256k1": (0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141, 32, b"secp256k1"),
    "ecdsa-p256": (0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551, 48, b"p256"),
}


def load(name):
    return json.loads((folder / name).read_text())


def sha(*parts):
    return sha256(b"".join(parts)).digest()


def draws(seed):
    counter = 0

    def draw(length):
        nonlocal counter
        out = b""
        while len(out) < length:
            out += sha(f"{seed}/{counter}".encode())
            counter += 1
        return out[:length]

    return draw


def same(expected, actual):
    if isinstance(expected, str):
        assert expected == actual.hex()
    else:
        assert (expected["length"], expected["sha256"]) == (len(actual), sha(actual).hex())


def byte(*values):
    return bytes(values)


def u16(n):
    return n.to_bytes(2, "big")


def scalar(n):
    return n.to_bytes(32, "big")


def le(data):
    return int.from_bytes(data, "little")


def bit(data, j):
    return data[j >> 3] >> (j & 7) & 1


def xor(*values):
    return bytes(reduce(lambda x, y: [i ^ j for i, j in zip(x, y)], values))


def wide(scheme, data):
    order, length, _ = curves[scheme]
    return int.from_bytes(data[:length], "big") % order


def wide_of_blocks(scheme, block):
    return wide(scheme, block(0) + block(1))


def cbor(value):
    def head(major, n):
        if n < 24:
            return byte(major << 5 | n)
        for code, length in ((24, 1), (25, 2), (26, 4), (27, 8)):
            if n < 1 << 8 * length:
                return byte(major << 5 | code) + n.to_bytes(length, "big")

    if isinstance(value, int):
        return head(0, value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    items = sorted((cbor(key), cbor(item)) for key, item in value.items())
    return head(5, len(items)) + b"".join(key + item for key, item in items)


def labelled(label, value):
    name = f"keepset/{label}/v1".encode()
    return sha(byte(len(name)), name, cbor(value))


def gadget_vector(scheme):
    seed = sha(b"keepset/ecdsa/rvole/gadget/v1", curves[scheme][2])
    return [wide_of_blocks(scheme, lambda b: sha(seed, u16(j), byte(b))) for j in range(416)]


def check_gadget():
    for vector in load("gadget.json"):
        same(vector["all"], b"".join(map(scalar, gadget_vector(vector["scheme"]))))


def check_trees():
    """Returns all leaves and Δ, for the extension."""
    vector = load("trees.json")
    draw = draws("trees")
    tag, pairs, choices = draw(32), draw(128 * 32), draw(16)
    same(vector["tag"], tag)
    same(vector["pairs"], pairs)

    def seed(tree, level, x):
        start = 32 * (2 * tree + 1 - level) + 16 * x
        return pairs[start : start + 16]

    corrections = sums = digests = b""
    leaves = []
    for t in range(64):
        nodes = []
        for y in (0, 1):
            both = sha(tag, seed(t, 0, y), byte(t, 1, y, 0))
            nodes += [both[:16], both[16:]]
        for x in (0, 1):
            corrections += xor(seed(t, 1, x), nodes[x], nodes[2 + x])
        leaves.append([sha(tag, nodes[y], byte(t, 2, y, 1))[:16] for y in range(4)])
        checks = [sha(tag, nodes[y], byte(t, 2, y, 2)) for y in range(4)]
        sums += xor(*checks)
        digests += sha(tag, byte(t), *checks)
    same(vector["message"]["corrections"], corrections)
    same(vector["message"]["sums"], sums)
    same(vector["message"]["digests"], digests)
    same(vector["leaves"], b"".join(map(b"".join, leaves)))
    delta = bytes(255 - byte for byte in choices)
    missing = [bit(delta, 2 * t) | bit(delta, 2 * t + 1) << 1 for t in range(64)]
    known = [leaves[t][missing[t] ^ e] for t in range(64) for e in (1, 2, 3)]
    same(vector["known"], b"".join(known))
    return leaves, delta


def times(a, b):
    """GF(2^128)"""
    product = 0
    for i in range(128):
        if b >> i & 1:
            product ^= a << i
    for i in range(254, 127, -1):
        if product >> i & 1:
            product ^= (1 << 128 | 0x87) << i - 128
    return product


def check_extension(leaves, delta):
    vector = load("extension.json")
    draw = draws("extension")
    nonce, choices, padding, batch = draw(32), draw(52), draw(16), draw(32)
    same(vector["nonce"], nonce)
    same(vector["batch"], batch)
    chosen = le(choices + padding)
    vectors = b""
    columns = []
    for t in range(64):
        r = [le(b"".join(sha(leaf, nonce, byte(t, b)) for b in range(3))[:68]) for leaf in leaves[t]]
        vectors += (r[0] ^ r[1] ^ r[2] ^ r[3] ^ chosen).to_bytes(68, "little")
        columns += [r[1] ^ r[3], r[2] ^ r[3]]
    same(vector["message"]["vectors"], vectors)
    seed = sha(b"keepset/ecdsa/extension/challenge/v1", nonce, vectors)
    challenges = [le(sha(seed, byte(m))[:16]) for m in range(4)]

    def universal(column):
        out = column >> 416
        for m, challenge in enumerate(challenges):
            out ^= times(challenge, column >> 128 * m & (1 << min(128, 416 - 128 * m)) - 1)
        return out

    def rows(of, count):
        return [sum((column >> j & 1) << i for i, column in enumerate(of)) for j in range(count)]

    def row_bytes(of):
        return b"".join(row.to_bytes(16, "little") for row in of)

    same(vector["message"]["choiceCheck"], universal(chosen).to_bytes(16, "little"))
    same(vector["message"]["rowCheck"], row_bytes(rows([universal(column) for column in columns], 128)))
    received = rows(columns, 416)
    sent = [row ^ (le(delta) if bit(choices, j) else 0) for j, row in enumerate(received)]
    same(vector["receiverRows"], row_bytes(received))
    same(vector["senderRows"], row_bytes(sent))

    def hashed(of, offset):
        return b"".join(
            sha(batch, (row ^ offset).to_bytes(16, "little"), u16(j), byte(b)) for j, row in enumerate(of) for b in range(3)
        )

    same(vector["hashed"]["receiver"], hashed(received, 0))
    same(vector["hashed"]["senderZeros"], hashed(sent, 0))
    same(vector["hashed"]["senderOnes"], hashed(sent, le(delta)))


def check_multiplication():
    for vector in load("rvole.json"):
        scheme = vector["scheme"]
        order, width, _ = curves[scheme]
        draw = draws("rvole")
        batch, choices, delta, rows = draw(32), draw(52), le(draw(16)), draw(416 * 16)
        a1, a2, check = (int.from_bytes(draw(48), "big") % (order - 1) + 1 for _ in range(3))
        assert vector["inputs"] == [scalar(a1).hex(), scalar(a2).hex()]
        blocks = -(-3 * width // 32)

        def messages(offset):
            out = []
            for j in range(416):
                row = (le(rows[16 * j : 16 * j + 16]) ^ offset).to_bytes(16, "little")
                data = b"".join(sha(batch, row, u16(j), byte(b)) for b in range(blocks))
                out.append([wide(scheme, data[i * width :]) for i in range(3)])
            return out

        zeros, ones = messages(0), messages(delta)
        masked = b"".join(
            scalar((zeros[j][i] - ones[j][i] + (a1, a2, check)[i]) % order) for j in range(416) for i in range(3)
        )
        same(vector["message"]["masked"], masked)
        seed = sha(b"keepset/ecdsa/rvole/challenge/v1", batch, masked)
        t1, t2 = (wide_of_blocks(scheme, lambda b: sha(seed, u16(i), byte(b))) for i in range(2))
        same(vector["message"]["response"], scalar((check + t1 * a1 + t2 * a2) % order))
        mu = b"".join(scalar((z[2] + t1 * z[0] + t2 * z[1]) % order) for z in zeros)
        same(vector["message"]["digest"], sha(b"keepset/ecdsa/rvole/digest/v1", batch, mu))
        gadget = gadget_vector(scheme)
        factor = sum(g for j, g in enumerate(gadget) if bit(choices, j)) % order
        assert vector["factor"] == scalar(factor).hex()
        for i, a in enumerate((a1, a2)):
            c = -sum(g * z[i] for g, z in zip(gadget, zeros)) % order
            assert vector["aliceShares"][i] == scalar(c).hex()
            assert vector["bobShares"][i] == scalar((a * factor - c) % order).hex()


def check_zero_sharing():
    for vector in load("zero-sharing.json"):
        scheme = vector["scheme"]
        order = curves[scheme][0]
        draw = draws("zero")
        session = draw(32)
        ab, ac, bc = (
            wide_of_blocks(scheme, lambda b: sha(b"keepset/ecdsa/zero-share/v1", seed, session, byte(b)))
            for seed in (draw(32), draw(32), draw(32))
        )
        shares = {"a": -ab - ac, "b": ab - bc, "c": ac + bc}
        assert vector["shares"] == {party: scalar(share % order).hex() for party, share in shares.items()}


def check_key_and_signatures(scheme):
    vector = load(f"{scheme}.json")
    parties, keygen, sign, presign = (vector[name] for name in ("parties", "keygen", "sign", "presign"))
    unhex = bytes.fromhex
    group = keygen["group"]

    def fields(run):
        return {(m["round"], m["from"]): m["fields"] for m in run["messages"]}

    def unhexed(values, *names):
        return {
            name: [unhex(v) for v in values[name]] if isinstance(values[name], list) else unhex(values[name])
            for name in names
        }

    def session_id(context, messages):
        contributions = [unhex(messages[1, party]["random"]) for party in parties]
        return labelled("session-id", {"context": context, "parties": parties, "contributions": contributions})

    context = unhex(keygen["context"])
    sharing = {"scheme": scheme, "policy": vector["policy"], "parties": parties, "threshold": 2}
    assert labelled("context/keygen", {**sharing, "session": unhex(keygen["session"])}) == context
    messages = fields(keygen)
    openings = []
    for me, peer in (parties, parties[::-1]):
        first, second = messages[1, me], messages[2, me]
        opening = unhexed(second, "points", "chainPart", "salt")
        pair = unhexed(second, "share", "zeroPart", "pairSalt")
        openings.append(opening)
        same(first["commitment"], labelled("ecdsa/keygen/opening", {"context": context, "party": me, **opening}))
        same(
            first["pairCommitment"],
            labelled("ecdsa/keygen/pair-opening", {"context": context, "from": me, "to": peer, **pair}),
        )
    transcript = labelled(
        "ecdsa/keygen/transcript",
        {
            "session": session_id(context, messages),
            "commitments": [unhex(messages[1, party]["commitment"]) for party in parties],
            "openings": openings,
            **unhexed(group, "publicKey", "verifyingShares", "chainCode"),
        },
    )
    for moment in ((3, "phone"), (3, "server"), (4, "phone"), (4, "server")):
        same(messages[moment]["transcript"], transcript)
    same(group["chainCode"], labelled("keygen/chain-code", {"parts": [opening["chainPart"] for opening in openings]}))
    contributions = [unhex(messages[1, party]["random"]) for party in parties]
    setup = labelled(
        "ecdsa/pair-setup",
        {"context": context, "earlier": parties[0], "later": parties[1], "contributions": contributions},
    )
    zero_parts = [unhex(messages[2, party]["zeroPart"]) for party in parties]
    zero_seed = labelled("ecdsa/zero-seed", {"setup": setup, "parts": zero_parts})

    key = {"scheme": scheme, "keyId": group["keyId"], "epoch": 0}
    request = {"message": unhex(sign["message"]), "digest": sign["digest"]}
    signing = {**key, **request, "session": unhex(sign["session"]), "quorum": parties}
    presigning = {
        **key,
        "sharing": [unhex(point) for point in group["commitments"]],
        "session": unhex(presign["session"]),
        "quorum": parties,
        "path": presign["path"],
    }
    same(sign["context"], labelled("context/sign", signing))
    same(presign["context"], labelled("ecdsa/context/presign", presigning))
    for run in (sign, presign):
        context = unhex(run["context"])
        messages = fields(run)
        commitments = []
        for party in parties:
            first, second = messages[1, party], messages[2, party]
            same(first["setup"], labelled("ecdsa/sign/setup", {"context": context, "zeroSeed": zero_seed}))
            nonce = {"context": context, "party": party, **unhexed(second, "noncePoint", "salt")}
            same(first["commitment"], labelled("ecdsa/sign/nonce", nonce))
            commitments.append(unhex(first["commitment"]))
        session = labelled(
            "ecdsa/sign/session", {"id": session_id(context, messages), "commitments": commitments}
        )
        for party in parties:
            same(messages[2, party]["session"], session)
    same(presign["id"], labelled("ecdsa/presignature", {"session": session, "nonce": unhex(presign["nonce"])}))
    online = {**key, **request, "presignature": unhex(presign["id"]), "quorum": parties, "path": presign["path"]}
    del online["scheme"]
    same(presign["signing"]["context"], labelled("ecdsa/context/sign-presigned", online))

    order = curves[scheme][0]
    fragments = [fields(sign)[3, party] for party in parties]
    numerator, denominator = (sum(int(f[name], 16) for f in fragments) for name in ("numerator", "denominator"))
    s = numerator * pow(denominator, -1, order) % order
    assert sign["signature"][64:128] == scalar(min(s, order - s)).hex()


if __name__ == "__main__":
    check_gadget()
    check_extension(*check_trees())
    check_multiplication()
    check_zero_sharing()
    for name in curves:
        check_key_and_signatures(name)
    print("All vectors are what the page says.")
