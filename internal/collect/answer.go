package collect

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"myelin/internal/tape"
)

// refusal is a request that is not taken. The status is chosen for what the SDKs do with it: on 400, 401 and 413 they drop
// the events, on 429 they wait Retry-After seconds and repeat, on 500 they repeat with backoff. 503 is not used, because
// analytics-node ignores Retry-After on it.
type refusal struct {
	status              int
	code, message, hint string
	retryAfter          int // seconds; 0 for no header
}

func (x *refusal) Error() string { return x.message }

var jsonType = []string{"application/json"}

// refuse answers x and counts the request under its code.
func (d *Doors) refuse(w http.ResponseWriter, x *refusal) {
	d.metrics.request(x.code)
	h := w.Header()
	h["Content-Type"] = jsonType
	h.Set("Cache-Control", "no-store")
	if x.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(x.retryAfter))
	}
	b := append([]byte(nil), `{"success":false,"error":{"code":`...)
	b = tape.AppendQuoted(b, x.code)
	b = append(b, `,"message":`...)
	b = tape.AppendQuoted(b, x.message)
	b = append(b, `,"hint":`...)
	b = tape.AppendQuoted(b, x.hint)
	b = append(b, "}}\n"...)
	w.WriteHeader(x.status)
	_, _ = w.Write(b) // a sender that went away finds out by itself
}

var success = []byte(`{"success":true}`)

func answer(w http.ResponseWriter, body []byte) {
	w.Header()["Content-Type"] = jsonType
	_, _ = w.Write(body) // as above
}

func notReady() *refusal {
	return &refusal{status: http.StatusTooManyRequests, code: "not_ready", retryAfter: 1,
		message: "Myelin is starting or stopping", hint: "Send the same request again after the seconds in Retry-After."}
}

func overloaded(why string) *refusal {
	// Not all at the same time, or the next moment would be like this one.
	return &refusal{status: http.StatusTooManyRequests, code: "overloaded", retryAfter: 2 + rand.IntN(4),
		message: why, hint: "Send the same request again after the seconds in Retry-After; events keep their messageId, so none is counted twice."}
}

// after asks the sender to stay away for that long at least.
func (x *refusal) after(wait time.Duration) *refusal {
	x.retryAfter += int(wait / time.Second)
	return x
}

// busy is overloaded for a request whose events are not known.
func busy(why string) *refusal {
	x := overloaded(why)
	x.code = "too_busy"
	return x
}
