package store

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Severity says what a Finding means.
type Severity uint8

// The severities, mildest first.
const (
	Note    Severity = iota // normal, or dealt with before
	Mending                 // wrong, and can be put right without loss
	Damage                  // something is lost
)

// String is the word that people are shown.
func (s Severity) String() string { return [...]string{"note", "repairable", "damage"}[s] }

// Finding is one thing that Examine has found.
type Finding struct {
	Severity  Severity
	File      string // relative to the data folder
	Topic     string // empty when it concerns no partition, or it is not known which
	Partition int32
	Offset    int64 // first offset concerned, -1 when not known
	Next      int64 // first offset after it, -1 when not known
	What      string
	Then      string // what the next start, or a repair, does about it
}

// Examined is the state of a data folder.
type Examined struct {
	Clean      bool // the last process closed the store properly
	Topics     int
	Partitions int
	Segments   int
	Batches    int64 // checked, in segments
	Bytes      int64
	Frames     int64 // of the write-ahead log that the next start replays
	Findings   []Finding
	indexes    []badIndex
	metadata   []badMetadata
}

// Worst is the greatest severity found.
func (e *Examined) Worst() Severity {
	worst := Note
	for _, f := range e.Findings {
		worst = max(worst, f.Severity)
	}
	return worst
}

// Examine checks a data folder that no process has open, without changing anything in it: every frame of the write-ahead
// log that still counts, every batch of every segment, the indexes, and whether they agree with the checkpoint. An error
// says that it could not be examined: ErrLocked, ErrFormat, or one of the disk.
func Examine(disk vfs.FS, dir string) (*Examined, error) {
	x := &examiner{fs: disk, folder: folder{fs: disk, dir: dir}, rep: &Examined{}, topics: map[TopicID]*examinedTopic{}, dead: map[TopicID]bool{}}
	lock, err := x.open()
	if err != nil {
		return nil, fmt.Errorf("examining %s: %w", dir, err)
	}
	defer func() { _ = lock.Close() }() // nothing was written
	if err := x.run(); err != nil {
		return nil, fmt.Errorf("examining %s: %w", dir, err)
	}
	slices.SortStableFunc(x.rep.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.File, b.File), cmp.Compare(a.Offset, b.Offset))
	})
	return x.rep, nil
}

type examiner struct {
	fs     vfs.FS
	folder folder
	rep    *Examined
	frame  framer
	topics map[TopicID]*examinedTopic
	dead   map[TopicID]bool
}

type examinedTopic struct {
	info  TopicInfo
	parts []*examinedPartition
}

// examinedPartition is what checkpoint and write-ahead log say about a partition.
type examinedPartition struct {
	info       *TopicInfo
	n          int32
	start, end int64
	saved      int64 // end according to the checkpoint
	segs       []*segment
	begun      map[int64]bool // bases of the batches behind the checkpoint: segments may begin there
}

func (x *examiner) add(f Finding) { x.rep.Findings = append(x.rep.Findings, f) }

// open takes the lock and checks the version, without making anything but the lock file.
func (x *examiner) open() (lock interface{ Close() error }, err error) {
	b, err := x.folder.read(versionName)
	if oserror.IsNotExist(err) {
		return nil, fmt.Errorf("%w: there is no %s file", ErrFormat, versionName)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", versionName, err)
	}
	if lock, err = x.fs.Lock(x.folder.path(lockName)); err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			return nil, fmt.Errorf("locking folder: %w", err)
		}
		return nil, fmt.Errorf("%w (%w)", ErrLocked, err)
	}
	var version int
	var salt uint64
	if _, err := fmt.Sscanf(string(b), "myelin log %d\nsalt %x\n", &version, &salt); err != nil || version != 1 || string(b) != versionFile(salt) {
		x.add(Finding{Severity: Damage, File: versionName, Offset: -1, Next: -1, What: "the file is damaged, or of another version: without it the write-ahead log cannot be read",
			Then: "the store does not open; restore the file from a backup"})
		x.frame = framer{}
		return lock, nil
	}
	x.frame = newFramer(salt)
	return lock, nil
}

func (x *examiner) run() error {
	if x.rep.Worst() == Damage {
		return nil
	}
	at := position{file: 1}
	found := true
	b, err := x.folder.read(checkpointName)
	switch {
	case oserror.IsNotExist(err):
		found = false
	case err != nil:
		return fmt.Errorf("reading %s: %w", checkpointName, err)
	default:
		snap, err := decodeSnapshot(b)
		if err != nil {
			x.add(Finding{Severity: Damage, File: checkpointName, Offset: -1, Next: -1, What: "the file is damaged: only it says which segments belong to the log (" + err.Error() + ")",
				Then: "the store does not open; restore the file from a backup"})
			return nil
		}
		at, x.rep.Clean = snap.at, snap.clean
		for i := range snap.topics {
			x.install(&snap.topics[i])
		}
		for _, t := range snap.leaving {
			x.dead[t.ID] = true
		}
	}
	if err := x.wal(at, found); err != nil {
		return err
	}
	known := map[string]bool{}
	ids := make([]TopicID, 0, len(x.topics))
	for id := range x.topics {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b TopicID) int { return strings.Compare(x.topics[a].info.Name, x.topics[b].info.Name) })
	for _, id := range ids {
		x.rep.Topics++
		for _, p := range x.topics[id].parts {
			x.rep.Partitions++
			known[partitionDirName(p.info.Name, p.n)] = true
			if err := x.partition(p); err != nil {
				return err
			}
		}
	}
	return x.leftovers(known)
}

func (x *examiner) install(t *topicSnapshot) {
	et := &examinedTopic{info: t.info}
	for n := range t.parts {
		ps := &t.parts[n]
		et.parts = append(et.parts, &examinedPartition{info: &et.info, n: int32(n), start: ps.start, end: max(ps.end, ps.start), saved: ps.end, segs: ps.segs, begun: map[int64]bool{}})
	}
	x.topics[t.info.ID] = et
}

// wal reads the write-ahead log from the checkpoint on, as the next start would.
func (x *examiner) wal(at position, found bool) error {
	dir := x.folder.path(walDirName)
	path := func(num uint64) string { return x.fs.PathJoin(dir, walName(num)) }
	r := replay{fs: x.fs, path: path, frame: x.frame, seq: at.seq, apply: x.apply, damaged: func(d walDamage) error {
		what := fmt.Sprintf("frames after %d cannot be read, from byte %d on", d.after, d.pos)
		if d.before > 0 {
			what = fmt.Sprintf("frames %d to %d cannot be read, at byte %d", d.after+1, d.before-1, d.pos)
		}
		x.add(Finding{Severity: Damage, File: walDirName + "/" + walName(d.file), Offset: -1, Next: -1, What: what + ": they were acknowledged",
			Then: "the file is copied to quarantine/ and what is readable behind it is used"})
		return nil
	}}
	names, err := x.fs.List(dir)
	if err != nil && !oserror.IsNotExist(err) {
		return fmt.Errorf("listing write-ahead files: %w", err)
	}
	slices.Sort(names)
	var begun []scannedFile
	later := false
	for _, name := range names {
		num, ok := parseWALName(name)
		if !ok || num < at.file {
			continue
		}
		later = true
		st, err := x.fs.Stat(path(num))
		if err != nil {
			return fmt.Errorf("looking at write-ahead file: %w", err)
		}
		f, err := r.scan(num, st.Size())
		if err != nil {
			return err
		}
		if f.begun {
			begun = append(begun, f)
		}
	}
	switch {
	case !found && len(begun) > 0 && begun[0].first > 1:
		x.add(Finding{Severity: Damage, File: checkpointName, Offset: -1, Next: -1, What: "the file is missing, and the write-ahead log does not begin with the first frame",
			Then: "the store does not open; restore the file from a backup"})
	case found && !later:
		x.add(Finding{Severity: Damage, File: walDirName + "/" + walName(at.file), Offset: -1, Next: -1, What: "the write-ahead file that the checkpoint names is missing",
			Then: "the log goes on from the checkpoint; what was acknowledged after it is lost"})
	}
	pos := at.pos
	if len(begun) == 0 || begun[0].num != at.file {
		pos = 0
	}
	if err := r.run(begun, pos); err != nil {
		return err
	}
	x.rep.Frames = r.frames
	x.rep.Clean = x.rep.Clean && r.frames == 0
	if r.torn > frameHeaderBytes { // a header's worth is where the log ends
		x.add(Finding{Severity: Note, File: walDirName, Offset: -1, Next: -1, What: fmt.Sprintf("the last commit, of %d bytes, was cut by a crash before it was acknowledged", r.torn), Then: "it is dropped"})
	}
	return nil
}

// apply follows one frame.
func (x *examiner) apply(h frameHeader, payload []byte) error {
	f := fields{b: payload}
	switch h.kind {
	case frameBatches:
		return eachItem(payload, h.count, func(id TopicID, n int32, _ int, b Batch) error {
			if t := x.topics[id]; t != nil && int(n) < len(t.parts) && n >= 0 {
				x.batch(t.parts[n], b)
			} else if !x.dead[id] {
				x.add(Finding{Severity: Damage, File: walDirName, Offset: -1, Next: -1, What: fmt.Sprintf("frame %d has a batch of topic %x, which nothing announced", h.seq, id), Then: "it is left out"})
			}
			return nil
		})
	case frameTopic:
		info := f.topic()
		t := x.topics[info.ID]
		if t == nil {
			t = &examinedTopic{info: info}
			x.topics[info.ID] = t
		}
		t.info = info
		for n := int32(len(t.parts)); n < info.Partitions; n++ {
			t.parts = append(t.parts, &examinedPartition{info: &t.info, n: n, begun: map[int64]bool{}})
		}
	case frameDelete:
		id := f.id()
		x.dead[id] = true
		delete(x.topics, id)
	case frameStart:
		if t, n := x.topics[f.id()], f.uint(); t != nil && n < uint64(len(t.parts)) {
			p := t.parts[n]
			p.start = max(p.start, f.int())
			p.end = max(p.end, p.start)
		}
	}
	return f.err
}

func (x *examiner) batch(p *examinedPartition, b Batch) {
	if b.LastOffset() < p.end {
		return
	}
	if b.BaseOffset() > p.end {
		x.add(Finding{Severity: Damage, File: walDirName, Topic: p.info.Name, Partition: p.n, Offset: p.end, Next: b.BaseOffset(),
			What: "the write-ahead log has lost these offsets", Then: "they are taken from the segment if it has them"})
	}
	p.end = b.LastOffset() + 1
	p.begun[b.BaseOffset()] = true
}

// leftovers looks at folders that belong to nothing, and at what was set aside before.
func (x *examiner) leftovers(known map[string]bool) error {
	names, err := x.fs.List(x.folder.path(topicsDirName))
	if err != nil && !oserror.IsNotExist(err) {
		return fmt.Errorf("listing topics: %w", err)
	}
	slices.Sort(names)
	for _, name := range names {
		f := Finding{File: topicsDirName + "/" + name, Offset: -1, Next: -1}
		switch {
		case known[name]:
			continue
		case strings.HasSuffix(name, deletedSuffix) || x.belongsToDead(name):
			f.What, f.Then = "the folder of a deleted topic", "it is removed"
		default:
			f.Severity, f.What, f.Then = Damage, "a folder that belongs to no topic", "it is moved to quarantine/"
		}
		x.add(f)
	}
	aside, err := x.fs.List(x.folder.path(asideDirName))
	if err != nil && !oserror.IsNotExist(err) {
		return fmt.Errorf("listing quarantine: %w", err)
	}
	slices.Sort(aside)
	for _, name := range aside {
		x.add(Finding{File: asideDirName + "/" + name, Offset: -1, Next: -1, What: "damage that was set aside earlier", Then: "nothing; it can be removed when it is of no use any more"})
	}
	return nil
}

// belongsToDead reports whether a folder says that it is of a topic that has been deleted.
func (x *examiner) belongsToDead(name string) bool {
	f, err := x.fs.Open(x.fs.PathJoin(x.folder.path(topicsDirName), name, metadataName))
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // read only
	b := make([]byte, 200)
	n, _ := f.ReadAt(b, 0)
	for id := range x.dead {
		if string(b[:n]) == partitionMetadata(id) {
			return true
		}
	}
	return false
}
