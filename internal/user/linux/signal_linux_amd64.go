package linux

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"os"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"rhea/internal/user/linux/proc"
)

var le = binary.LittleEndian

// action is what a guest does with a signal.
type action struct {
	handler, restorer uint64
	flags             uint32
	mask              uint64
}

// Handlers and flags of sigaction (asm-generic/signal-defs.h, asm/signal.h).
const (
	sigDfl = 0
	sigIgn = 1

	saNoCldStop = 1
	saNoCldWait = 2
	saSiginfo   = 4
	saRestorer  = 0x04000000
	saOnstack   = 0x08000000
	saRestart   = 0x10000000
	saNodefer   = 0x40000000
	saResethand = 0x80000000

	ssOnstack    = 1
	ssDisable    = 2
	ssAutodisarm = 1 << 31
)

// The host's SIGURG is the runtime's. The guest's comes as proc.Carrier, marked;
// the signal that this is elsewhere comes as it, too, unmarked.
const (
	sigURG = int(unix.SIGURG)
	sigSYS = int(unix.SIGSYS)
)

// hostMask is the host's mask for a guest's: the carrier is blocked if SIGURG is.
func hostMask(m uint64) uint64 {
	const carrier = 1 << (proc.Carrier - 1)
	out := m &^ (sigbits(sigURG) | carrier)
	if m&sigbits(sigURG) != 0 {
		out |= carrier
	}
	return out
}

// guestMask is the other way round.
func guestMask(m uint64) uint64 {
	out := m &^ sigbits(sigURG, sigSYS)
	if m&sigbits(proc.Carrier) != 0 {
		out |= sigbits(sigURG, sigSYS)
	}
	return out
}

// hostSet is a set of signals to wait for, by which either may come.
func hostSet(m uint64) uint64 {
	if m&sigbits(sigURG, sigSYS) != 0 {
		m |= sigbits(proc.Carrier)
	}
	return m &^ sigbit(sigURG)
}

// dispose has the host do with a signal what the guest's action wants. The lock
// is held.
func (p *Process) dispose(sig int) {
	act, d := &p.acts[sig], proc.Catch
	switch act.handler {
	case sigDfl:
		d = p.byDefault(sig)
	case sigIgn:
		d = proc.Ignore
	}
	if sig == sigURG || sig == sigSYS {
		urgent := p.acts[sigURG].handler != sigDfl && p.acts[sigURG].handler != sigIgn
		proc.Urgent(urgent)
		d = proc.Catch
		if !urgent && p.acts[sigSYS].handler == sigIgn {
			d = proc.Ignore
		}
		sig = proc.Carrier
	}
	proc.Dispose(sig, d, act.flags&saNoCldStop != 0, act.flags&saNoCldWait != 0)
}

// carry makes a siginfo of the guest's SIGURG the carrier's.
func (i *siginfo) carry() {
	le.PutUint32(i[0:], uint32(proc.Carrier))
	copy(i[4:8], i[8:12])
	code := proc.Carried
	le.PutUint32(i[8:], uint32(code))
}

// carried undoes what carry and proc.MarkHeld do.
func (i *siginfo) carried() {
	carried := i.signal() == proc.Carrier && i.code() == proc.Carried
	if carried || i.code() == proc.Held {
		copy(i[8:12], i[4:8])
		clear(i[4:8])
	}
	// RLIMIT_SIGPENDING may have left no siginfo, which looks as if nobody had sent it:
	// hardly a program sends the signal that the carrier is elsewhere.
	if carried || i.signal() == proc.Carrier && i.code() == siUser && le.Uint32(i[16:]) == 0 {
		le.PutUint32(i[0:], uint32(sigURG))
	}
}

func (i *siginfo) signal() int { return int(int32(le.Uint32(i[0:]))) }
func (i *siginfo) code() int   { return int(int32(le.Uint32(i[8:]))) }

// held are the signals that have come though the guest blocks them, which the
// host cannot: those of exceptions, and the carrier's. One of each is enough for a
// thread, and for the process, as of all but real-time signals.
type held struct {
	set  atomic.Uint64
	mu   sync.Mutex
	info []siginfo // by their numbers; made for the first
}

// add keeps one until a thread unblocks it.
func (h *held) add(i *siginfo) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if sig := i.signal(); h.set.Load()&sigbit(sig) == 0 {
		if h.info == nil {
			h.info = make([]siginfo, 32)
		}
		h.info[sig] = *i
		h.set.Store(h.set.Load() | sigbit(sig))
	}
}

// hold keeps a signal: for the thread, if it was sent to that, or for the process;
// then a thread that waits for it gets it.
func (t *Thread) hold(i *siginfo) {
	if i.code() == siTkill {
		t.held.add(i)
		return
	}
	p := t.p
	p.held.add(i)
	m, to := sigbit(i.signal()), 0
	p.mu.Lock()
	for tid, t := range p.threads {
		if t.awaits.Load()&m != 0 {
			to = tid
		}
	}
	p.mu.Unlock()
	if to == 0 {
		return
	}
	if i, ok := p.held.take(m); ok {
		i.sendTo(to)
	}
}

// sendTo sends a signal that was held to a thread.
func (i *siginfo) sendTo(tid int) {
	if i.signal() == sigURG {
		i.carry()
	} else {
		proc.MarkHeld(i[:])
	}
	proc.Raw(unix.SYS_RT_TGSIGQUEUEINFO, uintptr(unix.Getpid()), uintptr(tid), uintptr(i.signal()), ref(append([]byte(nil), i[:]...)))
}

// takeHeld takes one of a set, if there is one.
func (t *Thread) takeHeld(set uint64) (siginfo, bool) {
	if i, ok := t.held.take(set); ok {
		return i, true
	}
	return t.p.held.take(set)
}

// take takes one of a set, if there is one.
func (h *held) take(set uint64) (i siginfo, ok bool) {
	if h.set.Load()&set == 0 {
		return i, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.set.Load()
	if m&set == 0 {
		return i, false
	}
	sig := bits.TrailingZeros64(m&set) + 1
	h.set.Store(m &^ sigbit(sig))
	return h.info[sig], true
}

// byDefault is what the host does with a signal by which the guest does what is
// its default: what would end the process is caught while there is
// a debugger, and those that the host never blocks.
func (p *Process) byDefault(sig int) proc.Disposition {
	if sig == int(unix.SIGPROF) || sig == int(unix.SIGSTKFLT) || p.cfg.Debug != nil && kills(sig) && !stops(sig) {
		return proc.Catch
	}
	return proc.Default
}

func stops(sig int) bool {
	switch unix.Signal(sig) {
	case unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU:
		return true
	}
	return false
}

func sigbit(sig int) uint64 { return 1 << (sig - 1) }

func sigbits(list ...int) (m uint64) {
	for _, sig := range list {
		m |= sigbit(sig)
	}
	return m
}

const unblockable = 1<<(unix.SIGKILL-1) | 1<<(unix.SIGSTOP-1)

// signalsVar tells the program that replaces this one which signals it is to
// ignore, and which are blocked: the runtime forgets it when it starts.
const signalsVar = "_RHEA_SIGNALS"

// startSignals makes the host's handling of signals the guest's at its start.
func (p *Process) startSignals(t *Thread) {
	var ignored, blocked uint64
	if v := os.Getenv(signalsVar); v != "" {
		fmt.Sscanf(v, "%x,%x", &ignored, &blocked)
	}
	t.mask = guestMask(proc.BlockAll()) | blocked&^unblockable
	for sig := 1; sig <= 64; sig++ {
		if unblockable&sigbit(sig) != 0 {
			continue
		}
		if proc.IsIgnored(sig) && sig != proc.Carrier || ignored&sigbit(sig) != 0 {
			p.acts[sig].handler = sigIgn
		}
		p.dispose(sig)
	}
	t.applyMask()
}

// applyMask has the host block what the guest does.
func (t *Thread) applyMask() {
	proc.SetMask(hostMask(t.mask))
	t.releaseHeld(t.mask)
}

// releaseHeld has the thread get the held signals that a mask does not block.
func (t *Thread) releaseHeld(mask uint64) {
	for {
		i, ok := t.takeHeld(^mask)
		if !ok {
			return
		}
		i.sendTo(t.tid)
	}
}

// siginfo is struct siginfo, as the host has it.
type siginfo [128]byte

func newInfo(sig, code int) *siginfo {
	var i siginfo
	le.PutUint32(i[0:], uint32(sig))
	le.PutUint32(i[8:], uint32(int32(code)))
	return &i
}

func (i *siginfo) setAddr(a uint64) *siginfo { le.PutUint64(i[16:], a); return i }

// Codes of siginfo (asm-generic/siginfo.h).
const (
	siUser   = 0
	siKernel = 0x80
	siQueue  = -1
	siTimer  = -2
	siSigio  = -5
	siTkill  = -6
	lastPoll = 6 // POLL_HUP

	segvMaperr = 1
	segvAccerr = 2
	busAdraln  = 1
	busAdrerr  = 2
	fpeIntdiv  = 1
	illIllopn  = 2
	trapBrkpt  = 1
	trapTrace  = 2
)

// infoKind says what a siginfo's union holds.
func infoKind(sig, code int) byte {
	switch {
	case code == siTimer:
		return 't'
	case code == siSigio:
		return 'p'
	case code < 0:
		return 'q' // pid, uid, value
	case code == siUser:
		return 'k'
	}
	switch unix.Signal(sig) {
	case unix.SIGCHLD:
		return 'c'
	case unix.SIGSEGV, unix.SIGBUS, unix.SIGILL, unix.SIGFPE, unix.SIGTRAP:
		return 'a'
	case unix.SIGIO:
		return 'p'
	}
	if code <= lastPoll { // the signal that F_SETSIG has chosen
		return 'p'
	}
	return 'k'
}

// infoLayout describes a kind of siginfo; the union is aligned as a pointer.
func infoLayout(kind byte) string {
	head := "signo:i errno:i code:i at:z "
	switch kind {
	case 't':
		return head + "tid:i overrun:i value:p"
	case 'q':
		return head + "pid:i uid:u value:p"
	case 'c':
		return head + "pid:i uid:u status:i utime:l stime:l"
	case 'a':
		return head + "addr:p"
	case 'p':
		return head + "band:l fd:i"
	}
	return head + "pid:i uid:u"
}

// infoTypes are the conversions of siginfo of an ABI.
type infoTypes map[byte]*structure

func newInfoTypes(a *ABI) infoTypes {
	m := infoTypes{}
	for _, k := range []byte("tqcapk") {
		desc := infoLayout(k)
		x := &structure{host: newLayout(desc, 8, 8, binary.LittleEndian), guest: newLayout(desc, a.Long, a.Align64, a.Order)}
		x.in, x.out = newConversion(x.guest, x.host), newConversion(x.host, x.guest)
		m[k] = x
	}
	return m
}

// outInfo gives the guest a siginfo of the host's kernel, if it wants it: at
// addr, 0 = it does not.
func (t *Thread) outInfo(addr uint64, info []byte) unix.Errno {
	if addr == 0 {
		return 0
	}
	dst := t.p.sp.writable(addr, 128)
	if dst == nil {
		return unix.EFAULT
	}
	t.p.putInfo(dst, (*siginfo)(info))
	return 0
}

// putInfo writes a siginfo where the guest has one.
func (p *Process) putInfo(dst []byte, info *siginfo) {
	x := p.infos[infoKind(info.signal(), info.code())]
	clear(dst[:128])
	x.out.do(dst, info[:])
}

// getInfo reads one that the guest has made.
func (p *Process) getInfo(src []byte) *siginfo {
	o := p.abi.Order
	sig, code := int(int32(o.Uint32(src))), int(int32(o.Uint32(src[8:])))
	x := p.infos[infoKind(sig, code)]
	var info siginfo
	x.in.do(info[:], src)
	return &info
}

// info is what has come with the signal that is stored.
func (t *Thread) info() (i siginfo) {
	copy(i[:], t.rec.Info[:])
	i.carried()
	return i
}

// stored is the signal that is.
func (t *Thread) stored() int {
	i := t.info()
	return i.signal()
}

// deliver takes the signal that has come.
func (t *Thread) deliver() {
	info := t.info()
	sig := info.signal()
	if t.over() { // it is what has the thread look
		return
	}
	t.rec.Signal = 0
	for more, b := t.rec.TakeMore(); more != 0; more, b = t.rec.TakeMore() {
		i := siginfo(b)
		i.carried()
		t.hold(&i)
	}
	if t.mask&sigbit(sig) != 0 {
		t.hold(&info)
		t.unhandled()
		return
	}
	if d := t.p.debug; d != nil {
		switch pass := d.signalled(t, sig); pass {
		case sig:
		case 0:
			t.unhandled()
			return
		default:
			sig, info = pass, *newInfo(pass, siUser)
		}
	}
	t.signal(sig, &info)
}

// signal has the guest take a signal. All are blocked on the host when it is
// called, but those of the guest's own faults.
func (t *Thread) signal(sig int, info *siginfo) {
	p := t.p
	p.mu.Lock()
	act := p.acts[sig]
	if act.handler != sigDfl && act.handler != sigIgn && act.flags&saResethand != 0 {
		p.acts[sig].handler = sigDfl
		p.dispose(sig)
	}
	p.mu.Unlock()
	if act.handler == sigIgn || act.handler == sigDfl {
		if act.handler == sigDfl && kills(sig) {
			p.die(sig)
		}
		t.unhandled()
		return
	}
	t.finishCall(act.flags&saRestart != 0)
	old := t.mask
	if t.swapped {
		old, t.swapped = t.saved, false
	}
	pushed := false
	if !t.touches(func() { pushed = t.cpu.pushFrame(t, sig, info, &act, old) }) || !pushed {
		if sig == int(unix.SIGSEGV) {
			p.die(sig)
		}
		t.force(int(unix.SIGSEGV), newInfo(int(unix.SIGSEGV), siKernel))
		return
	}
	t.mask |= act.mask
	if act.flags&saNodefer == 0 {
		t.mask |= sigbit(sig)
	}
	t.mask &^= unblockable
	t.applyMask()
}

// unhandled goes on after a signal for which no handler runs.
func (t *Thread) unhandled() {
	t.finishCall(true)
	t.restoreMask()
	t.applyMask()
}

// kills reports whether a signal's default is to end the process; the host
// does that for all but those that it does not know as the guest's.
func kills(sig int) bool {
	switch unix.Signal(sig) {
	case unix.SIGURG, unix.SIGCHLD, unix.SIGWINCH, unix.SIGCONT:
		return false
	}
	return true
}

// die ends the process by a signal.
func (p *Process) die(sig int) {
	if d := p.debug; d != nil {
		d.end(Stop{Ended: true, Signal: sig})
	}
	proc.Die(sig)
}

// finishCall gives the system call that a signal has interrupted its result.
func (t *Thread) finishCall(again bool) {
	if !t.restart {
		return
	}
	t.restart = false
	if again || t.early || neverRestarts(t.p.abi.calls.name(t.call)) {
		t.cpu.again(t.call)
		return
	}
	t.cpu.setResult(negative(unix.EINTR))
}

// neverRestarts are the calls that the kernel ends with EINTR whenever a handler
// has run (signal(7)), or never: one that it has not ended had not begun.
func neverRestarts(name string) bool {
	switch name {
	case "pause", "sigsuspend", "rt_sigsuspend", "rt_sigtimedwait", "rt_sigtimedwait_time64", "nanosleep", "clock_nanosleep", "clock_nanosleep_time64",
		"poll", "ppoll", "ppoll_time64", "select", "_newselect", "pselect6", "pselect6_time64", "epoll_wait", "epoll_pwait", "epoll_pwait2",
		"io_getevents", "io_pgetevents", "io_pgetevents_time64", "semop", "semtimedop_time64", "msgsnd", "msgrcv",
		"kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal":
		return true
	}
	return false
}

// restoreMask takes sigsuspend's mask back, if no handler has.
func (t *Thread) restoreMask() {
	if t.swapped {
		t.mask, t.swapped = t.saved, false
	}
}

// fault is an exception of the program's.
func (t *Thread) fault() {
	d := t.p.debug
	if d != nil && d.faulted(t) {
		return
	}
	sig, info := t.cpu.exception(t)
	if d != nil {
		switch pass := d.signalled(t, sig); pass {
		case sig:
		case 0:
			return
		default:
			sig, info = pass, newInfo(pass, siUser)
		}
	}
	t.force(sig, info)
}

// force has the guest take a signal that it cannot put off.
func (t *Thread) force(sig int, info *siginfo) {
	t.p.mu.Lock()
	act := &t.p.acts[sig]
	if t.mask&sigbit(sig) != 0 || act.handler == sigIgn {
		act.handler = sigDfl
	}
	dies := act.handler == sigDfl
	t.p.mu.Unlock()
	if dies {
		if t.p.cfg.Strace != nil {
			t.trace("--- " + signalName(sig) + " --- " + t.cpu.describe() + "\n")
		}
		t.p.die(sig)
	}
	proc.BlockAll()
	t.signal(sig, info)
}

func signalName(sig int) string {
	if n := unix.SignalName(unix.Signal(sig)); n != "" {
		return n
	}
	return "SIG" + strconv.Itoa(sig)
}

func negative(e unix.Errno) uint64 { return -uint64(e) }
