package trust

import "testing"

// forEachBroker runs a test on every broker that is there.
func forEachBroker(t *testing.T, test func(t *testing.T, brokers []string)) {
	t.Run("fake", func(t *testing.T) { test(t, fakeBrokers(t)) })
}

// freshTopics is a broker without topics: a fake one is made anew.
func freshTopics(t *testing.T, _ []string) []string { return fakeBrokers(t) }
