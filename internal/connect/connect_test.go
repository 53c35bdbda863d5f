package connect

import (
	"net/netip"
	"testing"
	"time"
)

func TestDurationsAreReadAsPeopleWriteThem(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"24 hours": 24 * time.Hour, "1 day 2 hours": 26 * time.Hour, "90s": 90 * time.Second,
		"10 seconds": 10 * time.Second, "500 ms": 500 * time.Millisecond, "2 weeks": 14 * 24 * time.Hour,
	} {
		if got, err := ParseDuration(s); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "soon", "5", "-1 day", "1 fortnight", "1 day 2"} {
		if got, err := ParseDuration(s); err == nil {
			t.Errorf("%q was read as %v", s, got)
		}
	}
}

func TestOutboundAllowsPublicAndListedAddresses(t *testing.T) {
	o := Outbound{Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}
	for addr, want := range map[string]bool{
		"93.184.216.34": true, "2606:2800:220:1::1": true, "10.1.2.3": true,
		"10.2.0.1": false, "127.0.0.1": false, "::1": false, "169.254.169.254": false, "192.168.0.1": false,
		"::ffff:127.0.0.1": false, "100.64.0.1": false, "0.0.0.0": false, "fd00::1": false, "224.0.0.1": false, "255.255.255.255": false,
	} {
		if got := o.Allows(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: allowed %v; want %v", addr, got, want)
		}
	}
}
