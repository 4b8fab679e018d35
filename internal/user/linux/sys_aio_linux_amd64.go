package linux

import (
	"sync"

	"golang.org/x/sys/unix"
)

// aioCalls are those of the kernel's asynchronous input and output.
func aioCalls() map[string]handler {
	return map[string]handler{
		"io_setup": sysIoSetup, "io_destroy": sysIoDestroy, "io_submit": sysIoSubmit, "io_cancel": sysIoCancel,
		"io_getevents":         func(t *Thread, a *[6]uint64) uint64 { return t.ioGetevents("timespec", a, nil) },
		"io_pgetevents":        func(t *Thread, a *[6]uint64) uint64 { return t.ioPgetevents("timespec", a) },
		"io_pgetevents_time64": func(t *Thread, a *[6]uint64) uint64 { return t.ioPgetevents("timespec64", a) },
	}
}

// aio are the contexts of a process. A guest knows one by the address of a page
// of its own, where libraries look for the kernel's ring of events; they find
// none, and call the kernel.
type aio struct {
	mu       sync.Mutex
	contexts map[uint64]uintptr
	// requests are those that the host works at: what it has for the guest's, by
	// its address.
	requests map[uintptr]*aioRequest
}

// aioRequest is struct iocb as the host has it, and what it leads to.
type aioRequest struct {
	iocb   []byte
	vector []byte
	guest  uint64
}

// Struct iocb has one form for all (linux/aio_abi.h).
const (
	iocbSize   = 64
	iocbOpcode = 16
	iocbBuf    = 24
	iocbBytes  = 32

	eventSize = 32
	eventObj  = 8

	iocbPread, iocbPwrite, iocbPreadv, iocbPwritev = 0, 1, 7, 8
)

func sysIoSetup(t *Thread, a *[6]uint64) uint64 {
	if old, errno := t.getWord(a[1]); errno != 0 {
		return negative(errno)
	} else if old != 0 {
		return negative(unix.EINVAL)
	}
	b := t.alloc(8)
	if r := t.raw(unix.SYS_IO_SETUP, uintptr(uint32(a[0])), ref(b)); failed(r) {
		return r
	}
	id, errno := t.p.sp.mmap(0, page, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANON, -1, 0)
	if errno == 0 {
		errno = t.putWord(a[1], id)
	}
	if errno != 0 {
		t.raw(unix.SYS_IO_DESTROY, uintptr(le.Uint64(b)))
		return negative(errno)
	}
	x := &t.p.aio
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.contexts == nil {
		x.contexts, x.requests = map[uint64]uintptr{}, map[uintptr]*aioRequest{}
	}
	x.contexts[id] = uintptr(le.Uint64(b))
	return 0
}

// context is the host's for a guest's.
func (x *aio) context(id uint64) (uintptr, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	c, ok := x.contexts[id]
	return c, ok
}

func sysIoDestroy(t *Thread, a *[6]uint64) uint64 {
	x := &t.p.aio
	c, ok := x.context(a[0])
	if !ok {
		return negative(unix.EINVAL)
	}
	r := t.wait(unix.SYS_IO_DESTROY, c)
	if !failed(r) {
		x.mu.Lock()
		delete(x.contexts, a[0])
		x.mu.Unlock()
		t.p.sp.munmap(a[0], page)
	}
	return r
}

// request makes the host's of the guest's iocb.
func (t *Thread) request(va uint64) (*aioRequest, unix.Errno) {
	src := t.p.sp.readable(va, iocbSize)
	if src == nil {
		return nil, unix.EFAULT
	}
	q := &aioRequest{iocb: make([]byte, iocbSize), guest: va}
	copy(q.iocb, src)
	buf, n := le.Uint64(src[iocbBuf:]), le.Uint64(src[iocbBytes:])
	switch le.Uint16(src[iocbOpcode:]) {
	case iocbPread:
		buf = uint64(t.output(buf, n))
	case iocbPwrite:
		buf = uint64(t.pointer(buf))
	case iocbPreadv, iocbPwritev:
		v, errno := t.iovec(buf, n, true)
		if errno != 0 {
			return nil, errno
		}
		q.vector = append([]byte{}, v...) // it outlasts the call
		buf = uint64(ref(q.vector))
	}
	le.PutUint64(q.iocb[iocbBuf:], buf)
	return q, 0
}

func sysIoSubmit(t *Thread, a *[6]uint64) uint64 {
	x := &t.p.aio
	c, ok := x.context(a[0])
	n := t.long(a[1])
	if !ok || n < 0 {
		return negative(unix.EINVAL)
	}
	// One by one: the first that cannot be made or begun ends it.
	done := uint64(0)
	one := t.alloc(8)
	for ; done < uint64(n); done++ {
		var q *aioRequest
		va, errno := t.getWord(a[2] + done*uint64(t.p.abi.Long))
		if errno == 0 {
			q, errno = t.request(va)
		}
		if errno != 0 {
			if done == 0 {
				return negative(errno)
			}
			break
		}
		p := ref(q.iocb)
		x.mu.Lock()
		x.requests[p] = q
		x.mu.Unlock()
		le.PutUint64(one, uint64(p))
		if r := t.wait(unix.SYS_IO_SUBMIT, c, 1, ref(one)); failed(r) {
			x.mu.Lock()
			delete(x.requests, p)
			x.mu.Unlock()
			if done == 0 {
				return r
			}
			break
		}
	}
	return done
}

// maxEvents is how many a call asks the host for at most.
const maxEvents = 1024

// ioPgetevents: the last argument is where the address of a mask is, and its size.
func (t *Thread) ioPgetevents(spec string, a *[6]uint64) uint64 {
	mask, errno := t.maskAt(a[5])
	if errno != 0 {
		return negative(errno)
	}
	return t.ioGetevents(spec, a, mask)
}

func (t *Thread) ioGetevents(spec string, a *[6]uint64, mask []byte) uint64 {
	x := &t.p.aio
	c, ok := x.context(a[0])
	least, most := t.long(a[1]), t.long(a[2])
	if !ok || least < 0 || most < least {
		return negative(unix.EINVAL)
	}
	most = min(most, maxEvents)
	ts, errno := t.in(spec, a[4])
	if errno != 0 {
		return negative(errno)
	}
	b := t.alloc(int(most) * eventSize)
	r := t.waitMasked(mask, unix.SYS_IO_PGETEVENTS, c, uintptr(min(least, most)), uintptr(most), ref(b), ref(ts), t.maskRef(mask))
	if failed(r) {
		return r
	}
	dst := t.p.sp.writable(a[3], r*eventSize)
	if dst == nil {
		return negative(unix.EFAULT)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for e := b[:r*eventSize]; len(e) > 0; e = e[eventSize:] {
		p := uintptr(le.Uint64(e[eventObj:]))
		if q := x.requests[p]; q != nil {
			le.PutUint64(e[eventObj:], q.guest)
			delete(x.requests, p)
		}
	}
	copy(dst, b)
	return r
}

func sysIoCancel(t *Thread, a *[6]uint64) uint64 {
	if t.p.sp.readable(a[1], iocbSize) == nil {
		return negative(unix.EFAULT)
	}
	x := &t.p.aio
	c, ok := x.context(a[0])
	if !ok {
		return negative(unix.EINVAL)
	}
	p := uintptr(0)
	x.mu.Lock()
	for at, q := range x.requests {
		if q.guest == a[1] {
			p = at
		}
	}
	x.mu.Unlock()
	if p == 0 {
		return negative(unix.EINVAL)
	}
	// The event comes as any; what the kernel writes besides is of no use.
	return t.raw(unix.SYS_IO_CANCEL, c, p, ref(t.alloc(eventSize)))
}
