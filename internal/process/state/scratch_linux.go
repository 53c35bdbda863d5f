package state

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapPiece lays a new file without a name over a piece.
func mapPiece(p *piece, dir string, free int64) error {
	if err := roomFor(dir, free+pieceSize); err != nil {
		return err
	}
	if size := unix.Getpagesize(); uintptr(unsafe.Pointer(p))%uintptr(size) != 0 {
		return fmt.Errorf("state cannot lie in files on a system with pages of %d bytes", size)
	}
	fd, err := nameless(dir)
	if err != nil {
		return fmt.Errorf("making a file for state in %s: %w", dir, err)
	}
	defer unix.Close(fd) // the mapping keeps it
	if err := allocate(fd); err != nil {
		return fmt.Errorf("allocating a file for state in %s: %w", dir, err)
	}
	if err := overlay(p, fd, unix.MAP_SHARED); err != nil {
		if unmapPiece(p) != nil { // it may lie on nothing now
			lost.Lock()
			defer lost.Unlock()
			lost.pieces = append(lost.pieces, p)
		}
		return fmt.Errorf("mapping a file for state: %w", err)
	}
	// No reading ahead, for neighbours are no neighbours in time; and a dump of the process is none of its files, too.
	_ = unix.Madvise(p[:], unix.MADV_RANDOM)
	_ = unix.Madvise(p[:], unix.MADV_DONTDUMP)
	return nil
}

// lost are pieces whose memory may be none, which nobody must ever be given.
var lost struct {
	sync.Mutex
	pieces []*piece
}

// unmapPiece makes a piece memory like any other. It fails where the kernel has no room to note that.
func unmapPiece(p *piece) error { return overlay(p, -1, unix.MAP_PRIVATE|unix.MAP_ANON) }

// overlay maps something over a piece. (unix.MmapPtr makes a pointer of the answer, which -race takes for one that was made up.)
func overlay(p *piece, fd, how int) error {
	_, _, e := unix.Syscall6(unix.SYS_MMAP, uintptr(unsafe.Pointer(p)), pieceSize, unix.PROT_READ|unix.PROT_WRITE, uintptr(how|unix.MAP_FIXED), uintptr(fd), 0)
	if e != 0 {
		return e
	}
	return nil
}

// nameless makes a file that no folder lists.
func nameless(dir string) (fd int, err error) {
	const flags = unix.O_RDWR | unix.O_CLOEXEC
	fd, err = unix.Open(dir, unix.O_TMPFILE|flags, 0o600)
	if err == nil || !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EISDIR) {
		return fd, err
	}
	naming.Lock()
	defer naming.Unlock()
	name := dir + "/state-scratch"
	_ = unix.Unlink(name) // of a process that was killed in here
	if fd, err = unix.Open(name, unix.O_CREAT|unix.O_EXCL|flags, 0o600); err != nil {
		return fd, err
	}
	if err := unix.Unlink(name); err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// naming is held while a file has a name, the same for all. A folder is one process's.
var naming sync.Mutex

// allocate gives a file all of its blocks.
func allocate(fd int) error {
	err := unix.Fallocate(fd, 0, 0, pieceSize)
	if !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.ENOSYS) {
		return err
	}
	zeros := make([]byte, 64<<10)
	for at := 0; at < pieceSize; {
		n, err := unix.Pwrite(fd, zeros, int64(at))
		if err != nil {
			return err
		}
		at += n
	}
	return unix.Fsync(fd) // what the disk has no room for shows now
}

// mostPieces is how many pieces the kernel has room to note. Each may part the memory around it in two, also when it has gone, and there has
// to be room for all else: a process whose heap cannot grow for want of it ends.
func mostPieces() int64 {
	maps := int64(65530) // unless set
	if n, err := strconv.ParseInt(strings.TrimSpace(told("/proc/sys/vm/max_map_count")), 10, 64); err == nil {
		maps = n
	}
	return maps / 4
}

// usable reports why files in a folder would not do, however much room there is.
func usable(dir string) error {
	_, err := diskOf(dir)
	return err
}

// diskOf tells about the disk of a folder; it is an error if that is none.
func diskOf(dir string) (fs unix.Statfs_t, err error) {
	if err := unix.Statfs(dir, &fs); err != nil {
		return fs, fmt.Errorf("looking for room in %s: %w", dir, err)
	}
	if fs.Type == unix.TMPFS_MAGIC || fs.Type == unix.RAMFS_MAGIC {
		return fs, fmt.Errorf("%s is no disk but memory", dir)
	}
	return fs, nil
}

// roomFor reports why there is no room for so many bytes in a folder.
func roomFor(dir string, bytes int64) error {
	fs, err := diskOf(dir)
	if err != nil {
		return err
	}
	if int64(fs.Bavail)*fs.Bsize < bytes {
		return noRoom(dir, bytes)
	}
	return nil
}

// mappedBytes is how much of files is mapped and in memory.
func mappedBytes() int64 {
	for line := range strings.Lines(told("/proc/self/status")) {
		if rest, ok := strings.CutPrefix(line, "RssFile:"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kb << 10
		}
	}
	return 0
}

// told is what the kernel tells in a file; "" if it does not.
func told(file string) string {
	fd, err := unix.Open(file, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	var b [4096]byte
	n, _ := unix.Read(fd, b[:])
	return string(b[:max(n, 0)])
}

// letGo takes a piece out of the process's memory. It stays in the kernel's cache as long as nothing else needs that, and on the disk. The
// piece must be mapped: plain memory would be cleared.
func letGo(addr uintptr) {
	_, _, _ = unix.Syscall(unix.SYS_MADVISE, addr, pieceSize, unix.MADV_DONTNEED)
}
