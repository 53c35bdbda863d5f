package exec

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/log"
)

// ErrFenced says that another process has taken the task over, or that a commit failed whose fate only a new start can tell.
var ErrFenced = errors.New("the task has to be taken over anew, or another process has done so")

// fence keeps a process that lost its task without knowing from doing harm (docs/decisions/0009-many-nodes.md). Whoever takes
// over writes a record of its own to the steps: steps of earlier writers behind it do not count. As nobody else writes to the topic
// while a task is one's own, the offsets of one's steps follow each other; a gap means that somebody did.
type fence struct {
	writer uint64    // whose steps count from our start on; 0: nobody else can write
	next   int64     // offset of the next step
	moved  time.Time // when the task last looked around
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
	if err := t.unfenced(ctx); err != nil {
		return fmt.Errorf("confirming a step: %w", err)
	}
	t.fence.next = t.cut.Load()
	return nil
}

// stalled is how long a process may stand still before it asks whether the task is still its own. It is less than it takes others to
// take a task over.
const stalled = 2 * time.Second

// awake is called all the time. A process that stood still, because it was stopped or its machine was, looks first whether the task was
// taken over meanwhile; steps would find out, too, but one with nothing to do takes none.
func (t *task) awake(ctx context.Context) error {
	if t.fence.writer == 0 {
		return nil
	}
	since := time.Since(t.fence.moved)
	first := t.fence.moved.IsZero()
	t.fence.moved = time.Now()
	if first || since < stalled {
		return nil
	}
	if err := t.unfenced(ctx); err != nil {
		return fmt.Errorf("going on after %s: %w", since.Round(time.Millisecond), err)
	}
	t.fence.moved = time.Now()
	return nil
}

// unfenced fails with ErrFenced if another process has taken the task over. A predecessor that does not know yet may have written: all
// is well then. The fence of a successor may have been cut off already, after a flush; but only a successor cuts what we have not seen.
func (t *task) unfenced(ctx context.Context) error {
	topic := t.cfg.own(StepsTopic)
	var taken bool
	_, err := t.readAll(ctx, topic, t.fence.next, func(c *log.Chunk, r *log.RawRecord) error {
		s, err := parseStep(bytesOf(c, r.Value))
		taken = taken || err == nil && s.Kind == stepFence && s.Writer != t.fence.writer
		return nil
	})
	if err != nil {
		return err
	}
	starts, err := t.startOffsets(ctx, topic)
	if err != nil {
		return err
	}
	if taken || first(starts) > t.fence.next {
		return ErrFenced
	}
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
