package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"strings"
	"time"
)

// Mail sends messages over an SMTP server (RFC 5321), encrypted (RFC 3207, or TLS from the start) and with a login (RFC 4954)
// where they are given.
type Mail struct {
	// Server is host:port.
	Server string
	// Mode is starttls (also ""), tls or none.
	Mode           string
	User, Password string
	From           string
	To             []string
	// Roots are trusted; nil: the machine's.
	TLS *tls.Config
}

// Send implements Sender.
func (s *Mail) Send(ctx context.Context, m Message) error {
	host, _, err := net.SplitHostPort(s.Server)
	if err != nil {
		return fmt.Errorf("reading the mail server's address: %w", err)
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.Server)
	if err != nil {
		return fmt.Errorf("reaching the mail server: %w", err)
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return fmt.Errorf("reaching the mail server: %w", err)
		}
	}
	secure := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if s.TLS != nil {
		secure = s.TLS.Clone()
		secure.ServerName = host
	}
	if s.Mode == "tls" {
		conn = tls.Client(conn, secure)
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		return fmt.Errorf("greeting the mail server: %w", err)
	}
	defer func() { _ = c.Close() }()
	if err := s.login(c, host, secure); err != nil {
		return err
	}
	return s.write(c, m)
}

func (s *Mail) login(c *smtp.Client, host string, secure *tls.Config) error {
	if s.Mode == "" || s.Mode == "starttls" {
		if ok, _ := c.Extension("STARTTLS"); !ok {
			return errors.New("the mail server offers no STARTTLS; write tls: tls or, on a private network, tls: none")
		}
		if err := c.StartTLS(secure); err != nil {
			return fmt.Errorf("encrypting the connection to the mail server: %w", err)
		}
	}
	if s.User == "" {
		return nil
	}
	if err := c.Auth(smtp.PlainAuth("", s.User, s.Password, host)); err != nil {
		return fmt.Errorf("logging in to the mail server: %w", err)
	}
	return nil
}

func (s *Mail) write(c *smtp.Client, m Message) error {
	from, err := mail.ParseAddress(s.From)
	if err != nil {
		return fmt.Errorf("reading the sender's address: %w", err)
	}
	if err := c.Mail(from.Address); err != nil {
		return fmt.Errorf("sending mail from %s: %w", from.Address, err)
	}
	for _, to := range s.To {
		a, err := mail.ParseAddress(to)
		if err != nil {
			return fmt.Errorf("reading a receiver's address: %w", err)
		}
		if err := c.Rcpt(a.Address); err != nil {
			return fmt.Errorf("sending mail to %s: %w", a.Address, err)
		}
	}
	w, err := c.Data()
	if err != nil {
		return fmt.Errorf("sending mail: %w", err)
	}
	if _, err := w.Write(s.text(m, from)); err != nil {
		return fmt.Errorf("sending mail: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("sending mail: %w", err)
	}
	_ = c.Quit() // the server has taken it: an error now would only make us send it twice
	return nil
}

// text is the message after RFC 5322.
func (s *Mail) text(m Message, from *mail.Address) []byte {
	var b bytes.Buffer
	header := func(name, value string) {
		fmt.Fprintf(&b, "%s: %s\r\n", name, strings.NewReplacer("\r", " ", "\n", " ").Replace(value))
	}
	header("From", from.String())
	header("To", strings.Join(s.To, ", "))
	header("Subject", mime.QEncoding.Encode("utf-8", clip(m.Subject(), 200)))
	header("Date", m.At.Format(time.RFC1123Z))
	domain := "myelin.invalid"
	if at := strings.LastIndexByte(from.Address, '@'); at >= 0 {
		domain = from.Address[at+1:]
	}
	header("Message-ID", "<"+strings.ReplaceAll(m.ID, "/", ".")+"@"+domain+">")
	if id := m.Incident.ID; id != "" { // what belongs together is shown together
		header("References", "<"+id+"@"+domain+">")
	}
	header("Auto-Submitted", "auto-generated")
	header("MIME-Version", "1.0")
	header("Content-Type", "text/plain; charset=utf-8")
	header("Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(&b)
	_, _ = w.Write([]byte(strings.ReplaceAll(m.Text(), "\n", "\r\n"))) // a bytes.Buffer does not fail
	_ = w.Close()
	return b.Bytes()
}
