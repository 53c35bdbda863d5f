package collect

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"myelin/internal/tape"
)

// senders is who may send, replaced as a whole.
type senders struct {
	byKey map[string]*sender
	list  []*sender
}

// sender is a configured source with its counters.
type sender struct {
	Source
	stats *sourceStats
}

// SetSources replaces the sources. Counters of names that stay go on.
func (d *Doors) SetSources(sources []Source) error {
	s := &senders{byKey: map[string]*sender{}}
	for _, src := range sources {
		if src.Name == "" {
			return fmt.Errorf("a source needs a name")
		}
		snd := &sender{Source: src, stats: d.metrics.source(src.Name)}
		snd.WriteKeys = slices.Clone(src.WriteKeys)
		for _, key := range src.WriteKeys {
			if other := s.byKey[key]; other != nil {
				return fmt.Errorf("sources %s and %s share a write key: each key belongs to one source", other.Name, src.Name)
			}
			s.byKey[key] = snd
		}
		s.list = append(s.list, snd)
	}
	d.senders.Store(s)
	return nil
}

// headerKey is the write key that a request carries outside its body, or "".
func headerKey(r *http.Request) string {
	if auth := r.Header.Get("Authorization"); auth != "" {
		if key := basicUser(auth); key != "" {
			return key
		}
	}
	if key := r.Header.Get("X-Write-Key"); key != "" {
		key, _, _ = strings.Cut(key, ":") // key:secret, as Jitsu sends it
		return key
	}
	if strings.Contains(r.URL.RawQuery, "writeKey=") {
		return r.URL.Query().Get("writeKey")
	}
	return ""
}

// basicUser is the user of a Basic authorization. SDKs differ in what follows it: "KEY:", "KEY:secret" or nothing.
func basicUser(auth string) string {
	const scheme = "Basic "
	if len(auth) < len(scheme) || !strings.EqualFold(auth[:len(scheme)], scheme) {
		return ""
	}
	var room [128]byte
	encoded := strings.TrimRight(strings.TrimSpace(auth[len(scheme):]), "=")
	if base64.RawStdEncoding.DecodedLen(len(encoded)) > len(room) {
		return ""
	}
	n, err := base64.RawStdEncoding.Decode(room[:], []byte(encoded))
	if err != nil {
		return ""
	}
	user, _, _ := strings.Cut(string(room[:n]), ":")
	return user
}

// bodyKey is the write key in a parsed body: at the top, or on the first event of a batch.
func bodyKey(d *tape.Doc) string {
	if key := writeKey(d, 0); key != "" {
		return key
	}
	list := d.Get(0, "batch")
	if d.Kind(0) == tape.Array {
		list = 0
	}
	return writeKey(d, d.Element(list, 0))
}

func writeKey(d *tape.Doc, obj int) string {
	i := d.Get(obj, "writeKey")
	if i < 0 || d.Kind(i) != tape.String {
		return ""
	}
	return string(d.Bytes(i))
}

// sender finds the source that key belongs to.
func (d *Doors) sender(key string) (*sender, *refusal) {
	if key == "" {
		return nil, &refusal{status: http.StatusUnauthorized, code: "no_write_key", message: "the request carries no write key",
			hint: "Give the source's write key as the user of Basic authentication, as writeKey in the body or the query, or in X-Write-Key. Keys are listed under sources in myelin.yaml."}
	}
	if s := d.senders.Load().byKey[key]; s != nil {
		return s, nil
	}
	return nil, &refusal{status: http.StatusUnauthorized, code: "unknown_key", message: fmt.Sprintf("no source has the write key %q", mask(key)),
		hint: "Compare it with write_keys under sources in myelin.yaml; a key that was removed is refused for good."}
}

// mask shows enough of a key to recognise it.
func mask(key string) string {
	const most = 6
	runes := []rune(strings.ToValidUTF8(key, "?"))
	if len(runes) <= most {
		return string(runes)
	}
	return string(runes[:most]) + "…"
}
