package pgwire

import "bytes"

// Panicked reports whether an answer says that the session panicked, other than on request.
func Panicked(answer []byte) bool {
	return bytes.Contains(answer, []byte("internal error: ")) && !bytes.Contains(answer, []byte("as asked"))
}
