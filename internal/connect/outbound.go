package connect

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// ErrForbiddenAddress says that the outbound policy does not allow an address.
var ErrForbiddenAddress = errors.New("the outbound policy does not allow this address")

// Outbound decides which addresses sinks may reach: every public one, and the private networks that are listed. It looks
// at the address that is really dialled, after DNS, so that a name cannot hide a private address (SSRF).
type Outbound struct{ Allow []netip.Prefix }

// Allows reports whether an address may be dialled.
func (o Outbound) Allows(a netip.Addr) bool {
	a = a.Unmap()
	for _, p := range o.Allow {
		if p.Contains(a) {
			return true
		}
	}
	special := a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() ||
		carrierNAT.Contains(a) || reserved.Contains(a)
	return !special
}

var (
	carrierNAT = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598
	reserved   = netip.MustParsePrefix("240.0.0.0/4")   // RFC 1112
)

// Client is an HTTP client that obeys the policy and follows no redirects.
func (o Outbound) Client(timeout time.Duration) *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		if !o.Allows(ap.Addr()) {
			return fmt.Errorf("%w: %s is private; list its network under outbound.allow in myelin.yaml", ErrForbiddenAddress, ap.Addr())
		}
		return nil
	}}
	return &http.Client{
		Timeout:       timeout,
		Transport:     &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
