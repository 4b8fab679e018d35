package mem

// Streamer is an MMIO with an address through which many values pass, such as
// a data port: string instructions move them at one go. Both methods report
// false, and have done nothing, where values are to be moved one by one.
type Streamer interface {
	// ReadStream fills p with what len(p)/size reads of size bytes at off give.
	ReadStream(off uint64, size int, p []byte) bool
	// WriteStream writes p to off, size bytes at a time.
	WriteStream(off uint64, size int, p []byte) bool
}

// ReadStream reads len(p)/size values of size bytes at addr, if what is there
// is a Streamer that can.
func (s *Space) ReadStream(addr uint64, size int, p []byte) bool {
	d, off := streamer(s.view.Load().read, addr, size)
	return d != nil && d.ReadStream(off, size, p)
}

// WriteStream writes p to addr, size bytes at a time, if what is there is a
// Streamer that can.
func (s *Space) WriteStream(addr uint64, size int, p []byte) bool {
	d, off := streamer(s.view.Load().write, addr, size)
	return d != nil && d.WriteStream(off, size, p)
}

// streamer returns the Streamer that is at addr, nil if there is none.
func streamer(spans []span, addr uint64, size int) (Streamer, uint64) {
	sp, last := find(spans, addr)
	if sp == nil || sp.reg.io == nil || sp.reg.big || last-addr < uint64(size-1) || size < sp.reg.min || size > sp.reg.max {
		return nil, 0
	}
	d, _ := sp.reg.io.(Streamer)
	return d, sp.off + addr - sp.first
}
