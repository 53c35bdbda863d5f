package exec

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/log"
)

// ErrFenced says that another process has taken the task over, or that a commit failed whose fate only a new start can tell.
var ErrFenced = errors.New("the task has to be taken over anew, or another process has done so")

// fence keeps a process that lost its task without knowing from doing harm (docs/decisions/0009-many-nodes.md). Whoever takes
// over writes a record of its own to the steps: steps of earlier writers behind it do not count. As nobody else writes to the topic
// while a task is one's own, the offsets of one's steps follow each other; a gap means that somebody did.
type fence struct {
	writer uint64 // whose steps count from our start on; 0: nobody else can write
	next   int64  // offset of the next step
}

// topic is the name of one of the engine's own topics, or one of its transactional ids.
func (c *Config) own(name string) string {
	if c.Task == 0 {
		return name
	}
	return name + "." + strconv.Itoa(c.Task)
}

// labels tell the metrics of several tasks apart.
func (c *Config) labels() []string {
	if !c.Shared || c.Owner == nil {
		return nil
	}
	return []string{"task", strconv.Itoa(c.Task)}
}

// takeOver makes later steps of earlier writers void.
func (t *task) takeOver(ctx context.Context) error {
	if !t.cfg.Shared {
		return nil
	}
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return fmt.Errorf("making a writer's number: %w", err)
	}
	t.fence.writer = binary.LittleEndian.Uint64(b[:]) | 1
	s := &step{Kind: stepFence, Writer: t.fence.writer}
	rec := &kgo.Record{Topic: t.cfg.own(StepsTopic), Value: s.append(nil)}
	if err := t.steps.ProduceSync(ctx, rec).FirstErr(); err != nil {
		return fmt.Errorf("taking over the steps: %w", err)
	}
	t.fence.next = rec.Offset + 1
	t.cut.Store(rec.Offset + 1)
	return nil
}

// confirm reports whether the step that was just stored counts.
func (t *task) confirm(ctx context.Context) error {
	if t.fence.writer == 0 {
		return nil
	}
	at := t.cut.Load() - 1
	if at == t.fence.next {
		t.fence.next++
		return nil
	}
	// Somebody else wrote. If it was only a predecessor that does not know yet, all is well.
	var taken bool
	_, err := t.readAll(ctx, t.cfg.own(StepsTopic), t.fence.next, func(c *log.Chunk, r *log.RawRecord) error {
		s, err := parseStep(bytesOf(c, r.Value))
		taken = taken || err == nil && s.Kind == stepFence && s.Writer != t.fence.writer
		return nil
	})
	if err == nil && taken {
		err = ErrFenced
	}
	if err != nil {
		return fmt.Errorf("confirming a step: %w", err)
	}
	t.fence.next = t.cut.Load()
	return nil
}

// writers tells which recorded steps count, in the order in which they lie in the topic.
type writers struct{ now uint64 }

func (w *writers) counts(s *step) bool {
	if s.Kind == stepFence {
		w.now = s.Writer
		return false
	}
	return s.Writer == w.now
}
