package watch

import (
	"hash/maphash"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/event"
	"myelin/internal/tape"
)

// Dimensions are what events are split by when the cause of a change is sought.
var Dimensions = [dimensions]string{"app version", "page", "browser", "country", "campaign", "platform"}

const dimensions = 6

const versionDimension = 0

// Fact is what the watch takes from one released event. It is valid until the next Read into it.
type Fact struct {
	Source, Event string
	Type          event.Type
	// At is when it happened, Received when it reached us: seconds since 1970.
	At, Received float64
	User         uint64 // a hash; 0: unknown
	Status       event.Status
	Replay       bool // it was there before, in quarantine
	Dims         [dimensions]string
	Doc          *tape.Doc
	// Members is the object whose members are watched: properties or traits, -1 for none; Broken are the general paths that
	// violate the plan, Campaign is context.campaign or -1.
	Members, Campaign int
	Broken            []string
	Raw               []byte
}

// Reader makes facts of records. It is used by one goroutine.
type Reader struct {
	doc    tape.Doc
	intern map[string]string
	seed   maphash.Seed
}

// NewReader returns a reader.
func NewReader() *Reader { return &Reader{intern: map[string]string{}, seed: maphash.MakeSeed()} }

// text keeps one copy of each short text, up to a bound; then it starts anew.
func (r *Reader) text(b []byte) string {
	if len(b) > 120 {
		b = b[:120]
	}
	if s, ok := r.intern[string(b)]; ok {
		return s
	}
	if len(r.intern) > 20_000 {
		clear(r.intern)
	}
	s := strings.ToValidUTF8(string(b), "?")
	r.intern[s] = s
	return s
}

func (r *Reader) member(obj int, name string) string {
	i := r.doc.Get(obj, name)
	if r.doc.Kind(i) != tape.String {
		return ""
	}
	return r.text(r.doc.Bytes(i))
}

// Read fills f from a record of a governed topic or of quarantine; false: it is not one that a release wrote.
func (r *Reader) Read(f *Fact, rec *kgo.Record) bool {
	status, ok := event.ParseStatus(string(event.Header(rec, event.HeaderStatus)))
	if !ok {
		return false
	}
	*f = Fact{Status: status, Source: r.text(event.Header(rec, event.HeaderSource)), Event: r.text(event.Header(rec, event.HeaderEvent)),
		Type: event.ParseType(string(event.Header(rec, event.HeaderType))), Doc: &r.doc, Members: -1, Campaign: -1, Broken: f.Broken[:0], Raw: rec.Value}
	f.Replay = len(event.Header(rec, "replay")) > 0
	if f.Event == "" || f.Type != event.Track {
		f.Event = f.Type.String()
	}
	f.Received = float64(rec.Timestamp.UnixMicro()) / 1e6
	f.At = f.Received
	if len(rec.Key) > 0 {
		f.User = maphash.Bytes(r.seed, rec.Key) | 1
	}
	if r.doc.Parse(rec.Value) != nil {
		return true
	}
	r.fill(f)
	return true
}

func (r *Reader) fill(f *Fact) {
	d := &r.doc
	if i := d.Get(0, "timestamp"); d.Kind(i) == tape.String {
		if t, err := time.Parse(time.RFC3339Nano, string(d.Bytes(i))); err == nil {
			f.At = float64(t.UnixMicro()) / 1e6
		}
	}
	f.At = min(f.At, f.Received+60) // a clock that runs ahead does not move ours
	name := "properties"
	if f.Type == event.Identify || f.Type == event.Group {
		name = "traits"
	}
	if i := d.Get(0, name); d.Kind(i) == tape.Object {
		f.Members = i
	}
	context := d.Get(0, "context")
	app := d.Get(context, "app")
	f.Dims[versionDimension] = r.member(app, "version")
	f.Dims[1] = r.member(d.Get(context, "page"), "path")
	if f.Dims[1] == "" {
		f.Dims[1] = r.member(d.Get(context, "screen"), "name")
	}
	if i := d.Get(context, "userAgent"); d.Kind(i) == tape.String {
		f.Dims[2] = browser(d.Bytes(i))
	}
	f.Dims[3] = r.member(d.Get(context, "location"), "country")
	if i := d.Get(context, "campaign"); d.Kind(i) == tape.Object {
		f.Campaign = i
		f.Dims[4] = r.member(i, "name")
	}
	if f.Dims[5] = r.member(d.Get(context, "os"), "name"); f.Dims[5] == "" {
		f.Dims[5] = r.member(d.Get(context, "library"), "name")
	}
	for i := range d.Elements(d.Get(d.Get(0, "myelin"), "violations")) {
		if len(f.Broken) < 8 {
			f.Broken = append(f.Broken, r.member(i, "path"))
		}
	}
}

// browser is the family that a User-Agent belongs to: enough to see that only one of them is broken.
func browser(agent []byte) string {
	has := func(s string) bool { return strings.Contains(string(agent), s) } // does not copy
	switch {
	case has("Edg/"):
		return "Edge"
	case has("OPR/"):
		return "Opera"
	case has("SamsungBrowser/"):
		return "Samsung Internet"
	case has("Firefox/"):
		return "Firefox"
	case has("Chrome/"), has("CriOS/"):
		return "Chrome"
	case has("Safari/"):
		return "Safari"
	}
	return ""
}
