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
		"shmctl":    func(t *Thread, a *[6]uint64) uint64 { return t.ipcControl(unix.SYS_SHMCTL, a[0], a[1]) },
		"msgctl":    func(t *Thread, a *[6]uint64) uint64 { return t.ipcControl(unix.SYS_MSGCTL, a[0], a[1]) },
	}
}

// ipc64 is IPC_64, which 32-bit calls add to commands.
const ipc64 = 0x100

func (t *Thread) ipcControl(nr uintptr, id, cmd uint64) uint64 {
	switch cmd &^ ipc64 {
	case unix.IPC_RMID, 11, 12: // SHM_LOCK, SHM_UNLOCK
		return t.raw(nr, fd(id), uintptr(cmd&^ipc64), 0)
	}
	t.p.cfg.Log.Unimp("System V ipc: control %d is not built", cmd)
	return negative(unix.ENOSYS)
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
	t.p.cfg.Log.Unimp("semctl %d is not built", cmd)
	return negative(unix.ENOSYS)
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
	case 13:
		return t.raw(unix.SYS_MSGGET, fd(a[1]), uintptr(a[2]))
	case 14:
		return t.ipcControl(unix.SYS_MSGCTL, a[1], a[2])
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
		return t.ipcControl(unix.SYS_SHMCTL, a[1], a[2])
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
		} else {
			x.set(ev, "signo", uint64(hostSignal(int(int32(x.value(ev, "signo"))))))
		}
	}
	return t.raw(unix.SYS_MQ_NOTIFY, fd(a[0]), ref(ev))
}
