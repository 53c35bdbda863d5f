package partition

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"myelin/internal/broker/batch"
)

// windowSize is how many of its last batches a producer may repeat: it has at most five in flight (KIP-98).
const windowSize = 5

// producer is what a partition knows of one idempotent producer.
type producer struct {
	epoch    int16
	lastTime int64     // ms, of its last batch
	seen     time.Time // by our clock
	openAt   int64     // first offset of its transaction without a marker, -1 when there is none
	count    int
	window   [windowSize]entry // its last batches of this epoch, oldest first
}

// entry is one batch that a producer may repeat.
type entry struct {
	firstSeq, lastSeq int32
	last              int64 // last offset
}

// span is a transaction in the log.
type span struct {
	producer int64
	first    int64
	last     int64 // offset of its marker; -1 while it is open
	commit   bool
}

// Aborted is a transaction that a read_committed reader must skip.
type Aborted struct {
	Producer    int64
	First, Last int64 // first record and abort marker
}

func newProducer() *producer { return &producer{epoch: -1, openAt: -1} }

// duplicate finds the batch in the window.
func (pr *producer) duplicate(v batch.View) (entry, bool) {
	if v.ProducerEpoch() != pr.epoch || v.Control() {
		return entry{}, false
	}
	first, last := v.BaseSequence(), v.LastSequence()
	for i := pr.count - 1; i >= 0; i-- {
		if e := pr.window[i]; e.firstSeq == first && e.lastSeq == last {
			return e, true
		}
	}
	return entry{}, false
}

// check says whether the batch may follow what the producer has appended.
func (pr *producer) check(v batch.View) error {
	seq := v.BaseSequence()
	switch {
	case v.ProducerEpoch() < pr.epoch:
		return kerr.InvalidProducerEpoch
	case seq < 0: // a coordinator's records, which it orders itself
	case v.ProducerEpoch() > pr.epoch:
		if seq != 0 && pr.epoch >= 0 {
			return kerr.OutOfOrderSequenceNumber
		}
	case pr.count == 0: // the last thing of this epoch was a marker (KIP-890) or the state was trimmed
		if seq != 0 {
			return kerr.OutOfOrderSequenceNumber
		}
	case seq != batch.NextSequence(pr.window[pr.count-1].lastSeq, 1):
		return kerr.OutOfOrderSequenceNumber
	}
	if pr.openAt >= 0 && !v.Transactional() {
		return kerr.InvalidTxnState
	}
	return nil
}

// took records a data batch. Coordinator records of a transaction have no sequence.
func (pr *producer) took(v batch.View) {
	if v.ProducerEpoch() != pr.epoch {
		pr.epoch, pr.count = v.ProducerEpoch(), 0
	}
	pr.lastTime = v.MaxTimestamp()
	if v.BaseSequence() < 0 {
		return
	}
	if pr.count == windowSize {
		copy(pr.window[:], pr.window[1:])
		pr.count--
	}
	pr.window[pr.count] = entry{firstSeq: v.BaseSequence(), lastSeq: v.LastSequence(), last: v.LastOffset()}
	pr.count++
}

// ended records a marker. One with a higher epoch starts the sequences anew (KIP-890).
func (pr *producer) ended(v batch.View) {
	if v.ProducerEpoch() != pr.epoch {
		pr.epoch, pr.count = v.ProducerEpoch(), 0
	}
	pr.lastTime = v.MaxTimestamp()
	pr.openAt = -1
}
