package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/log"
)

// PulseTopic carries a beat of each process every pulseEvery. Kafka itself gives a silent member up after 6 s at the earliest; here
// the others notice sooner, and ask Kafka to divide the work without it. That is safe whatever the silent one does: it is the log
// that decides whose steps count.
const PulseTopic = "myelin.pulse"

const pulseEvery = 500 * time.Millisecond

// beat is what a process tells of itself; JSON under its name.
type beat struct {
	Version int       `json:"v"`
	Node    string    `json:"node"`
	Run     uint64    `json:"run"` // another after each start
	Gone    bool      `json:"gone,omitempty"`
	Started time.Time `json:"started"`
	About
	Keeper bool      `json:"keeper,omitempty"`
	Tasks  []Running `json:"tasks,omitempty"`
	// Objects are what it has been told to run, by name, with their fingerprints. Only some beats say so.
	Objects map[string]string `json:"objects,omitempty"`
}

// About is what is worth knowing of a process besides what it runs.
type About struct {
	// Address is where its pages are.
	Address string `json:"address"`
	// Release is which Myelin it is, Roles what it does.
	Release string   `json:"release"`
	Roles   []string `json:"roles"`
}

// Running is a task that a process runs.
type Running struct {
	Task  int       `json:"task"`
	Since time.Time `json:"since"`
	// Restoring is whether it is still taking the task over.
	Restoring bool `json:"restoring,omitempty"`
}

// pulse tells the others that this process is there, until ctx ends. One beat is on its way at a time, so that they never pile up
// while a broker is away.
func (n *Node) pulse(ctx context.Context) error {
	client, err := n.cluster.NewClient(kgo.RequiredAcks(kgo.AllISRAcks()))
	if err != nil {
		return err
	}
	defer client.Close()
	send := func(ctx context.Context, b beat) {
		value, err := json.Marshal(b)
		if err != nil {
			panic("cluster: " + err.Error()) // plain numbers and strings
		}
		rec := &kgo.Record{Topic: PulseTopic, Key: []byte(b.Node), Value: value}
		if err := client.ProduceSync(ctx, rec).FirstErr(); err != nil && ctx.Err() == nil {
			n.cfg.Log.Warn("telling other processes that this one is there", "error", err)
		}
	}
	var told map[string]string
	for k := 0; ctx.Err() == nil; k++ {
		changed := n.changes()
		b := n.beat()
		if objects := n.prints(); k%objectsEvery == 0 || !maps.Equal(objects, told) {
			b.Objects, told = objects, objects
		}
		send(ctx, b)
		wait(ctx, changed, pulseEvery)
	}
	// Who is stopped has left the group itself, and is not missed.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	b := n.beat()
	b.Gone, b.Keeper, b.Tasks = true, false, nil
	send(last, b)
	return nil
}

func (n *Node) beat() beat {
	b := beat{Version: 1, Node: n.cfg.Name, Run: n.run, Started: n.started, About: n.cfg.About, Keeper: n.keeping.mine()}
	for k, t := range n.tasks {
		if mine, since := t.since(); mine {
			b.Tasks = append(b.Tasks, Running{Task: k, Since: since, Restoring: t.engine.Restoring()})
		}
	}
	return b
}

// listen hears the beats of all processes until ctx ends, and gives up those that are silent.
func (n *Node) listen(ctx context.Context) error {
	client, err := n.cluster.NewClient(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{PulseTopic: {0: kgo.NewOffset().AtEnd()}}), kgo.FetchMaxWait(pulseEvery),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	for ctx.Err() == nil {
		poll, cancel := context.WithTimeout(ctx, 2*pulseEvery)
		fetches := client.PollFetches(poll)
		cancel()
		fetches.EachRecord(func(r *kgo.Record) {
			var b beat
			if json.Unmarshal(r.Value, &b) == nil && b.Version == 1 && b.Node == string(r.Key) {
				n.pulses.hear(b, time.Now())
			}
		})
		for _, name := range n.pulses.silent(time.Now()) {
			n.expel(ctx, name)
		}
		n.compare(time.Now())
	}
	return nil
}

// expel takes a silent process out of the groups that divide work, as if it had left.
func (n *Node) expel(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	instances := map[string]string{Group: name}
	for _, group := range n.cfg.Groups {
		instances[group] = group + "." + name
	}
	for group, instance := range instances {
		who := kadm.LeaveGroup(group).Reason("not heard of by " + n.cfg.Name).InstanceIDs(instance)
		left, err := n.cluster.Admin().LeaveGroup(ctx, who)
		if err == nil {
			err = left.Error()
		}
		switch {
		case err == nil:
			n.cfg.Log.Warn("a process of the cluster is silent; others take over its work", "node", name, "group", group)
		case !errors.Is(err, kerr.UnknownMemberID): // another process was quicker, or it was in no group
			n.cfg.Log.Warn("giving up a silent process", "node", name, "group", group, "error", err)
		}
	}
}

// Member is a process of the cluster.
type Member struct {
	About
	Name    string
	Keeper  bool
	Started time.Time
	// Heard is when the last of its beats came, Silent whether that is too long ago.
	Heard  time.Time
	Silent bool
	Tasks  []Running
}

// Members are the processes that take part, by name, and those that were lost a while ago.
func (n *Node) Members() []Member {
	return n.pulses.members(time.Now())
}

// pulseSpec is the topic of beats; nobody wants to know old ones.
var pulseSpec = log.TopicSpec{Name: PulseTopic, Partitions: 1, Config: map[string]string{
	"cleanup.policy": "delete", "retention.ms": "600000", "segment.ms": "600000",
}}

// Task is a part of the views, and who runs it.
type Task struct {
	Running
	// Node is "" while nobody runs it.
	Node  string
	Views []string
	// Lag is how late its views show what was sent, or for how long they have stood still, Behind how much they have not read yet.
	Lag    time.Duration
	Behind int64
}

// Tasks are all tasks.
func (n *Node) Tasks() []Task {
	out := make([]Task, len(n.tasks))
	for k, views := range n.viewsOf() {
		out[k] = Task{Running: Running{Task: k}, Views: views}
	}
	running(n.Members(), out)
	for k, t := range n.tasks {
		x := &out[k]
		for _, v := range t.engine.Views() {
			s := v.Status()
			x.Lag, x.Behind = max(x.Lag, s.Lag), x.Behind+s.Behind
		}
		if _, heard := t.engine.Heard(); x.Node == "" && len(x.Views) > 0 && !heard.IsZero() {
			x.Lag = max(x.Lag, time.Since(heard))
		}
	}
	return out
}

// running notes which member runs each task: of two that believe so the one who began later, for the other has not heard yet.
func running(members []Member, tasks []Task) {
	for _, m := range members {
		for _, r := range m.Tasks {
			if m.Silent || r.Task >= len(tasks) {
				continue
			}
			if t := &tasks[r.Task]; t.Node == "" || t.Since.Before(r.Since) {
				t.Running, t.Node = r, m.Name
			}
		}
	}
}
