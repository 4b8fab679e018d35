package linux

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// openProc opens the files below /proc/self that describe the guest and not
// the host's process; ok is false for all others.
func (t *Thread) openProc(name string, flags uint64) (r uint64, ok bool) {
	what, ok := t.ownProc(name)
	if !ok {
		return 0, false
	}
	var content []byte
	switch what {
	case "exe":
		return t.wait(unix.SYS_OPENAT, atFDCWD, t.cstring(t.p.exe), uintptr(flags), 0), true
	case "cmdline":
		content = t.p.argv
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
				if m.bits&b.bit != 0 {
					perm[i] = b.c
				}
			}
			tail := strings.TrimRight(rest[4:], "\n")
			f := strings.Fields(tail)
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

// guestStat is /proc/self/stat with the guest's name, stack and arguments
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
	set(28, p.stackTop)
	set(48, p.argStart)
	set(49, p.argEnd)
	name := p.cfg.Args[0]
	if p.exe != "" {
		name = p.exe[strings.LastIndexByte(p.exe, '/')+1:]
	}
	return []byte(fmt.Sprintf("%d (%s) %s\n", unix.Getpid(), name[:min(len(name), 15)], strings.Join(f, " ")))
}
