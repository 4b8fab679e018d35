package tcg

import (
	"encoding/binary"

	"rhea/internal/guest"
	"rhea/internal/ir/interp"
	"rhea/internal/mem"
	"rhea/internal/trace"
)

var le = binary.LittleEndian

const pageMask = mem.PageSize - 1

// entry returns the TLB entry for va, filled so that the access is allowed.
func (v *VCPU) entry(va uint64, index int, write bool) (*interp.Entry, *guest.Fault) {
	e := v.m.TLB[index].At(va)
	if e.Slow.Tag == va&^pageMask && (write && e.Slow.W || !write && e.Slow.R) {
		return e, nil
	}
	access := guest.Read
	if write {
		access = guest.Write
	}
	p, fault := v.cpu.Walk(va, access, index)
	if v.log.On(trace.MMU) {
		v.log.Printf(trace.MMU, "mmu: %s of %08x, index %d: %08x, fault %v\n", access, va, index, p.PA, fault != nil)
	}
	if fault != nil {
		return nil, fault
	}
	v.fill(e, va, index, p)
	return e, nil
}

// fill enters a page. Only RAM that nobody watches is accessed directly.
func (v *VCPU) fill(e *interp.Entry, va uint64, index int, p guest.Page) {
	l := &v.local
	if p.Global {
		l = &v.global
	}
	if len(l.entries) >= maxFilled {
		v.FlushTLB(false)
	}
	if p.Large {
		v.largeFirst, v.largeLast = min(v.largeFirst, va), max(v.largeLast, va)
	}
	e.Slow = interp.Slow{Tag: va &^ pageMask, PA: p.PA &^ pageMask, Global: p.Global, R: p.Readable, W: p.Writable}
	l.add(va, index, v.refill(e, index))
}

// refill enters the page that e.Slow tells of, and returns its bytes if it is RAM
// or ROM. It may have been entered already: something about its RAM has changed.
func (v *VCPU) refill(e *interp.Entry, index int) *[4096]byte {
	s := e.Slow
	rp, readable := v.space.ReadPage(s.PA)
	if !readable {
		e.Fill(nil, false, false, s)
		v.n.fill(s.Tag, index, nil, false, false)
		return nil
	}
	wp, writable := v.space.WritePage(s.PA)
	direct := writable && wp == rp && !wp.RAM.Watched(wp.Off) && !wp.RAM.Clean(wp.Off)
	if v.careful() {
		e.Fill(nil, false, false, s)
		return rp.Data()
	}
	e.Fill(rp.Data(), s.R, s.W && direct, s)
	v.n.fill(s.Tag, index, rp.Data(), s.R, s.W && direct)
	return rp.Data()
}

// MissLoad implements interp.Memory.
func (v *VCPU) MissLoad(va uint64, size, index int, rmw bool) (uint64, *guest.Fault) {
	va &= v.vaMask
	if va&pageMask+uint64(size) > mem.PageSize {
		return v.loadCross(va, size, index, rmw)
	}
	e, fault := v.entry(va, index, false)
	if fault == nil && rmw {
		e, fault = v.entry(va, index, true)
	}
	if fault != nil {
		if rmw { // the fault is that of a write
			if _, wf := v.cpu.Walk(va, guest.Write, index); wf != nil {
				fault = wf
			}
		}
		return 0, fault
	}
	if p := e.Page(va, false); p != nil {
		return loadPage(p, va, size), nil
	}
	pa := e.Slow.PA | va&pageMask
	if v.careful() {
		if page, ok := v.space.ReadPage(pa); ok {
			return v.careLoad(page.Data(), va, size, rmw)
		}
	}
	v.lock.Lock()
	x := v.space.Read(pa, size)
	v.lock.Unlock()
	return x, nil
}

// errSelf is what MissProbe says where a store would change code: the
// instruction must run alone.
var errSelf = &guest.Fault{Vector: -1}

// MissProbe implements interp.Prober.
func (v *VCPU) MissProbe(va uint64, size, index int) *guest.Fault {
	for n := 0; n < size; {
		va := (va + uint64(n)) & v.vaMask
		k := min(size-n, int(mem.PageSize-va&pageMask))
		e, fault := v.entry(va, index, true)
		if fault != nil {
			return fault
		}
		if e.Page(va, true) == nil && !v.alone {
			page, ok := v.space.WritePage(e.Slow.PA)
			if ok && page.RAM.Watched(page.Off) {
				if any, _ := v.cache.hits(place{page.RAM, page.Off | va&pageMask}, uint64(k), nil); any {
					return errSelf
				}
			}
		}
		n += k
	}
	return nil
}

func loadPage(p *[4096]byte, va uint64, size int) uint64 {
	switch b := p[va&pageMask:]; size {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(le.Uint16(b))
	case 4:
		return uint64(le.Uint32(b))
	default:
		return le.Uint64(b)
	}
}

func (v *VCPU) loadCross(va uint64, size, index int, rmw bool) (uint64, *guest.Fault) {
	access := guest.Read
	if rmw {
		access = guest.Write
	}
	if fault := v.Probe(va, size, index, access); fault != nil {
		return 0, fault
	}
	var x uint64
	for i := range size {
		b, fault := v.MissLoad(va+uint64(i), 1, index, false)
		if fault != nil {
			return 0, fault
		}
		x |= b << (8 * i)
	}
	return x, nil
}

// MissStore implements interp.Memory.
func (v *VCPU) MissStore(va uint64, size, index int, x uint64, running *interp.Code) (*guest.Fault, bool) {
	if running == nil || running.OneShot {
		return v.missStore(va, size, index, x, nil)
	}
	return v.missStore(va, size, index, x, running.Owner.(*unit))
}

// missStore is MissStore; running is nil if the store may change any unit.
func (v *VCPU) missStore(va uint64, size, index int, x uint64, running *unit) (*guest.Fault, bool) {
	va &= v.vaMask
	if va&pageMask+uint64(size) > mem.PageSize {
		return v.storeCross(va, size, index, x, running)
	}
	e, fault := v.entry(va, index, true)
	if fault != nil {
		return fault, false
	}
	if p := e.Page(va, true); p != nil {
		storePage(p, va, size, x)
		return nil, false
	}
	pa := e.Slow.PA | va&pageMask
	page, ok := v.space.WritePage(pa)
	if !ok {
		v.lock.Lock()
		v.space.Write(pa, size, x)
		v.lock.Unlock()
		return nil, false
	}
	at := place{page.RAM, page.Off | va&pageMask}
	if page.RAM.Watched(page.Off) {
		any, self := v.cache.hits(at, uint64(size), running)
		if self {
			return nil, true
		}
		switch f := v.cfg.Flat; {
		case f != nil:
			f.written(v, va)
		case any:
			v.cache.invalidate(at, uint64(size))
		}
	}
	if v.careful() {
		return v.careStore(page.Data(), va, size, x), false
	}
	page.RAM.MarkDirty(at.off, uint64(size))
	storePage(page.Data(), va, size, x)
	v.refill(e, index)
	return nil, false
}

func storePage(p *[4096]byte, va uint64, size int, x uint64) {
	switch b := p[va&pageMask:]; size {
	case 1:
		b[0] = byte(x)
	case 2:
		le.PutUint16(b, uint16(x))
	case 4:
		le.PutUint32(b, uint32(x))
	default:
		le.PutUint64(b, x)
	}
}

func (v *VCPU) storeCross(va uint64, size, index int, x uint64, running *unit) (*guest.Fault, bool) {
	if fault := v.Probe(va, size, index, guest.Write); fault != nil {
		return fault, false
	}
	for i := range size {
		// The first byte that meets running's code leaves before anything in
		// that page is stored; bytes stored before it are stored again, alike.
		if fault, self := v.missStore(va+uint64(i), 1, index, x>>(8*i), running); fault != nil || self {
			return fault, self
		}
	}
	return nil, false
}

// Load implements guest.Memory.
func (v *VCPU) Load(va uint64, size, index int) (uint64, *guest.Fault) {
	va &= v.vaMask
	if va&pageMask+uint64(size) <= mem.PageSize {
		if p := v.m.TLB[index].At(va).Page(va, false); p != nil {
			return loadPage(p, va, size), nil
		}
	}
	return v.MissLoad(va, size, index, false)
}

// Store implements guest.Memory.
func (v *VCPU) Store(va uint64, size, index int, x uint64) *guest.Fault {
	va &= v.vaMask
	if va&pageMask+uint64(size) <= mem.PageSize {
		if p := v.m.TLB[index].At(va).Page(va, true); p != nil {
			storePage(p, va, size, x)
			return nil
		}
	}
	fault, _ := v.missStore(va, size, index, x, nil)
	return fault
}

// Probe implements guest.Memory.
func (v *VCPU) Probe(va uint64, size, index int, a guest.Access) *guest.Fault {
	for n := uint64(0); ; {
		va := (va + n) & v.vaMask
		if _, fault := v.entry(va, index, a == guest.Write); fault != nil {
			return fault
		}
		n += mem.PageSize - va&pageMask
		if n >= uint64(size) {
			return nil
		}
	}
}

// Bytes implements guest.Memory.
func (v *VCPU) Bytes(va uint64, n, index int, a guest.Access) []byte {
	va &= v.vaMask
	p := v.m.TLB[index].At(va).Page(va, a == guest.Write)
	if p == nil {
		e, fault := v.entry(va, index, a == guest.Write)
		if fault != nil {
			return nil
		}
		if p = e.Page(va, a == guest.Write); p == nil && a == guest.Write {
			p = v.reopen(e, va, n, index)
		}
		if p == nil {
			return nil
		}
	}
	off := int(va & pageMask)
	return p[off:min(off+n, mem.PageSize)]
}

// reopen has stores to the page of e, which may be written, be direct again: each
// page that code is found in ends that for all. Bytes at va that are not code of a
// program's may be written directly though there is code in the page. It returns the
// page, nil if that is not to be.
func (v *VCPU) reopen(e *interp.Entry, va uint64, n, index int) *[4096]byte {
	page, ok := v.space.WritePage(e.Slow.PA)
	if f := v.cfg.Flat; ok && f != nil && page.RAM.Watched(page.Off) {
		if any, _ := v.cache.hits(place{page.RAM, page.Off | va&pageMask}, uint64(n), nil); any {
			return nil
		}
		f.written(v, va)
	}
	data := v.refill(e, index)
	if v.careful() { // helpers know what is to be done if the host refuses
		return data
	}
	return e.Page(va, true)
}

// LoadPhys implements guest.Memory.
func (v *VCPU) LoadPhys(pa uint64, size int) uint64 {
	if p, ok := v.space.ReadPage(pa); ok && pa&pageMask+uint64(size) <= mem.PageSize {
		return loadPage(p.Data(), pa, size)
	}
	v.lock.Lock()
	defer v.lock.Unlock()
	return v.space.Read(pa, size)
}

// StorePhys implements guest.Memory.
func (v *VCPU) StorePhys(pa uint64, size int, x uint64) {
	if p, ok := v.space.WritePage(pa); ok && pa&pageMask+uint64(size) <= mem.PageSize {
		storePage(p.Data(), pa, size, x)
		p.RAM.Wrote(p.Off|pa&pageMask, uint64(size))
		return
	}
	v.lock.Lock()
	defer v.lock.Unlock()
	v.space.Write(pa, size, x)
}

// In implements guest.Memory.
func (v *VCPU) In(port uint64, size int) uint64 {
	v.lock.Lock()
	defer v.lock.Unlock()
	return v.io.Read(port, size)
}

// Out implements guest.Memory.
func (v *VCPU) Out(port uint64, size int, x uint64) {
	v.lock.Lock()
	defer v.lock.Unlock()
	v.io.Write(port, size, x)
}

// InStream implements guest.Streams.
func (v *VCPU) InStream(port uint64, size int, p []byte) bool {
	v.lock.Lock()
	defer v.lock.Unlock()
	return v.io.ReadStream(port, size, p)
}

// OutStream implements guest.Streams.
func (v *VCPU) OutStream(port uint64, size int, p []byte) bool {
	v.lock.Lock()
	defer v.lock.Unlock()
	return v.io.WriteStream(port, size, p)
}
