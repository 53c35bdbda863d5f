package collect

import (
	"strconv"

	"myelin/internal/event"
	"myelin/internal/tape"
)

// appendResult appends what became of one event, for senders that asked: POST /v1/validate, or the header
// Myelin-Validate: report.
func appendResult(dst []byte, e *event.Event, v *event.Verdict) []byte {
	if len(dst) > 0 {
		dst = append(dst, ',')
	}
	dst = append(dst, `{"messageId":`...)
	dst = tape.AppendQuoted(dst, e.MessageID)
	dst = append(dst, `,"type":`...)
	dst = tape.AppendQuoted(dst, e.Type.String())
	dst = append(dst, `,"event":`...)
	dst = tape.AppendQuoted(dst, e.Name)
	dst = append(dst, `,"status":`...)
	dst = tape.AppendQuoted(dst, v.Status.String())
	dst = append(dst, `,"violations":[`...)
	for i := range v.Violations {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = v.Violations[i].AppendJSON(dst)
	}
	return append(dst, "]}"...)
}

// appendReport appends the whole answer.
func appendReport(dst []byte, s *scratch) []byte {
	dst = append(dst, `{"success":true,"valid":`...)
	dst = strconv.AppendBool(dst, s.counts[event.Quarantined] == 0)
	dst = append(dst, `,"results":[`...)
	dst = append(dst, s.report...)
	return append(dst, "]}"...)
}
