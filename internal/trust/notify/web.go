package notify

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"myelin/internal/connect/webhook"
	"myelin/internal/trust/incident"
)

// Webhook sends messages as JSON, signed after the Standard Webhooks specification 1.0 where there is a secret.
type Webhook struct {
	URL string
	// Secret is whsec_ and a base64 key, or any text. Empty: not signed.
	Secret string
	Client *http.Client
}

// payload is the body of a webhook.
type payload struct {
	Type     string             `json:"type"` // incident.opened, incident.reopened, incident.resolved, digest
	At       time.Time          `json:"timestamp"`
	Link     string             `json:"link,omitempty"`
	Text     string             `json:"text"`
	Incident *incident.Incident `json:"incident,omitempty"`
	Digest   *digestBody        `json:"digest,omitempty"`
}

type digestBody struct {
	From   time.Time           `json:"from"`
	To     time.Time           `json:"to"`
	Open   []incident.Incident `json:"open"`
	New    []incident.Incident `json:"new"`
	Solved []incident.Incident `json:"resolved"`
}

// outward are incidents as others may see them: whole events of people stay inside.
func outward(list ...incident.Incident) []incident.Incident {
	out := slices.Clone(list)
	for k := range out {
		out[k].Samples, out[k].Sent = nil, nil
	}
	return out
}

// Send implements Sender.
func (h *Webhook) Send(ctx context.Context, m Message) error {
	p := payload{Type: "incident." + m.Verb, At: m.At, Link: m.Link, Text: m.Text()}
	if m.Verb == Digest {
		p.Type, p.Digest = Digest, &digestBody{From: m.Summary.From, To: m.Summary.To, Open: outward(m.Summary.StillOpen...), New: outward(m.Summary.Opened...), Solved: outward(m.Summary.Solved...)}
	} else {
		p.Incident = &outward(m.Incident)[0]
	}
	body, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encoding a message: %w", err)
	}
	header := http.Header{"Webhook-Id": {m.ID}, "Webhook-Timestamp": {strconv.FormatInt(m.At.Unix(), 10)}}
	if h.Secret != "" {
		key := []byte(h.Secret)
		if encoded, ok := strings.CutPrefix(h.Secret, "whsec_"); ok {
			if key, err = base64.StdEncoding.DecodeString(encoded); err != nil {
				return fmt.Errorf("reading the signing secret: after whsec_ comes base64: %w", err)
			}
		}
		header.Set("Webhook-Signature", webhook.Sign(key, m.ID, m.At, body))
	}
	return post(ctx, h.Client, h.URL, body, header)
}

// Slack sends messages in the shape of Slack's incoming webhooks, which Mattermost, Rocket.Chat and others take too.
type Slack struct {
	URL    string
	Client *http.Client
}

// Send implements Sender.
func (s *Slack) Send(ctx context.Context, m Message) error {
	type text struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	type block struct {
		Type string `json:"type"`
		Text *text  `json:"text,omitempty"`
	}
	mark := map[string]string{Opened: ":rotating_light: ", Reopened: ":rotating_light: ", Resolved: ":white_check_mark: "}[m.Verb]
	blocks := []block{{Type: "section", Text: &text{Type: "mrkdwn", Text: mark + "*" + escape(m.Subject()) + "*"}}}
	rest := strings.TrimSpace(strings.TrimPrefix(m.Text(), m.Subject()))
	if m.Link != "" {
		rest = strings.TrimSpace(strings.TrimSuffix(rest, m.Link))
	}
	if rest != "" {
		blocks = append(blocks, block{Type: "section", Text: &text{Type: "mrkdwn", Text: clip(escape(rest), 2900)}})
	}
	if m.Link != "" {
		blocks = append(blocks, block{Type: "section", Text: &text{Type: "mrkdwn", Text: "<" + m.Link + "|Open in Myelin>"}})
	}
	body, err := json.Marshal(map[string]any{"text": mark + escape(m.Subject()), "blocks": blocks})
	if err != nil {
		return fmt.Errorf("encoding a message: %w", err)
	}
	return post(ctx, s.Client, s.URL, body, nil)
}

// escape keeps names that people sent from becoming links or mentions (Slack, "Formatting text").
func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

func post(ctx context.Context, client *http.Client, address string, body []byte, header http.Header) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("making a request: %w", err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Myelin")
	resp, err := client.Do(req)
	if err != nil {
		var at *url.Error
		if errors.As(err, &at) {
			err = at.Err // the address is a secret: who has it may write
		}
		return fmt.Errorf("posting a message: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be used again
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("posting a message: the answer was %s", resp.Status)
	}
	return nil
}
