package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestLargeValuesLieApartAndAreChecked writes values that are large enough for files of their own, writes others over some of them,
// and damages those files.
func TestLargeValuesLieApartAndAreChecked(t *testing.T) {
	fs := vfs.NewMem()
	d, err := OpenDisk(fs, "state")
	if err != nil {
		t.Fatal(err)
	}
	name := []byte{0, 0, 0, 7, 1}
	want := map[string]string{}
	for round := range 6 {
		var changes []Change
		for i := range 300 {
			key := binary.BigEndian.AppendUint64(nil, uint64(round*200+i))
			value := bytes.Repeat(append(key, byte(round)), 1000+i*10)
			changes = append(changes, Change{Key: append(bytes.Clone(name), key...), Value: value})
			want[string(key)] = string(value)
		}
		if err := d.Apply(Told(changes), []byte("m")); err != nil {
			t.Fatal(err)
		}
	}
	// They lie beside their keys until files are merged.
	if err := d.db.Compact(t.Context(), name[:1], []byte{0xff}, false); err != nil {
		t.Fatal(err)
	}
	reopen := func() {
		t.Helper()
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if d, err = OpenDisk(fs, "state"); err != nil {
			t.Fatal(err)
		}
	}
	reopen()
	n := 0
	err = d.Each(name, func(key, value []byte) error {
		if n++; want[string(key[diskPrefix:])] != string(value) {
			t.Fatalf("key %x has another value", key)
		}
		return nil
	})
	if err != nil || n != len(want) {
		t.Fatalf("%d keys of %d: %v", n, len(want), err)
	}
	names, err := fs.List("state")
	if err != nil {
		t.Fatal(err)
	}
	apart := 0
	for _, file := range names {
		if strings.HasSuffix(file, ".blob") {
			apart++
			overwrite(t, fs, "state/"+file)
		}
	}
	if apart == 0 {
		t.Fatalf("no values lie apart: %v", names)
	}
	reopen()
	defer func() { _ = d.Close() }() // it is damaged
	var damage *DamageError
	if err := d.Each(name, func(_, _ []byte) error { return nil }); !errors.As(err, &damage) {
		t.Errorf("damaged files are read: %v", err)
	}
}

// overwrite changes bytes in the middle of a file.
func overwrite(t *testing.T, fs vfs.FS, name string) {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close() // it was read
	copy(content[len(content)/2:], bytes.Repeat([]byte{0x5a}, 64))
	out, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err == nil {
		_, err = out.Write(content)
	}
	if err == nil {
		err = out.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}
