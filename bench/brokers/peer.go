package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// peer is one broker under measurement. The same broker with other topic settings counts as a peer of its own.
type peer struct {
	label, dir, addr string
	topicConfigs     map[string]*string
	start            func(context.Context) error
	stop             func()
	pid              int
}

// synced is the peer with topics that Kafka fsyncs before it acknowledges.
func (p *peer) synced() *peer {
	one, c := "1", *p
	c.label += ", flush.messages=1"
	c.topicConfigs = map[string]*string{"flush.messages": &one}
	return &c
}

func newMyelin(label, binary, dir string) *peer {
	p := &peer{label: label, dir: filepath.Join(dir, strings.ReplaceAll(label, " ", "-"))}
	var cmd *exec.Cmd
	p.start = func(ctx context.Context) error {
		if err := os.MkdirAll(p.dir, 0o755); err != nil {
			return err
		}
		addr, err := freePorts()
		if err != nil {
			return err
		}
		p.addr = addr
		cmd = exec.CommandContext(ctx, binary, "serve", "--roles", "log", "--project", p.dir, "--data", filepath.Join(p.dir, "data"),
			"--kafka", p.addr, "--http", "127.0.0.1:0", "--postgres", "127.0.0.1:0")
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		p.pid = cmd.Process.Pid
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "ready") {
				return nil
			}
		}
		return fmt.Errorf("it ended before it was ready: %w", cmd.Wait())
	}
	p.stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		_ = cmd.Wait()
	}
	return p
}

func newKafka(script, dir string) *peer {
	p := &peer{label: plain, dir: filepath.Join(dir, "kafka")}
	p.start = func(ctx context.Context) error {
		addr, err := freePorts()
		if err != nil {
			return err
		}
		p.addr = addr
		_, port, _ := net.SplitHostPort(addr)
		// By default Kafka removes the files of a deleted topic a minute later, in the middle of what is measured then.
		cmd := exec.CommandContext(ctx, script, "start", p.dir, port, "log.segment.delete.delay.ms=1000")
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Run(); err != nil {
			return err
		}
		text, err := os.ReadFile(filepath.Join(p.dir, "kafka.pid"))
		if err != nil {
			return err
		}
		p.pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
		return err
	}
	p.stop = func() {
		if out, err := exec.Command(script, "stop", p.dir).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "stopping Kafka: %v\n%s", err, out)
		}
	}
	return p
}

// freePorts finds a loopback address that nobody listens on, with the next port free as well: Kafka's controller takes that.
func freePorts() (string, error) {
	for range 50 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		addr := l.Addr().(*net.TCPAddr)
		next, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", addr.Port+1))
		_ = l.Close()
		if err == nil {
			_ = next.Close()
			return addr.String(), nil
		}
	}
	return "", fmt.Errorf("no two ports in a row are free")
}

// cpu is the user and system time of the process so far, in seconds (proc(5), fields 14 and 15; USER_HZ is 100 on Linux).
func (p *peer) cpu() float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100
}

// rss is the resident memory in bytes, peakRSS the most it ever was.
func (p *peer) rss() int64     { return p.status("VmRSS:") }
func (p *peer) peakRSS() int64 { return p.status("VmHWM:") }

func (p *peer) status(field string) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), field)
	kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	return kib << 10
}

// starts measures how long each broker takes from exec on a folder it knows to the first acknowledged record.
func starts(ctx context.Context, b *bench) error {
	for round := range max(3, b.rounds) {
		for _, p := range b.peers() {
			if p.label == plain && round >= 3 {
				continue // seconds each, and they hardly differ
			}
			p.stop()
			began := time.Now()
			if err := p.start(ctx); err != nil {
				return err
			}
			if err := firstAck(ctx, p); err != nil {
				return err
			}
			b.note(startTime, p, time.Since(began).Seconds())
		}
	}
	return nil
}
