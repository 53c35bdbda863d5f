package demo

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
)

// sign computes a webhook signature independently of the receiver.
func sign(key, content string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(content))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
