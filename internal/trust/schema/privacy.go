package schema

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"unicode/utf8"

	"myelin/internal/tape"
)

// transform is what happens to a private value before anything is stored.
type transform uint8

const (
	keep transform = iota
	hashed
	dropped
	truncated
)

var transformNames = map[string]transform{"hash": hashed, "drop": dropped, "truncate": truncated, "none": keep}

// String is the transform as plans spell it.
func (t transform) String() string {
	for name, u := range transformNames {
		if t == u && t != keep {
			return name
		}
	}
	return ""
}

// privacy says that a value is private: it is never repeated in a violation, and may be transformed.
type privacy struct {
	pii       string // email, phone, …; "" when only a transform was given
	transform transform
	keepChars int // how many characters truncate keeps
}

// defaultKeep is what truncate keeps unless the plan says otherwise.
const defaultKeep = 3

// appendTransformed appends the JSON text of value i of d after the transform; hash and truncate always give a string.
// A hash is HMAC-SHA256 under the installation's key, in hex, over the text: trimmed and in lower case for e-mail
// addresses, so that one person has one hash.
func (p *privacy) appendTransformed(dst []byte, d *tape.Doc, i int, key []byte) []byte {
	if d.Kind(i) == tape.Null {
		return append(dst, "null"...)
	}
	text := d.Raw(i)
	if d.Kind(i) == tape.String {
		text = d.Bytes(i)
	}
	if p.transform == truncated {
		cut := 0
		for n := 0; n < p.keepChars && cut < len(text); n++ {
			_, size := utf8.DecodeRune(text[cut:])
			cut += size
		}
		return tape.AppendQuoted(dst, text[:cut])
	}
	if p.pii == "email" {
		text = bytes.ToLower(bytes.TrimSpace(text))
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(text)
	var sum [sha256.Size]byte
	dst = append(dst, '"')
	dst = hex.AppendEncode(dst, mac.Sum(sum[:0]))
	return append(dst, '"')
}

// isHash reports whether value i is already the hash that transform hash gives: a replayed event was hashed before.
func isHash(d *tape.Doc, i int) bool {
	if d.Kind(i) != tape.String || d.Nodes[i].Escaped {
		return false
	}
	s := d.Bytes(i)
	if len(s) != 2*sha256.Size {
		return false
	}
	for _, c := range s {
		if !(c-'0' <= 9 || c-'a' <= 5) {
			return false
		}
	}
	return true
}

// IsHash reports whether the value is one that transform: hash has made.
func IsHash(d *tape.Doc, node int) bool { return isHash(d, node) }
