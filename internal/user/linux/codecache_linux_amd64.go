package linux

import (
	"bytes"
	"cmp"
	"fmt"
	"hash/fnv"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/cpu"
	"golang.org/x/sys/unix"

	"rhea/internal/accel/tcg"
)

// This file keeps translated code in files, one a program: the next process that
// executes it begins with it (tcg.VCPU.UseImage). Such a file is machine code, so
// its directory and it must be the user's and nobody else may write to them. It is
// written under another name first: who has it open never sees it change. What it
// was made for is in it: the build of rhea, the processors, the program's file.

// codeCache is where translated code is kept.
type codeCache struct {
	dir  string
	make func(string, os.FileMode) error
	id   fileID // the directory's: the guest may change the root
	name string // what the code is of
	off  bool   // nothing is to be kept
}

type fileID struct{ dev, ino uint64 }

// cacheLimit is how many bytes a directory has at most, staleAfter when its files
// are marked as used again.
const (
	cacheLimit = 256 << 20
	staleAfter = 24 * time.Hour
)

// newsForImage says whether so many new units are worth an image.
func newsForImage(news, known int) bool { return news >= 16+known/8 }

// useCode has the main thread begin with what was translated before.
func (p *Process) useCode(t *Thread) {
	if p.cfg.CodeCache == "" || p.cfg.Log != nil || p.cfg.Debug != nil || p.cfg.Engine != 0 || p.cfg.Heir >= 0 || !samePrivileges() {
		return
	}
	c := &codeCache{dir: p.cfg.CodeCache, make: os.Mkdir}
	if p.cfg.CodeCacheAll {
		c.make = os.MkdirAll
	}
	if !c.own() {
		return
	}
	if c.name = p.codeName(); c.name == "" {
		return
	}
	p.code = c
	f, err := unix.Open(c.file(), unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return
	}
	defer unix.Close(f)
	var st unix.Stat_t
	if unix.Fstat(f, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || !private(&st) || st.Size <= 0 || st.Size > 1<<30 {
		return
	}
	data, err := unix.Mmap(f, 0, int(st.Size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
	if err != nil {
		return
	}
	v := t.cpu.vcpu()
	err = v.UseImage(data, c.name, p.sp.ram, func(off int64, at, size int) error { return v.MapCode(f, off, at, size) })
	if err != nil {
		unix.Munmap(data)
		if err == tcg.ErrImage {
			unix.Unlink(c.file())
		}
		return
	}
	if time.Since(time.Unix(st.Mtim.Unix())) > staleAfter {
		unix.UtimesNanoAt(unix.AT_FDCWD, c.file(), nil, 0)
	}
}

// samePrivileges: the process has no more rights than who has started it.
func samePrivileges() bool { return unix.Getuid() == unix.Geteuid() && unix.Getgid() == unix.Getegid() }

// private reports whether the user alone may write to a file.
func private(st *unix.Stat_t) bool {
	return int(st.Uid) == unix.Geteuid() && st.Mode&(unix.S_IWGRP|unix.S_IWOTH) == 0
}

// own reports whether the directory, which it makes if need be, is the user's. In
// another root, with nothing of what is above it, none is to be left behind.
func (c *codeCache) own() bool {
	var st unix.Stat_t
	err := unix.Stat(c.dir, &st)
	if err == unix.ENOENT {
		if c.make(c.dir, 0o700) != nil {
			return false
		}
		err = unix.Stat(c.dir, &st)
	}
	id := fileID{st.Dev, st.Ino}
	if err != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR || !private(&st) || c.id != (fileID{}) && c.id != id {
		return false
	}
	c.id = id
	return true
}

// file is the file's name.
func (c *codeCache) file() string {
	h := fnv.New128a()
	h.Write([]byte(c.name))
	return fmt.Sprintf("%s/%x", c.dir, h.Sum(nil))
}

// codeName says what the program's translated code depends on besides its code, ""
// if that cannot be said.
func (p *Process) codeName() string {
	var st unix.Stat_t
	build := buildID()
	if build == "" || unix.Stat(p.inSysroot(p.exe), &st) != nil {
		return ""
	}
	return fmt.Sprintf("rhea %s\n%v\n%s %s %#x %#x %#x\n%s %d %d %d %d", build, cpu.X86, p.abi.Name, p.cfg.CPU, p.sp.size, p.sp.limit, p.cfg.Stack,
		p.exe, st.Dev, st.Ino, st.Size, st.Mtim.Nano())
}

// buildID is what Go's linker has named this program by (the note of that type in
// its file's beginning; cmd/go, buildid), "" if there is none.
func buildID() string {
	f, err := unix.Open("/proc/self/exe", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(f)
	b := make([]byte, 4096)
	n, _ := unix.Pread(f, b, 0)
	b = b[:max(n, 0)]
	// Sizes of the name and of what follows it, the type, the name.
	i := bytes.Index(b, []byte("\x04\x00\x00\x00Go\x00\x00"))
	if i < 8 || le.Uint32(b[i-8:]) != 4 {
		return ""
	}
	size := int(le.Uint32(b[i-4:]))
	if size <= 0 || size > len(b)-i-8 {
		return ""
	}
	return string(b[i+8:][:size])
}

// keepCode writes what the main thread has translated, if there is enough that is
// new. The process is about to end, or to be another program's.
func (t *Thread) keepCode() {
	p := t.p
	c := p.code
	if c == nil || c.off || p.epoch.Load() != 0 || t.tid != unix.Getpid() || p.debug != nil {
		return
	}
	v := t.cpu.vcpu()
	spoilt := v.ImageSpoilt()
	if !spoilt && !newsForImage(v.ImageNews()) {
		return
	}
	c.off = true                                                                      // once is enough
	for _, what := range []int{unix.RLIMIT_FSIZE, unix.RLIMIT_AS, unix.RLIMIT_DATA} { // there is to be room
		var limit unix.Rlimit
		if unix.Getrlimit(what, &limit) != nil || limit.Cur != unix.RLIM_INFINITY {
			return
		}
	}
	if !samePrivileges() || !c.own() {
		return
	}
	if spoilt { // the next process begins anew
		unix.Unlink(c.file())
		return
	}
	if data := v.Image(c.name, p.sp.ram, p.codeOfFiles()); data != nil {
		c.write(data)
		c.prune()
	}
}

// codeOfFiles returns what says whether an address is one of a file's code.
func (p *Process) codeOfFiles() func(va uint64) bool {
	type area struct{ lo, hi uint64 }
	var list []area
	for line := range strings.Lines(string(p.guestMaps(false))) {
		f := strings.Fields(line)
		if len(f) < 5 || f[1][0] != 'r' || f[1][2] != 'x' || f[4] == "0" {
			continue
		}
		lo, hi, _ := strings.Cut(f[0], "-")
		a, err1 := strconv.ParseUint(lo, 16, 64)
		z, err2 := strconv.ParseUint(hi, 16, 64)
		if err1 == nil && err2 == nil {
			list = append(list, area{a, z})
		}
	}
	slices.SortFunc(list, func(a, b area) int { return cmp.Compare(a.lo, b.lo) })
	return func(va uint64) bool {
		i, found := slices.BinarySearchFunc(list, va, func(a area, va uint64) int {
			switch {
			case a.hi <= va:
				return -1
			case a.lo > va:
				return 1
			}
			return 0
		})
		return found && i < len(list)
	}
}

func (c *codeCache) write(data []byte) {
	tmp := fmt.Sprintf("%s.%d", c.file(), unix.Getpid())
	f, err := unix.Open(tmp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return
	}
	for len(data) > 0 && err == nil {
		var n int
		if n, err = unix.Write(f, data); err == unix.EINTR {
			n, err = max(n, 0), nil
		}
		data = data[max(n, 0):]
	}
	unix.Close(f)
	if err == nil {
		err = unix.Rename(tmp, c.file())
	}
	if err != nil {
		unix.Unlink(tmp)
	}
}

// prune removes the files that were used longest ago until the directory is no
// larger than it may be.
func (c *codeCache) prune() {
	type file struct {
		name string
		size int64
		used int64
	}
	var files []file
	total := int64(0)
	for _, name := range c.names() {
		var st unix.Stat_t
		if unix.Lstat(name, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG {
			files = append(files, file{name, st.Size, st.Mtim.Nano()})
			total += st.Size
		}
	}
	slices.SortFunc(files, func(a, b file) int { return cmp.Compare(a.used, b.used) })
	for _, f := range files {
		if total <= cacheLimit {
			return
		}
		unix.Unlink(f.name)
		total -= f.size
	}
}

// names are the directory's files.
func (c *codeCache) names() (list []string) {
	f, err := unix.Open(c.dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(f)
	b := make([]byte, 32<<10)
	for {
		n, err := unix.Getdents(f, b)
		if err != nil || n <= 0 {
			break
		}
		_, _, list = unix.ParseDirent(b[:n], -1, list)
	}
	for i := range list {
		list[i] = c.dir + "/" + list[i]
	}
	return list
}
