package demo

import (
	"fmt"
	"math"
	"time"
)

type product struct {
	id, name, category string
	price              float64
}

var products = []product{
	{"p-101", "Trail running shoes", "shoes", 119.90}, {"p-102", "Canvas sneakers", "shoes", 59.90},
	{"p-103", "Leather boots", "shoes", 189.00}, {"p-201", "Merino sweater", "knitwear", 89.90},
	{"p-202", "Wool scarf", "knitwear", 39.90}, {"p-203", "Cotton beanie", "knitwear", 19.90},
	{"p-301", "Rain jacket", "outdoor", 149.00}, {"p-302", "Hiking backpack", "outdoor", 99.00},
	{"p-303", "Thermo bottle", "outdoor", 29.90}, {"p-304", "Head lamp", "outdoor", 44.50},
	{"p-401", "Linen shirt", "shirts", 69.90}, {"p-402", "Oxford shirt", "shirts", 79.90},
}

type campaign struct {
	name, source, medium string
	weight               int
	buys                 float64 // how much more likely its visitors are to buy
}

var campaigns = []campaign{
	{"", "", "", 40, 1}, // nobody sent them
	{"autumn_sale", "google", "cpc", 25, 1.2},
	{"retargeting", "meta", "paid_social", 15, 1.5},
	{"newsletter_47", "newsletter", "email", 12, 2.0},
	{"creator_lena", "tiktok", "influencer", 8, 0.6},
}

// person is one visitor during one visit.
type person struct {
	anonymous, user string
	ios             bool
	version         string
	campaign        campaign
	ip              string
	cart            string
	items           []product
}

// visit plans everything that one visitor will do.
func (s *Shop) visit(at time.Time) {
	p := s.newPerson()
	at = s.land(at, p)
	for range 1 + s.rng.IntN(6) {
		at = at.Add(s.think(4, 40))
		item := products[s.rng.IntN(len(products))]
		s.later(at, p, "Product Viewed", s.productProperties(item, p))
		if s.rng.Float64() < 0.32*p.campaign.buys {
			at = at.Add(s.think(2, 15))
			s.add(at, p, item)
		}
	}
	if len(p.items) == 0 || s.rng.Float64() < 0.35 {
		return // just looking, or the cart is left behind
	}
	at = at.Add(s.think(5, 60))
	s.later(at, p, "Checkout Started", map[string]any{"cart_id": p.cart, "value": total(p.items), "currency": "EUR"})
	if s.rng.Float64() < 0.25 {
		return // left at the checkout
	}
	at = at.Add(s.think(15, 90))
	if s.rng.Float64() < 0.06 {
		s.later(at, p, "Payment Failed", map[string]any{
			"card_hash": s.cardHash(), "amount": total(p.items), "currency": "EUR", "reason": "insufficient_funds"})
		at = at.Add(s.think(20, 60))
	}
	s.order(at, p)
}

func (s *Shop) newPerson() *person {
	p := &person{anonymous: s.id("anon"), ip: fmt.Sprintf("203.0.113.%d", 1+s.rng.IntN(250)), cart: s.id("cart")}
	if s.rng.Float64() < 0.55 {
		p.user = fmt.Sprintf("u%04d", 1+s.rng.IntN(400))
	}
	if s.rng.Float64() < 0.3 {
		p.ios, p.version = true, "4.1.3"
		if s.rng.Float64() < 0.35 {
			p.version = "4.2.0"
		}
	}
	pick := s.rng.IntN(100)
	for _, c := range campaigns {
		if pick -= c.weight; pick < 0 {
			p.campaign = c
			break
		}
	}
	return p
}

// land is how a visit begins: a page or a screen, perhaps a log-in, perhaps a search.
func (s *Shop) land(at time.Time, p *person) time.Time {
	first := map[string]any{"type": "page", "name": "Home", "properties": map[string]any{"url": "https://shop.example/", "title": "Home"}}
	if p.ios {
		first = map[string]any{"type": "screen", "name": "Home", "properties": map[string]any{}}
	}
	s.call(at, p, first)
	if p.user != "" {
		s.call(at.Add(time.Second), p, map[string]any{"type": "identify", "traits": map[string]any{"plan": "standard"}})
	}
	if s.rng.Float64() < 0.45 {
		at = at.Add(s.think(3, 20))
		words := []string{"running shoes", "rain jacket", "scarf", "gift", "shirt", "backpack"}
		s.later(at, p, "Products Searched", map[string]any{"query": words[s.rng.IntN(len(words))], "results": s.rng.IntN(40)})
	}
	return at
}

func (s *Shop) add(at time.Time, p *person, item product) {
	p.items = append(p.items, item)
	props := s.productProperties(item, p)
	props["cart_id"], props["quantity"] = p.cart, 1
	s.later(at, p, "Product Added", props)
	if s.rng.Float64() < 0.06 {
		s.later(at.Add(s.think(3, 20)), p, "Product Removed", map[string]any{"product_id": item.id, "cart_id": p.cart})
	}
}

// order is confirmed by the backend, which knows the person and passes the campaign on.
func (s *Shop) order(at time.Time, p *person) {
	lines := make([]any, len(p.items))
	for i, it := range p.items {
		lines[i] = map[string]any{"product_id": it.id, "price": it.price, "quantity": 1}
	}
	props := map[string]any{
		"order_id": s.id("order"), "total": total(p.items), "currency": "EUR", "products": lines,
		"email": fmt.Sprintf("%s@customer.example", p.anonymous),
	}
	backend := *p
	backend.ios, backend.version = false, "backend"
	s.spoil("Order Completed", props, &backend, at, "backend")
}

func (s *Shop) productProperties(item product, p *person) map[string]any {
	return map[string]any{"product_id": item.id, "name": item.name, "category": item.category, "price": item.price, "currency": "EUR"}
}

// later plans a track call, which may come out broken.
func (s *Shop) later(at time.Time, p *person, event string, props map[string]any) {
	source := "shop-web"
	if p.ios {
		source = "shop-ios"
	}
	s.spoil(event, props, p, at, source)
}

func (s *Shop) think(from, to int) time.Duration {
	return time.Duration(from+s.rng.IntN(to-from))*time.Second + time.Duration(s.rng.IntN(1000))*time.Millisecond
}

func (s *Shop) cardHash() string { return fmt.Sprintf("%016x", s.rng.Uint64()) }

func total(items []product) float64 {
	cents := 0.0
	for _, it := range items {
		cents += math.Round(it.price * 100)
	}
	return cents / 100
}
