package app

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"myelin/internal/broker"
	"myelin/internal/broker/store"
	"myelin/internal/process/exec"
	"myelin/internal/process/state"
)

// doctor examines a data folder that no process has open.
type doctor struct {
	fs     vfs.FS
	dir    string
	out    io.Writer
	repair bool
	found  [3]int // by store.Severity
	mended int
}

// Doctor examines the data folder dir and prints what it finds to out. With repair it also does what cannot lose anything.
// sound is true when nothing is wrong any more. An error says that the folder could not be examined.
func Doctor(fs vfs.FS, dir string, repair bool, out io.Writer) (sound bool, err error) {
	if fs == nil {
		fs = vfs.Default
	}
	if _, err := fs.Stat(dir); err != nil {
		return false, fmt.Errorf("there is no data folder %s: name it with --data (%w)", dir, err)
	}
	lock, err := fs.Lock(fs.PathJoin(dir, "LOCK"))
	if err != nil {
		return false, fmt.Errorf("the data folder %s is in use: stop myelin first (%w)", dir, err)
	}
	d := &doctor{fs: fs, dir: dir, out: out, repair: repair}
	err = errors.Join(d.examine(), lock.Close())
	if err != nil {
		return false, err
	}
	return d.sum(), nil
}

func (d *doctor) examine() error {
	d.top()
	if d.there("log") {
		if err := d.log(); err != nil {
			return err
		}
	}
	names, err := d.fs.List(d.dir)
	if err != nil {
		return fmt.Errorf("listing %s: %w", d.dir, err)
	}
	slices.Sort(names)
	for _, name := range names {
		if task, ok := numbered(name, "state", "-"); ok {
			if err := d.state(name, task); err != nil {
				return err
			}
		}
	}
	return nil
}

// numbered reports whether name is base, or base with the number of a task behind it, which it returns.
func numbered(name, base, sep string) (task int, ok bool) {
	if name == base {
		return 0, true
	}
	text, ok := strings.CutPrefix(name, base+sep)
	if !ok {
		return 0, false
	}
	task, err := strconv.Atoi(text)
	return task, err == nil && task > 0 && strconv.Itoa(task) == text
}

func (d *doctor) there(name string) bool {
	_, err := d.fs.Stat(d.fs.PathJoin(d.dir, name))
	return err == nil
}

// tell prints one finding.
func (d *doctor) tell(s store.Severity, where, what, then string) {
	d.found[s]++
	fmt.Fprintf(d.out, "  %-10s  %s: %s\n", s, where, what)
	if then != "" {
		fmt.Fprintf(d.out, "  %-10s  → %s\n", "", then)
	}
}

// top examines the files of the data folder itself.
func (d *doctor) top() {
	fmt.Fprintf(d.out, "data folder %s\n", d.dir)
	text, err := d.read("FORMAT")
	switch {
	case errors.Is(err, os.ErrNotExist):
		d.tell(store.Damage, "FORMAT", "the file is missing", "the next start takes the folder for a new one of its own format")
	case err != nil:
		d.tell(store.Damage, "FORMAT", err.Error(), "myelin does not start with this folder")
	case string(text) != dataFormat:
		d.tell(store.Damage, "FORMAT", fmt.Sprintf("it says %q, and this version reads %q", strings.TrimSpace(string(text)), strings.TrimSpace(dataFormat)),
			"myelin does not start with this folder: use the version that wrote it")
	}
	key, err := d.read("secret.key")
	if err == nil && len(key) != 64 {
		d.tell(store.Damage, "secret.key", fmt.Sprintf("it has %d bytes instead of 64", len(key)), "restore it from a backup: with another key, private values get other hashes")
	} else if err != nil && !errors.Is(err, os.ErrNotExist) {
		d.tell(store.Damage, "secret.key", err.Error(), "restore it from a backup")
	}
}

func (d *doctor) read(name string) ([]byte, error) {
	f, err := d.fs.Open(d.fs.PathJoin(d.dir, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, 4096))
}

// log examines the embedded broker's folder.
func (d *doctor) log() error {
	dir := d.fs.PathJoin(d.dir, "log")
	rep, err := store.Examine(d.fs, dir)
	if err != nil {
		return err
	}
	how := "closed properly"
	if !rep.Clean {
		how = fmt.Sprintf("not closed properly: the next start replays %d frames", rep.Frames)
	}
	fmt.Fprintf(d.out, "log: %d topics, %d partitions, %d segments; %d batches (%.1f MB) checked; %s\n",
		rep.Topics, rep.Partitions, rep.Segments, rep.Batches, float64(rep.Bytes)/1e6, how)
	for _, f := range rep.Findings {
		where := "log/" + f.File
		if f.Topic != "" && f.Offset >= 0 {
			where = fmt.Sprintf("%s-%d from offset %d (%s)", f.Topic, f.Partition, f.Offset, where)
			if f.Next >= 0 {
				where = fmt.Sprintf("%s-%d offsets %d to %d (log/%s)", f.Topic, f.Partition, f.Offset, f.Next-1, f.File)
			}
		}
		d.tell(f.Severity, where, f.What, f.Then)
	}
	if err := broker.CheckProducers(d.fs, dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		d.tell(store.Mending, "log/producers.snapshot", err.Error(), "it is ignored, and the log is read instead")
		if d.repair {
			if err := broker.RemoveProducers(d.fs, dir); err != nil {
				return fmt.Errorf("removing the producer snapshot: %w", err)
			}
			d.did("removed log/producers.snapshot, which is made anew from the log")
			d.mended++
		}
	}
	if !d.repair {
		return nil
	}
	did, err := store.Mend(d.fs, dir, rep)
	for _, what := range did {
		d.did(what)
	}
	if err != nil {
		return err
	}
	for _, f := range rep.Findings {
		if f.Severity == store.Mending {
			d.mended++
		}
	}
	return nil
}

func (d *doctor) did(what string) { fmt.Fprintf(d.out, "  done        %s\n", what) }

// state examines the local copy of the state of a task's views. The first task has no number.
func (d *doctor) state(name string, task int) error {
	dir, topic, whose := d.fs.PathJoin(d.dir, name), exec.StateTopic, "the views"
	if task > 0 {
		topic = fmt.Sprintf("%s.%d", topic, task)
		whose = fmt.Sprintf("the parts of views in task %d", task)
	}
	fmt.Fprintf(d.out, "%s: the local copy of what %s remember\n", name, whose)
	err := state.CheckDisk(d.fs, dir)
	if err == nil {
		return nil
	}
	d.tell(store.Mending, name+"/", err.Error(), "it is a copy: once removed, it is filled again from the topic "+topic)
	if d.repair {
		if err := d.fs.RemoveAll(dir); err != nil {
			return fmt.Errorf("removing the local state: %w", err)
		}
		d.did("removed " + name + "/, which is filled again from the topic " + topic)
		d.mended++
	}
	return nil
}

// sum prints the last line.
func (d *doctor) sum() (sound bool) {
	damage, mending := d.found[store.Damage], d.found[store.Mending]-d.mended
	switch {
	case damage > 0:
		fmt.Fprintf(d.out, "%d places are damaged, %d more can be repaired with --repair. Make a copy of the folder before you start myelin with it.\n", damage, mending)
	case mending > 0:
		fmt.Fprintf(d.out, "Nothing is lost. %d places can be repaired: run again with --repair.\n", mending)
	case d.mended > 0:
		fmt.Fprintf(d.out, "Nothing is lost, and %d places were repaired.\n", d.mended)
	default:
		fmt.Fprintln(d.out, "Nothing is wrong.")
	}
	return damage == 0 && mending == 0
}
