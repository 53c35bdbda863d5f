package broker_test

import (
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"myelin/internal/auth"
	"myelin/internal/auth/certs"
	"myelin/internal/auth/certs/certtest"
	"myelin/internal/auth/role"
	"myelin/internal/broker"
	"myelin/internal/broker/access"
	"myelin/internal/clock"
)

// guarded opens a broker that asks everybody on its port who they are.
func guarded(t *testing.T, fs vfs.FS, edit func(*broker.Config)) (*broker.Broker, string) {
	t.Helper()
	users, err := auth.NewUsers([]auth.Credential{
		{Person: role.Person{Name: "root", Role: role.Admin}, Password: "root-password"},
		{Person: role.Person{Name: "eve", Role: role.Engineer}, Password: "eve-password"},
		{Person: role.Person{Name: "vic", Role: role.Viewer}, Password: "vic-password"},
		{Person: role.Person{Name: "pia", Role: role.Privacy}, Password: "pia-password"},
	}, clock.Real{})
	if err != nil {
		t.Fatal(err)
	}
	cfg := broker.Config{
		Dir: "data", FS: fs, AutoCreateTopics: true, Store: smallStore,
		Access: access.Config{Users: users, Trust: func(net.Addr) bool { return false }},
	}
	if edit != nil {
		edit(&cfg)
	}
	b, err := broker.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b, serveTCP(t, b)
}

func outside(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addr), kgo.MetadataMinAge(50 * time.Millisecond), kgo.RetryTimeout(30 * time.Second)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func plainAs(user, password string) kgo.Opt {
	return kgo.SASL(plain.Auth{User: user, Pass: password}.AsMechanism())
}

func scram256(user, password string) sasl.Mechanism {
	return scram.Auth{User: user, Pass: password}.AsSha256Mechanism()
}

func scram512(user, password string) sasl.Mechanism {
	return scram.Auth{User: user, Pass: password}.AsSha512Mechanism()
}

func TestLoginIsDemanded(t *testing.T) {
	b, addr := guarded(t, vfs.NewMem(), nil)
	createTopic(t, b, "t", 1) // in-process: nobody asks
	for name, opt := range map[string]kgo.Opt{
		"plain": plainAs("eve", "eve-password"), "scram 256": kgo.SASL(scram256("eve", "eve-password")), "scram 512": kgo.SASL(scram512("eve", "eve-password")),
	} {
		c := outside(t, addr, opt, kgo.ConsumeTopics("t"))
		if err := c.ProduceSync(within(t), &kgo.Record{Topic: "t", Value: []byte(name)}).FirstErr(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		readAll(t, c, 1)
	}
	for name, opts := range map[string][]kgo.Opt{
		"wrong plain": {plainAs("eve", "guess")}, "wrong scram": {kgo.SASL(scram256("eve", "guess"))}, "nobody": {kgo.SASL(scram512("zoe", "x"), plain.Auth{User: "zoe", Pass: "x"}.AsMechanism())},
	} {
		if err := outside(t, addr, opts...).Ping(within(t)); !errors.Is(err, kerr.SaslAuthenticationFailed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := outside(t, addr).Ping(within(t)); err == nil {
		t.Error("a client without a login was answered")
	}
}

func TestGuessersAreHeldUp(t *testing.T) {
	b, addr := guarded(t, vfs.NewMem(), nil)
	held := false
	for range 20 {
		err := outside(t, addr, plainAs("eve", "guess")).Ping(within(t))
		if err == nil {
			t.Fatal("a wrong password was taken")
		}
		if held = b.LoginsRefused() > 0; held {
			break
		}
	}
	if !held {
		t.Fatal("twenty guesses were looked at")
	}
	if err := outside(t, addr, plainAs("eve", "eve-password")).Ping(within(t)); err == nil {
		t.Error("the address was not held up")
	}
}

func TestRolesOfKafkaClients(t *testing.T) {
	b, addr := guarded(t, vfs.NewMem(), nil)
	createTopic(t, b, "t", 1)
	produce(t, client(t, b), "t", 0, 3)
	viewer := outside(t, addr, plainAs("vic", "vic-password"), kgo.ConsumeTopics("t"), kgo.ConsumerGroup("g"), kgo.AllowAutoTopicCreation())
	readAll(t, viewer, 3)
	if err := viewer.CommitUncommittedOffsets(within(t)); err != nil {
		t.Errorf("committing: %v", err)
	}
	// Not idempotent: a producer id is refused already.
	writer := outside(t, addr, plainAs("vic", "vic-password"), kgo.DisableIdempotentWrite(), kgo.AllowAutoTopicCreation())
	if err := writer.ProduceSync(within(t), &kgo.Record{Topic: "t", Value: []byte("x")}).FirstErr(); !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("a viewer produced: %v", err)
	}
	admin := kadm.NewClient(viewer)
	ctx := within(t)
	denied := map[string]error{}
	_, denied["create"] = admin.CreateTopic(ctx, 1, 1, nil, "new")
	deleted, err := admin.DeleteTopics(ctx, "t")
	denied["delete"] = errors.Join(err, deleted.Error())
	altered, err := admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Name: "retention.ms", Value: kadm.StringPtr("1000")}}, "t")
	if err == nil {
		err = altered[0].Err
	}
	denied["alter"] = err
	removed, err := admin.DeleteRecords(ctx, kadm.Offsets{"t": {0: {Topic: "t", Partition: 0, At: 2}}})
	denied["delete records"] = errors.Join(err, removed.Error())
	scrams, err := admin.AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{{User: "vic", Mechanism: kadm.ScramSha256, Iterations: 4096, Password: "other"}})
	denied["credentials"] = errors.Join(err, scrams.Error())
	quotas, err := admin.AlterClientQuotas(ctx, []kadm.AlterClientQuotaEntry{{Entity: kadm.ClientQuotaEntity{{Type: "user"}}, Ops: []kadm.AlterClientQuotaOp{{Key: "producer_byte_rate", Value: 1}}}})
	if err == nil {
		err = quotas[0].Err
	}
	denied["quotas"] = err
	for what, err := range denied {
		if !errors.Is(err, kerr.TopicAuthorizationFailed) && !errors.Is(err, kerr.ClusterAuthorizationFailed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := viewer.Request(ctx, metadataFor("made-by-asking")); err != nil || b.Topics().Name("made-by-asking") != nil {
		t.Errorf("a viewer made a topic by asking for it: %v", err)
	}
	root := kadm.NewClient(outside(t, addr, plainAs("root", "root-password")))
	rules, err := root.DescribeACLs(ctx, kadm.NewACLs().AnyResource().Allow().AllowHosts().Operations())
	if err != nil || len(rules) == 0 || !errors.Is(rules[0].Err, kerr.SecurityDisabled) {
		t.Errorf("rules that there are not: %v %v", rules, err)
	}
	engineer := kadm.NewClient(outside(t, addr, plainAs("eve", "eve-password")))
	if _, err := engineer.CreateTopic(ctx, 1, 1, nil, "new"); err != nil {
		t.Errorf("an engineer could not create a topic: %v", err)
	}
	if _, err := engineer.DescribeUserSCRAMs(ctx); !errors.Is(err, kerr.ClusterAuthorizationFailed) {
		t.Errorf("an engineer saw credentials: %v", err)
	}
}

func TestMadeUsersSurviveCrash(t *testing.T) {
	fs := vfs.NewCrashableMem()
	b, addr := guarded(t, fs, nil)
	createTopic(t, b, "t", 1)
	admin := kadm.NewClient(outside(t, addr, plainAs("root", "root-password")))
	ctx := within(t)
	make512 := []kadm.UpsertSCRAM{
		{User: "bot", Mechanism: kadm.ScramSha256, Iterations: 8192, Password: "bot-password"},
		{User: "big", Mechanism: kadm.ScramSha512, Iterations: 4096, Password: "big-password"},
		{User: "eve", Mechanism: kadm.ScramSha512, Iterations: 4096, Password: "another"},
	}
	made, err := admin.AlterUserSCRAMs(ctx, nil, make512)
	if err != nil {
		t.Fatal(err)
	}
	if made["bot"].Err != nil || made["big"].Err != nil || !errors.Is(made["eve"].Err, kerr.UnacceptableCredential) {
		t.Fatalf("%v", made)
	}
	b, addr = guarded(t, fs.CrashClone(vfs.CrashCloneCfg{}), nil)
	for name, opt := range map[string]kgo.Opt{
		"scram 256": kgo.SASL(scram256("bot", "bot-password")), "scram 512": kgo.SASL(scram512("big", "big-password")),
		"plain": plainAs("bot", "bot-password"), "plain of 512": plainAs("big", "big-password"), "configured": plainAs("eve", "eve-password"),
	} {
		if err := outside(t, addr, opt).ProduceSync(ctx, &kgo.Record{Topic: "t", Value: []byte(name)}).FirstErr(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := outside(t, addr, kgo.SASL(scram256("big", "big-password"))).Ping(ctx); !errors.Is(err, kerr.SaslAuthenticationFailed) {
		t.Errorf("a mechanism that the user does not have: %v", err)
	}
	admin = kadm.NewClient(outside(t, addr, plainAs("root", "root-password")))
	listed, err := admin.DescribeUserSCRAMs(ctx)
	if err != nil || len(listed) != 4+2 || listed["bot"].CredInfos[0].Iterations != 8192 || len(listed["eve"].CredInfos) != 2 {
		t.Errorf("%v %v", listed, err)
	}
	gone, err := admin.AlterUserSCRAMs(ctx, []kadm.DeleteSCRAM{{User: "bot", Mechanism: kadm.ScramSha256}, {User: "none", Mechanism: kadm.ScramSha256}}, nil)
	if err != nil || gone["bot"].Err != nil || !errors.Is(gone["none"].Err, kerr.ResourceNotFound) {
		t.Errorf("%v %v", gone, err)
	}
	if err := outside(t, addr, kgo.SASL(scram256("bot", "bot-password"))).Ping(ctx); !errors.Is(err, kerr.SaslAuthenticationFailed) {
		t.Errorf("a deleted user: %v", err)
	}
}

func TestLoginsAreRepeated(t *testing.T) {
	t.Parallel()
	b, addr := guarded(t, vfs.NewMem(), func(c *broker.Config) { c.Access.SessionLifetime = 3 * time.Second })
	createTopic(t, b, "t", 1)
	c := outside(t, addr, kgo.SASL(scram256("eve", "eve-password")))
	opened := b.ConnectionsMade()
	ctx, began := within(t), time.Now()
	for n := 0; time.Since(began) < 4*time.Second; n++ { // beyond one lifetime
		if err := c.ProduceSync(ctx, &kgo.Record{Topic: "t", Value: []byte("x")}).FirstErr(); err != nil {
			t.Fatalf("after %s: %v", time.Since(began), err)
		}
	}
	if made := b.ConnectionsMade() - opened; made > 4 {
		t.Errorf("%d connections were made", made)
	}
}

func TestTLSAndClientCertificates(t *testing.T) {
	a, foreign := certtest.New(t), certtest.New(t)
	cert, key := a.Issue(t, "server")
	source, err := certs.Open(certs.Files{Cert: cert, Key: key, ClientCA: a.File})
	if err != nil {
		t.Fatal(err)
	}
	b, addr := guarded(t, vfs.NewMem(), func(c *broker.Config) { c.TLS = source.Config() })
	createTopic(t, b, "t", 1)
	dial := func(by *certtest.Authority, name string) kgo.Opt {
		cert, key := by.Issue(t, name)
		config, err := certs.Client{CA: a.File, Cert: cert, Key: key}.Config()
		if err != nil {
			t.Fatal(err)
		}
		return kgo.DialTLSConfig(config)
	}
	ctx := within(t)
	rec := func() *kgo.Record { return &kgo.Record{Topic: "t", Value: []byte(strings.Repeat("x", 200_000))} }
	if err := outside(t, addr, dial(a, "eve")).ProduceSync(ctx, rec()).FirstErr(); err != nil {
		t.Errorf("a certificate with a user's name: %v", err)
	}
	if err := outside(t, addr, dial(a, "stranger")).Ping(ctx); err == nil {
		t.Error("a certificate with a stranger's name is a login")
	}
	c := outside(t, addr, dial(a, "stranger"), plainAs("eve", "eve-password"), kgo.ConsumeTopics("t"))
	if err := c.ProduceSync(ctx, rec()).FirstErr(); err != nil {
		t.Errorf("a stranger's certificate with a login: %v", err)
	}
	readAll(t, c, 2)
	if err := outside(t, addr, dial(foreign, "eve")).Ping(ctx); err == nil {
		t.Error("another authority's certificate got in")
	}
	if err := outside(t, addr, kgo.DialTLSConfig(&tls.Config{InsecureSkipVerify: true}), plainAs("eve", "eve-password")).Ping(ctx); err == nil {
		t.Error("a client without a certificate got in")
	}
}

func TestQuotasSlowDownProducersAndConsumers(t *testing.T) {
	t.Parallel()
	fs := vfs.NewCrashableMem()
	b, addr := guarded(t, fs, nil)
	createTopic(t, b, "t", 1)
	admin := kadm.NewClient(outside(t, addr, plainAs("root", "root-password")))
	ctx := within(t)
	set := func(key string, value float64, entity ...kadm.ClientQuotaEntityComponent) {
		t.Helper()
		r, err := admin.AlterClientQuotas(ctx, []kadm.AlterClientQuotaEntry{{Entity: entity, Ops: []kadm.AlterClientQuotaOp{{Key: key, Value: value, Remove: value == 0}}}})
		if err != nil || r[0].Err != nil {
			t.Fatalf("%v %v", r, err)
		}
	}
	user := func(name string) kadm.ClientQuotaEntityComponent {
		return kadm.ClientQuotaEntityComponent{Type: "user", Name: &name}
	}
	set("producer_byte_rate", 100_000, user("eve"))
	set("consumer_byte_rate", 100_000, kadm.ClientQuotaEntityComponent{Type: "client-id"})
	set("request_percentage", 200, user("eve"))
	set("request_percentage", 0, user("eve"))
	bad, err := admin.AlterClientQuotas(ctx, []kadm.AlterClientQuotaEntry{{Entity: kadm.ClientQuotaEntity{user("eve")}, Ops: []kadm.AlterClientQuotaOp{{Key: "unheard_of", Value: 1}}}})
	if err != nil || !errors.Is(bad[0].Err, kerr.InvalidRequest) {
		t.Errorf("%v %v", bad, err)
	}
	// 300 kB at 100 kB/s, of which a second's worth may come at once.
	value := make([]byte, 50_000)
	send := func(addr string) time.Duration {
		c := outside(t, addr, plainAs("eve", "eve-password"), kgo.ProducerBatchCompression(kgo.NoCompression()))
		began := time.Now()
		for range 7 { // the wait that the last request earns is nobody's
			if err := c.ProduceSync(ctx, &kgo.Record{Topic: "t", Value: value}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		return time.Since(began)
	}
	if took := send(addr); took < 1500*time.Millisecond || took > time.Minute {
		t.Errorf("the producer took %s", took)
	}
	c := outside(t, addr, plainAs("vic", "vic-password"), kgo.ConsumeTopics("t"), kgo.FetchMaxBytes(60_000))
	began := time.Now()
	readAll(t, c, 7)
	if took := time.Since(began); took < 1500*time.Millisecond || took > time.Minute {
		t.Errorf("the consumer took %s", took)
	}
	b, addr = guarded(t, fs.CrashClone(vfs.CrashCloneCfg{}), nil)
	admin = kadm.NewClient(outside(t, addr, plainAs("root", "root-password")))
	all, err := admin.DescribeClientQuotas(ctx, false, nil)
	if err != nil || len(all) != 2 {
		t.Fatalf("%v %v", all, err)
	}
	one, err := admin.DescribeClientQuotas(ctx, true, []kadm.DescribeClientQuotaComponent{{Type: "user", MatchType: 0, MatchName: kadm.StringPtr("eve")}})
	if err != nil || len(one) != 1 || len(one[0].Values) != 1 || one[0].Values[0].Value != 100_000 {
		t.Errorf("%v %v", one, err)
	}
	if took := send(addr); took < 1500*time.Millisecond {
		t.Errorf("after a crash the producer took %s", took)
	}
	set("producer_byte_rate", 0, user("eve"))
	before, _ := b.Muted()
	send(addr)
	if after, _ := b.Muted(); after != before {
		t.Errorf("without a quota the producer had to wait %d times", after-before)
	}
}

func TestRequestShareIsHeld(t *testing.T) {
	b, addr := guarded(t, vfs.NewMem(), nil)
	createTopic(t, b, "t", 1)
	admin := kadm.NewClient(outside(t, addr, plainAs("root", "root-password")))
	ctx := within(t)
	name := "vic"
	r, err := admin.AlterClientQuotas(ctx, []kadm.AlterClientQuotaEntry{{Entity: kadm.ClientQuotaEntity{{Type: "user", Name: &name}}, Ops: []kadm.AlterClientQuotaOp{{Key: "request_percentage", Value: 0.01}}}})
	if err != nil || r[0].Err != nil {
		t.Fatalf("%v %v", r, err)
	}
	c := outside(t, addr, plainAs("vic", "vic-password"))
	for deadline := time.Now().Add(time.Minute); ; {
		if err := c.Ping(ctx); err != nil {
			t.Fatal(err)
		}
		if answers, _ := b.Muted(); answers > 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("a tenth of a millisecond per second was never used up")
		}
	}
}

func metadataFor(topic string) kmsg.Request {
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation = true
	req.Topics = []kmsg.MetadataRequestTopic{{Topic: &topic}}
	return req
}
