package log

import (
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestFaultsOfOthersAreToldApart(t *testing.T) {
	for _, c := range []struct {
		err  error
		away bool
	}{
		{fmt.Errorf("writing: %w", kerr.NotLeaderForPartition), true},
		{fmt.Errorf("writing: %w", kerr.MessageTooLarge), false},
		{fmt.Errorf("dialling: %w", &net.OpError{Op: "dial", Err: errors.New("refused")}), true},
		{fmt.Errorf("%w: no room", ErrOverloaded), true},
		{kgo.ErrRecordTimeout, true},
		{errors.New("repair 1: there is no repair"), false},
	} {
		if Away(c.err) != c.away {
			t.Errorf("%v is away: %v", c.err, !c.away)
		}
	}
}
