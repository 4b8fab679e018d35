package mem

// Handlers is an MMIO made of two functions, for parts that have several
// windows of registers.
type Handlers struct {
	R func(off uint64, size int) uint64
	W func(off uint64, size int, v uint64)
}

// Read implements MMIO.
func (h Handlers) Read(off uint64, size int) uint64 { return h.R(off, size) }

// Write implements MMIO.
func (h Handlers) Write(off uint64, size int, v uint64) { h.W(off, size, v) }
