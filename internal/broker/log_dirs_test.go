package broker_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
)

// TestLogDirsCountWhatIsNotInSegmentsYet asks for sizes right after the acknowledgement.
func TestLogDirsCountWhatIsNotInSegmentsYet(t *testing.T) {
	b := open(t, vfs.NewMem())
	createTopic(t, b, "t", 2)
	c := client(t, b)
	produce(t, c, "t", 0, 100)
	dirs, err := kadm.NewClient(c).DescribeAllLogDirs(within(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	var size int64
	dirs.Each(func(d kadm.DescribedLogDir) {
		d.Topics.Each(func(p kadm.DescribedLogDirPartition) {
			if p.Topic == "t" {
				size += p.Size
			}
		})
	})
	if size < 200 {
		t.Errorf("100 records take %d bytes", size)
	}
}
