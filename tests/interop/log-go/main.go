// Command log-go checks a Keepset log with golang.org/x/mod/sumdb, and makes one for Keepset to check.
//
//	main.go verify  < log.json    exit 0 only if everything in it holds; else a reason on stderr
//	main.go produce < wish.json   > log.json
//
// It hashes every record and rebuilds the root. It does not use tlog.TileHashReader, which at this version
// leaves some tiles unchecked against the root.
package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type inclusion struct {
	Index int64       `json:"index"`
	Proof []tlog.Hash `json:"proof"`
}

type consistency struct {
	OldSize int64       `json:"oldSize"`
	OldRoot tlog.Hash   `json:"oldRoot"`
	Proof   []tlog.Hash `json:"proof"`
}

// logFile is a whole log: resources by their path under the log's prefix, and proofs to its checkpoint.
type logFile struct {
	VerifierKey string            `json:"verifierKey"`
	Checkpoint  string            `json:"checkpoint"`
	Bundles     []string          `json:"bundles"` // base64, in order
	Tiles       map[string]string `json:"tiles"`   // path to base64
	Inclusion   []inclusion       `json:"inclusion"`
	Consistency []consistency     `json:"consistency"`
}

// wish says what log to produce.
type wish struct {
	Name    string   `json:"name"`
	Seed    []byte   `json:"seed"`
	Entries [][]byte `json:"entries"`
}

func main() {
	if len(os.Args) != 2 {
		fail("usage: main.go verify|produce")
	}
	input := json.NewDecoder(os.Stdin)
	switch os.Args[1] {
	case "verify":
		var log logFile
		check(input.Decode(&log))
		verify(log)
	case "produce":
		var w wish
		check(input.Decode(&w))
		check(json.NewEncoder(os.Stdout).Encode(produce(w)))
	default:
		fail("unknown command " + os.Args[1])
	}
}

func verify(log logFile) {
	verifier, err := note.NewVerifier(log.VerifierKey)
	check(err)
	opened, err := note.Open([]byte(log.Checkpoint), note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() || lines[3] != "" {
		fail("checkpoint: unexpected lines")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := tlog.ParseHash(lines[2])
	check(err)

	var entries [][]byte
	for _, bundle := range log.Bundles {
		entries = append(entries, readBundle(decode(bundle))...)
	}
	if int64(len(entries)) != size {
		fail(fmt.Sprintf("%d entries, checkpoint says %d", len(entries), size))
	}
	store := storeOf(entries)
	rebuilt, err := tlog.TreeHash(size, store)
	check(err)
	if rebuilt != root {
		fail("the entries do not hash to the checkpoint's root")
	}

	for path, data := range log.Tiles {
		tile, err := tlog.ParseTilePath("tile/8/" + strings.TrimPrefix(path, "tile/"))
		check(err)
		want, err := tlog.ReadTileData(tile, store)
		check(err)
		if string(want) != string(decode(data)) {
			fail("forged tile " + path)
		}
	}
	for _, p := range log.Inclusion {
		if p.Index < 0 || p.Index >= size {
			fail("inclusion proof of no entry")
		}
		check(tlog.CheckRecord(p.Proof, size, root, p.Index, tlog.RecordHash(entries[p.Index])))
	}
	for _, p := range log.Consistency {
		old, err := tlog.TreeHash(p.OldSize, store)
		check(err)
		if old != p.OldRoot {
			fail("wrong older root")
		}
		check(tlog.CheckTree(p.Proof, size, root, p.OldSize, p.OldRoot))
	}
	fmt.Printf("verified %d entries, %d tiles, %d inclusion and %d consistency proofs\n",
		size, len(log.Tiles), len(log.Inclusion), len(log.Consistency))
}

func produce(w wish) logFile {
	public := ed25519.NewKeyFromSeed(w.Seed).Public().(ed25519.PublicKey)
	verifierKey, err := note.NewEd25519VerifierKey(w.Name, public)
	check(err)
	hash := strings.Split(verifierKey, "+")[1]
	secret := base64.StdEncoding.EncodeToString(append([]byte{1}, w.Seed...))
	signer, err := note.NewSigner("PRIVATE+KEY+" + w.Name + "+" + hash + "+" + secret)
	check(err)

	size := int64(len(w.Entries))
	store := storeOf(w.Entries)
	root, err := tlog.TreeHash(size, store)
	check(err)
	text := fmt.Sprintf("%s\n%d\n%s\n", w.Name, size, root)
	checkpoint, err := note.Sign(&note.Note{Text: text}, signer)
	check(err)

	log := logFile{VerifierKey: verifierKey, Checkpoint: string(checkpoint), Bundles: []string{}, Tiles: map[string]string{}}
	for _, tile := range tlog.NewTiles(8, 0, size) {
		data, err := tlog.ReadTileData(tile, store)
		check(err)
		log.Tiles["tile/"+strings.TrimPrefix(tile.Path(), "tile/8/")] = base64.StdEncoding.EncodeToString(data)
	}
	for i := int64(0); i < size; i++ {
		proof, err := tlog.ProveRecord(size, i, store)
		check(err)
		log.Inclusion = append(log.Inclusion, inclusion{i, proof})
		old, err := tlog.TreeHash(i+1, store)
		check(err)
		growth, err := tlog.ProveTree(size, i+1, store)
		check(err)
		log.Consistency = append(log.Consistency, consistency{i + 1, old, growth})
	}
	return log
}

func storeOf(entries [][]byte) tlog.HashReader {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			if index < 0 || index >= int64(len(stored)) {
				return nil, fmt.Errorf("no stored hash %d", index)
			}
			hashes[i] = stored[index]
		}
		return hashes, nil
	})
	for i, entry := range entries {
		added, err := tlog.StoredHashes(int64(i), entry, reader)
		check(err)
		stored = append(stored, added...)
	}
	return reader
}

func readBundle(data []byte) (entries [][]byte) {
	for len(data) > 0 {
		if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
			fail("damaged entry bundle")
		}
		end := 2 + int(binary.BigEndian.Uint16(data))
		entries = append(entries, data[2:end])
		data = data[end:]
	}
	return entries
}

func decode(text string) []byte {
	data, err := base64.StdEncoding.DecodeString(text)
	check(err)
	return data
}

func check(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(reason string) {
	fmt.Fprintln(os.Stderr, reason)
	os.Exit(1)
}
