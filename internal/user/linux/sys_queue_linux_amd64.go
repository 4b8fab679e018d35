package linux

import (
	"golang.org/x/sys/unix"
)

// queueCalls are those of message queues, POSIX' and System V's.
func queueCalls() map[string]handler {
	return map[string]handler{
		"mq_open": func(t *Thread, a *[6]uint64) uint64 {
			attr, errno := t.in("mq_attr", a[3])
			if errno != 0 {
				return negative(errno)
			}
			return t.wait(unix.SYS_MQ_OPEN, t.pointer(a[0]), uintptr(a[1]), uintptr(a[2]), ref(attr))
		},
		"mq_timedsend": func(t *Thread, a *[6]uint64) uint64 {
			ts, errno := t.in("timespec", a[4])
			if errno != 0 {
				return negative(errno)
			}
			return t.wait(unix.SYS_MQ_TIMEDSEND, fd(a[0]), t.pointer(a[1]), uintptr(a[2]), uintptr(a[3]), ref(ts))
		},
		"mq_timedreceive": func(t *Thread, a *[6]uint64) uint64 {
			ts, errno := t.in("timespec", a[4])
			if errno != 0 {
				return negative(errno)
			}
			return t.wait(unix.SYS_MQ_TIMEDRECEIVE, fd(a[0]), t.output(a[1], a[2]), uintptr(a[2]), t.output(a[3], 4), ref(ts))
		},
		"mq_getsetattr": func(t *Thread, a *[6]uint64) uint64 {
			attr, errno := t.in("mq_attr", a[1])
			if errno != 0 {
				return negative(errno)
			}
			var old []byte
			if a[2] != 0 {
				old = t.room("mq_attr")
			}
			return t.outIf(t.raw(unix.SYS_MQ_GETSETATTR, fd(a[0]), ref(attr), ref(old)), "mq_attr", a[2], old)
		},
		"msgsnd": func(t *Thread, a *[6]uint64) uint64 { return t.msgsnd(a[0], a[1], a[2], a[3]) },
		"msgrcv": func(t *Thread, a *[6]uint64) uint64 { return t.msgrcv(a[0], a[1], a[2], a[3], a[4]) },
	}
}

// maxMessage bounds the room for a message; Linux' limit is 8 KiB, if nobody has
// changed it.
const maxMessage = 1 << 20

// msgsnd sends struct msgbuf, a long and n bytes.
func (t *Thread) msgsnd(id, va, n, flags uint64) uint64 {
	if n > maxMessage {
		return negative(unix.EINVAL)
	}
	long := uint64(t.p.abi.Long)
	typ, errno := t.getWord(va)
	text := t.p.sp.readable(va+long, n)
	if errno != 0 || text == nil {
		return negative(unix.EFAULT)
	}
	b := t.alloc(8 + int(n))
	le.PutUint64(b, uint64(t.long(typ)))
	copy(b[8:], text)
	return t.wait(unix.SYS_MSGSND, fd(id), ref(b), uintptr(n), uintptr(flags))
}

func (t *Thread) msgrcv(id, va, n, typ, flags uint64) uint64 {
	if t.long(n) < 0 {
		return negative(unix.EINVAL)
	}
	n = min(n, maxMessage)
	long := uint64(t.p.abi.Long)
	b := t.alloc(8 + int(n))
	r := t.wait(unix.SYS_MSGRCV, fd(id), ref(b), uintptr(n), uintptr(t.long(typ)), uintptr(flags))
	if failed(r) {
		return r
	}
	dst := t.p.sp.writable(va+long, r)
	if t.putWord(va, le.Uint64(b)) != 0 || dst == nil {
		return negative(unix.EFAULT)
	}
	copy(dst, b[8:])
	return r
}

// control is a command of msgctl, semctl or shmctl with a structure.
type control struct {
	layout string
	set    bool // the structure is the guest's
}

// Commands, IPC_64 left out (linux/ipc.h, msg.h, shm.h, sem.h).
const (
	ipcSet, ipcStat, ipcInfo = 1, 2, 3
)

func msgControls() map[uint64]control {
	return map[uint64]control{
		ipcSet: {"msqid_ds", true}, ipcStat: {"msqid_ds", false}, 11: {"msqid_ds", false}, 13: {"msqid_ds", false}, // MSG_STAT, MSG_STAT_ANY
		ipcInfo: {"msginfo", false}, 12: {"msginfo", false},
	}
}

func shmControls() map[uint64]control {
	return map[uint64]control{
		ipcSet: {"shmid_ds", true}, ipcStat: {"shmid_ds", false}, 13: {"shmid_ds", false}, 15: {"shmid_ds", false}, // SHM_STAT, SHM_STAT_ANY
		ipcInfo: {"shminfo", false}, 14: {"shm_info", false},
	}
}

func semControls() map[uint64]control {
	return map[uint64]control{
		ipcSet: {"semid_ds", true}, ipcStat: {"semid_ds", false}, 18: {"semid_ds", false}, 20: {"semid_ds", false}, // SEM_STAT, SEM_STAT_ANY
		ipcInfo: {"seminfo", false}, 19: {"seminfo", false},
	}
}

// ipcControl does a command; call makes it of an address of the host's.
func (t *Thread) ipcControl(list map[uint64]control, cmd, arg uint64, call func(arg uintptr) uint64) uint64 {
	c := list[cmd]
	switch {
	case c.layout == "":
		return call(0)
	case c.set:
		b, errno := t.in(c.layout, arg)
		if errno != 0 || b == nil {
			return negative(unix.EFAULT)
		}
		return call(ref(b))
	}
	b := t.room(c.layout)
	return t.outAfter(call(ref(b)), c.layout, arg, b)
}
