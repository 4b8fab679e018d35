package linux

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"rhea/internal/user/linux/proc"
)

// openProc opens the files below /proc/self that describe the guest and not
// the host's process; ok is false for all others.
func (t *Thread) openProc(name string, flags uint64) (r uint64, ok bool) {
	what, ok := ownProc(name)
	if !ok {
		return 0, false
	}
	var content []byte
	switch what {
	case "exe":
		return t.wait(unix.SYS_OPENAT, atFDCWD, t.cstring(t.p.exe), uintptr(flags), 0), true
	case "cmdline":
		content = t.p.argv
	case "environ":
		content = append([]byte{}, t.p.sp.readable(t.p.argEnd, t.p.envEnd-t.p.argEnd)...)
	case "auxv":
		content = t.p.auxv
	case "maps":
		content = t.p.guestMaps(false)
	case "smaps":
		content = t.p.guestMaps(true)
	case "stat":
		content = t.p.guestStat()
	default:
		return 0, false
	}
	if content == nil {
		return 0, false
	}
	return memoryFile(content, flags), true
}

// readAll reads a file of the host's, nil if that cannot be.
func readAll(name string) []byte {
	f, err := openFile(name)
	if err != nil {
		return nil
	}
	defer f.close()
	var all []byte
	b := make([]byte, 1<<16)
	for {
		n, err := unix.Read(int(f), b)
		if n <= 0 || err != nil {
			return all
		}
		all = append(all, b[:n]...)
	}
}

// guestMaps is /proc/self/maps: of the host's, the lines that lie in the
// guest's addresses and are mapped there.
func (p *Process) guestMaps(details bool) []byte {
	file := "/proc/self/maps"
	if details {
		file = "/proc/self/smaps"
	}
	var out strings.Builder
	inside := false
	for line := range strings.Lines(string(readAll(file))) {
		head, rest, _ := strings.Cut(line, " ")
		from, to, ok := strings.Cut(head, "-")
		lo, err1 := strconv.ParseUint(from, 16, 64)
		hi, err2 := strconv.ParseUint(to, 16, 64)
		if !ok || err1 != nil || err2 != nil { // a detail of the one before
			if inside {
				out.WriteString(line)
			}
			continue
		}
		inside = false
		base := uint64(p.sp.base)
		lo, hi = max(lo, base)-base, min(hi, base+p.sp.size)-base
		if hi > p.sp.size || lo >= hi {
			continue
		}
		p.sp.mu.Lock()
		list := append(vmas{}, p.sp.maps...)
		p.sp.mu.Unlock()
		for _, m := range list {
			a, z := max(lo, m.lo), min(hi, m.hi)
			if a >= z {
				continue
			}
			inside = true
			perm := []byte(rest[:4])
			for i, b := range []struct {
				bit byte
				c   byte
			}{{pageR, 'r'}, {pageW, 'w'}, {pageX, 'x'}} {
				perm[i] = '-'
				if shown(m.bits)&b.bit != 0 {
					perm[i] = b.c
				}
			}
			tail := strings.TrimRight(rest[4:], "\n")
			f := strings.Fields(tail)
			if perm[3] == 's' && p.sp.vfork != nil && !p.sp.isShared(a) { // the parent's to see
				perm[3], f = 'p', nil
			}
			if len(f) >= 3 && f[2] != "0" {
				off, _ := strconv.ParseUint(f[0], 16, 64)
				name := ""
				if len(f) > 3 {
					name = strings.Repeat(" ", 20) + strings.Join(f[3:], " ")
				}
				tail = fmt.Sprintf(" %08x %s %s%s", off+a-lo, f[1], f[2], name)
			} else {
				tail = " 00000000 00:00 0"
				switch {
				case p.stackTop >= a && p.stackTop < z:
					tail += strings.Repeat(" ", 26) + "[stack]"
				case p.sp.brk > p.sp.brk0 && a >= p.sp.brk0 && a < p.sp.brk:
					tail += strings.Repeat(" ", 26) + "[heap]"
				}
			}
			fmt.Fprintf(&out, "%08x-%08x %s%s\n", a, z, perm, tail)
		}
	}
	return []byte(out.String())
}

// guestStat is /proc/self/stat with the guest's threads, stack and arguments
// (proc(5)).
func (p *Process) guestStat() []byte {
	s := string(readAll("/proc/self/stat"))
	i := strings.LastIndexByte(s, ')')
	if i < 0 {
		return nil
	}
	f := strings.Fields(s[i+1:])
	set := func(n int, v uint64) { // by the numbers of proc(5); f begins with the third
		if n-3 < len(f) {
			f[n-3] = strconv.FormatUint(v, 10)
		}
	}
	p.mu.Lock()
	set(20, uint64(len(p.threads)))
	p.mu.Unlock()
	set(28, p.stackTop)
	set(48, p.argStart)
	set(49, p.argEnd)
	set(50, p.argEnd)
	set(51, p.envEnd)
	return []byte(s[:i+2] + strings.Join(f, " ") + "\n")
}

// taskOrFile is what a name below /proc leads to: the number of a thread in the
// folder task, that of a descriptor in fd or fdinfo; 't', 'f', or 0 if neither.
func taskOrFile(what string) (kind byte, n int) {
	dir, rest, _ := strings.Cut(what, "/")
	name, more, deeper := strings.Cut(rest, "/")
	kind = dirKind(dir)
	n, err := strconv.Atoi(name)
	if err != nil || n < 0 {
		return 0, 0
	}
	if kind == 't' && deeper {
		if k, n := taskOrFile(more); k == 'f' {
			return k, n
		}
	}
	return kind, n
}

func dirKind(name string) byte {
	switch name {
	case "fd", "fdinfo":
		return 'f'
	case "task":
		return 't'
	}
	return 0
}

// hides reports whether a thread or a descriptor is none of the guest's.
func (p *Process) hides(kind byte, n int) bool {
	switch kind {
	case 'f':
		return proc.IsOwn(n)
	case 't':
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.threads[n] == nil
	}
	return false
}

// hidden reports whether a file is of a descriptor or of a thread of ours.
func (p *Process) hidden(name string) bool {
	if rest, ok := strings.CutPrefix(name, "/dev/fd/"); ok {
		name = "/proc/self/fd/" + rest
	}
	what, ok := ownProc(name)
	if !ok {
		return false
	}
	return p.hides(taskOrFile(what))
}

// hideEntries takes out of struct linux_dirent64, one behind another in b, what is
// none of the guest's if the directory f is one of the process' in /proc. It returns
// how long what is left is.
func (t *Thread) hideEntries(f int, b []byte) uint64 {
	whole, all := b, uint64(len(b))
	for rest := b; len(rest) > 19; { // such directories have numbers only
		if c := rest[19]; c != '.' && (c < '0' || c > '9') {
			return all
		}
		size := int(le.Uint16(rest[16:]))
		if size < 20 || size > len(rest) {
			return all
		}
		rest = rest[size:]
	}
	var fs unix.Statfs_t
	link := make([]byte, 256)
	if unix.Fstatfs(f, &fs) != nil || fs.Type != unix.PROC_SUPER_MAGIC {
		return all
	}
	n, err := unix.Readlink("/proc/self/fd/"+strconv.Itoa(f), link)
	if err != nil {
		return all
	}
	what, ok := ownProc(string(link[:n]))
	if !ok {
		return all
	}
	kind := dirKind(what[strings.LastIndexByte(what, '/')+1:])
	if kind == 0 {
		return all
	}
	used := 0
	for len(b) > 0 {
		size := int(le.Uint16(b[16:]))
		name, _, _ := strings.Cut(string(b[19:size]), "\x00")
		number, err := strconv.Atoi(name)
		if err != nil || !t.p.hides(kind, number) {
			used += copy(whole[used:], b[:size])
		}
		b = b[size:]
	}
	return uint64(used)
}
