package linux

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"rhea/internal/user/linux/proc"
)

// file is a host's file that is read at offsets. It does not use the runtime's
// poller, whose descriptors the guest would see.
type file int

func openFile(path string) (file, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	return file(fd), err
}

func (f file) ReadAt(b []byte, off int64) (int, error) {
	n := 0
	for n < len(b) {
		k, err := unix.Pread(int(f), b[n:], off+int64(n))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return n, err
		}
		if k == 0 {
			return n, io.EOF
		}
		n += k
	}
	return n, nil
}

func (f file) close() { unix.Close(int(f)) }

// inSysroot is where the guest's file of that name is: below -L if it is there.
func (p *Process) inSysroot(name string) string {
	root := p.cfg.Sysroot
	if root == "" || !strings.HasPrefix(name, "/") || strings.HasPrefix(name, "/proc/") || strings.HasPrefix(name, "/dev/") {
		return name
	}
	for range 40 { // links, which mean the guest's names
		in := root + name
		var st unix.Stat_t
		if unix.Lstat(in, &st) != nil {
			return name
		}
		if st.Mode&unix.S_IFMT != unix.S_IFLNK {
			return in
		}
		b := make([]byte, 4096)
		n, err := unix.Readlink(in, b)
		if err != nil || n == 0 || b[0] != '/' {
			return in
		}
		name = filepath.Clean(string(b[:n]))
	}
	return name
}

// script returns the interpreter of a file that begins with #!, and its
// argument; ok is false if it is none.
func script(f file) (interp, arg string, ok bool) {
	b := make([]byte, 256)
	n, _ := f.ReadAt(b, 0)
	line, _, whole := strings.Cut(string(b[:n]), "\n")
	line, ok = strings.CutPrefix(line, "#!")
	if !ok || !whole && n == len(b) {
		return "", "", false
	}
	interp, arg, _ = strings.Cut(strings.Trim(line, " \t"), " ")
	if i := strings.IndexByte(interp, '\t'); i >= 0 {
		interp, arg = interp[:i], interp[i+1:]+arg
	}
	return interp, strings.Trim(arg, " \t"), interp != ""
}

// ABIOfFile returns the ABI of a program, or of the interpreter of a script; nil
// if there is none.
func ABIOfFile(sysroot, path string) *ABI {
	p := &Process{cfg: Config{Sysroot: sysroot}}
	for range 5 {
		f, err := openFile(p.inSysroot(path))
		if err != nil {
			return nil
		}
		interp, _, ok := script(f)
		if !ok {
			a := abiFor(f)
			f.close()
			return a
		}
		f.close()
		path = interp
	}
	return nil
}

// ExecError is a program that cannot be run; Status is what shells expect of a
// command that could not be executed.
type ExecError struct {
	Status int
	Err    error
}

func (e *ExecError) Error() string { return e.Err.Error() }
func (e *ExecError) Unwrap() error { return e.Err }

func notRun(path string, err error) error {
	status := 126
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		status = 127
	}
	return &ExecError{status, fmt.Errorf("%s: %w", printable(path), err)}
}

// printable is a file's name for a line of a message.
func printable(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return name
}

// nameProcess has the host show the process by the program's name (proc(5), comm).
func nameProcess(path string) {
	b := make([]byte, 16)
	copy(b[:15], filepath.Base(path))
	proc.Raw(unix.SYS_PRCTL, unix.PR_SET_NAME, ref(b))
}

// load loads the program, and its interpreter if it has one. It returns where
// to begin.
func (p *Process) load() (entry, stack uint64, err error) {
	path := p.inSysroot(p.cfg.Path)
	nameProcess(path)
	var f file
	for depth := 0; ; depth++ {
		if depth == 0 && p.cfg.ExecFD >= 0 {
			f = file(p.cfg.ExecFD)
		} else if f, err = openFile(path); err != nil {
			return 0, 0, notRun(p.cfg.Path, err)
		}
		interp, arg, ok := script(f)
		if !ok {
			break
		}
		f.close()
		if depth == 4 {
			return 0, 0, notRun(p.cfg.Path, unix.ELOOP)
		}
		args := []string{interp}
		if arg != "" {
			args = append(args, arg)
		}
		args = append(args, p.cfg.Path)
		if len(p.cfg.Args) > 0 {
			args = append(args, p.cfg.Args[1:]...)
		}
		p.cfg.Args, p.cfg.Path = args, interp
		path = p.inSysroot(interp)
	}
	defer f.close()
	var st unix.Stat_t
	if unix.Fstat(int(f), &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return 0, 0, notRun(p.cfg.Path, unix.EISDIR)
	}
	im, err := readImage(f)
	if err == nil {
		err = im.fits(p.abi)
	}
	if err != nil {
		return 0, 0, notRun(p.cfg.Path, err)
	}
	p.exe = p.cfg.Path
	if file, err := os.Readlink(path); err == nil && strings.HasPrefix(path, "/proc/self/fd/") {
		p.exe = file
	} else if abs, err := filepath.Abs(path); err == nil {
		p.exe = abs
	}
	p.sp.execAll = im.execStack
	p.sp.top = p.abi.Top
	size := p.cfg.Stack
	if size == 0 {
		size = 8 << 20
		var lim unix.Rlimit
		if unix.Getrlimit(unix.RLIMIT_STACK, &lim) == nil && lim.Cur < 1<<30 && lim.Cur >= 128<<10 {
			size = lim.Cur
		}
	}
	size = min(size, p.sp.limit/2) &^ pageMask
	const gap = 128 << 20
	p.sp.top = min(p.abi.Top, p.sp.limit) - min(max(size+1<<20, gap), p.sp.limit/2)
	bias, err := p.loadImage(f, im)
	if err != nil {
		return 0, 0, notRun(p.cfg.Path, err)
	}
	_, hi := im.bounds()
	p.sp.brk0 = (hi + bias + pageMask) &^ pageMask
	p.sp.brk = p.sp.brk0
	entry = im.entry + bias
	base := uint64(0)
	if im.interp != "" {
		if base, entry, err = p.loadInterp(im.interp); err != nil {
			return 0, 0, notRun(p.cfg.Path, err)
		}
	}
	if err := p.mapTrampoline(); err != nil {
		return 0, 0, notRun(p.cfg.Path, err)
	}
	stack, err = p.makeStack(im, bias, base, size)
	return entry, stack, err
}

// mapTrampoline maps the page with the code that handlers return to.
func (p *Process) mapTrampoline() error {
	if p.abi.trampolines[1] == "" {
		return nil
	}
	at, errno := p.sp.mmap(0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON, -1, 0)
	if errno != 0 {
		return errno
	}
	for i, code := range p.abi.trampolines {
		copy(p.sp.all[at+16*uint64(i):], code)
	}
	p.trampoline = at
	if errno := p.sp.mprotect(at, page, unix.PROT_READ|unix.PROT_EXEC); errno != 0 {
		return errno
	}
	return nil
}

// loadInterp loads the dynamic linker.
func (p *Process) loadInterp(name string) (base, entry uint64, err error) {
	f, err := openFile(p.inSysroot(name))
	if err != nil {
		return 0, 0, fmt.Errorf("its interpreter %s: %w; name the directory with the %s libraries by -L", printable(name), err, p.abi.Name)
	}
	defer f.close()
	im, err := readImage(f)
	if err == nil {
		err = im.fits(p.abi)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("its interpreter %s: %w; name the directory with the %s libraries by -L", printable(name), err, p.abi.Name)
	}
	bias, err := p.loadImage(f, im)
	if err != nil {
		return 0, 0, fmt.Errorf("its interpreter %s: %w", printable(name), err)
	}
	lo, _ := im.bounds()
	return lo + bias, im.entry + bias, nil
}

// loadImage maps the segments and returns what their addresses are moved by.
func (p *Process) loadImage(f file, im *image) (bias uint64, err error) {
	lo, hi := im.bounds()
	const anon = unix.MAP_PRIVATE | unix.MAP_ANON
	at, flags := lo, anon|mapFixedNoReplace
	if im.dynamic {
		at, flags = 0, anon
		if im.interp != "" {
			at = p.abi.PieBase
		}
	}
	at, errno := p.sp.mmap(at, hi-lo, unix.PROT_NONE, flags, -1, 0)
	if errno != 0 {
		return 0, fmt.Errorf("no room for its segments at %#x..%#x: %w", lo, hi, errno)
	}
	bias = at - lo
	for i := range im.segments {
		if err := p.loadSegment(f, &im.segments[i], bias); err != nil {
			return 0, err
		}
	}
	return bias, nil
}

func (p *Process) loadSegment(f file, s *segment, bias uint64) error {
	prot := 0
	for _, b := range []struct {
		on  bool
		bit int
	}{{s.r, unix.PROT_READ}, {s.w, unix.PROT_WRITE}, {s.x, unix.PROT_EXEC}} {
		if b.on {
			prot |= b.bit
		}
	}
	va := s.vaddr + bias
	first, fileEnd, end := va&^pageMask, va+s.filesz, va+s.memsz
	fail := func(errno unix.Errno) error {
		return fmt.Errorf("its segment at %#x cannot be mapped: %w", s.vaddr, errno)
	}
	next := first
	if s.filesz > 0 {
		next = (fileEnd + pageMask) &^ pageMask
		if _, errno := p.sp.mmap(first, fileEnd-first, prot, unix.MAP_PRIVATE|unix.MAP_FIXED, int(f), s.off&^pageMask); errno != 0 {
			return fail(errno)
		}
	}
	if end > next {
		if _, errno := p.sp.mmap(next, end-next, prot, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_FIXED, -1, 0); errno != 0 {
			return fail(errno)
		}
	}
	if s.filesz == 0 || end <= fileEnd || fileEnd&pageMask == 0 {
		return nil
	}
	// The page in which the file's part ends goes on with zeroes.
	var one [1]byte
	if n, _ := f.ReadAt(one[:], int64(s.off+s.filesz-1)); n == 0 {
		return errors.New("its segments are longer than the file")
	}
	last := fileEnd &^ pageMask
	if errno := p.sp.protect(last, page, unix.PROT_READ|unix.PROT_WRITE); errno != 0 {
		return fail(errno)
	}
	clear(p.sp.all[fileEnd:next])
	p.sp.protect(last, page, hostProt(prot))
	return nil
}

// Auxiliary vector (linux/auxvec.h).
const (
	atPHDR, atPHENT, atPHNUM, atPAGESZ, atBASE, atFLAGS, atENTRY = 3, 4, 5, 6, 7, 8, 9
	atUID, atEUID, atGID, atEGID                                 = 11, 12, 13, 14
	atPLATFORM, atHWCAP, atCLKTCK, atSECURE, atRANDOM            = 15, 16, 17, 23, 25
	atHWCAP2, atEXECFN, atMINSIGSTKSZ                            = 26, 31, 51
)

// hwcap2 is AT_HWCAP2 (arch/x86/include/uapi/asm/hwcap2.h): the instructions for
// the bases of FS and GS.
func (p *Process) hwcap2() uint64 {
	if p.abi.Long == 8 && p.model.Has("fsgsbase") {
		return 2
	}
	return 0
}

// makeStack maps the stack and puts on it what a program finds there. It
// returns the stack pointer.
func (p *Process) makeStack(im *image, bias, base, size uint64) (uint64, error) {
	top := min(p.abi.Top, p.sp.limit)
	prot := unix.PROT_READ | unix.PROT_WRITE
	if im.execStack {
		prot |= unix.PROT_EXEC
	}
	if _, errno := p.sp.mmap(top-size, size, prot, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE|unix.MAP_FIXED, -1, 0); errno != 0 {
		return 0, fmt.Errorf("no room for a stack of %d bytes: %w", size, errno)
	}
	total := 0
	for _, s := range append(append([]string{}, p.cfg.Args...), p.cfg.Env...) {
		total += len(s) + 1 + p.abi.Long
	}
	if uint64(total) > size/4 {
		return 0, notRun(p.cfg.Path, unix.E2BIG)
	}
	at := top - uint64(p.abi.Long)
	push := func(s string) uint64 {
		at -= uint64(len(s)) + 1
		copy(p.sp.all[at:], s)
		return at
	}
	pushAll := func(list []string) []uint64 {
		a := make([]uint64, len(list))
		for i := len(list) - 1; i >= 0; i-- {
			a[i] = push(list[i])
		}
		return a
	}
	execfn := push(p.cfg.Path)
	p.envEnd = at
	envs := pushAll(p.cfg.Env)
	p.argEnd = at
	args := pushAll(p.cfg.Args)
	p.argStart = at
	p.argv = append([]byte{}, p.sp.all[p.argStart:p.argEnd]...)
	platform := push(p.abi.Platform)
	var random [16]byte
	rand.Read(random[:])
	at = (at - 16) &^ 15
	copy(p.sp.all[at:], random[:])
	randomAt := at

	lo := im.segments[0].vaddr - im.segments[0].off
	aux := []uint64{
		atHWCAP, uint64(p.model.FeatureWord()), atPAGESZ, page, atCLKTCK, 100,
		atPHDR, lo + bias + im.phoff, atPHENT, uint64(im.phentsz), atPHNUM, uint64(im.phnum),
		atBASE, base, atFLAGS, 0, atENTRY, im.entry + bias,
		atUID, uint64(unix.Getuid()), atEUID, uint64(unix.Geteuid()), atGID, uint64(unix.Getgid()), atEGID, uint64(unix.Getegid()),
		atSECURE, 0, atHWCAP2, p.hwcap2(), atRANDOM, randomAt, atEXECFN, execfn, atPLATFORM, platform, atMINSIGSTKSZ, 2048, 0, 0,
	}
	long := uint64(p.abi.Long)
	words := uint64(1+len(args)+1+len(envs)+1+len(aux)) * long
	at = (at - words) &^ 15
	sp := at
	word := func(v uint64) {
		if p.abi.Long == 4 {
			p.abi.Order.PutUint32(p.sp.all[at:], uint32(v))
		} else {
			p.abi.Order.PutUint64(p.sp.all[at:], v)
		}
		at += long
	}
	list := func(a []uint64) {
		for _, v := range a {
			word(v)
		}
		word(0)
	}
	word(uint64(len(args)))
	list(args)
	list(envs)
	auxAt := at
	for _, v := range aux {
		word(v)
	}
	p.auxv = append([]byte{}, p.sp.all[auxAt:at]...)
	p.stackTop = sp
	return sp, nil
}
