package access

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/xdg-go/scram"

	"myelin/internal/auth/role"
)

// scramExchange is the server's side of RFC 5802, without channel binding. It is written out here because of one thing: older
// librdkafka repeats its own nonce before the common one in its last message, and Kafka lets it, since the nonce only has to end
// well. Nothing is lost by that: the whole message is signed.
type scramExchange struct {
	a         *Access
	mechanism string

	header string // of the client's first message, which the last repeats
	bare   string
	first  string // the answer
	nonce  string
	stored scram.StoredCredentials
	user   role.Person
	known  bool
}

func (x *scramExchange) step(token []byte) ([]byte, *role.Person, error) {
	if x.first == "" {
		return x.begin(string(token))
	}
	return x.finish(string(token))
}

// begin reads gs2-header n=name,r=nonce[,extensions].
func (x *scramExchange) begin(message string) ([]byte, *role.Person, error) {
	parts := strings.SplitN(message, ",", 3)
	if len(parts) != 3 || parts[0] != "n" && parts[0] != "y" || parts[1] != "" && !strings.HasPrefix(parts[1], "a=") {
		return nil, nil, ErrFailed
	}
	x.header, x.bare = parts[0]+","+parts[1]+",", parts[2]
	fields := strings.Split(x.bare, ",")
	if len(fields) < 2 {
		return nil, nil, ErrFailed
	}
	name, okName := strings.CutPrefix(fields[0], "n=")
	nonce, okNonce := strings.CutPrefix(fields[1], "r=")
	name, okEscapes := unescape(name)
	as, okAs := unescape(strings.TrimPrefix(parts[1], "a="))
	if !okName || !okNonce || !okEscapes || !okAs || name == "" || nonce == "" || as != "" && as != name {
		return nil, nil, ErrFailed
	}
	var own [18]byte
	if _, err := rand.Read(own[:]); err != nil {
		return nil, nil, fmt.Errorf("reading random bytes: %w", err)
	}
	x.nonce = nonce + base64.RawStdEncoding.EncodeToString(own[:])
	stored, r, known := x.a.lookup(x.mechanism, name)
	x.stored, x.user, x.known = stored, role.Person{Name: name, Role: r}, known
	x.first = fmt.Sprintf("r=%s,s=%s,i=%d", x.nonce, base64.StdEncoding.EncodeToString([]byte(stored.Salt)), stored.Iters)
	return []byte(x.first), nil, nil
}

// unescape takes =2C and =3D out of a name; any other = is wrong.
func unescape(s string) (string, bool) {
	plain := strings.ReplaceAll(s, "=2C", ",")
	if strings.Count(s, "=") != strings.Count(s, "=2C")+strings.Count(s, "=3D") {
		return "", false
	}
	return strings.ReplaceAll(plain, "=3D", "="), true
}

// finish reads c=header,r=nonce[,extensions],p=proof.
func (x *scramExchange) finish(message string) ([]byte, *role.Person, error) {
	at := strings.LastIndex(message, ",p=")
	if at < 0 {
		return nil, nil, ErrFailed
	}
	unsigned := message[:at]
	proof, err := base64.StdEncoding.DecodeString(message[at+3:])
	if err != nil {
		return nil, nil, ErrFailed
	}
	fields := strings.Split(unsigned, ",")
	if len(fields) < 2 || fields[0] != "c="+base64.StdEncoding.EncodeToString([]byte(x.header)) ||
		!strings.HasPrefix(fields[1], "r=") || !strings.HasSuffix(fields[1], x.nonce) {
		return nil, nil, ErrFailed
	}
	h := newHash(x.mechanism)
	text := x.bare + "," + x.first + "," + unsigned
	clientKey := sum(h, x.stored.StoredKey, text)
	if len(proof) != len(clientKey) {
		return nil, nil, ErrFailed
	}
	subtle.XORBytes(clientKey, clientKey, proof)
	hashed := h()
	hashed.Write(clientKey)
	if !hmac.Equal(hashed.Sum(nil), x.stored.StoredKey) || !x.known {
		return nil, nil, ErrFailed
	}
	return []byte("v=" + base64.StdEncoding.EncodeToString(sum(h, x.stored.ServerKey, text))), &x.user, nil
}
