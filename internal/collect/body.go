package collect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
)

// inflater decodes compressed bodies, reusing its decoders.
type inflater struct {
	gzip *gzip.Reader
	zlib io.ReadCloser
	raw  io.ReadCloser
}

// readBody reads and decodes the request's body into s.body, within the limits.
func (d *Doors) readBody(w http.ResponseWriter, r *http.Request, s *scratch) *refusal {
	s.wire = s.wire[:0]
	if n := r.ContentLength; n > 0 {
		// One more, so that the end is seen without growing; but no large room on a mere announcement.
		s.wire = grow(s.wire, int(min(n+1, 64<<10)))
	}
	var err error
	s.wire, err = d.readAll(s.wire, r.Body, s)
	if err != nil {
		return d.bodyFault(err)
	}
	// The deadline must not strike while the events wait for the disk: the server would take it for a lost connection.
	setReadDeadline(w, time.Time{})
	d.metrics.bytes.Add(int64(len(s.wire)))
	body, fault := d.decode(r, s)
	s.body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	return fault
}

// setReadDeadline bounds how long the rest of the request may take to arrive, also when it is refused unread: the server
// then reads on for a while to save the connection. Recorders in tests have no deadlines; connections do.
func setReadDeadline(w http.ResponseWriter, at time.Time) {
	_ = http.NewResponseController(w).SetReadDeadline(at)
}

// decode undoes Content-Encoding, and gzip that is not declared (PostHog and beacons send such).
func (d *Doors) decode(r *http.Request, s *scratch) ([]byte, *refusal) {
	encoding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding")))
	magic := len(s.wire) >= 2 && s.wire[0] == 0x1f && s.wire[1] == 0x8b
	var src io.Reader
	var err error
	switch {
	case magic && (encoding == "" || encoding == "identity" || encoding == "gzip" || encoding == "x-gzip"):
		src, err = s.inflate.openGzip(s.wire)
	case encoding == "" || encoding == "identity":
		return s.wire, nil
	case encoding == "deflate":
		src, err = s.inflate.openDeflate(s.wire)
	case encoding == "gzip" || encoding == "x-gzip":
		err = errors.New("the bytes are not gzip")
	default:
		return nil, &refusal{status: http.StatusUnsupportedMediaType, code: "unsupported_encoding", message: fmt.Sprintf("Content-Encoding %q is not supported", encoding),
			hint: "Use gzip, deflate or none."}
	}
	if err == nil {
		guess := min(8*len(s.wire), d.cfg.Limits.BodyBytes) + 1
		s.plain, err = d.readAll(grow(s.plain[:0], guess), src, s)
	}
	if err == nil {
		return s.plain, nil
	}
	if errors.Is(err, errTooLarge) || errors.Is(err, errNoRoom) {
		return nil, d.bodyFault(err)
	}
	return nil, &refusal{status: http.StatusBadRequest, code: "decode_failed", message: "the body cannot be decompressed: " + err.Error(),
		hint: "Compress the whole JSON body once, and say how in Content-Encoding."}
}

func (f *inflater) openGzip(b []byte) (io.Reader, error) {
	if f.gzip == nil {
		f.gzip = new(gzip.Reader)
	}
	return f.gzip, f.gzip.Reset(bytes.NewReader(b))
}

// openDeflate accepts what RFC 9110 §8.4.1.2 means by deflate, the zlib format, and the bare deflate data that some
// clients send instead. A zlib header's 16 bits are a multiple of 31.
func (f *inflater) openDeflate(b []byte) (io.Reader, error) {
	src := bytes.NewReader(b)
	if len(b) >= 2 && b[0]&15 == 8 && (int(b[0])<<8|int(b[1]))%31 == 0 {
		if f.zlib == nil {
			var err error
			f.zlib, err = zlib.NewReader(src)
			return f.zlib, err
		}
		return f.zlib, f.zlib.(zlib.Resetter).Reset(src, nil)
	}
	if f.raw == nil {
		f.raw = flate.NewReader(src)
		return f.raw, nil
	}
	return f.raw, f.raw.(flate.Resetter).Reset(src, nil)
}

var (
	errTooLarge = errors.New("too large")
	errNoRoom   = errors.New("no room")
)

// readAll reads src to its end behind dst, within the size limit for one body and the memory limit for all.
func (d *Doors) readAll(dst []byte, src io.Reader, s *scratch) ([]byte, error) {
	limit := d.cfg.Limits.BodyBytes
	if err := d.account(s, cap(dst)); err != nil {
		return dst, err
	}
	accounted := cap(dst)
	for {
		if len(dst) == cap(dst) {
			dst = grow(dst, max(4096, cap(dst)))
			if err := d.account(s, cap(dst)-accounted); err != nil {
				return dst, err
			}
			accounted = cap(dst)
		}
		n, err := src.Read(dst[len(dst):min(cap(dst), limit+1)])
		dst = dst[:len(dst)+n]
		if len(dst) > limit {
			return dst, errTooLarge
		}
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
	}
}

// account charges n bytes to the memory of all bodies until the request ends.
func (d *Doors) account(s *scratch, n int) error {
	s.charged += int64(n)
	if d.inFlight.Add(int64(n)) > d.cfg.Limits.InFlightBytes {
		return errNoRoom
	}
	return nil
}

func grow(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	return append(make([]byte, 0, len(b)+n), b...)
}

func (d *Doors) bodyFault(err error) *refusal {
	switch {
	case errors.Is(err, errTooLarge):
		return &refusal{status: http.StatusRequestEntityTooLarge, code: "too_large", message: fmt.Sprintf("the body is larger than %d bytes", d.cfg.Limits.BodyBytes),
			hint: "Send smaller batches: Segment's SDKs stay below 500 KB."}
	case errors.Is(err, errNoRoom):
		return busy("too many requests are being read at once")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &refusal{status: http.StatusTooManyRequests, code: "slow_body", retryAfter: 1, message: fmt.Sprintf("the body did not arrive within %s", d.cfg.Limits.BodyTimeout),
			hint: "Send the request again."}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &refusal{status: http.StatusTooManyRequests, code: "cut_body", retryAfter: 1, message: "the connection ended within the body", hint: "Send the request again."}
	}
	return &refusal{status: http.StatusBadRequest, code: "body_failed", message: "the body could not be read: " + err.Error(), hint: "Check how the client frames its requests."}
}
