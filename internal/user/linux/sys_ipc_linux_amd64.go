package linux

import (
	"golang.org/x/sys/unix"
)

// ipcCalls are System V's.
func ipcCalls() map[string]handler {
	return map[string]handler{
		"ipc":       sysIpc,
		"mq_notify": sysMqNotify,
		"semctl":    func(t *Thread, a *[6]uint64) uint64 { return t.semctl(a[0], a[1], a[2], a[3]) },
		"shmctl":    func(t *Thread, a *[6]uint64) uint64 { return t.shmctl(a[0], a[1], a[2]) },
		"msgctl":    func(t *Thread, a *[6]uint64) uint64 { return t.msgctl(a[0], a[1], a[2]) },
	}
}

// ipc64 is IPC_64, which 32-bit calls add to commands.
const ipc64 = 0x100

func (t *Thread) shmctl(id, cmd, arg uint64) uint64 {
	cmd &^= ipc64
	return t.ipcControl(shmControls(), cmd, arg, func(p uintptr) uint64 { return t.raw(unix.SYS_SHMCTL, fd(id), uintptr(cmd), p) })
}

func (t *Thread) msgctl(id, cmd, arg uint64) uint64 {
	cmd &^= ipc64
	return t.ipcControl(msgControls(), cmd, arg, func(p uintptr) uint64 { return t.raw(unix.SYS_MSGCTL, fd(id), uintptr(cmd), p) })
}

// Commands of semctl (linux/sem.h).
const (
	semGetpid, semGetval, semGetall, semGetncnt, semGetzcnt, semSetval, semSetall = 11, 12, 13, 14, 15, 16, 17
)

func (t *Thread) semctl(id, n, cmd, arg uint64) uint64 {
	switch c := cmd &^ ipc64; c {
	case unix.IPC_RMID, semGetpid, semGetval, semGetncnt, semGetzcnt:
		return t.raw(unix.SYS_SEMCTL, fd(id), fd(n), uintptr(c), 0)
	case semSetval:
		return t.raw(unix.SYS_SEMCTL, fd(id), fd(n), uintptr(c), uintptr(uint32(arg)))
	case semGetall, semSetall:
		return t.raw(unix.SYS_SEMCTL, fd(id), fd(n), uintptr(c), t.output(arg, 512))
	}
	cmd &^= ipc64
	return t.ipcControl(semControls(), cmd, arg, func(p uintptr) uint64 { return t.raw(unix.SYS_SEMCTL, fd(id), fd(n), uintptr(cmd), p) })
}

// sysIpc is all of them in one (linux/ipc.h): call, first, second, third, ptr,
// fifth.
func sysIpc(t *Thread, a *[6]uint64) uint64 {
	switch a[0] & 0xffff {
	case 1: // SEMOP
		return t.wait(unix.SYS_SEMOP, fd(a[1]), t.pointer(a[4]), uintptr(a[2]))
	case 4: // SEMTIMEDOP
		ts, errno := t.in("timespec", a[5])
		if errno != 0 {
			return negative(errno)
		}
		return t.wait(unix.SYS_SEMTIMEDOP, fd(a[1]), t.pointer(a[4]), uintptr(a[2]), ref(ts))
	case 2:
		return t.raw(unix.SYS_SEMGET, fd(a[1]), uintptr(a[2]), uintptr(a[3]))
	case 3:
		arg, errno := t.getWord(a[4])
		if errno != 0 {
			return negative(errno)
		}
		return t.semctl(a[1], a[2], a[3], arg)
	case 11:
		return t.msgsnd(a[1], a[4], a[2], a[3])
	case 12:
		if a[0]>>16 != 0 {
			return t.msgrcv(a[1], a[4], a[2], a[5], a[3])
		}
		to, e1 := t.getWord(a[4]) // struct ipc_kludge
		typ, e2 := t.getWord(a[4] + uint64(t.p.abi.Long))
		if e1|e2 != 0 {
			return negative(unix.EFAULT)
		}
		return t.msgrcv(a[1], to, a[2], typ, a[3])
	case 13:
		return t.raw(unix.SYS_MSGGET, fd(a[1]), uintptr(a[2]))
	case 14:
		return t.msgctl(a[1], a[2], a[4])
	case 21: // SHMAT
		r := t.shmat(a[1], a[4], a[2])
		if failed(r) && r > ^uint64(4095) {
			return r
		}
		return negative(t.putWord(a[3], r))
	case 22:
		return t.shmdt(a[4])
	case 23:
		return t.raw(unix.SYS_SHMGET, fd(a[1]), uintptr(a[2]), uintptr(a[3]))
	case 24:
		return t.shmctl(a[1], a[2], a[4])
	}
	t.p.cfg.Log.Unimp("ipc %d is not built", a[0])
	return negative(unix.ENOSYS)
}

// sysMqNotify: a thread is told by a socket, with what is at the event's value.
func sysMqNotify(t *Thread, a *[6]uint64) uint64 {
	ev, errno := t.in("sigevent", a[1])
	if errno != 0 {
		return negative(errno)
	}
	if ev != nil {
		const thread = 2
		x := t.p.types.of("sigevent").host
		if x.value(ev, "notify") == thread { // signo is the socket
			x.set(ev, "value", uint64(t.pointer(x.value(ev, "value"))))
		}
	}
	return t.raw(unix.SYS_MQ_NOTIFY, fd(a[0]), ref(ev))
}
