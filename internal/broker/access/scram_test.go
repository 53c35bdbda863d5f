package access

import (
	"net"
	"strings"
	"testing"
	"time"

	"myelin/internal/auth"
	"myelin/internal/auth/role"
	"myelin/internal/clock"
)

func open(t testing.TB) *Access {
	t.Helper()
	c := clock.NewManual(time.Unix(1_700_000_000, 0))
	users, err := auth.NewUsers([]auth.Credential{{Person: role.Person{Name: "a,b=c", Role: role.Viewer}, Password: "pencil"}}, c)
	if err != nil {
		t.Fatal(err)
	}
	return New(Config{Users: users, Trust: func(net.Addr) bool { return false }}, nil, c, [32]byte{1})
}

// talk logs in; edit may change what the client says.
func talk(t *testing.T, a *Access, mechanism, name, password string, edit func(n int, message string) string) (*Client, error) {
	t.Helper()
	client, err := hashes[mechanism].NewClientUnprepped(name, password, "")
	if err != nil {
		t.Fatal(err)
	}
	c := a.Meet(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}, false, nil)
	if err := a.Begin(c, mechanism); err != nil {
		t.Fatal(err)
	}
	conversation := client.NewConversation()
	heard := ""
	for n := range 2 {
		said, err := conversation.Step(heard)
		if err != nil {
			t.Fatal(err)
		}
		answer, _, err := a.Step(c, []byte(edit(n, said)))
		if err != nil {
			return c, err
		}
		heard = string(answer)
	}
	if _, err := conversation.Step(heard); err != nil || !conversation.Valid() {
		t.Errorf("the client does not believe the server: %v", err)
	}
	return c, nil
}

func TestScramTellsRightFromWrong(t *testing.T) {
	as := func(_ int, m string) string { return m }
	for _, mechanism := range []string{scramSHA256, scramSHA512} {
		if c, err := talk(t, open(t), mechanism, "a,b=c", "pencil", as); err != nil || c.User != "a,b=c" || c.Role != role.Viewer {
			t.Errorf("%s: %v, %+v", mechanism, err, c)
		}
		for name, run := range map[string]func() (*Client, error){
			"password": func() (*Client, error) { return talk(t, open(t), mechanism, "a,b=c", "pen", as) },
			"name":     func() (*Client, error) { return talk(t, open(t), mechanism, "zoe", "pencil", as) },
			"other nonce": func() (*Client, error) {
				return talk(t, open(t), mechanism, "a,b=c", "pencil", func(n int, m string) string {
					if n == 1 {
						return strings.Replace(m, ",r=", ",r=x", 1)[:len(m)]
					}
					return m
				})
			},
			"channel binding": func() (*Client, error) {
				return talk(t, open(t), mechanism, "a,b=c", "pencil", func(_ int, m string) string { return strings.Replace(m, "n,,", "p=tls-unique,,", 1) })
			},
		} {
			if c, err := run(); err == nil || c.Known() {
				t.Errorf("%s: a wrong %s got in", mechanism, name)
			}
		}
	}
}

func FuzzLogin(f *testing.F) {
	f.Add("n,,n=a=2Cb=3Dc,r=x", "c=biws,r=x,p=AAAA")
	f.Add("\x00a,b=c\x00pencil", "")
	f.Fuzz(func(t *testing.T, first, second string) {
		for _, m := range Mechanisms {
			a := open(t)
			c := a.Meet(&net.TCPAddr{}, false, nil)
			if err := a.Begin(c, m); err != nil {
				t.Fatal(err)
			}
			for _, token := range []string{first, second} {
				if _, _, err := a.Step(c, []byte(token)); err != nil {
					break
				}
			}
			if c.Known() && (m != plain || !strings.HasSuffix(first, "\x00a,b=c\x00pencil")) {
				t.Fatalf("%s: %q, %q got in", m, first, second)
			}
		}
	})
}
