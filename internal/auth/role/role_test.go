package role_test

import (
	"context"
	"errors"
	"testing"

	"myelin/internal/auth/role"
)

func TestAdminMayEverythingNobodyNothing(t *testing.T) {
	seen := map[role.Action]bool{}
	for _, g := range role.Table {
		if seen[g.Action] {
			t.Errorf("%s is in the table twice", g.Action)
		}
		seen[g.Action] = true
		if !role.Admin.May(g.Action) {
			t.Errorf("admin may not %s", g.Action)
		}
		if role.Role("").May(g.Action) || role.Of(context.Background()).Check(g.Action) == nil {
			t.Errorf("nobody may %s", g.Action)
		}
	}
	if role.Admin.May("fly") {
		t.Error("an unknown action is allowed")
	}
}

func TestDenialNamesWhoMay(t *testing.T) {
	ctx := role.With(context.Background(), role.Person{Name: "ana", Role: role.Analyst})
	err := role.Of(ctx).Check(role.Approve)
	var denied *role.DeniedError
	if !errors.As(err, &denied) {
		t.Fatalf("ana was not denied: %v", err)
	}
	const want = "ana is analyst and may not approve or reject proposals of others; these roles may: engineer, privacy, admin"
	if err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	if _, err := role.Parse("boss"); err == nil {
		t.Error("boss is a role")
	}
}
