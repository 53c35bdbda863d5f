package topic

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	maxText   = 64 << 10 // of a value that is shown
	maxKey    = 1 << 10
	maxAnswer = 8 << 20
)

// Message is one record of a topic.
type Message struct {
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	Timestamp time.Time `json:"timestamp"`
	Key       string    `json:"key"`
	Headers   []Header  `json:"headers"`
	// JSON is the value where it is JSON; else Text is the value as text, or in hexadecimal where it is not text.
	JSON json.RawMessage `json:"json"`
	Text string          `json:"text"`
	Kind string          `json:"kind" doc:"json, text, binary, empty or deleted"`
	// Size is that of the value in bytes; Cut says that not all of it is shown.
	Size int  `json:"size"`
	Cut  bool `json:"cut"`
}

// Header is a header of a record.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// show makes a record readable.
func show(r *kgo.Record) Message {
	m := Message{Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp.UTC(), Headers: []Header{}, JSON: json.RawMessage("null"), Size: len(r.Value)}
	m.Key, _, _ = readable(r.Key, maxKey)
	for _, h := range r.Headers {
		v, _, _ := readable(h.Value, maxKey)
		m.Headers = append(m.Headers, Header{Name: h.Key, Value: v})
	}
	switch {
	case r.Value == nil:
		m.Kind = "deleted"
	case len(r.Value) == 0:
		m.Kind = "empty"
	case len(r.Value) <= maxText && utf8.Valid(r.Value) && json.Valid(r.Value):
		m.Kind, m.JSON = "json", r.Value
	default:
		m.Text, m.Kind, m.Cut = readable(r.Value, maxText)
	}
	return m
}

// readable is bytes as text, or in hexadecimal where they are none.
func readable(b []byte, most int) (text, kind string, cut bool) {
	if cut = len(b) > most; cut {
		b = b[:most]
		for len(b) > most-utf8.UTFMax && !utf8.Valid(b) {
			b = b[:len(b)-1]
		}
	}
	if utf8.Valid(b) && !bytes.ContainsFunc(b, unprintable) {
		return string(b), "text", cut
	}
	if len(b) > most/2 {
		b, cut = b[:most/2], true
	}
	return hex.EncodeToString(b), "binary", cut
}

// unprintable are control characters that no text has.
func unprintable(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' }
