// tlog-check DIR checks an exported log (c2sp.org/tlog-tiles) with code that this project did not
// write: golang.org/x/mod/sumdb/note and sumdb/tlog.
//
//	DIR/vkey        the log's verifier key
//	DIR/checkpoint  the signed checkpoint
//	DIR/tile/...    hash tiles and entry bundles
//	DIR/cosigners   optional: verifier keys of cosigners, one a line; each must have signed
//
// It verifies the signatures, recomputes the root from the entries, and proves and checks the
// inclusion of every entry from the tiles. Exit status 0 and one last line, or 1 and the reason.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const tileHeight = 8
const tileWidth = 1 << tileHeight

// exported is a folder of tiles; each is read once.
type exported struct {
	folder string
	tiles  map[string][]byte
}

func (e *exported) Height() int { return tileHeight }

// SaveTiles has nothing to do: the folder has them.
func (e *exported) SaveTiles([]tlog.Tile, [][]byte) {}

func (e *exported) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var read [][]byte
	for _, tile := range tiles {
		data, err := e.readTile(tile)
		if err != nil {
			return nil, err
		}
		read = append(read, data)
	}
	return read, nil
}

func (e *exported) readTile(tile tlog.Tile) ([]byte, error) {
	path := pathOf(tile, strconv.Itoa(tile.L))
	if data, ok := e.tiles[path]; ok {
		return data, nil
	}
	data, err := os.ReadFile(filepath.Join(e.folder, path))
	if err != nil {
		return nil, err
	}
	if len(data) != tile.W*tlog.HashSize {
		return nil, fmt.Errorf("%s: %d bytes instead of %d hashes", path, len(data), tile.W)
	}
	e.tiles[path] = data
	return data, nil
}

// pathOf writes sumdb's "tile/8/<L>/<N>" as tlog-tiles' "tile/<level>/<N>".
func pathOf(tile tlog.Tile, level string) string {
	prefix := fmt.Sprintf("tile/%d/%d/", tileHeight, tile.L)
	return "tile/" + level + "/" + strings.TrimPrefix(tile.Path(), prefix)
}

// readEntries gives all entries in order: bundles of big-endian uint16 length-prefixed entries.
func (e *exported) readEntries(size int64) ([][]byte, error) {
	var entries [][]byte
	for first := int64(0); first < size; first += tileWidth {
		width := size - first
		if width > tileWidth {
			width = tileWidth
		}
		path := pathOf(tlog.Tile{H: tileHeight, N: first / tileWidth, W: int(width)}, "entries")
		bundle, err := os.ReadFile(filepath.Join(e.folder, path))
		if err != nil {
			return nil, err
		}
		for i := int64(0); i < width; i++ {
			if len(bundle) < 2 || len(bundle)-2 < int(binary.BigEndian.Uint16(bundle)) {
				return nil, fmt.Errorf("%s: ends inside entry %d", path, first+i)
			}
			end := 2 + int(binary.BigEndian.Uint16(bundle))
			entries = append(entries, bundle[2:end])
			bundle = bundle[end:]
		}
		if len(bundle) != 0 {
			return nil, fmt.Errorf("%s: %d bytes after the last entry", path, len(bundle))
		}
	}
	return entries, nil
}

// cosigner verifies cosignature/v1 lines, which sumdb/note leaves to its callers.
type cosigner struct {
	name string
	id   uint32
	key  ed25519.PublicKey
	time uint64
}

func parseCosigner(vkey string) (*cosigner, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, fmt.Errorf("malformed verifier key %q", vkey)
	}
	id, err := hex.DecodeString(parts[1])
	if err != nil || len(id) != 4 {
		return nil, fmt.Errorf("malformed key id in %q", vkey)
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(key) != 1+ed25519.PublicKeySize || key[0] != 0x04 {
		return nil, fmt.Errorf("not a cosigner's key: %q", vkey)
	}
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), key...))
	if !bytes.Equal(sum[:4], id) {
		return nil, fmt.Errorf("the key id does not belong to the key: %q", vkey)
	}
	return &cosigner{name: parts[0], id: binary.BigEndian.Uint32(id), key: key[1:]}, nil
}

func (c *cosigner) Name() string    { return c.name }
func (c *cosigner) KeyHash() uint32 { return c.id }

func (c *cosigner) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	c.time = binary.BigEndian.Uint64(signature)
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", c.time, text)
	return ed25519.Verify(c.key, []byte(message), signature[8:])
}

func readLines(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"), nil
}

// openCheckpoint verifies the log's signature and those of all listed cosigners.
func openCheckpoint(folder string) (origin string, tree tlog.Tree, err error) {
	vkey, err := readLines(filepath.Join(folder, "vkey"))
	if err != nil {
		return "", tree, err
	}
	log, err := note.NewVerifier(vkey[0])
	if err != nil {
		return "", tree, err
	}
	verifiers := []note.Verifier{log}
	if lines, err := readLines(filepath.Join(folder, "cosigners")); err == nil {
		for _, line := range lines {
			c, err := parseCosigner(line)
			if err != nil {
				return "", tree, err
			}
			verifiers = append(verifiers, c)
		}
	}
	message, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	if err != nil {
		return "", tree, err
	}
	opened, err := note.Open(message, note.VerifierList(verifiers...))
	if err != nil {
		return "", tree, err
	}
	if len(opened.Sigs) != len(verifiers) {
		return "", tree, fmt.Errorf("checkpoint: %d of %d keys have signed", len(opened.Sigs), len(verifiers))
	}
	for _, verifier := range verifiers[1:] {
		c := verifier.(*cosigner)
		fmt.Printf("tlog-check: cosigned by %s at %d\n", c.name, c.time)
	}
	return parseTree(opened.Text, log.Name())
}

func parseTree(text, keyName string) (origin string, tree tlog.Tree, err error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 {
		return "", tree, fmt.Errorf("checkpoint: %d lines", len(lines))
	}
	if lines[0] != keyName {
		return "", tree, fmt.Errorf("checkpoint of %q, key of %q", lines[0], keyName)
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return "", tree, err
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return lines[0], tree, err
}

// rootOf recomputes the root from the entries alone.
func rootOf(entries [][]byte) (tlog.Hash, error) {
	if len(entries) == 0 {
		return sha256.Sum256(nil), nil
	}
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var hashes []tlog.Hash
		for _, index := range indexes {
			hashes = append(hashes, stored[index])
		}
		return hashes, nil
	})
	for i, entry := range entries {
		hashes, err := tlog.StoredHashes(int64(i), entry, reader)
		if err != nil {
			return tlog.Hash{}, err
		}
		stored = append(stored, hashes...)
	}
	return tlog.TreeHash(int64(len(entries)), reader)
}

// remembering keeps what the tiles gave: they are authenticated at every reading, which would
// otherwise be done once for every proof.
type remembering struct {
	reader tlog.HashReader
	hashes map[int64]tlog.Hash
}

func (r *remembering) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var missing []int64
	for _, index := range indexes {
		if _, ok := r.hashes[index]; !ok {
			missing = append(missing, index)
		}
	}
	if len(missing) > 0 {
		read, err := r.reader.ReadHashes(missing)
		if err != nil {
			return nil, err
		}
		for i, index := range missing {
			r.hashes[index] = read[i]
		}
	}
	var hashes []tlog.Hash
	for _, index := range indexes {
		hashes = append(hashes, r.hashes[index])
	}
	return hashes, nil
}

// readBlock reads every hash below one level 0 tile at once.
func (r *remembering) readBlock(first, size int64) error {
	var indexes []int64
	for level := 0; level < tileHeight; level++ {
		for n := first >> uint(level); n < (first+tileWidth)>>uint(level) && (n+1)<<uint(level) <= size; n++ {
			indexes = append(indexes, tlog.StoredHashIndex(level, n))
		}
	}
	_, err := r.ReadHashes(indexes)
	return err
}

func check(folder string) error {
	origin, tree, err := openCheckpoint(folder)
	if err != nil {
		return err
	}
	log := &exported{folder: folder, tiles: make(map[string][]byte)}
	entries, err := log.readEntries(tree.N)
	if err != nil {
		return err
	}
	root, err := rootOf(entries)
	if err != nil {
		return err
	}
	if root != tree.Hash {
		return fmt.Errorf("the entries' root is %v, the checkpoint's %v", root, tree.Hash)
	}
	reader := &remembering{tlog.TileHashReader(tree, log), make(map[int64]tlog.Hash)}
	for i, entry := range entries {
		if i%tileWidth == 0 {
			if err := reader.readBlock(int64(i), tree.N); err != nil {
				return fmt.Errorf("entry %d: %v", i, err)
			}
		}
		proof, err := tlog.ProveRecord(tree.N, int64(i), reader)
		if err == nil {
			err = tlog.CheckRecord(proof, tree.N, tree.Hash, int64(i), tlog.RecordHash(entry))
		}
		if err != nil {
			return fmt.Errorf("entry %d: %v", i, err)
		}
	}
	fmt.Printf("tlog-check: origin=%s size=%d inclusion=%d ok\n", origin, tree.N, len(entries))
	return nil
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: tlog-check DIR")
		os.Exit(2)
	}
	if err := check(os.Args[1]); err != nil {
		fmt.Fprintf(os.Stderr, "tlog-check: %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}
