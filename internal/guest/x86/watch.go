package x86

// SetUserWatch sets data breakpoint i of 4 for a debugger of the program: size
// bytes (1, 2, 4 or 8) at addr, which is aligned to size; reads says whether
// reading counts, too. Size 0 clears it. A hit is a Trap of vector 1 after the
// instruction; its code has bit i set.
func (c *CPU) SetUserWatch(i int, addr uint64, size int, reads bool) {
	const length, kind = 18, 16 // DR7.LEN0, DR7.R/W0
	s := c.s
	s.DR[7] &^= 15<<(kind+4*i) | 3<<(2*i)
	s.DR[i] = addr
	if size != 0 {
		k := uint64(breakWrite)
		if reads {
			k = breakAccess
		}
		n := map[int]uint64{1: 0, 2: 1, 8: 2, 4: 3}[size]
		s.DR[7] |= k<<(kind+4*i) | n<<(length+4*i) | 2<<(2*i)
	}
	c.refreshMode()
}
