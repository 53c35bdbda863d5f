package collect

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/event"
)

type permissive struct{}

func (permissive) Judge(string, *event.Event, *event.Verdict) {}

type nowhere struct{}

func (nowhere) Append(context.Context, []*kgo.Record) error { return nil }

// discard is a ResponseWriter that costs nothing.
type discard struct {
	h      http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

// hundred is a batch of 100 orders of about 600 bytes, as analytics-node sends them.
func hundred() []byte {
	var b bytes.Buffer
	b.WriteString(`{"batch":[`)
	for i := range 100 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"timestamp":"2026-11-22T11:59:%02d.%03dZ","integrations":{},"event":"Order Completed","type":"track","properties":{"order_id":"o-%d","revenue":%d.5,"tax":12.25,"shipping":4.9,"currency":"EUR","coupon":"AUTUMN","products":[{"product_id":"p-%d","name":"Trail shoe","price":89.5,"quantity":1},{"product_id":"p-88341","name":"Wool sock","price":20,"quantity":2}]},"context":{"ip":"203.0.113.%d","campaign":{"source":"google","medium":"cpc","name":"autumn"},"library":{"name":"@segment/analytics-node","version":"3.1.0"}},"userId":"user-%d","messageId":"node-next-1795348287175-e429ce04-1abf-444c-8c14-%012d"}`,
			i%60, i*7, 100234+i*31, 20+i*3, 77123+i*17, i, i*7919, i*1299709)
	}
	b.WriteString(`],"writeKey":"WK_TEST","sentAt":"2026-11-22T12:00:00.000Z"}`)
	return b.Bytes()
}

type reusable struct{ bytes.Reader }

func (*reusable) Close() error { return nil }

func BenchmarkServeHTTP(b *testing.B) {
	plain := hundred()
	for _, c := range []struct {
		name, encoding string
		body           []byte
	}{{"plain", "", plain}, {"gzip", "gzip", pack(b, "gzip", plain)}} {
		for _, sealed := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s/seal=%v", c.name, sealed), func(b *testing.B) {
				sealer, err := event.NewSealer([32]byte{1})
				if err != nil {
					b.Fatal(err)
				}
				if !sealed {
					sealer = nil
				}
				d, err := New(Config{Sources: []Source{{Name: "web", WriteKeys: []string{"WK_TEST"}}}, Sealer: sealer}, permissive{}, nowhere{}, nil)
				if err != nil {
					b.Fatal(err)
				}
				r, err := http.NewRequest("POST", "/v1/batch", strings.NewReader(""))
				if err != nil {
					b.Fatal(err)
				}
				r.Header.Set("Authorization", keyed)
				r.Header.Set("Content-Encoding", c.encoding)
				r.ContentLength = int64(len(c.body))
				body := new(reusable)
				r.Body = io.NopCloser(body)
				w := &discard{h: http.Header{}}
				b.SetBytes(int64(len(plain)))
				b.ReportAllocs()
				for b.Loop() {
					body.Reset(c.body)
					d.ServeHTTP(w, r)
				}
				if w.status != 0 {
					b.Fatal(w.status)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/event")
			})
		}
	}
}
