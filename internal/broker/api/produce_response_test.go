package api

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestProduceResponsesReadAsKafkas has kmsg encode the same answers, in every version.
func TestProduceResponsesReadAsKafkas(t *testing.T) {
	why := "it does not fit"
	ours := &produceResponse{throttle: 7, topics: []producedTopic{
		{name: "one", id: [16]byte{1, 2}, partitions: []produced{
			{index: 3, base: 1 << 40, appendTime: -1, logStart: 5},
			{index: 4, code: 87, base: -1, appendTime: 9, logStart: -1, why: &why},
		}},
		{name: "none", id: [16]byte{3}},
	}}
	for version := range int16(14) {
		theirs := kmsg.NewPtrProduceResponse()
		theirs.ThrottleMillis = 7
		for _, t := range ours.topics {
			kt := kmsg.NewProduceResponseTopic()
			kt.Topic, kt.TopicID = t.name, t.id
			for _, p := range t.partitions {
				kp := kmsg.NewProduceResponseTopicPartition()
				kp.Partition, kp.ErrorCode, kp.BaseOffset, kp.LogAppendTime, kp.LogStartOffset, kp.ErrorMessage = p.index, p.code, p.base, p.appendTime, p.logStart, p.why
				kt.Partitions = append(kt.Partitions, kp)
			}
			theirs.Topics = append(theirs.Topics, kt)
		}
		theirs.SetVersion(version)
		ours.version = version
		if got, want := ours.AppendTo(nil), theirs.AppendTo(nil); !bytes.Equal(got, want) {
			t.Errorf("version %d:\n%x\n%x", version, got, want)
		}
		if ours.IsFlexible() != theirs.IsFlexible() || ours.Key() != theirs.Key() {
			t.Errorf("version %d is flexible: %v", version, ours.IsFlexible())
		}
	}
}
