package linux

import (
	"encoding/binary"
	"os"
	"strconv"

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

// Two signals are the runtime's: the guest's are others of the host's, and it
// does not have these.
const (
	hostURG  = 64
	hostPROF = 63
)

// hostSignal is the host's number for a guest's signal, and guestSignal the
// other way round; each is its own inverse.
func hostSignal(sig int) int {
	switch sig {
	case int(unix.SIGURG):
		return hostURG
	case hostURG:
		return int(unix.SIGURG)
	case int(unix.SIGPROF):
		return hostPROF
	case hostPROF:
		return int(unix.SIGPROF)
	}
	return sig
}

func guestSignal(sig int) int { return hostSignal(sig) }

// hostMask is the host's mask for a guest's, and the other way round.
func hostMask(m uint64) uint64 {
	out := m
	for _, s := range [...]int{int(unix.SIGURG), int(unix.SIGPROF)} {
		a, b := uint64(1)<<(s-1), uint64(1)<<(hostSignal(s)-1)
		out &^= a | b
		if m&a != 0 {
			out |= b
		}
		if m&b != 0 {
			out |= a
		}
	}
	return out
}

// hostDefault is what the host does with a signal by which the guest does what is
// its default: hostURG would end the process.
func hostDefault(sig int) proc.Disposition {
	if hostSignal(sig) == hostURG {
		return proc.Ignore
	}
	return proc.Default
}

// byDefault is hostDefault; what would end the process is caught while there is
// a debugger.
func (p *Process) byDefault(sig int) proc.Disposition {
	if p.cfg.Debug != nil && kills(sig) && !stops(sig) {
		return proc.Catch
	}
	return hostDefault(sig)
}

func stops(sig int) bool {
	switch unix.Signal(sig) {
	case unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU:
		return true
	}
	return false
}

func sigbit(sig int) uint64 { return 1 << (sig - 1) }

const unblockable = 1<<(unix.SIGKILL-1) | 1<<(unix.SIGSTOP-1)

// ignoredVar tells the program that replaces this one which signals it is to
// ignore: the runtime forgets it when it starts.
const ignoredVar = "_RHEA_SIGIGN"

// startSignals makes the host's handling of signals the guest's at its start.
func (p *Process) startSignals(t *Thread) {
	t.mask = hostMask(proc.BlockAll())
	var ignored uint64
	if v := os.Getenv(ignoredVar); v != "" {
		ignored, _ = strconv.ParseUint(v, 16, 64)
	}
	for sig := 1; sig <= 64; sig++ {
		host := hostSignal(sig)
		if sig == int(unix.SIGKILL) || sig == int(unix.SIGSTOP) {
			continue
		}
		d := p.byDefault(sig)
		if proc.IsIgnored(host) && d != proc.Ignore || ignored&sigbit(sig) != 0 {
			p.acts[sig].handler = sigIgn
			d = proc.Ignore
		}
		proc.Dispose(host, d, false, false)
	}
	t.applyMask()
}

func (t *Thread) applyMask() { proc.SetMask(hostMask(t.mask)) }

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

	cldExited = 1

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
	var i siginfo
	copy(i[:], info)
	t.p.putInfo(dst, &i)
	return 0
}

// putInfo writes a siginfo where the guest has one.
func (p *Process) putInfo(dst []byte, info *siginfo) {
	sig, code := int(int32(le.Uint32(info[0:]))), int(int32(le.Uint32(info[8:])))
	x := p.infos[infoKind(sig, code)]
	clear(dst[:128])
	x.out.do(dst, info[:])
	x.guest.set(dst, "signo", uint64(guestSignal(sig)))
	if x.guest.find("status") != nil && code > cldExited { // a signal
		x.guest.set(dst, "status", uint64(guestSignal(int(x.guest.value(dst, "status")))))
	}
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

// deliver takes the signal that has come.
func (t *Thread) deliver() {
	var info siginfo
	copy(info[:], t.rec.Info[:])
	sig := guestSignal(int(t.rec.Signal))
	if t.over() { // it is what has the thread look
		return
	}
	t.rec.Signal = 0
	if d := t.p.debug; d != nil {
		switch pass := d.signalled(t, sig); pass {
		case sig:
		case 0:
			t.finishCall(true)
			t.restoreMask()
			t.applyMask()
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
		proc.Dispose(hostSignal(sig), proc.Default, false, false)
	}
	p.mu.Unlock()
	if act.handler == sigIgn || act.handler == sigDfl {
		if act.handler == sigDfl && kills(sig) {
			p.die(sig)
		}
		t.finishCall(true)
		t.restoreMask()
		t.applyMask()
		return
	}
	t.finishCall(act.flags&saRestart != 0)
	old := t.mask
	if t.swapped {
		old, t.swapped = t.saved, false
	}
	if !t.cpu.pushFrame(t, sig, info, &act, old) {
		p.die(int(unix.SIGSEGV))
	}
	t.mask |= act.mask
	if act.flags&saNodefer == 0 {
		t.mask |= sigbit(sig)
	}
	t.mask &^= unblockable
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
	host := sig
	if sig == hostURG || sig == hostPROF {
		host = hostSignal(sig)
	}
	proc.Die(host)
}

// finishCall gives the system call that a signal has interrupted its result.
func (t *Thread) finishCall(again bool) {
	if !t.restart {
		return
	}
	t.restart = false
	if again && !neverRestarts(t.p.abi.calls.name(t.call)) {
		t.cpu.again(t.call)
		return
	}
	t.cpu.setResult(negative(unix.EINTR))
}

// neverRestarts are the calls that end with EINTR whenever a handler has run
// (signal(7)).
func neverRestarts(name string) bool {
	switch name {
	case "pause", "sigsuspend", "rt_sigsuspend", "rt_sigtimedwait", "rt_sigtimedwait_time64", "nanosleep", "clock_nanosleep", "clock_nanosleep_time64",
		"poll", "ppoll", "ppoll_time64", "select", "_newselect", "pselect6", "pselect6_time64", "epoll_wait", "epoll_pwait", "epoll_pwait2",
		"semop", "semtimedop_time64", "msgsnd", "msgrcv":
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
