package log

import (
	"context"
	"maps"
	"testing"
	"time"
)

func TestWhoeverClaimsATableLastWritesItAndAllCanFollow(t *testing.T) {
	_, c := open(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	table, err := c.OpenTable(ctx, "places")
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close(ctx)
	first, err := table.Claim(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if err := first.Save(ctx, map[string][]byte{"a": []byte("1"), "b": []byte("1")}); err != nil {
		t.Fatal(err)
	}
	second, err := table.Claim(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if err := first.Save(ctx, map[string][]byte{"a": []byte("2")}); err == nil {
		t.Error("the first still writes")
	}
	if err := second.Save(ctx, map[string][]byte{"b": nil, "c": []byte("3")}); err != nil {
		t.Fatal(err)
	}
	following, stop := context.WithCancel(ctx)
	defer stop()
	got := map[string]string{}
	err = table.Follow(following, func(key string, value []byte) {
		if delete(got, key); value != nil {
			got[key] = string(value)
		}
	}, func() {
		if maps.Equal(got, map[string]string{"a": "1", "c": "3"}) {
			stop()
		}
	})
	if err != nil || ctx.Err() != nil {
		t.Errorf("followed %v, %v", got, err)
	}
}
