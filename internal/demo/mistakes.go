package demo

import (
	"fmt"
	"time"
)

// spoil plans a track call and breaks about one in thirty, in the ways that real releases do.
func (s *Shop) spoil(event string, props map[string]any, p *person, at time.Time, source string) {
	_, priced := props["price"]
	switch roll := s.rng.Float64(); {
	case priced && p.version == "4.2.0" && roll < 0.25:
		delete(props, "price") // the 4.2.0 release forgot it
	case priced && roll < 0.012:
		props["price"] = fmt.Sprintf("%.2f", props["price"]) // "12.50"
	case priced && roll < 0.020:
		props["currency"] = "eur"
	case event == "Product Added" && roll < 0.05:
		event = "product added"
	case event == "Order Completed" && roll < 0.03:
		delete(props, "total")
	case event == "Products Searched" && roll < 0.03:
		event = "Search Debug"
	}
	s.call(at, p, map[string]any{"type": "track", "event": event, "properties": props, "source": source})
}

// cardTesting is a burst of refused payments with many cards from one address, as fraudsters try stolen ones.
func (s *Shop) cardTesting(at time.Time) {
	bot := &person{anonymous: s.id("anon"), ip: fmt.Sprintf("198.51.100.%d", 1+s.rng.IntN(250)), version: "bot"}
	reasons := []string{"do_not_honor", "invalid_number", "expired_card"}
	for range 15 + s.rng.IntN(25) {
		at = at.Add(time.Duration(300+s.rng.IntN(1200)) * time.Millisecond)
		s.call(at, bot, map[string]any{"type": "track", "event": "Payment Failed", "source": "backend", "properties": map[string]any{
			"card_hash": s.cardHash(), "amount": 1.0, "currency": "EUR", "reason": reasons[s.rng.IntN(len(reasons))]}})
	}
}

// call plans one Segment call at its time.
func (s *Shop) call(at time.Time, p *person, c map[string]any) {
	source, _ := c["source"].(string)
	delete(c, "source")
	if source == "" {
		source = "shop-web"
		if p.ios {
			source = "shop-ios"
		}
	}
	c["messageId"] = s.id(source)
	c["anonymousId"] = p.anonymous
	if p.user != "" {
		c["userId"] = p.user
	}
	c["context"] = s.context(p, source)
	c["timestamp"] = at.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	s.pending.push(at, func() { s.sender.add(source, c) })
}

func (s *Shop) context(p *person, source string) map[string]any {
	ctx := map[string]any{"ip": p.ip, "locale": "de-DE"}
	if p.campaign.name != "" {
		ctx["campaign"] = map[string]any{"name": p.campaign.name, "source": p.campaign.source, "medium": p.campaign.medium}
	}
	switch source {
	case "shop-web":
		ctx["library"] = map[string]any{"name": "analytics.js", "version": "next-1.84.3"}
		ctx["page"] = map[string]any{"path": "/", "url": "https://shop.example/", "title": "Shop"}
		ctx["userAgent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/146.0 Safari/537.36"
	case "shop-ios":
		ctx["library"] = map[string]any{"name": "analytics-swift", "version": "1.9.1"}
		ctx["app"] = map[string]any{"name": "Shop", "version": p.version}
		ctx["device"] = map[string]any{"manufacturer": "Apple", "model": "iPhone17,1", "type": "ios"}
	default:
		ctx["library"] = map[string]any{"name": "analytics-python", "version": "2.4.0"}
	}
	return ctx
}
