package amd64

import "rhea/internal/ir"

// This file lowers shifts, and what takes words apart and counts their bits.

var shiftOps = [...]uint8{ir.Shl: shSHL, ir.Shr: shSHR, ir.Sar: shSAR, ir.Rotl: shROL, ir.Rotr: shROR}

func (c *Compiler) shift(in *ir.Inst, bits int) {
	op := shiftOps[in.Op]
	rotate := in.Op == ir.Rotl || in.Op == ir.Rotr
	size := bits // of the host's operation
	if !rotate {
		size = max(bits, 32)
	}
	x := c.use(c.lowArg(in, 0))
	if k, ok := c.constOf(in.Args[1]); ok {
		k &= uint64(bits - 1)
		d := c.dest(x)
		switch {
		case rotate && d != x && bits >= 32 && c.cfg.BMI2: // RORX
			if in.Op == ir.Rotl {
				k = -k & uint64(bits-1)
			}
			c.vex(3, 3, bits == 64, 0xf0, d, 0, x)
			c.byte(byte(k))
			c.done()
			return
		case in.Op == ir.Sar && bits < 32:
			c.sext(bits, 32, d, x)
		case in.Op == ir.Shl && k == 1 && size == 32 && d != x:
			c.rm(opLEA, d, mem{base: x, index: x})
			c.narrow(bits, d)
			c.done()
			return
		case d != x:
			c.mov(64, d, x)
		}
		if k != 0 {
			c.shifti(op, size, d, uint8(k))
		}
		if in.Op == ir.Shl || in.Op == ir.Sar {
			c.narrow(bits, d)
		}
		c.done()
		return
	}
	y := c.use(in.Args[1])
	mask := bits < 32 && !rotate
	if c.cfg.BMI2 && !rotate && !mask {
		d := c.dest(x)
		c.shiftx(in.Op, size, d, x, y)
		c.done()
		return
	}
	// The count goes to CL.
	if t := c.copyTo(rcx, y, x); t != noReg {
		x = t
	}
	if mask {
		c.alui(aluAND, 32, rcx, int32(bits-1))
	}
	var d reg
	if x == rcx {
		x = c.temp()
		c.mov(64, x, rcx)
	}
	if d = c.dest(x); d == rcx {
		panic("BUG: amd64: shift in the count's register")
	}
	if in.Op == ir.Sar && bits < 32 {
		c.sext(bits, 32, d, x)
	} else if d != x {
		c.mov(64, d, x)
	}
	c.shiftcl(op, size, d)
	if in.Op == ir.Shl || in.Op == ir.Sar {
		c.narrow(bits, d)
	}
	c.done()
}

// shiftPrefix is what tells SHLX, SARX and SHRX apart.
var shiftPrefix = [...]byte{ir.Shl: 1, ir.Sar: 2, ir.Shr: 3}

// shiftx is SHLX, SHRX and SARX (APM vol. 3): d = x shifted by y.
func (c *Compiler) shiftx(op ir.Op, bits int, d, x, y reg) {
	pp := shiftPrefix[op]
	c.vex(pp, 2, bits == 64, 0xf7, d, y, x)
}

// vex writes an instruction with a three-byte VEX prefix: reg, vvvv, r/m.
func (c *Compiler) vex(pp, m byte, w64 bool, o byte, r, v, b reg) {
	b1 := m | 0x40 // no index
	if r < 8 {
		b1 |= 0x80
	}
	if b < 8 {
		b1 |= 0x20
	}
	b2 := ^byte(v)&15<<3 | pp
	if w64 {
		b2 |= 0x80
	}
	c.put(0xc4|uint64(b1)<<8|uint64(b2)<<16|uint64(o)<<24|uint64(0xc0|byte(r&7)<<3|byte(b&7))<<32, 5)
}

func (c *Compiler) bswap(in *ir.Inst, bits int) {
	x := c.use(in.Args[0])
	d := c.dest(x)
	if d != x {
		c.mov(64, d, x)
	}
	switch bits {
	case 8:
	case 16:
		c.shifti(shROL, 16, d, 8)
	default:
		c.head(map0F<<8|0xc8|opcode(d&7)|w(bits), 0, 0, d, false)
	}
	c.done()
}

// count is Clz, Ctz and Popcnt. Without LZCNT and TZCNT, BSR and BSF serve:
// a bit beyond the operand stands in for zero.
func (c *Compiler) count(in *ir.Inst, bits int) {
	x := c.use(in.Args[0])
	switch in.Op {
	case ir.Popcnt:
		d := c.dest(noReg)
		c.popcount(d, x, bits)
	case ir.Ctz:
		t := c.temp()
		d := c.dest(noReg)
		if bits == 64 {
			c.movi(t, 64)
			c.rr(opBSF|wide, d, x)
			c.rr(opCMOV+opcode(ccE)|wide, d, t)
		} else {
			c.movi(t, 1<<bits)
			c.alu(aluOR, 64, t, x)
			c.rr(opBSF|wide, d, t)
		}
	default:
		// clz(x) = 63 - bsr(2x+1) of one bit more.
		t := c.temp()
		d := c.dest(noReg)
		if bits == 64 {
			c.movi(t, 127)
			c.rr(opBSR|wide, d, x)
			c.rr(opCMOV+opcode(ccE)|wide, d, t)
			c.alui(aluXOR, 64, d, 63)
		} else {
			c.rm(opLEA|wide, t, mem{base: x, index: x, disp: 1})
			c.rr(opBSR|wide, d, t)
			c.group3(3, 32, d)
			c.alui(aluADD, 32, d, int32(bits))
		}
	}
	c.done()
}

// popcount uses POPCNT, which every AMD64 processor since 2008 has; others
// are not translated for.
func (c *Compiler) popcount(d, x reg, bits int) { c.rr(opPOPCNT|w(bits), d, x) }

func (c *Compiler) extract(in *ir.Inst) {
	pos, width := ir.FieldOf(in.Imm)
	x := c.use(in.Args[0])
	from := c.bits(in.Args[0])
	d := c.dest(x)
	if pos == 0 && (width == 8 || width == 16 || width == 32) {
		c.zext(int(width), d, x)
		c.done()
		return
	}
	if d != x {
		c.mov(64, d, x)
	}
	if pos != 0 {
		c.shifti(shSHR, max(from, 32), d, uint8(pos))
	}
	c.mask(d, width, uint(from)-pos)
	c.done()
}

// mask clears all but the low width bits of d, of which have may be set.
func (c *Compiler) mask(d reg, width, have uint) {
	switch {
	case width >= have:
	case width == 8 || width == 16 || width == 32:
		c.zext(int(width), d, d)
	case width < 32:
		c.alui(aluAND, 32, d, int32(1<<width-1))
	default:
		c.shifti(shSHL, 64, d, uint8(64-width))
		c.shifti(shSHR, 64, d, uint8(64-width))
	}
}

func (c *Compiler) deposit(in *ir.Inst, bits int) {
	pos, width := ir.FieldOf(in.Imm)
	x, y := c.use(in.Args[0]), c.use(in.Args[1])
	d := c.dest(x)
	if d == y && d != x { // y's home is overwritten
		t := c.temp()
		c.mov(64, t, y)
		y = t
	}
	if d != x {
		c.mov(64, d, x)
	}
	if d == y { // x and y are the same
		t := c.temp()
		c.mov(64, t, y)
		y = t
	}
	switch {
	case width == 8 && pos == 0:
		c.rr(0x8a|byte8, d, y)
	case width == 16 && pos == 0:
		c.byte(0x66)
		c.mov(32, d, y)
	case width == 8 && pos == 8 && bits >= 32:
		c.shifti(shROR, bits, d, 8)
		c.rr(0x8a|byte8, d, y)
		c.shifti(shROL, bits, d, 8)
	default:
		t := c.temp()
		c.mov(64, t, y)
		c.mask(t, width, 64)
		if pos != 0 {
			c.shifti(shSHL, 64, t, uint8(pos))
		}
		u := c.temp()
		c.movi(u, ^(^uint64(0) >> (64 - width) << pos))
		c.alu(aluAND, 64, d, u)
		c.alu(aluOR, 64, d, t)
		c.narrow(bits, d)
	}
	c.done()
}
