// Reads a published log with the Go project's own transparency log package (golang.org/x/mod/sumdb), which knows nothing
// of Carekeep: the signed note, the tiles, inclusion proofs (of every entry, in a small log) and consistency proofs.
//
//	check_log FOLDER VKEY
package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

// tiles reads the files of tlog-tiles, whose names lack the height that the package puts into them.
type tiles struct{ folder string }

func (t tiles) Height() int { return height }

func (t tiles) ReadTiles(asked []tlog.Tile) ([][]byte, error) {
	found := make([][]byte, len(asked))
	for i, tile := range asked {
		name := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		content, err := os.ReadFile(filepath.Join(t.folder, name))
		if err != nil {
			return nil, err
		}
		found[i] = content
	}
	return found, nil
}

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func must(err error) {
	if err != nil {
		fmt.Println("NOT ACCEPTED:", err)
		os.Exit(1)
	}
}

// entries reads all entry bundles: each entry stands after its length in 16 bits.
func entries(folder string, size int64) [][]byte {
	var all [][]byte
	for number := int64(0); number*256 < size; number++ {
		tile := tlog.Tile{H: height, L: 0, N: number, W: int(min(256, size-number*256))}
		name := strings.Replace(tile.Path(), "tile/8/0/", "tile/entries/", 1)
		content, err := os.ReadFile(filepath.Join(folder, name))
		must(err)
		for len(content) > 0 {
			length := int(binary.BigEndian.Uint16(content))
			all = append(all, content[2:2+length])
			content = content[2+length:]
		}
	}
	return all
}

func min(a, b int64) int64 {
	if a < b {
		return a
	}
	return b
}

func main() {
	folder, vkey := os.Args[1], os.Args[2]
	verifier, err := note.NewVerifier(vkey)
	must(err)
	raw, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	must(err)
	opened, err := note.Open(raw, note.VerifierList(verifier))
	must(err)
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	var root tlog.Hash
	decoded, err := base64.StdEncoding.DecodeString(lines[2])
	must(err)
	copy(root[:], decoded)

	reader := tlog.TileHashReader(tlog.Tree{N: size, Hash: root}, tiles{folder})
	all := entries(folder, size)
	if int64(len(all)) != size {
		must(fmt.Errorf("%d entries instead of %d", len(all), size))
	}
	step := 1 + len(all)/1000 // so that a large log takes no minute
	for index := 0; index < len(all); index += step {
		proof, err := tlog.ProveRecord(size, int64(index), reader)
		must(err)
		must(tlog.CheckRecord(proof, size, root, int64(index), tlog.RecordHash(all[index])))
	}
	for old := int64(1); old < size; old += 1 + old/3 {
		before, err := tlog.TreeHash(old, reader)
		must(err)
		proof, err := tlog.ProveTree(size, old, reader)
		must(err)
		must(tlog.CheckTree(proof, size, root, old, before))
	}
	fmt.Println("ACCEPTED", size)
}
