package broker_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"golang.org/x/sync/errgroup"
)

// TestQuotasChangedAtOnceAllCount lets two administrators set different rates of the same client at the same time.
func TestQuotasChangedAtOnceAllCount(t *testing.T) {
	b := open(t, vfs.NewMem())
	ctx, name := within(t), "client"
	entity := kadm.ClientQuotaEntity{{Type: "client-id", Name: &name}}
	rates := []string{"producer_byte_rate", "consumer_byte_rate"}
	for round := range 20 {
		var both errgroup.Group
		for _, rate := range rates {
			admin := kadm.NewClient(client(t, b))
			both.Go(func() error {
				set, err := admin.AlterClientQuotas(ctx, []kadm.AlterClientQuotaEntry{{Entity: entity, Ops: []kadm.AlterClientQuotaOp{{Key: rate, Value: float64(1000 + round)}}}})
				if err == nil {
					err = set[0].Err
				}
				return err
			})
		}
		if err := both.Wait(); err != nil {
			t.Fatal(err)
		}
		got, err := kadm.NewClient(client(t, b)).DescribeClientQuotas(ctx, false, []kadm.DescribeClientQuotaComponent{{Type: "client-id", MatchName: &name}})
		if err != nil || len(got) != 1 || len(got[0].Values) != 2 {
			t.Fatalf("%+v, %v", got, err)
		}
		for _, v := range got[0].Values {
			if v.Value != float64(1000+round) {
				t.Fatalf("round %d: %+v", round, got[0].Values)
			}
		}
	}
}
