package linux

import (
	"golang.org/x/sys/unix"
)

// This file is what a thread has from the one that starts it (clone(2)): the
// host's thread is started by the runtime, from another.

// What a thread may have that the process had not at its start: bits.
const (
	ownAffinity = 1 << iota
	ownSchedule
	ownIDs // user, groups, capabilities
	ownPersonality
)

// changeCalls are the system calls after which threads may differ, by the names
// that handlers know. Those of prctl are sysPrctl's.
func changeCalls() map[string]uint32 {
	m := map[string]uint32{
		"sched_setaffinity": ownAffinity, "personality": ownPersonality, "capset": ownIDs,
		"nice": ownSchedule, "setpriority": ownSchedule, "ioprio_set": ownSchedule,
		"sched_setparam": ownSchedule, "sched_setscheduler": ownSchedule, "sched_setattr": ownSchedule,
	}
	for _, n := range []string{"setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setfsuid", "setfsgid", "setgroups"} {
		m[n], m[n+"32"] = ownIDs, ownIDs
	}
	return m
}

// changed notes that threads may differ in something.
func (p *Process) changed(what uint32) { p.changes.Or(what) }

const (
	lastCap        = 63
	capVersion3    = 0x20080522 // linux/capability.h
	keepCaps       = 1 << 4     // of securebits (linux/securebits.h)
	schedAttrSize  = 48
	affinitySize   = 1024
	personalityGet = 0xffffffff
	ioprioProcess  = 1
)

// attributes are what a thread has of the things that changes names. They are
// the host's structures, and none of the runtime's memory moves.
type attributes struct {
	what        uint32
	name        [16]byte
	slack       uintptr
	affinity    []byte
	schedule    []byte // struct sched_attr
	ioprio      uintptr
	personality uintptr

	uid, gid     [3]uint32 // real, effective, saved
	fsuid, fsgid uintptr
	groups       []byte
	caps         [2][3]uint32 // effective, permitted, inheritable: two words each
	secure       uintptr
	noNewPrivs   uintptr
	bounds       uint64 // capabilities that the bounding set has
	ambient      uint64
}

func (t *Thread) prctl(a ...uintptr) uintptr {
	return uintptr(t.raw(unix.SYS_PRCTL, a...))
}

// attributes reads the thread's own.
func (t *Thread) attributes() *attributes {
	a := &attributes{what: t.p.changes.Load()}
	b := t.alloc(16)
	t.prctl(unix.PR_GET_NAME, ref(b))
	copy(a.name[:], b)
	a.slack = t.prctl(unix.PR_GET_TIMERSLACK)
	if a.what&ownAffinity != 0 {
		a.affinity = make([]byte, affinitySize)
		if n := t.raw(unix.SYS_SCHED_GETAFFINITY, 0, affinitySize, ref(a.affinity)); !failed(n) {
			a.affinity = a.affinity[:n]
		}
	}
	if a.what&ownSchedule != 0 {
		a.schedule = make([]byte, schedAttrSize)
		t.raw(unix.SYS_SCHED_GETATTR, 0, ref(a.schedule), schedAttrSize, 0)
		a.ioprio = uintptr(t.raw(unix.SYS_IOPRIO_GET, ioprioProcess, 0))
	}
	if a.what&ownPersonality != 0 {
		a.personality = uintptr(t.raw(unix.SYS_PERSONALITY, personalityGet))
	}
	if a.what&ownIDs != 0 {
		t.readIDs(a)
	}
	return a
}

func (t *Thread) readIDs(a *attributes) {
	b := t.alloc(16)
	for nr, to := range map[uintptr]*[3]uint32{unix.SYS_GETRESUID: &a.uid, unix.SYS_GETRESGID: &a.gid} {
		t.raw(nr, ref(b), ref(b[4:]), ref(b[8:]))
		for i := range to {
			to[i] = le.Uint32(b[4*i:])
		}
	}
	a.fsuid, a.fsgid = uintptr(t.raw(unix.SYS_SETFSUID, ^uintptr(0))), uintptr(t.raw(unix.SYS_SETFSGID, ^uintptr(0)))
	if n := t.raw(unix.SYS_GETGROUPS, 0, 0); !failed(n) && n > 0 {
		a.groups = make([]byte, 4*n)
		t.raw(unix.SYS_GETGROUPS, uintptr(n), ref(a.groups))
	}
	head, data := t.capHeader(), t.alloc(24)
	t.raw(unix.SYS_CAPGET, ref(head), ref(data))
	for i := range 6 {
		a.caps[i/3][i%3] = le.Uint32(data[4*i:])
	}
	a.secure, a.noNewPrivs = t.prctl(unix.PR_GET_SECUREBITS), t.prctl(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	for c := uintptr(0); c <= lastCap; c++ {
		has := t.prctl(unix.PR_CAPBSET_READ, c)
		if failed(uint64(has)) { // the kernel has no more
			break
		}
		a.bounds |= uint64(has) << c
		a.ambient |= uint64(t.prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_IS_SET, c, 0, 0)&1) << c
	}
}

func (t *Thread) capHeader() []byte {
	head := t.alloc(8)
	le.PutUint32(head, capVersion3)
	return head
}

// take gives the calling thread, which is new, the attributes of the one that has
// started it. What may be done by them is done last.
func (t *Thread) take(a *attributes) {
	t.prctl(unix.PR_SET_NAME, ref(a.name[:]))
	t.prctl(unix.PR_SET_TIMERSLACK, a.slack)
	if a.what&ownAffinity != 0 {
		t.raw(unix.SYS_SCHED_SETAFFINITY, 0, uintptr(len(a.affinity)), ref(a.affinity))
	}
	if a.what&ownSchedule != 0 {
		t.raw(unix.SYS_SCHED_SETATTR, 0, ref(a.schedule), 0)
		t.raw(unix.SYS_IOPRIO_SET, ioprioProcess, 0, a.ioprio)
	}
	if a.what&ownPersonality != 0 {
		t.raw(unix.SYS_PERSONALITY, a.personality)
	}
	if a.what&ownIDs != 0 {
		t.takeIDs(a)
	}
}

func (t *Thread) takeIDs(a *attributes) {
	var now attributes
	t.readIDs(&now)
	for c := uintptr(0); c <= lastCap; c++ {
		if now.bounds&^a.bounds>>c&1 != 0 {
			t.prctl(unix.PR_CAPBSET_DROP, c)
		}
	}
	t.raw(unix.SYS_SETGROUPS, uintptr(len(a.groups)/4), ref(a.groups))
	t.raw(unix.SYS_SETRESGID, uintptr(a.gid[0]), uintptr(a.gid[1]), uintptr(a.gid[2]))
	t.raw(unix.SYS_SETFSGID, a.fsgid)
	t.prctl(unix.PR_SET_KEEPCAPS, 1)
	t.raw(unix.SYS_SETRESUID, uintptr(a.uid[0]), uintptr(a.uid[1]), uintptr(a.uid[2]))
	t.raw(unix.SYS_SETFSUID, a.fsuid)
	// The user has changed, and the capabilities are permitted only.
	for i := range now.caps {
		now.caps[i][0] = now.caps[i][1]
	}
	t.setCaps(&now.caps)
	if now.secure|keepCaps != a.secure|keepCaps {
		t.prctl(unix.PR_SET_SECUREBITS, a.secure|keepCaps)
	}
	t.setCaps(&a.caps)
	for c := uintptr(0); c <= lastCap; c++ {
		if a.ambient>>c&1 != 0 {
			t.prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, c, 0, 0)
		}
	}
	if a.secure&keepCaps == 0 {
		t.prctl(unix.PR_SET_KEEPCAPS, 0)
	}
	if a.noNewPrivs == 1 {
		t.prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	}
}

func (t *Thread) setCaps(caps *[2][3]uint32) {
	head, data := t.capHeader(), t.alloc(24)
	for i := range 6 {
		le.PutUint32(data[4*i:], caps[i/3][i%3])
	}
	t.raw(unix.SYS_CAPSET, ref(head), ref(data))
}
