package linux

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"rhea/internal/user/linux/proc"
)

// This file is fork by execve: the child executes rhea again, which takes the
// process over from a file (proc.Successor).

// heir is what the child of a fork takes over, but for the contents of memory.
type heir struct {
	// Base is the parent's address of the guest's address 0.
	Base           uintptr
	Space, Limit   uint64
	Top, Brk, Brk0 uint64
	ExecAll        bool
	Maps           []heirRange
	Areas          []heirArea
	Files          []int // descriptors that Areas are mapped of
	Shm            map[uint64]uint64
	Shared         []fileRange

	Exe, Path                                      string
	Args                                           []string
	Auxv, Argv, Name                               []byte
	Trampoline, StackTop, ArgStart, ArgEnd, EnvEnd uint64
	LDTSize                                        int
	Hashes                                         bool

	Acts           []heirAction
	Mask           uint64
	AltSP, AltSize uint64
	AltFlags       int32
	CPU            []byte
	// Wait is the descriptor of what the parent waits by, -1 = it does not.
	Wait int
	// Clone's arguments.
	Flags, Stack, TLS, ChildTID uint64
	// A debugger's, which the child has not.
	Breaks  map[uint64]byte
	Watches int
}

// heirRange is a vma.
type heirRange struct {
	Lo, Hi uint64
	Bits   byte
}

// heirArea is a mapping of the host's. FD is of its file, -1 = none; ID that of a
// segment of shared memory, -1 = none.
type heirArea struct {
	Lo, Hi, Off uint64
	FD, ID      int
	Shared      bool
}

type heirAction struct {
	Handler, Restorer uint64
	Flags             uint32
	Mask              uint64
}

// forkExec is fork of a process whose child executes rhea again.
func (t *Thread) forkExec(c cloneArgs, v *vfork, flags uint64) (pid int, errno unix.Errno) {
	p := t.p
	if lost := flags & unix.CLONE_FILES; lost != 0 {
		p.cfg.Log.Unimp("clone: descriptors that parent and child share, where fork is by execve")
	}
	if flags&unix.CSIGNAL != uint64(unix.SIGCHLD) {
		p.cfg.Log.Unimp("clone: a child that ends with signal %d, where fork is by execve", flags&unix.CSIGNAL)
	}
	flags = flags&^(unix.CLONE_FILES|unix.CSIGNAL) | uint64(unix.SIGCHLD)

	p.sp.mu.Lock() // the map is not to change until the child has its memory
	defer p.sp.mu.Unlock()
	h := p.heir(t, c)
	s := &proc.Successor{Own: proc.Own(nil)}
	defer func() {
		for _, fd := range h.Files {
			unix.Close(fd)
		}
	}()
	p.areas(h, s)
	if h.Wait = -1; v != nil {
		h.Wait = v.fd
	}
	head, err := json.Marshal(h)
	if err != nil {
		panic("BUG: linux: heir: " + err.Error())
	}
	s.Head, s.Pass = head, h.Files
	if v != nil {
		s.Pass = append(slices.Clone(h.Files), v.fd)
		defer v.close()
	}
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return name == HeirVar || name == "QEMU_GDB"
	})
	number := HeirVar + "=0000000000"
	// The last string of the environment.
	list := t.cstrings(append(env, number))
	s.Number = uintptr(le.Uint64(list[8*len(env):])) + uintptr(len(HeirVar)+1)
	s.Path, s.Envp = t.cstring("/proc/self/exe"), ref(list)
	s.Argv = ref(t.cstrings(append(slices.Clone(p.cfg.Again), p.cfg.Path)))
	return proc.ForkExec(uintptr(flags), s)
}

// heir is what a child of the thread takes over, but for areas of memory.
func (p *Process) heir(t *Thread, c cloneArgs) *heir {
	h := &heir{
		Base: p.sp.base, Space: p.sp.size, Limit: p.sp.limit, Top: p.sp.top, Brk: p.sp.brk, Brk0: p.sp.brk0, ExecAll: p.sp.execAll,
		Shm: p.sp.shm, Shared: p.sp.files, Exe: p.exe, Path: p.cfg.Path, Args: p.cfg.Args, Auxv: p.auxv, Argv: p.argv, Name: make([]byte, 16),
		Trampoline: p.trampoline, StackTop: p.stackTop, ArgStart: p.argStart, ArgEnd: p.argEnd, EnvEnd: p.envEnd, LDTSize: p.ldtSize, Hashes: p.hashes.Load(),
		Mask: t.mask, AltSP: t.altSP, AltSize: t.altSize, AltFlags: t.altFlags, CPU: t.cpu.image(),
		Flags: c.flags, Stack: c.stack, TLS: c.tls, ChildTID: c.childTID,
	}
	proc.Raw(unix.SYS_PRCTL, unix.PR_GET_NAME, ref(h.Name))
	for _, m := range p.sp.maps {
		h.Maps = append(h.Maps, heirRange{m.lo, m.hi, m.bits})
	}
	p.mu.Lock()
	for _, a := range p.acts {
		h.Acts = append(h.Acts, heirAction{a.handler, a.restorer, a.flags, a.mask})
	}
	p.mu.Unlock()
	if d := p.debug; d != nil {
		h.Breaks, h.Watches = d.breaks, len(d.watches)
	}
	return h
}

// areas finds out how the guest's memory is mapped, and opens the files.
func (p *Process) areas(h *heir, s *proc.Successor) {
	type file struct {
		dev, inode string
		shared     bool
	}
	open := map[file]int{}
	maps := p.sp.maps
	for line := range strings.Lines(string(readAll("/proc/self/maps"))) {
		f := strings.SplitN(strings.TrimRight(line, "\n"), " ", 6)
		if len(f) < 5 {
			continue
		}
		from, to, _ := strings.Cut(f[0], "-")
		first, _ := strconv.ParseUint(from, 16, 64)
		end, _ := strconv.ParseUint(to, 16, 64)
		off, _ := strconv.ParseUint(f[2], 16, 64)
		base := uint64(p.sp.base)
		lo, hi := max(first, base)-base, min(end, base+p.sp.size)-base
		if end <= base || lo >= hi || first >= base+p.sp.size {
			continue
		}
		for i := maps.search(lo); i < len(maps) && maps[i].lo < hi; i++ {
			a := heirArea{Lo: max(lo, maps[i].lo), Hi: min(hi, maps[i].hi), FD: -1, ID: -1}
			a.Off = off + base + a.Lo - first
			g := proc.Range{Lo: p.sp.host(a.Lo), Hi: p.sp.host(a.Hi)}
			shared, path := strings.HasSuffix(f[1], "s"), ""
			if len(f) > 5 {
				path = strings.TrimLeft(f[5], " ")
			}
			id := file{f[3], f[4], shared}
			switch {
			case f[4] == "0":
			case shared && strings.HasPrefix(path, "/SYSV"):
				a.ID, _ = strconv.Atoi(f[4])
				a.Shared = true
			default:
				fd, ok := open[id]
				if !ok {
					fd = openMapped(f[0], path, f[4], shared)
					open[id] = fd
					if fd >= 0 {
						h.Files = append(h.Files, fd)
					}
				}
				a.FD, a.Shared, g.All = fd, shared && fd >= 0, fd < 0
				if shared && fd < 0 {
					p.cfg.Log.Unimp("fork: memory shared with the child at %#x, where fork is by execve and this process may not open it again", a.Lo)
				}
			}
			h.Areas = append(h.Areas, a)
			if !a.Shared {
				s.Ranges = append(s.Ranges, g)
			}
		}
	}
}

// openMapped opens the file of a mapping, by what /proc/self/maps says of it:
// -1 if that cannot be.
func openMapped(where, path, inode string, shared bool) int {
	for _, name := range [...]string{"/proc/self/map_files/" + where, path} {
		var st unix.Stat_t
		if unix.Stat(name, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || strconv.FormatUint(st.Ino, 10) != inode {
			continue
		}
		if shared {
			if fd, err := unix.Open(name, unix.O_RDWR|unix.O_CLOEXEC, 0); err == nil {
				return fd
			}
		}
		if fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0); err == nil {
			return fd
		}
	}
	return -1
}

// --- the child

var errHeir = errors.New("the process cannot go on in the child of its fork: what its parent has left is not whole")

// inheritance is the file that the child takes over from.
type inheritance struct {
	f  file
	at int64
}

func (i *inheritance) read(b []byte) error {
	if _, err := i.f.ReadAt(b, i.at); err != nil {
		return errHeir
	}
	i.at += int64(len(b))
	return nil
}

// entry reads one of two words.
func (i *inheritance) entry() (a, n uint64, err error) {
	var b [16]byte
	err = i.read(b[:])
	return le.Uint64(b[:]), le.Uint64(b[8:]), err
}

// inherit reads what comes first.
func inherit(fd int) (*inheritance, *heir, error) {
	i := &inheritance{f: file(fd)}
	var n [8]byte
	if err := i.read(n[:]); err != nil {
		return nil, nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || le.Uint64(n[:]) > uint64(st.Size) {
		return nil, nil, errHeir
	}
	head := make([]byte, le.Uint64(n[:]))
	if err := i.read(head); err != nil {
		return nil, nil, err
	}
	h := &heir{}
	if json.Unmarshal(head, h) != nil || len(h.Acts) != 65 {
		return nil, nil, errHeir
	}
	return i, h, nil
}

// takeOver makes the process the child of a fork.
func (p *Process) takeOver(in *inheritance, h *heir) (*Thread, error) {
	if p.sp.size != h.Space {
		return nil, fmt.Errorf("fork: %w of addresses for the child", unix.ENOMEM)
	}
	var v *vfork
	if h.Wait >= 0 {
		var errno unix.Errno
		if v, errno = newVfork(false, h.Wait); errno != 0 {
			return nil, fmt.Errorf("fork: memory that the parent waits by: %w", errno)
		}
		v.close()
	}
	if err := p.takeMemory(in, h); err != nil {
		return nil, err
	}
	p.cfg.Args, p.cfg.Path = h.Args, h.Path
	p.exe, p.auxv, p.argv = h.Exe, h.Auxv, h.Argv
	p.trampoline, p.stackTop, p.argStart, p.argEnd, p.envEnd = h.Trampoline, h.StackTop, h.ArgStart, h.ArgEnd, h.EnvEnd
	p.ldtSize = h.LDTSize
	p.hashes.Store(h.Hashes)
	proc.Raw(unix.SYS_PRCTL, unix.PR_SET_NAME, ref(append(h.Name, 0)))
	t, err := p.newThread()
	if err != nil {
		return nil, err
	}
	if !t.cpu.setImage(h.CPU) {
		return nil, errHeir
	}
	for i := range h.Watches {
		t.registers().SetUserWatch(i, 0, 0, false)
	}
	t.call = t.cpu.syscall(&t.args)
	t.altSP, t.altSize, t.altFlags = h.AltSP, h.AltSize, h.AltFlags
	proc.BlockAll()
	for sig := 1; sig < len(h.Acts); sig++ {
		a := h.Acts[sig]
		p.setAction(sig, &action{a.Handler, a.Restorer, a.Flags, a.Mask})
	}
	x := t.childOf(cloneArgs{flags: h.Flags, stack: h.Stack, tls: h.TLS, childTID: h.ChildTID}, v)
	if p.cfg.Strace != nil {
		t.traceCall(p.abi.calls.row(t.call), t.call, &t.args)
		t.traceResult(p.abi.calls.row(t.call), x)
	}
	t.cpu.setResult(x)
	t.mask = h.Mask
	t.applyMask()
	return t, nil
}

// takeMemory maps what the parent had mapped, reads its contents, and sets the
// descriptors' flags anew.
func (p *Process) takeMemory(in *inheritance, h *heir) error {
	s := p.sp
	s.limit, s.top, s.brk, s.brk0, s.execAll, s.shm, s.files = min(h.Limit, s.size), h.Top, h.Brk, h.Brk0, h.ExecAll, h.Shm, h.Shared
	for _, a := range h.Areas {
		if a.Lo > a.Hi || a.Hi > s.size || (a.Lo|a.Hi)&pageMask != 0 {
			return errHeir
		}
		if err := s.takeArea(a); err != nil {
			return fmt.Errorf("fork: memory of the child at %#x: %w", a.Lo, err)
		}
		s.setShared(a.Lo, a.Hi, a.Shared)
	}
	var again, closed []int
	for {
		a, n, err := in.entry()
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		switch va := a - uint64(h.Base); {
		case n == proc.CloseOnExec:
			again = append(again, int(a))
		case n == proc.NotOpen:
			closed = append(closed, int(a))
		case va > s.size || n > s.size-va:
			return errHeir
		default:
			if _, errno := proc.Raw(unix.SYS_PREAD64, uintptr(in.f), s.host(va), uintptr(n), uintptr(in.at)); errno != 0 {
				return fmt.Errorf("fork: memory of the child at %#x: %w", va, errno)
			}
			in.at += int64(n)
		}
	}
	for va, old := range h.Breaks {
		if va < s.size {
			s.all[va] = old
		}
	}
	for _, m := range h.Maps {
		if m.Lo >= m.Hi || m.Hi > s.size || (m.Lo|m.Hi)&pageMask != 0 {
			return errHeir
		}
		if errno := s.protect(m.Lo, m.Hi-m.Lo, protOf(m.Bits)); errno != 0 {
			return fmt.Errorf("fork: memory of the child at %#x: %w", m.Lo, errno)
		}
		s.maps = append(s.maps, vma{m.Lo, m.Hi, m.Bits})
	}
	in.f.close()
	for _, fd := range append(closed, h.Files...) {
		unix.Close(fd)
	}
	for _, fd := range again {
		unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC)
	}
	return nil
}

// protOf is the host's protection of pages with these bits.
func protOf(bits byte) int {
	p := unix.PROT_NONE
	if bits&pageR != 0 {
		p |= unix.PROT_READ
	}
	if bits&pageW != 0 {
		p |= unix.PROT_WRITE
	}
	return p
}

// takeArea maps an area, to be written where the child has contents for it.
func (s *space) takeArea(a heirArea) error {
	at, n := s.host(a.Lo), uintptr(a.Hi-a.Lo)
	prot := uintptr(unix.PROT_READ | unix.PROT_WRITE)
	flags := uintptr(unix.MAP_FIXED | unix.MAP_PRIVATE | unix.MAP_NORESERVE)
	var errno unix.Errno
	switch {
	case a.ID >= 0:
		return s.takeSegment(a)
	case a.FD < 0:
		_, errno = proc.Raw(unix.SYS_MMAP, at, n, prot, flags|unix.MAP_ANON, ^uintptr(0), 0)
	case a.Shared:
		flags = unix.MAP_FIXED | unix.MAP_SHARED
		if _, errno = proc.Raw(unix.SYS_MMAP, at, n, prot, flags, uintptr(a.FD), uintptr(a.Off)); errno == unix.EACCES {
			_, errno = proc.Raw(unix.SYS_MMAP, at, n, unix.PROT_READ, flags, uintptr(a.FD), uintptr(a.Off))
		}
	default:
		_, errno = proc.Raw(unix.SYS_MMAP, at, n, prot, flags, uintptr(a.FD), uintptr(a.Off))
	}
	if errno != 0 {
		return errno
	}
	return nil
}

// takeSegment attaches a segment of shared memory, of which the area is a part.
func (s *space) takeSegment(a heirArea) error {
	b := make([]byte, 256)
	if _, errno := proc.Raw(unix.SYS_SHMCTL, uintptr(a.ID), unix.IPC_STAT, ref(b)); errno != 0 {
		return errno
	}
	size := (uintptr(le.Uint64(b[48:])) + pageMask) &^ pageMask // shm_segsz of struct shmid64_ds
	n := uintptr(a.Hi - a.Lo)
	if uintptr(a.Off) > size || n > size-uintptr(a.Off) {
		return unix.EINVAL
	}
	at, errno := proc.Raw(unix.SYS_SHMAT, uintptr(a.ID), 0, 0)
	if errno == unix.EACCES {
		const shmRdonly = 0o10000
		at, errno = proc.Raw(unix.SYS_SHMAT, uintptr(a.ID), 0, shmRdonly)
	}
	if errno != 0 {
		return errno
	}
	_, errno = proc.Raw(unix.SYS_MREMAP, at+uintptr(a.Off), n, n, unix.MREMAP_MAYMOVE|unix.MREMAP_FIXED, s.host(a.Lo))
	if a.Off > 0 {
		unix.MunmapPtr(address(at), uintptr(a.Off))
	}
	if end := uintptr(a.Off) + n; end < size {
		unix.MunmapPtr(address(at+end), size-end)
	}
	if errno != 0 {
		return errno
	}
	return nil
}
