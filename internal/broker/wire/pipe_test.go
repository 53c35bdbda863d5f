package wire

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestPipeCarriesBytesBothWays(t *testing.T) {
	a, b := Pipe()
	want := make([]byte, 5<<20) // more than a pipe holds
	rand.Read(want)
	var wg sync.WaitGroup
	for _, ends := range [][2]net.Conn{{a, b}, {b, a}} {
		wg.Go(func() {
			if _, err := ends[0].Write(want); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			got := make([]byte, len(want))
			if _, err := io.ReadFull(ends[1], got); err != nil || !bytes.Equal(got, want) {
				t.Errorf("bytes differ or %v", err)
			}
		})
	}
	wg.Wait()
}

func TestPipeDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe()
		a.SetReadDeadline(time.Now().Add(time.Second))
		start := time.Now()
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Second {
			t.Fatalf("read ended with %v after %v", err, time.Since(start))
		}
		a.SetReadDeadline(time.Time{})
		b.SetWriteDeadline(time.Now().Add(time.Second))
		if n, err := b.Write(make([]byte, 100)); n != 100 || err != nil { // a small write does not wait
			t.Fatalf("wrote %d with %v", n, err)
		}
		n, err := b.Write(make([]byte, 2*pipeBytes))
		if n != pipeBytes-100 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("wrote %d with %v", n, err)
		}
		if n, err := io.ReadFull(a, make([]byte, pipeBytes)); n != pipeBytes || err != nil {
			t.Fatalf("read %d with %v", n, err)
		}
		b.SetWriteDeadline(time.Now().Add(time.Second))
		go a.Read(make([]byte, 10))
		if n, err := b.Write(make([]byte, lendBytes)); n != 10 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("lent bytes: wrote %d with %v", n, err)
		}
		a.SetReadDeadline(time.Now().Add(time.Second))
		if n, err := a.Read(make([]byte, 10)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("read %d with %v of bytes that were taken back", n, err)
		}
		go b.SetWriteDeadline(time.Unix(1, 0))
		synctest.Wait()
		a.Close()
		b.Close()
	})
}

func TestPipeCloseEndsBothSides(t *testing.T) {
	a, b := Pipe()
	if _, err := a.Write([]byte("last words")); err != nil {
		t.Fatal(err)
	}
	a.Close()
	got, err := io.ReadAll(b)
	if string(got) != "last words" || err != nil {
		t.Fatalf("read %q with %v", got, err)
	}
	if _, err := b.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
		t.Fatalf("write to a closed pipe: %v", err)
	}
}
