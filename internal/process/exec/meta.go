package exec

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
)

// meta is what a flush keeps besides the state of operators; JSON under metaKey. See docs/formats/state.md.
type meta struct {
	Version int         `json:"version"`
	Step    uint64      `json:"step"`
	Clock   int64       `json:"clock"`
	NextID  uint32      `json:"nextId"`
	Writer  uint64      `json:"writer,omitempty"` // of steps; see fence
	Groups  []metaGroup `json:"groups"`
}

type metaGroup struct {
	ID        uint32                `json:"id"`
	Positions positions             `json:"positions"`
	Marks     map[string]*watermark `json:"marks"`
	Jobs      []metaJob             `json:"jobs"`
	Topics    map[string]string     `json:"topics,omitempty"` // ids
	Paused    bool                  `json:"paused,omitempty"`
	Why       string                `json:"why,omitempty"`
}

// metaJob names a job. State keys begin with its id.
type metaJob struct {
	ID    uint32 `json:"id"`
	Name  string `json:"name"`
	Print string `json:"print"`
	Mark  int64  `json:"mark"`
}

const metaVersion = 1

// metaKey lies before the keys of all jobs, whose ids begin at 1.
var metaKey = []byte{0, 0, 0, 0, 'm'}

func parseMeta(b []byte) (*meta, error) {
	m := &meta{}
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("reading what the last flush noted: %w", err)
	}
	if m.Version != metaVersion {
		return nil, fmt.Errorf("reading what the last flush noted: it is of version %d, this program knows %d", m.Version, metaVersion)
	}
	return m, nil
}

// storeKey is the beginning of the keys of a job's store.
func storeKey(job uint32, store int) []byte {
	b := binary.BigEndian.AppendUint32(nil, job)
	return append(b, byte(store))
}
