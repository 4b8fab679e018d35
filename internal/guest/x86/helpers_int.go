package x86

import (
	"hash/crc32"
	"math/bits"
	"sync"

	"rhea/internal/guest"
)

// Results with flags: the value is in the low half, the arithmetic flags
// follow at bit 32.

func withFlags(v, f uint64) (uint64, bool) { return v&0xffffffff | f<<32, false }

// onlyFlags in arg says that of a result of 64 bits the flags are wanted.
const onlyFlags = 1 << 16

// rcl rotates x left through carry by n, arg = n | size<<8 (SDM vol. 2, RCL).
func rcl(x, arg, f uint64) (uint64, bool) { return rotateThrough(x, arg, f, true) }

func rcr(x, arg, f uint64) (uint64, bool) { return rotateThrough(x, arg, f, false) }

func rotateThrough(x, arg, f uint64, left bool) (uint64, bool) {
	bits := (arg >> 8 & 0xff) * 8
	if bits == 64 {
		return rotateThrough64(x, arg, f, left)
	}
	n := arg & 31 % (bits + 1)
	if n == 0 {
		return withFlags(x, f)
	}
	if !left {
		n = bits + 1 - n
	}
	wide := x | (f&flagCF)<<bits // bits+1 bits
	mask := uint64(1)<<(bits+1) - 1
	wide = (wide<<n | wide>>(bits+1-n)) & mask
	cf := wide >> bits
	r := wide & (mask >> 1)
	var of uint64
	if left {
		of = r>>(bits-1) ^ cf
	} else {
		of = r>>(bits-1)&1 ^ r>>(bits-2)&1
	}
	return withFlags(r, f&^(flagCF|flagOF)|cf|of<<11)
}

// rotateThrough64 is rotateThrough of 64 bits: the value, or the flags.
func rotateThrough64(x, arg, f uint64, left bool) (uint64, bool) {
	r, cf := x, f&flagCF
	for range arg & 63 {
		if left {
			r, cf = r<<1|cf, r>>63
		} else {
			r, cf = r>>1|cf<<63, r&1
		}
	}
	if arg&onlyFlags == 0 {
		return r, false
	}
	if arg&63 == 0 {
		return f & flagsArith, false
	}
	of := r>>63 ^ cf
	if !left {
		of = (r>>63 ^ r>>62) & 1
	}
	return f&flagsArith&^(flagCF|flagOF) | cf | of<<11, false
}

// div64 is DIV of RDX:RAX by d.
func (c *CPU) div64(d, _, _ uint64) (uint64, *guest.Fault) {
	s := c.s
	if s.GPR[rDX] >= d {
		return 0, &guest.Fault{Vector: vecDE}
	}
	s.GPR[rAX], s.GPR[rDX] = bits.Div64(s.GPR[rDX], s.GPR[rAX], d)
	return 0, nil
}

// idiv64 is IDIV of RDX:RAX by d.
func (c *CPU) idiv64(d, _, _ uint64) (uint64, *guest.Fault) {
	s := c.s
	hi, lo := s.GPR[rDX], s.GPR[rAX]
	negative := int64(hi) < 0
	if negative {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	abs := d
	if int64(d) < 0 {
		abs = -d
	}
	if hi >= abs {
		return 0, &guest.Fault{Vector: vecDE}
	}
	q, r := bits.Div64(hi, lo, abs)
	limit := uint64(1)<<63 - 1
	if negative != (int64(d) < 0) {
		q, limit = -q, limit+1
		if -q > limit {
			return 0, &guest.Fault{Vector: vecDE}
		}
	} else if q > limit {
		return 0, &guest.Fault{Vector: vecDE}
	}
	if negative {
		r = -r
	}
	s.GPR[rAX], s.GPR[rDX] = q, r
	return 0, nil
}

// shiftDouble does SHLD and, with bit 16 of arg set, SHRD: xy = destination |
// source<<32, arg = n | size<<8. With 16 bits a count above 16 is undefined;
// as on all chips the source is then followed by the destination again.
func shiftDouble(xy, arg, f uint64) (uint64, bool) {
	bits := (arg >> 8 & 0xff) * 8
	n := arg & 31
	if n == 0 {
		return withFlags(xy, f)
	}
	mask := uint64(1)<<bits - 1
	x, y := xy&mask, xy>>32&mask
	var r, cf uint64
	if arg>>16 == 0 {
		wide := x<<bits | y
		if bits == 16 {
			wide = x<<32 | y<<16 | x
			r = wide >> (32 - n) & mask
			cf = wide >> (48 - n) & 1
		} else {
			r = wide >> (bits - n) & mask
			cf = x >> (bits - n) & 1
		}
	} else {
		wide := y<<bits | x
		if bits == 16 {
			wide |= x << 32
		}
		r = wide >> n & mask
		cf = wide >> (n - 1) & 1
	}
	of := (r ^ x) >> (bits - 1) & 1
	lazy := arithBase(ccLogic+log2(int(bits/8)), r, 0, 0) // SF ZF PF
	return withFlags(r, lazy|cf|of<<11)
}

// The decimal adjustments follow the SDM's pseudocode: ax, flags, immediate.

func daa(ax, f, _ uint64) (uint64, bool) { return decimalAdjust(ax, f, 1) }

func das(ax, f, _ uint64) (uint64, bool) { return decimalAdjust(ax, f, -1) }

func decimalAdjust(ax, f uint64, sign int) (uint64, bool) {
	al := int(ax & 0xff)
	old, cf, af := al, f&flagCF != 0, f&flagAF != 0
	carryOut := false
	if al&15 > 9 || af {
		carryOut = cf || sign < 0 && al < 6 || sign > 0 && al > 0xff-6
		al += 6 * sign
		af = true
	} else {
		af = false
	}
	if old > 0x99 || cf {
		al += 0x60 * sign
		carryOut = true
	}
	r := uint64(uint8(al))
	g := arithBase(ccLogic, r, 0, 0)
	g |= carry(b2u(carryOut), flagCF) | carry(b2u(af), flagAF)
	return withFlags(ax&0xff00|r, g)
}

func aaa(ax, f, _ uint64) (uint64, bool) { return asciiAdjust(ax, f, 0x106) }

func aas(ax, f, _ uint64) (uint64, bool) { return asciiAdjust(ax, f, ^uint64(0x106)+1) }

func asciiAdjust(ax, f, step uint64) (uint64, bool) {
	g := uint64(0)
	if ax&15 > 9 || f&flagAF != 0 {
		ax = (ax + step) & 0xffff
		g = flagAF | flagCF
	}
	ax &= 0xff0f
	return withFlags(ax, g|arithBase(ccLogic, ax&0xff, 0, 0))
}

func aam(ax, _, base uint64) (uint64, bool) {
	al := ax & 0xff
	if base &= 0xff; base == 0 {
		return 0, false // the instruction has raised #DE
	}
	r := al/base<<8 | al%base
	return withFlags(r, arithBase(ccLogic, r&0xff, 0, 0))
}

func aad(ax, _, base uint64) (uint64, bool) {
	r := (ax + ax>>8*base) & 0xff
	return withFlags(r, arithBase(ccLogic, r, 0, 0))
}

// crc32c makes the helper of CRC32 (SDM vol. 2): the checksum goes on by size
// bytes of v, without the inversions that the library has about it.
func crc32c() func(crc, v, size uint64) (uint64, bool) {
	made := sync.OnceValue(func() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) })
	return func(crc, v, size uint64) (uint64, bool) {
		table := made()
		r := uint32(crc)
		for i := range size & 15 {
			r = table[uint8(r)^uint8(v>>(8*i))] ^ r>>8
		}
		return uint64(r), false
	}
}
