package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"myelin/internal/auth/certs/certtest"
)

// TestKafkaToolsOverTLSWithLogin has librdkafka and Kafka's own tools log in over TLS, make a user and set quotas.
func TestKafkaToolsOverTLSWithLogin(t *testing.T) {
	a := certtest.New(t)
	cert, key := a.Issue(t, "server")
	s := run(t, project{"myelin.yaml": fmt.Sprintf(`
kafka: {tls: {cert: %s, key: %s}}
trust_loopback: false
users:
  - {name: root, password: "root's password", role: admin}
  - {name: vic, password: "vic's password", role: viewer}
`, cert, key)}, "--roles", "log")
	kcat := func(user, password, mechanism, in string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "kcat", append([]string{"-b", s.kafka, "-X", "security.protocol=SASL_SSL", "-X", "ssl.ca.location=" + a.File,
			"-X", "sasl.mechanisms=" + mechanism, "-X", "sasl.username=" + user, "-X", "sasl.password=" + password, "-m", "10"}, args...)...)
		cmd.Stdin = strings.NewReader(in)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if _, err := exec.LookPath("kcat"); err != nil {
		t.Skip("kcat is not installed: run make test")
	}
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		if out, err := kcat("root", "root's password", mechanism, mechanism+"\n", "-P", "-t", "secured"); err != nil {
			t.Errorf("%s: %v\n%s", mechanism, err, out)
		}
	}
	if out, err := kcat("vic", "vic's password", "SCRAM-SHA-512", "", "-C", "-t", "secured", "-e", "-q"); err != nil || strings.Count(out, "\n") != 3 {
		t.Errorf("a viewer reads: %v\n%s", err, out)
	}
	if out, err := kcat("vic", "vic's password", "PLAIN", "x\n", "-P", "-t", "secured", "-X", "message.timeout.ms=3000"); err == nil && !strings.Contains(out, "uthoriz") {
		t.Errorf("a viewer wrote: %s", out)
	}
	if out, err := kcat("root", "wrong", "SCRAM-SHA-256", "", "-L"); err == nil {
		t.Errorf("a wrong password got in: %s", out)
	}

	if _, err := exec.LookPath("java"); err != nil {
		t.Skip("Java is not installed: run make test")
	}
	properties := filepath.Join(t.TempDir(), "admin.properties")
	text := fmt.Sprintf("security.protocol=SASL_SSL\nssl.truststore.type=PEM\nssl.truststore.location=%s\nsasl.mechanism=SCRAM-SHA-512\n"+
		"sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username=\"root\" password=\"root's password\";\n", a.File)
	if err := os.WriteFile(properties, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	configs := func(args ...string) string {
		return kafkaTool(t, "kafka.admin.ConfigCommand", slices.Concat([]string{"--bootstrap-server", s.kafka, "--command-config", properties}, args)...)
	}
	bot := []string{"--entity-type", "users", "--entity-name", "bot"}
	configs(slices.Concat([]string{"--alter", "--add-config", "SCRAM-SHA-256=[iterations=8192,password=bots password]"}, bot)...)
	configs(slices.Concat([]string{"--alter", "--add-config", "producer_byte_rate=1048576"}, bot)...)
	out := configs(slices.Concat([]string{"--describe"}, bot)...)
	for _, want := range []string{"producer_byte_rate=1048576", "SCRAM-SHA-256=iterations=8192"} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is missing in\n%s", want, out)
		}
	}
	s.kill()
	s.start()
	if out, err := kcat("bot", "bots password", "SCRAM-SHA-256", "from the bot\n", "-P", "-t", "secured"); err != nil {
		t.Errorf("the user that was made: %v\n%s", err, out)
	}
}
